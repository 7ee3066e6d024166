package execution

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// perform does what the stored transitions call for. Every effect may happen
// twice.
func (x *Execution) perform(ctx actor.Context) {
	effects := x.effects
	x.effects = nil
	for _, e := range effects {
		switch e {
		case attune.Place:
			x.placeAgain()
		case attune.Withdraw:
			x.node.Tell(x.node.Scheduler, &messages.Withdraw{ID: x.row.ID})
		case attune.Dispatch:
			x.dispatch()
		case attune.StopAttempt:
			x.stopAttempt()
		case attune.FreeSlot:
			x.freeSlot()
		case attune.Acknowledge:
			x.acknowledge(x.row.Token(), x.row.Worker)
		case attune.Announce:
			x.node.Tell(x.node.Broker, &messages.Announce{End: messages.EndOf(x.row)})
		case attune.Retire:
			x.node.Tell(ctx.Parent(), &messages.Retired{ID: x.row.ID, FinishNumber: x.row.FinishNumber})
		}
	}
}

// placeAgain asks for a slot: at once, but after two attempts in a row that came
// back unstarted only after a pause, so that a slot that is none cannot make a
// hot loop.
func (x *Execution) placeAgain() {
	x.cold = x.large()
	if x.returns < 2 {
		x.place()
		x.wake(x.now().Add(recheck))
		return
	}
	x.wake(x.now().Add(min(firstBrake<<(x.returns-2), maxBrake)))
}

func (x *Execution) place() {
	x.inQueue = false
	x.node.Tell(x.node.Scheduler, x.wanted())
}

// wanted is the slot that the execution waits for: not with the worker that just
// gave it back, if another has one.
func (x *Execution) wanted() *messages.Place {
	p := PlaceOf(persistence.LiveOf(x.row))
	if x.returns > 0 {
		p.Not = x.row.Worker
	}
	return p
}

// PlaceOf is the request for a slot of an execution that waits for one.
func PlaceOf(l persistence.Live) *messages.Place {
	return &messages.Place{ID: l.ID, Attempt: l.Attempt + 1, Runner: l.Runner}
}

// dispatch sends the attempt to its worker, and again until the worker answers.
func (x *Execution) dispatch() {
	r := x.row
	d := messages.Dispatch{Token: r.Token(), Worker: r.Worker, Incarnation: r.Incarnation, Node: x.node.Incarnation,
		Epoch: x.node.Epoch(r.ID.Partition()), Action: r.Action, Runner: r.Runner, Parameters: r.Parameters,
		Timeout: r.Limits.Timeout, Grace: r.Limits.Grace, Rule: r.Rule, Trigger: r.Trigger, Traceparent: x.node.Traceparent(r),
		APIToken: x.node.Secret(r.Token())}
	if a := x.node.Definition(r.ActionHash); a != nil {
		d.Pack, d.EntryPoint, d.Dir, d.Positional, d.Limits = a.Pack, a.EntryPoint, a.Dir, a.Positional(), a.Limits
		if a.EntryPoint != "" {
			d.PackHash = x.node.Content(a.Pack)
		}
	}
	x.node.Tell(x.node.Broker, &messages.ToWorker{Worker: r.Worker, Item: d})
	x.wake(x.now().Add(repeat))
}

// stopAttempt tells the worker to end the attempt, and again until there is
// evidence.
func (x *Execution) stopAttempt() {
	r := x.row
	x.node.Tell(x.node.Broker, &messages.ToWorker{Worker: r.Worker, Item: messages.Stop{Token: r.Token(), Worker: r.Worker,
		Incarnation: r.Incarnation, Node: x.node.Incarnation, Epoch: x.node.Epoch(r.ID.Partition()), Grace: r.Limits.Grace}})
	x.wake(x.now().Add(repeat))
}

// ask asks after an attempt that an earlier owner, or this actor before its
// restart, had under way.
func (x *Execution) ask() {
	r := x.row
	x.node.Tell(x.node.Broker, &messages.ToWorker{Worker: r.Worker, Item: messages.StateQuery{Worker: r.Worker, Node: x.node.Incarnation,
		Asked: []messages.TokenAt{{Token: r.Token(), Incarnation: r.Incarnation, Epoch: x.node.Epoch(r.ID.Partition())}}}})
	if r.Status == attune.Stopping {
		x.stopAttempt()
	}
	x.checkWorker()
	x.wake(x.now().Add(repeat))
}

