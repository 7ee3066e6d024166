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

// wake sets the moment of an execution.
func (p *partition) wake(id attune.ExecutionID, at int64) {
	e := p.live[id]
	if e == nil {
		return
	}
	e.due = at
	if at != 0 {
		heap.Push(&p.moments, moment{at, id})
		p.prune()
		p.arm()
	}
}

// prune drops stale moments when they outnumber the executions by far.
func (p *partition) prune() {
	if len(p.moments) < 1000 || len(p.moments) < 4*len(p.live) {
		return
	}
	kept := p.moments[:0]
	for _, m := range p.moments {
		if e := p.live[m.id]; e != nil && e.due == m.at {
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
	at, ok := p.moments.next()
	p.owned.Next(p.row.ID, at)
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
		if e := p.live[due.id]; e != nil && e.due == due.at {
			e.due = 0
			p.tree.Tell(e.pid, &messages.Due{})
		}
	}
}
