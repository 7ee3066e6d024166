package workers

import (
	"sort"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// The slots of a worker. Its actor grants all free ones to the scheduler, is
// told of each that is taken, and grants it again when it is freed.

// grant leases the free slots. With reset the scheduler forgets what it held
// before and is told every taken one: the sum is then right whatever it knew, and
// whatever it has placed meanwhile.
func (w *worker) grant(reset bool) {
	r := w.known.row
	if r == nil || !w.counted || !w.alive() {
		return
	}
	if w.givenNothing() {
		w.tree.Tell(w.tree.Scheduler, &messages.RevokeSlots{Worker: w.name, Incarnation: r.Incarnation})
		return
	}
	if reset {
		tokens := make([]attune.Token, 0, len(w.taken))
		for t := range w.taken { // the scheduler only looks them up
			tokens = append(tokens, t)
		}
		w.tree.Tell(w.tree.Scheduler, &messages.GrantSlots{Worker: w.name, Incarnation: r.Incarnation, Runners: r.Runners,
			Free: max(0, r.Slots-len(w.taken)), Taken: len(w.taken), Reset: true, Tokens: tokens})
		return
	}
	w.tree.Tell(w.tree.Scheduler, &messages.GrantSlots{Worker: w.name, Incarnation: r.Incarnation, Free: 1, Taken: len(w.taken)})
}

// take counts a slot that the scheduler filled. One that was counted before is
// granted again: the scheduler filled it twice for one attempt.
func (w *worker) take(m *messages.SlotTaken) {
	if w.known.row == nil || m.Incarnation != w.known.row.Incarnation {
		return
	}
	if _, twice := w.taken[m.Token]; twice {
		w.grant(false)
		return
	}
	w.taken[m.Token] = w.tree.Clock.Now()
}

// free counts a slot whose attempt runs no more.
func (w *worker) free(m *messages.FreeSlot) {
	if w.known.row == nil || m.Incarnation != w.known.row.Incarnation {
		return
	}
	if _, ok := w.taken[m.Token]; !ok {
		return
	}
	delete(w.taken, m.Token)
	w.tree.Tell(w.tree.Scheduler, m)
	w.grant(false)
}

// count rebuilds the taken slots after a start: what the store says, then what
// the scheduler placed and the store may not show yet.
func (w *worker) count(m *counted) {
	if w.known.row == nil || m.incarnation != w.known.row.Incarnation || m.number != w.known.recounts {
		return
	}
	if m.err != nil {
		tree, self := w.tree, w.self
		tree.Clock.AfterFunc(loadRetry, func() { tree.Tell(self, &recountAgain{w}) })
		return
	}
	now := w.tree.Clock.Now()
	for _, x := range m.rows {
		if x.Status.Assigned() {
			w.taken[x.Token()] = now
		}
	}
	w.tree.Tell(w.tree.Scheduler, &messages.ReturnSlots{Worker: w.name, Incarnation: m.incarnation, Number: m.number})
}

func (w *worker) returned(m *messages.SlotsReturned) {
	if w.known.row == nil || m.Incarnation != w.known.row.Incarnation || m.Number != w.known.recounts {
		return
	}
	now := w.tree.Clock.Now()
	for _, t := range m.Tokens {
		if _, ok := w.taken[t]; !ok {
			w.taken[t] = now
		}
	}
	w.counted = true
	w.grant(true)
}

// audit asks the owners of slots that were taken long ago whether they are
// still held: messages get lost with the actors that fail.
func (w *worker) audit(now time.Time) {
	var old []attune.Token
	for t, since := range w.taken {
		if now.Sub(since) >= audit {
			old = append(old, t)
		}
	}
	sort.Slice(old, func(i, j int) bool { return old[i].Execution < old[j].Execution })
	for _, t := range old {
		w.tree.Tell(w.tree.Partition(t.Execution.Partition()), &messages.SlotTaken{Token: t, Worker: w.name, Incarnation: w.known.row.Incarnation})
	}
}