// checkWorker asks whether the incarnation of the attempt is lost.
func (x *Execution) checkWorker() {
	x.node.Tell(x.node.Workers, &messages.CheckIncarnation{Worker: x.row.Worker, Incarnation: x.row.Incarnation, Execution: x.row.ID})
}

func (x *Execution) freeSlot() {
	if x.row.Attempt == 0 || x.row.Worker == "" {
		return
	}
	x.node.Tell(x.node.Workers, &messages.FreeSlot{Token: x.row.Token(), Worker: x.row.Worker, Incarnation: x.row.Incarnation})
}

func (x *Execution) acknowledge(token attune.Token, worker string) {
	if token.Attempt == 0 || worker == "" {
		return
	}
	x.node.Tell(x.node.Broker, &messages.ToWorker{Worker: worker, Item: messages.ReportAck{Worker: worker, Tokens: []attune.Token{token}}})
}

// due is the execution's moment: something is to be repeated, stored, or has
// taken too long.
func (x *Execution) due(ctx actor.Context) {
	now := x.now()
	if x.row.Overdue(now) && x.row.Status.Live() && x.row.Status != attune.Stopping {
		x.expire(ctx, now)
		return
	}
	switch x.row.Status {
	case attune.Requested, attune.Delayed:
		if !now.Before(x.row.Until) { // else it goes on waiting
			x.apply(ctx, attune.Input{Signal: attune.Admit, At: now, Reason: "waiting for a free slot", Until: now.Add(recheck)})
		}
	case attune.Scheduling:
		queued := x.inQueue
		x.place()
		if queued { // for long enough: it need not be in memory
			x.inQueue, x.cold = true, true
			return
		}
		x.wake(now.Add(recheck))
	case attune.Scheduled:
		x.dispatch()
		x.checkWorker()
	case attune.Running:
		x.running(ctx, now)
	case attune.Stopping:
		x.ask()
	}
}

// running stores running when it has lasted, asks after an attempt it inherited,
// and lets one expire that its worker should have ended.
func (x *Execution) running(ctx actor.Context, now time.Time) {
	expiry := x.expiry()
	switch {
	case !expiry.IsZero() && !now.Before(expiry):
		x.apply(ctx, attune.Input{Signal: attune.Expire, At: now, Reason: "its time limit passed and its worker did not end it", Until: now.Add(repeat),
			Failure: timeoutFailure(x.row.Limits.Timeout)})
	case x.unsaved:
		x.row.Until = expiry
		x.save(ctx)
	default:
		x.ask()
		x.watch()
	}
}

// watch sets the next moment of an attempt that runs: its expiry, or a look
// whether the worker still has it.
func (x *Execution) watch() {
	if x.row.Status != attune.Running || x.unsaved {
		return
	}
	next := x.now().Add(recheck)
	if !x.answered {
		next = x.now().Add(repeat)
	}
	if expiry := x.expiry(); !expiry.IsZero() && expiry.Before(next) {
		next = expiry
	}
	x.wake(next)
}

// expiry is when the owner ends the attempt itself: its limit, the grace and a
// margin for the kill; or the deadline, if that is sooner.
func (x *Execution) expiry() time.Time {
	if x.row.Limits.Timeout == 0 || x.row.Started.IsZero() {
		return x.row.Limits.Deadline
	}
	return x.soonest(x.row.Started.Add(x.row.Limits.Timeout + x.row.Limits.Grace + killMargin))
}

// soonest is the moment, or the deadline if that is sooner.
func (x *Execution) soonest(at time.Time) time.Time {
	if d := x.row.Limits.Deadline; !d.IsZero() && d.Before(at) {
		return d
	}
	return at
}

// expire ends the execution at its deadline: at once if nothing of it runs,
// else when there is evidence of the end.
func (x *Execution) expire(ctx actor.Context, now time.Time) {
	x.apply(ctx, attune.Input{Signal: attune.Expire, At: now, Reason: "its deadline has passed", Until: now.Add(repeat), Failure: deadlineFailure(x.row)})
}

func deadlineFailure(x *attune.Execution) *attune.Failure {
	return &attune.Failure{Code: "deadline", Message: "it had not ended by its deadline of " + x.Limits.Deadline.UTC().Format(time.RFC3339)}
}

func timeoutFailure(limit time.Duration) *attune.Failure {
	return &attune.Failure{Code: "timeout", Message: "it ran longer than its limit of " + limit.String()}
}
