package execution

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
)

// report is a worker's word on an attempt. It counts only for the newest
// attempt; any other is kept as evidence, changes nothing, and is acknowledged
// all the same. Of an attempt that another worker has nobody has anything to say.
func (x *Execution) report(ctx actor.Context, m *messages.Report) {
	if m.Token.Attempt == x.row.Attempt && m.Worker != x.row.Worker {
		return
	}
	if m.Token.Attempt != x.row.Attempt || m.Incarnation != x.row.Incarnation || !x.row.Status.Assigned() {
		x.evidence(ctx, m)
		return
	}
	switch m.Kind {
	case messages.Started:
		x.started(ctx, m)
	case messages.NotMine:
		x.node.Tell(x.node.Workers, &messages.CheckIncarnation{Worker: x.row.Worker, Incarnation: x.row.Incarnation, Execution: x.row.ID, NotMine: true})
	default:
		x.ended(ctx, m)
	}
}

// evidence keeps a report that came too late, and lets the worker forget it.
func (x *Execution) evidence(ctx actor.Context, m *messages.Report) {
	if m.Kind == messages.Started || m.Kind == messages.NotMine {
		return
	}
	x.acknowledge(m.Token, m.Worker)
	if actors.Witness(x.row, m, x.now()) {
		x.save(ctx)
	}
}

// started makes the attempt running. That is stored only if it lasts: most
// attempts end first, and their end tells that they began.
func (x *Execution) started(_ actor.Context, m *messages.Report) {
	x.answered = true
	if x.row.Status != attune.Scheduled {
		x.watch()
		return
	}
	now := x.now()
	if _, err := x.row.Apply(attune.Input{Signal: attune.Start, At: now.Add(-m.Elapsed), Reason: ""}); err != nil {
		panic(err) // scheduled takes start
	}
	x.unsaved, x.returns = true, 0
	x.wake(now.Add(lazily))
}

func (x *Execution) ended(ctx actor.Context, m *messages.Report) {
	x.answered = true
	now := x.now()
	in := attune.Input{Signal: actors.SignalOf(m.Kind), At: now, Result: m.Result, Failure: m.Failure, Reason: m.Reason, Until: now.Add(recheck)}
	switch m.Kind {
	case messages.StoppedRun:
		if x.row.Status != attune.Stopping { // nobody asked for it here: the worker ended it by itself
			in.Signal = attune.Fail
			if in.Failure == nil {
				in.Failure = &attune.Failure{Code: "stopped", Message: "its worker stopped it", Detail: m.Reason}
			}
		}
	case messages.TimedOutRun:
		if in.Failure == nil {
			in.Failure = timeoutFailure(x.row.Limits.Timeout)
		}
	case messages.LostRun:
		in.Failure = lostFailure(x.row.Worker)
	case messages.RefusedRun:
		if in.Failure == nil {
			in.Failure = &attune.Failure{Code: "refused", Message: "its worker " + x.row.Worker + " cannot run it: " + m.Reason}
		}
	case messages.Returned:
		x.returns = min(x.returns+1, 20)
		in.Failure = nil
		if x.row.Status == attune.Running { // its runner is pure, and the worker that knew of its start is gone
			in.Signal, in.Failure = attune.Lose, lostFailure(x.row.Worker)
		}
		if x.row.Status == attune.Scheduled {
			in.Reason = "given back by its worker " + x.row.Worker + ", waiting for a free slot"
			if m.Reason != "" {
				in.Reason += ": " + m.Reason
			}
		}
	}
	if x.row.Status == attune.Stopping {
		in.Failure = x.stopFailure(in)
	}
	if x.row.Status == attune.Scheduled && !neverStarted(m.Kind) {
		if _, err := x.row.Apply(attune.Input{Signal: attune.Start, At: now.Add(-m.Elapsed)}); err != nil {
			panic(err) // scheduled takes start
		}
	}
	x.conclude(ctx, in)
}

// conclude ends the attempt, and with it the execution, unless it is to be tried
// again.
func (x *Execution) conclude(ctx actor.Context, in attune.Input) {
	until, why, again := x.row.Again(in)
	switch {
	case again:
		in = attune.Input{Signal: attune.Retry, At: in.At, Reason: why, Until: until}
	case in.Reason == "":
		in.Reason = why
	}
	x.apply(ctx, in)
}

// neverStarted tells the reports that do not prove a start.
func neverStarted(k messages.ReportKind) bool {
	return k == messages.Returned || k == messages.RefusedRun || k == messages.StoppedRun || k == messages.LostRun
}

// stopFailure is how an execution that was being stopped explains its end.
func (x *Execution) stopFailure(in attune.Input) *attune.Failure {
	if in.Signal == attune.Finish {
		return nil
	}
	switch x.row.Cause {
	case attune.CauseCancelled:
		return &attune.Failure{Code: "cancelled", Message: "it was cancelled", Detail: x.row.Reason}
	case attune.CauseTimeout:
		if x.row.ExpiredByDeadline() {
			return deadlineFailure(x.row)
		}
		return timeoutFailure(x.row.Limits.Timeout)
	}
	return &attune.Failure{Code: "panic", Message: "it was stopped because its actor failed", Detail: x.row.Reason}
}

func lostFailure(worker string) *attune.Failure {
	return &attune.Failure{Code: "worker_lost", Message: "its worker " + worker + " was lost while it ran"}
}

// workerLost acts on the stored fact that the incarnation of the attempt is
// lost.
func (x *Execution) workerLost(ctx actor.Context, m *messages.WorkerLost) {
	if !x.row.Status.Assigned() || x.row.Incarnation != m.Incarnation {
		return
	}
	in := attune.Input{Signal: attune.Lose, At: x.now(), Failure: lostFailure(x.row.Worker), Reason: "its worker was lost"}
	switch {
	case x.row.Status == attune.Stopping:
		in.Failure = x.stopFailure(in)
	case m.Left && x.row.Status == attune.Scheduled: // it never started and never will
		in = attune.Input{Signal: attune.Return, At: x.now(), Reason: "its worker left before it began, waiting for a free slot", Until: x.now().Add(recheck)}
	}
	x.conclude(ctx, in)
}

// cancelled asks for the end. It is idempotent; in a terminal status it means
// nothing.
func (x *Execution) cancelled(ctx actor.Context, m *messages.Cancel) {
	if x.row.Status.Terminal() || x.row.Status == attune.Stopping && x.row.Cause == attune.CauseCancelled {
		m.Reply(x.row.Clone(), nil)
		return
	}
	now := x.now()
	x.cancel = m.Reply
	x.apply(ctx, attune.Input{Signal: attune.Cancel, At: now, Reason: m.Reason, Until: now.Add(repeat),
		Failure: &attune.Failure{Code: "cancelled", Message: "it was cancelled", Detail: m.Reason}})
}

// checkSlot answers the audit of a worker's actor: a slot that is not held by
// the newest attempt is free.
func (x *Execution) checkSlot(m *messages.SlotTaken) {
	r := x.row
	if r.Status.Assigned() && r.Token() == m.Token && r.Incarnation == m.Incarnation {
		return
	}
	x.node.Tell(x.node.Workers, &messages.FreeSlot{Token: m.Token, Worker: m.Worker, Incarnation: m.Incarnation})
	if r.Status == attune.Scheduling && m.Token.Attempt > r.Attempt { // the word of its slot was lost: it asks again once that is free
		x.inQueue = false
		x.wake(x.now().Add(time.Second))
	}
}
