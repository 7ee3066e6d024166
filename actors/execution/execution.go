// Package execution is the actor that owns one execution: its state and its
// newest attempt. It decides by the transition table, stores, then acts.
package execution

import (
	"log/slog"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// The moments of an execution.
const (
	// repeat is how often a dispatch, stop or question is sent again until the
	// worker answers.
	repeat = 2 * time.Second
	// lazily is how long an attempt runs before running is stored.
	lazily = 250 * time.Millisecond
	// killMargin is how long after limit and grace the owner lets an attempt
	// expire that its worker should have ended.
	killMargin = 5 * time.Second
	// recheck is how often an execution that waits for a slot looks again.
	recheck = 60 * time.Second
	// firstBrake and maxBrake bound the pause before the next slot of an
	// execution whose attempts come back unstarted.
	firstBrake = 50 * time.Millisecond
	maxBrake   = 5 * time.Second
	// maxHeld bounds the messages held while a write is under way.
	maxHeld = 1000
)

// Node is what all executions of a node share. It is never changed.
type Node struct {
	*actors.Tree
	// Definition finds the action with that content hash, or nil.
	Definition func(hash string) *attune.Action
	// Content is what the folder of a pack holds now, or empty.
	Content func(pack string) string
	// Changed is called after every stored change; it must not block.
	Changed func(id attune.ExecutionID)
	// Ended is called after the end of an execution is stored; it must not
	// block, nor keep or change the row.
	Ended func(*attune.Execution)
	// Traceparent is the place in its trace at which the newest attempt of an
	// execution runs.
	Traceparent func(*attune.Execution) string
	// Secret is what an attempt calls the API with; empty is nothing.
	Secret func(attune.Token) messages.Secret
	// Epoch is the epoch at which the node owns a partition.
	Epoch func(partition int) int64
}

// Execution is the actor. While a write is under way it changes nothing: what
// comes meanwhile is held, in order.
type Execution struct {
	node *Node
	row  *attune.Execution // nil until Begin or Load
	// admitted is false until the admission is committed: nothing of the row
	// is stored before.
	admitted bool
	// prepared means that the scheduler's first answer is in the row; a later
	// one is held until the admission is stored.
	prepared bool
	writing  bool
	effects  []attune.Effect // due when the write is committed
	before   *was            // what is being left, in case the store refuses the new state
	held     []any
	// answered means that the worker answered for the newest attempt, so that
	// there is nothing to repeat.
	answered bool
	// returns counts the attempts in a row that came back unstarted: each waits
	// longer than the one before for the next slot.
	returns int
	// unsaved means that running is known and not stored yet.
	unsaved bool
	// inQueue means that the scheduler holds its request for a slot, cold that
	// it need not be in memory while that is so.
	inQueue, cold bool
	// passive means that its actor is about to end: what it is sent goes back to
	// the partition. life is what the partition counts its lives by.
	passive bool
	life    int
	cancel  func(*attune.Execution, error) // who waits for the write of a cancel
}

// New is an execution's actor without state: it waits for Begin or Load.
func New(node *Node) *Execution { return &Execution{node: node} }

// Kind implements actors.Actor.
func (x *Execution) Kind() string { return "execution" }

// State implements actors.Actor.
func (x *Execution) State() string {
	if x.row == nil {
		return "loading"
	}
	return x.row.Status.String()
}

// Detail implements actors.Actor. Parameters and results are left out: they may
// hold secrets.
func (x *Execution) Detail() any {
	if x.row == nil {
		return nil
	}
	r := x.row
	return map[string]any{"id": r.ID, "version": r.Version, "status": r.Status, "cause": r.Cause, "action": r.Action,
		"attempt": r.Attempt, "worker": r.Worker, "incarnation": r.Incarnation, "reason": r.Reason, "until": r.Until,
		"admitted": x.admitted, "writing": x.writing, "held": len(x.held), "answered": x.answered, "in_queue": x.inQueue, "deadline": r.Limits.Deadline}
}

// Receive implements actor.Actor.
func (x *Execution) Receive(ctx actor.Context) {
	m := ctx.Message()
	switch m := m.(type) {
	case *messages.Begin:
		x.begin(ctx, m)
		return
	case *messages.Load:
		x.load(ctx, m)
		x.release(ctx)
		x.rest()
		return
	case *actor.Stopping, *actor.Restarting:
		x.abandon(ctx)
		x.dismiss()
		return
	case *actor.Stopped: // its partition's list of children may hold it for a while
		*x = Execution{node: x.node}
		return
	case actor.AutoReceiveMessage, actor.SystemMessage:
		return
	}
	if x.passive {
		x.handBack(m)
		return
	}
	if x.row == nil {
		if c, ok := m.(*messages.Cancel); ok {
			c.Reply(nil, errLoading)
		}
		return // whoever sent it sends again
	}
	switch m := m.(type) {
	case *actors.Written:
		x.written(ctx, m)
	case *messages.Stored:
		x.stored(ctx)
	case *messages.Discard:
		x.discard(ctx)
	default:
		if x.writing || !x.admitted && !x.preparing(m) {
			x.hold(m)
			return
		}
		x.handle(ctx, m)
	}
	x.rest()
}

var errLoading = &attune.Error{Kind: attune.Unavailable, Code: "loading", Message: "the execution is being loaded", Try: "again in a moment"}

// preparing reports that a message is part of the admission itself: the
// scheduler's first answer, or its restart before that.
func (x *Execution) preparing(m any) bool {
	if x.row.Status != attune.Scheduling || x.prepared {
		return false
	}
	switch m.(type) {
	case *messages.Placed, *messages.Queued, *messages.SchedulerStarted:
		return true
	}
	return false
}

func (x *Execution) hold(m any) {
	if len(x.held) < maxHeld {
		x.held = append(x.held, m)
	}
}

func (x *Execution) handle(ctx actor.Context, m any) {
	switch m := m.(type) {
	case *messages.Placed:
		x.placed(ctx, m)
	case *messages.Queued:
		x.queued(ctx, m)
	case *messages.Report:
		x.report(ctx, m)
	case *messages.Cancel:
		x.cancelled(ctx, m)
	case *messages.Due:
		x.due(ctx)
	case *messages.WorkerLost:
		x.workerLost(ctx, m)
	case *messages.SchedulerStarted:
		if x.row.Status == attune.Scheduling {
			x.place()
		}
	case *messages.SlotTaken:
		x.checkSlot(m)
	case *messages.Passivate:
		x.cold = true
	case *Panicked:
		now := x.now()
		x.apply(ctx, attune.Input{Signal: attune.Panic, At: now, Reason: m.Reason, Until: now.Add(repeat),
			Failure: &attune.Failure{Code: "panic", Message: "the execution's actor failed three times within a minute", Detail: m.Reason}})
	}
}

// Panicked is said by the partition when the actor failed three times in 60 s.
type Panicked struct{ Reason string }

func (x *Execution) now() time.Time { return x.node.Clock.Now() }

// apply makes a transition and stores it; its effects follow when it is
// committed. A refused signal is logged and changes nothing.
func (x *Execution) apply(ctx actor.Context, in attune.Input) {
	before := was{x.row.Status, x.row.Cause, x.row.History}
	if in.Signal == attune.Admit || in.Signal == attune.Return {
		in.Until = x.soonest(in.Until)
	}
	effects, err := x.row.Apply(in)
	if err != nil {
		x.node.Log.Debug("signal refused", slog.String("execution", x.row.ID.String()), slog.String("error", err.Error()))
		return
	}
	x.effects = append(x.effects, effects...)
	x.before = nil
	if x.row.Status.Terminal() {
		x.before = &before
	}
	x.save(ctx)
}

func (x *Execution) save(ctx actor.Context) {
	x.writing, x.unsaved = true, false
	x.row.Version++
	x.node.Tell(x.node.Writer, &actors.Submit{Op: &persistence.Save{Execution: x.row}, ReplyTo: ctx.Self()})
}

func (x *Execution) written(ctx actor.Context, m *actors.Written) {
	save, ok := m.Op.(*persistence.Save)
	if !ok || save.Execution != x.row { // of this actor's life before its restart
		return
	}
	x.writing = false
	switch m.Answer.Outcome {
	case persistence.Committed:
		x.node.Changed(x.row.ID)
		if x.row.Status.Terminal() {
			x.node.Ended(x.row)
		}
		x.answerCancel(x.row, nil)
		x.perform(ctx)
		x.watch()
		x.release(ctx)
	case persistence.Conflict:
		x.node.Log.Warn("execution changed under its owner, reloading", slog.String("execution", x.row.ID.String()))
		x.answerCancel(nil, errLoading)
		x.recover(ctx)
	case persistence.Rejected:
		x.rejected(ctx, m.Answer.Reason)
	}
}

// was is where a row stood before a transition.
type was struct {
	status  attune.Status
	cause   attune.Cause
	history attune.History
}

// rejected stores an end that the store cannot hold as failed, without its
// payload: the transition is taken back and made again as a failure.
func (x *Execution) rejected(ctx actor.Context, reason string) {
	x.node.Log.Warn("the store refused a state", slog.String("execution", x.row.ID.String()), slog.String("reason", reason))
	x.row.Version--
	x.row.Result, x.row.Reason = nil, ""
	x.row.Failure = &attune.Failure{Code: "unstorable", Message: "the result could not be stored", Detail: reason}
	if x.before != nil && x.before.status.Assigned() {
		failure := x.row.Failure
		x.row.Status, x.row.Cause, x.row.History = x.before.status, x.before.cause, slices.Clip(x.before.history)
		if _, err := x.row.Apply(attune.Input{Signal: attune.Fail, At: x.row.Finished, Failure: failure, Reason: reason}); err != nil {
			panic(err) // every assigned status takes fail
		}
	}
	x.save(ctx)
}

// release handles what was held while the write was under way.
func (x *Execution) release(ctx actor.Context) {
	for len(x.held) > 0 && !x.writing && x.row != nil {
		m := x.held[0]
		x.held = x.held[1:]
		x.handle(ctx, m)
	}
	if len(x.held) == 0 {
		x.held = nil
	}
}

func (x *Execution) recover(ctx actor.Context) {
	id := x.row.ID
	x.dismiss()
	*x = Execution{node: x.node}
	x.node.Tell(ctx.Parent(), &messages.Recover{ID: id})
}

// dismiss answers whoever waits for a cancel that this life of the actor will
// not come to.
func (x *Execution) dismiss() {
	x.answerCancel(nil, errLoading)
	for _, m := range x.held {
		if c, ok := m.(*messages.Cancel); ok {
			c.Reply(nil, errLoading)
		}
	}
	x.held = nil
}

func (x *Execution) answerCancel(row *attune.Execution, err error) {
	if x.cancel == nil {
		return
	}
	if row != nil {
		row = row.Clone()
	}
	x.cancel(row, err)
	x.cancel = nil
}

// wake sets the moment at which it looks again; its deadline comes before any
// other, until it is being stopped.
func (x *Execution) wake(at time.Time) {
	if x.row.Status != attune.Stopping {
		at = x.soonest(at)
	}
	x.node.Tell(x.node.Partition(x.row.ID.Partition()), &messages.Wake{ID: x.row.ID, At: at.UnixNano(), Waits: x.row.Status == attune.Scheduling})
}
