package worker

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/attune-automation/attune/messages"
)

// begin prepares a new incarnation: it has every run of before ended and reads
// the journals, away from the turn.
func (w *Worker) begin() {
	w.generation++
	w.state, w.begun, w.leaseUntil = preparing, w.config.Mono(), 0
	w.incarnation = w.config.NewIncarnation()
	w.prepare()
}

func (w *Worker) prepare() {
	generation, incarnation := w.generation, w.incarnation
	w.lend(func() {
		held, err := []Earlier(nil), w.config.Keeper.Begin(incarnation)
		if err != nil {
			err = fmt.Errorf("end earlier runs: %w", err)
		} else if held, err = w.config.Journal.Begin(incarnation); err != nil {
			err = fmt.Errorf("begin a journal: %w", err)
		}
		w.post(func() {
			switch {
			case generation != w.generation:
			case err != nil:
				w.config.Log.Error("worker cannot begin, will try again", "worker", w.config.Name, "incarnation", incarnation, "error", err)
				w.config.Clock.AfterFunc(beat, func() { w.post(w.begin) })
			default:
				w.prepared(held)
			}
		})
	})
}

// prepared takes over what the journals hold, and asks to be taken. Tokens that
// are known already have ended in memory.
func (w *Worker) prepared(held []Earlier) {
	w.state, w.broken = registering, false
	for _, e := range held {
		if _, known := w.earlier[e.Incarnation]; !known {
			w.earlier[e.Incarnation] = w.config.Mono()
		}
		for _, entry := range e.Entries {
			_, over := w.past.find(entry.Token)
			if over || w.attempts[entry.Token] != nil || entry.Kind == EntryAcknowledged {
				continue
			}
			a := &attempt{token: entry.Token, incarnation: e.Incarnation, node: entry.Node}
			w.attempts[a.token] = a
			if entry.Kind == EntryEnded {
				w.close(a, *entry.Report)
			} else {
				w.close(a, messages.Report{Kind: messages.LostRun, Reason: "the worker lost it: " + e.Incarnation + " has ended"})
			}
		}
	}
	w.register()
}

func (w *Worker) register() {
	w.announce(messages.Registered{
		Worker: w.config.Name, Incarnation: w.incarnation, Slots: w.config.Slots, Runners: w.runners,
		Labels: w.labels(), Zone: w.config.Zone, Earlier: slices.Sorted(maps.Keys(w.earlier)),
		Lease: w.config.Lease, Sent: w.config.Mono(),
	})
}

// labels are the operator's, and what the keeper says of the machine.
func (w *Worker) labels() map[string]string {
	d, ok := w.config.Keeper.(Describer)
	if !ok {
		return w.config.Labels
	}
	all := map[string]string{}
	maps.Copy(all, d.Labels())
	maps.Copy(all, w.config.Labels)
	return all
}

// renew is an actor's answer: the lease counts from when the question was sent.
func (w *Worker) renew(sent time.Duration) {
	if w.state == preparing || sent > w.config.Mono() {
		return // an answer to somebody else's clock
	}
	until := sent + w.config.Lease
	if until <= w.leaseUntil || !w.alive(until) {
		return
	}
	if w.state == registering {
		w.state = serving
		w.config.Log.Info("worker is registered", "worker", w.config.Name, "incarnation", w.incarnation)
		w.watch(w.generation, until)
	}
	w.leaseUntil = until
	w.config.Keeper.Extend(until)
}

// alive reports whether a lease until then, and the one we have, still last; it
// ends the incarnation if ours does not.
func (w *Worker) alive(until time.Duration) bool {
	now := w.config.Mono()
	if w.state == serving && now >= w.leaseUntil {
		w.end("its lease has ended")
		return false
	}
	return now < until
}

// watch looks at the lease when it would end, and again if it was extended.
func (w *Worker) watch(generation int, until time.Duration) {
	w.config.Clock.AfterFunc(until-w.config.Mono(), func() {
		w.post(func() {
			if generation == w.generation && w.alive(w.leaseUntil) {
				w.watch(generation, w.leaseUntil)
			}
		})
	})
}

// end ends the incarnation and begins the next. What has ended is kept, and
// what was not started never will be; the fate of the rest is told by the
// journal, once nothing of it runs any more.
func (w *Worker) end(reason string) {
	w.config.Log.Warn("worker's incarnation ends", "worker", w.config.Name, "incarnation", w.incarnation, "reason", reason)
	w.earlier[w.incarnation] = w.config.Mono()
	w.write() // into the journal of the incarnation it is of
	for _, a := range w.live() {
		w.busy--
		switch {
		case a.phase == waiting, a.pure:
			w.close(a, messages.Report{Kind: messages.Returned, Reason: reason})
		default:
			delete(w.attempts, a.token)
			a.letGo()
		}
	}
	w.speaking = nil
	if w.left {
		return
	}
	if w.state = preparing; w.config.Mono()-w.begun >= beat {
		w.begin()
		return
	}
	generation := w.generation // one that hardly lived: not in a hot loop
	w.config.Clock.AfterFunc(beat, func() {
		w.post(func() {
			if generation == w.generation {
				w.begin()
			}
		})
	})
}

// beats is the tick: it says again what was not answered, and forgets.
func (w *Worker) beats() {
	w.post(func() {
		if w.left {
			return
		}
		switch now := w.config.Mono(); {
		case w.state == registering:
			w.register()
		case w.state == serving && w.alive(w.leaseUntil):
			w.announce(messages.Heartbeat{Worker: w.config.Name, Incarnation: w.incarnation, Sent: now,
				Running: w.busy, Draining: w.draining || w.broken})
		}
		w.repeat()
		w.probe()
		w.past.forget(w.config.Mono())
		w.forgetEarlier()
		w.config.Clock.AfterFunc(beat, w.beats)
	})
}

// forgetEarlier removes journals that nobody will ask for any more.
func (w *Worker) forgetEarlier() {
	if len(w.earlier) == 0 || w.state != serving {
		return
	}
	now := w.config.Mono()
	open := map[string]bool{}
	for _, a := range w.unacked {
		if a.phase == ended && a.incarnation != w.incarnation {
			open[a.incarnation] = true
		}
	}
	for _, incarnation := range slices.Sorted(maps.Keys(w.earlier)) {
		if !open[incarnation] && now-w.earlier[incarnation] >= remember {
			delete(w.earlier, incarnation)
			w.config.Journal.Forget(incarnation)
		}
	}
}
