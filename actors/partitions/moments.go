package partitions

import (
	"container/heap"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// moments is the heap of due moments. An entry whose time is not its
// execution's present one is stale and skipped.
type moments []moment

type moment struct {
	at int64
	id attune.ExecutionID
}

// Len implements heap.Interface.
func (m moments) Len() int { return len(m) }

// Less implements heap.Interface.
func (m moments) Less(i, j int) bool {
	return m[i].at < m[j].at || m[i].at == m[j].at && m[i].id < m[j].id
}

// Swap implements heap.Interface.
func (m moments) Swap(i, j int) { m[i], m[j] = m[j], m[i] }

// Push implements heap.Interface.
func (m *moments) Push(x any) { *m = append(*m, x.(moment)) }

// Pop implements heap.Interface.
func (m *moments) Pop() any {
	old := *m
	last := old[len(old)-1]
	*m = old[:len(old)-1]
	return last
}

func (m moments) next() (int64, bool) {
	if len(m) == 0 {
		return 0, false
	}
	return m[0].at, true
}

// wake sets the moment of an execution. One that goes on to wait for a slot
// where many wait before it need not keep its actor.
func (p *partition) wake(m *messages.Wake) {
	e := p.live[m.ID]
	if e == nil || e.away() {
		return
	}
	p.settled(e)
	if e.warm = m.Waits; e.warm {
		if p.warm++; p.warm > p.executions.Warm {
			p.tree.Tell(e.pid, &messages.Passivate{})
		}
	}
	e.due = m.At
	if at := m.At; at != 0 {
		heap.Push(&p.moments, moment{at, m.ID})
		p.prune()
		p.arm()
	}
}

// counts tells a moment from a stale one.
func (p *partition) counts(m moment) bool {
	if e := p.live[m.id]; e != nil {
		return e.due == m.at
	}
	w, waits := p.waiting[m.id]
	return waits && w.due == m.at
}

// prune drops stale moments when they outnumber the executions by far.
func (p *partition) prune() {
	if len(p.moments) < 1000 || len(p.moments) < 4*p.count() {
		return
	}
	kept := p.moments[:0]
	for _, m := range p.moments {
		if p.counts(m) {
			kept = append(kept, m)
		}
	}
	p.moments = kept
	heap.Init(&p.moments)
}

// leastWait keeps a timer from firing in a hot loop while database time stands
// still, as after a clock that was set back.
const leastWait = 2 * time.Millisecond

// arm starts the timer for the first moment, unless one is set for then or
// before.
func (p *partition) arm() {
	first, _ := p.firstDue()
	p.owned.Next(p.row.ID, first)
	at, ok := p.moments.next()
	if !ok || p.timer != nil && p.timerAt <= at {
		return
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	p.timerAt = at
	tree, self := p.tree, p.self
	p.timer = tree.Clock.AfterFunc(max(leastWait, time.Duration(at-tree.Clock.Now().UnixNano())), func() { tree.Tell(self, &tick{at}) })
}

// firstDue is the first moment, also of those that were late.
func (p *partition) firstDue() (int64, bool) {
	if len(p.late) > 0 {
		return p.late[0].at, true
	}
	return p.moments.next()
}

// tick wakes everybody whose moment has come.
func (p *partition) tick(m *tick) {
	if m.at != p.timerAt {
		return // of a timer that was replaced
	}
	p.timer = nil
	defer p.arm()
	now := p.tree.Clock.Now().UnixNano()
	for len(p.moments) > 0 && p.moments[0].at <= now {
		due := heap.Pop(&p.moments).(moment)
		e := p.live[due.id]
		switch {
		case !p.counts(due):
		case e == nil:
			p.dueWaiting(due, now)
		default:
			e.due = 0
			p.tree.Tell(e.pid, &messages.Due{})
		}
	}
	p.wakeLate()
}
