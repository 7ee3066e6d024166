package execution

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// begin prepares a new execution: admitted by policy, then a slot if one is
// free, so that the first row already says scheduled. One that is not to start
// yet is delayed. Nothing is stored before the partition's admission is.
func (x *Execution) begin(ctx actor.Context, m *messages.Begin) {
	x.row = m.Execution
	now := x.now()
	in := attune.Input{Signal: attune.Admit, At: now, Until: x.soonest(now.Add(recheck))}
	if m.NotBefore.After(now) {
		in = attune.Input{Signal: attune.Hold, At: now, Until: x.soonest(m.NotBefore), Reason: "to start at " + m.NotBefore.UTC().Format(time.RFC3339)}
	}
	if _, err := x.row.Apply(in); err != nil {
		panic(err) // a new execution is requested
	}
	if x.row.Status == attune.Delayed {
		x.hand(ctx)
		return
	}
	x.place()
}

// placed takes a slot. In the admission it completes the row; later it is a
// transition of its own.
func (x *Execution) placed(ctx actor.Context, m *messages.Placed) {
	if x.row.Status != attune.Scheduling || m.Attempt != x.row.Attempt+1 {
		x.giveBack(m)
		return
	}
	now := x.now()
	if x.row.Overdue(now) { // no attempt begins after the deadline
		x.giveBack(m)
		x.tooLate(ctx, now)
		return
	}
	in := attune.Input{Signal: attune.Assign, At: now, Worker: m.Worker, Incarnation: m.Incarnation, Until: x.soonest(now.Add(repeat))}
	if !x.admitted {
		effects, err := x.row.Apply(in)
		if err != nil {
			panic(err)
		}
		x.effects = effects
		x.hand(ctx)
		return
	}
	x.answered = false
	x.apply(ctx, in)
}

// giveBack frees a slot that came twice or too late; one that is ours stays.
func (x *Execution) giveBack(m *messages.Placed) {
	if x.row.Status.Assigned() && m.Attempt == x.row.Attempt && m.Incarnation == x.row.Incarnation {
		return
	}
	x.node.Tell(x.node.Workers, &messages.FreeSlot{Token: attune.Token{Execution: m.ID, Attempt: m.Attempt}, Worker: m.Worker, Incarnation: m.Incarnation})
}

// tooLate ends what got a slot after its deadline; where nothing is stored yet,
// its first moment does.
func (x *Execution) tooLate(ctx actor.Context, now time.Time) {
	if x.admitted {
		x.expire(ctx, now)
		return
	}
	x.row.Reason = "its deadline has passed"
	x.hand(ctx)
}

// queued goes on without a slot: the row says that it waits, and why.
func (x *Execution) queued(ctx actor.Context, m *messages.Queued) {
	x.inQueue = x.row.Status == attune.Scheduling
	if !x.admitted {
		x.row.Reason = m.Reason
		x.hand(ctx)
	}
}

// hand gives the row to the admission.
func (x *Execution) hand(ctx actor.Context) {
	x.prepared = true
	x.row.Version = 1
	x.node.Tell(ctx.Parent(), &messages.Prepared{Execution: x.row})
}

// stored acts on the committed admission.
func (x *Execution) stored(ctx actor.Context) {
	x.admitted = true
	x.node.Changed(x.row.ID)
	if x.row.Status == attune.Scheduling {
		x.cold = x.large()
		x.wake(x.row.Until)
	}
	x.perform(ctx)
	x.release(ctx)
}

// discard ends an execution whose admission did not happen.
func (x *Execution) discard(ctx actor.Context) {
	x.prepared = false
	x.abandon(ctx)
	x.row = nil
}

// abandon gives back what a new execution had reserved before it was handed to
// the admission. What was handed over is the admission's, and what gets lost is
// found by the workers' audit.
func (x *Execution) abandon(actor.Context) {
	if x.row == nil || x.admitted || x.prepared {
		return
	}
	if x.row.Status.Assigned() {
		x.freeSlot()
	} else {
		x.node.Tell(x.node.Scheduler, &messages.Withdraw{ID: x.row.ID})
	}
	for _, m := range x.held {
		switch m := m.(type) {
		case *messages.Placed:
			x.giveBack(m)
		case *messages.Cancel:
			m.Reply(nil, errLoading)
		}
	}
	x.held = nil
}

// load goes on with a stored execution, after a take-over, a restart of the
// actor or a conflict: what waits waits on, what was under way is asked after.
func (x *Execution) load(ctx actor.Context, m *messages.Load) {
	row := m.Execution
	*x = Execution{node: x.node, row: row, admitted: true, life: m.Life, held: m.Held}
	switch {
	case row.Status.Terminal():
		x.effects = []attune.Effect{attune.FreeSlot, attune.Acknowledge, attune.Announce, attune.Retire}
		x.perform(ctx)
	case row.Status == attune.Requested, row.Status == attune.Delayed, row.Status == attune.Scheduling && row.Overdue(x.now()):
		x.due(ctx)
	case row.Status == attune.Scheduling:
		x.returns = returnsInARow(row)
		if x.inQueue = m.Queued; !m.Queued {
			x.place()
		}
		x.wake(x.now().Add(recheck))
	default:
		x.ask()
	}
}
