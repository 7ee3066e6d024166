package execution

import (
	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// largeRow is how many bytes of parameters make a row too dear to be kept in
// memory while it waits for a slot.
const largeRow = 4096

func (x *Execution) large() bool { return len(x.row.Parameters) > largeRow }

// rest makes the execution passive if it has nothing to do but wait: for its
// moment, or long enough for a slot. It is then a few bytes in its partition.
func (x *Execution) rest() {
	r := x.row
	if r == nil || r.Status != attune.Delayed && r.Status != attune.Scheduling || x.passive || !x.admitted || x.writing || len(x.held) > 0 {
		return
	}
	m := &messages.Passive{ID: r.ID, Life: x.life}
	switch {
	case r.Status == attune.Delayed:
		m.At = x.soonest(r.Until).UnixNano()
	case !x.cold || !x.inQueue:
		return
	default:
		m.Place = x.wanted()
		if d := r.Limits.Deadline; !d.IsZero() {
			m.At = d.UnixNano()
		}
	}
	x.passive = true
	x.node.Tell(x.node.Partition(r.ID.Partition()), m)
}

// handBack returns what came after the actor had become passive: the partition
// has it handled by the next one.
func (x *Execution) handBack(m any) {
	to := x.node.Partition(x.row.ID.Partition())
	switch m.(type) {
	case *messages.Cancel, *messages.Report, *messages.SlotTaken:
		x.node.Tell(to, m)
	default:
		x.node.Tell(to, &messages.ToExecution{ID: x.row.ID, Message: m})
	}
}

// returnsInARow counts the newest attempts that came back unstarted, one after
// the other.
func returnsInARow(x *attune.Execution) int {
	steps, err := x.History.Steps()
	if err != nil {
		return 0
	}
	n := 0
	for _, s := range steps {
		switch {
		case s.Refused:
		case s.Signal == attune.Return:
			n++
		case s.Signal == attune.Start || s.Signal == attune.Retry:
			n = 0
		}
	}
	return min(n, 20)
}
