package worker

import (
	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// fetch finds the pack of an attempt, away from the turn. Meanwhile the attempt
// holds its slot: else the worker would take what it cannot run.
func (w *Worker) fetch(a *attempt) {
	a.fetching = true
	ref, hash := a.dispatch.Pack, a.dispatch.PackHash
	w.lend(func() {
		dir, release, err := w.hold(ref, hash)
		if err == nil && w.inbox.isClosed() {
			release()
			return
		}
		w.post(func() { w.fetched(a, dir, release, err) })
	})
}

// fetched goes on with an attempt whose pack is there, or is not. What can
// never be had is refused, what may be had later is returned: it runs here or
// elsewhere.
func (w *Worker) fetched(a *attempt, dir string, release func(), err error) {
	if !a.fetching { // its incarnation has ended meanwhile, or it was stopped
		if err == nil {
			release()
		}
		return
	}
	a.fetching = false
	if err != nil {
		w.busy--
		report := messages.Report{Kind: messages.Returned, Reason: "its pack cannot be had now: " + err.Error()}
		switch attune.KindOf(err) {
		case attune.Invalid, attune.TooLarge, attune.NotFound:
			report.Kind, report.Reason = messages.RefusedRun, "its pack cannot be had: "+err.Error()
		}
		w.config.Log.Warn("the pack of an attempt cannot be had", "worker", w.config.Name, "pack", a.dispatch.Pack, "attempt", a.token, "error", err)
		w.close(a, report)
		return
	}
	a.dispatch.Dir, a.release = dir, release
	if w.broken && !a.pure {
		w.busy--
		w.close(a, messages.Report{Kind: messages.Returned, Reason: "the worker cannot write its journal"})
		return
	}
	w.ready(a)
}

// letGo lets the pack of an attempt go that runs no more, or never will.
func (a *attempt) letGo() {
	a.fetching = false
	if a.release != nil {
		a.release()
		a.release = nil
	}
}
