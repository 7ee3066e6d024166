package worker

import (
	"cmp"
	"slices"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// attempt is one token this worker has seen and whose end is not acknowledged.
type attempt struct {
	token attune.Token
	// incarnation is the one it was addressed to, node the latest that asked.
	incarnation, node string
	phase             phase
	pure              bool // the journal does not know it
	journalled        bool // the journal knows it
	fetching          bool // waits for its pack
	stopped           bool // a stop was asked for
	told              bool // its runner said that it runs
	queued            bool // waits to be told at the end of the turn
	dispatch          *messages.Dispatch
	runner            Runner
	began             time.Duration // when it was handed to its runner
	said              time.Duration // when its end was last said
	repeated          bool          // the last time to the node that answers us
	output            *output       // nil before the first byte
	end               *messages.Report
	report            *messages.Report // in ended; shared with journal and broker: never changed

	// release lets its pack go; nil where none is held.
	release func()
	// veil masks what it says; nil where nothing of it is secret. dispatch is
	// opened.
	veil *veil
}

// phase is how far an attempt has come.
type phase uint8

const (
	waiting      phase = iota // holds a slot and waits for its pack or its journal entry
	running                   // holds a slot; its runner has it, or its last output is not stored
	ended                     // has its report
	acknowledged              // is only a place in the list of unacknowledged
)

// admit puts a token into the seen set.
func (w *Worker) admit(to address) *attempt {
	a := &attempt{token: to.token, incarnation: to.incarnation, node: to.node}
	w.attempts[to.token] = a
	return a
}

// launch hands an attempt to its runner.
func (w *Worker) launch(a *attempt) {
	a.phase, a.began = running, w.config.Mono()
	veil := a.veil
	a.runner.Start(a.dispatch, func(e Event) { w.listen(a, veil, e) })
}

// listen passes a runner's event on to a turn, its secrets masked.
func (w *Worker) listen(a *attempt, veil *veil, e Event) {
	if veil != nil {
		veil.pass(e, func(e Event) { w.heard(a, e) })
		return
	}
	if e.Kind == Wrote {
		e.Data = append([]byte(nil), e.Data...)
	}
	w.heard(a, e)
}

func (w *Worker) heard(a *attempt, e Event) {
	w.post(func() {
		if a.phase != running || a.end != nil || w.attempts[a.token] != a {
			return // its incarnation has ended meanwhile
		}
		switch e.Kind {
		case Started:
			a.told = true
			w.tell(a)
		case Wrote:
			w.wrote(a, e.Stream, e.Data, e.cut)
		case Ended:
			w.ended(a, e)
		}
	})
}

// ended takes the end of a run: the journal has it at once, the node when it
// has all of the output.
func (w *Worker) ended(a *attempt, e Event) {
	a.end = w.complete(a, messages.Report{Kind: e.End, Elapsed: w.config.Mono() - a.began, Result: e.Result, Failure: e.Failure, Reason: e.Reason})
	if !a.pure {
		w.entries = append(w.entries, Entry{Kind: EntryEnded, Token: a.token, Node: a.node, Report: a.end})
	}
	w.pour(a)
	w.finish(a)
}

// finish makes the report of a run that has ended, once its output is stored.
func (w *Worker) finish(a *attempt) {
	if a.end != nil && a.output.stored() {
		w.busy--
		w.close(a, *a.end)
	}
}

// close gives an attempt its end and says it.
func (w *Worker) close(a *attempt, report messages.Report) {
	a.phase, a.report = ended, w.complete(a, report)
	a.letGo()
	a.dispatch, a.veil, a.runner, a.output, a.end = nil, nil, nil, nil, nil
	a.said = w.config.Mono()
	w.unacked = append(w.unacked, a)
	w.tell(a)
}

func (w *Worker) complete(a *attempt, report messages.Report) *messages.Report {
	report.Token, report.Worker, report.Incarnation = a.token, w.config.Name, a.incarnation
	return &report
}

// live are the attempts that hold a slot, by token.
func (w *Worker) live() []*attempt {
	var all []*attempt
	for _, a := range w.attempts {
		if a.phase != ended {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, func(a, b *attempt) int {
		return cmp.Or(cmp.Compare(a.token.Execution, b.token.Execution), cmp.Compare(a.token.Attempt, b.token.Attempt))
	})
	return all
}
