package messages

import (
	"fmt"
	"time"

	"github.com/attune-automation/attune"
)

// The signals between the actors of one node. They travel by pointer and never
// leave the process.

// OfferEvent asks the rules to judge an event, and a partition to admit it.
type OfferEvent struct {
	// Event has no id yet.
	Event *attune.Event
	// Reply is called once, after the outcome is certain, on some actor's
	// turn: it must not block.
	Reply func(Admitted)
}

// JudgeAgain asks the rules to judge an event that an earlier owner admitted
// and did not judge to the end.
type JudgeAgain struct{ Event *attune.Event }

// Admitted is the answer to an admission.
type Admitted struct {
	// ID is the event's or the execution's; with Duplicate the first one's.
	ID        attune.ID
	Duplicate bool
	// Err is set when nothing was admitted.
	Err error
}

// Proposal is what one matching rule, or one direct request, is to become.
type Proposal struct {
	// Enforcement has neither id nor event yet; nil for a direct request.
	Enforcement *attune.Enforcement
	// Execution has no id yet; nil where the enforcement failed.
	Execution *attune.Execution
	// Within is its deadline as a time from the request, unless that is set
	// already; zero is none.
	Within time.Duration
	// NotBefore delays its first attempt; zero does not.
	NotBefore time.Time
}

// Admit asks a partition to make proposals durable: one admission.
type Admit struct {
	// Event is nil for a direct request.
	Event *attune.Event
	// DedupeKind, DedupeSource, DedupeKey decide the admission; an empty key
	// decides nothing.
	DedupeKind, DedupeSource, DedupeKey string
	Proposals                           []Proposal
	// Of is an event that is stored, to which somebody elsewhere adds his
	// proposals: Event is nil then.
	Of *attune.Event
	// Missed are the evaluations that did not match, for whoever asks why.
	Missed []attune.Evaluation
	// Rerun is a failed enforcement as it is to be once its one proposal, an
	// execution, is stored; else nil.
	Rerun *attune.Enforcement
	// Resumed means that Event is stored, unevaluated, and these are its
	// proposals.
	Resumed bool
	// Reply may be nil.
	Reply func(Admitted)
}

// EventJudged tells the rules under which id an event was admitted, so that its
// misses can be found.
type EventJudged struct {
	Event  attune.EventID
	Missed []attune.Evaluation
}

// Begin starts the actor of a new execution: it asks for a slot and answers
// [Prepared]. Nothing is stored yet.
type Begin struct {
	Execution *attune.Execution
	// NotBefore is the proposal's.
	NotBefore time.Time
}

// Load starts or restarts the actor of a stored execution.
type Load struct {
	Execution *attune.Execution
	// Life comes back in [Passive].
	Life int
	// Queued means that the scheduler has its request for a slot, or has
	// answered it: the answer follows.
	Queued bool
	// Held is what it was sent while it had no actor. It goes with the row: else
	// an actor that only waits would end before it heard what it was made for.
	Held []any
}

// Passive says that an execution only waits, and hands all it is sent from now
// on back to its partition: that ends its actor, and starts another when the
// moment comes or somebody has something to say to it.
type Passive struct {
	ID attune.ExecutionID
	// Life is the one the actor was loaded with: the word of an earlier life
	// does not count.
	Life int
	// At is when it must be there again, in nanoseconds of database time; zero
	// is never.
	At int64
	// Place is what the scheduler holds for it, nil if it waits for no slot.
	Place *Place
}

// Passivate asks an execution that waits for a slot to become [Passive].
type Passivate struct{}

// Prepared tells the partition that a new execution is ready to be stored.
type Prepared struct {
	Execution *attune.Execution
}

// Stored tells an execution that its admission is committed.
type Stored struct{}

// Discard tells an execution that its admission did not happen.
type Discard struct{}

// Recover asks the partition for the state of an execution whose actor was
// restarted, or whose write met a conflict.
type Recover struct{ ID attune.ExecutionID }

// Wake sets the moment at which the partition sends [Due] to an execution.
type Wake struct {
	ID attune.ExecutionID
	// At is in nanoseconds of database time; zero is never.
	At int64
	// Waits means that it waits for a slot.
	Waits bool
}

// Due tells an execution that its moment has come.
type Due struct{}

// Retired tells the partition that an execution ended and was announced.
type Retired struct {
	ID           attune.ExecutionID
	FinishNumber int64
}

// Cancel asks for the end of an execution.
type Cancel struct {
	ID     attune.ExecutionID
	Reason string
	// Reply is called once the request is stored, or found to be without
	// meaning: the execution as stored, or an error. It must not block.
	Reply func(*attune.Execution, error)
}

// Place asks the scheduler for a slot.
type Place struct {
	ID attune.ExecutionID
	// Attempt is the number the attempt will have.
	Attempt int
	// Runner must be had by the worker.
	Runner string
	// Not is the worker that is taken only when no other has a free slot: it gave
	// the attempt before back, and would win again, as it has the least to do.
	Not string
}

// Placed is a slot.
type Placed struct {
	ID                  attune.ExecutionID
	Attempt             int
	Worker, Incarnation string
}

// Queued says that no slot is free now; [Placed] follows.
type Queued struct {
	ID attune.ExecutionID
	// Reason explains, for the user.
	Reason string
}

// Withdraw takes a request for a slot back.
type Withdraw struct{ ID attune.ExecutionID }

// SlotTaken tells a worker's actor which attempt took a slot.
type SlotTaken struct {
	Token               attune.Token
	Worker, Incarnation string
}

// FreeSlot tells a worker's actor that nothing of an attempt runs any more.
type FreeSlot struct {
	Token               attune.Token
	Worker, Incarnation string
}

// GrantSlots leases free slots of a worker to the scheduler.
type GrantSlots struct {
	Worker, Incarnation string
	Runners             []string
	// Free is how many more slots the scheduler may fill.
	Free int
	// Taken is how many are filled, by the word of the worker's actor.
	Taken int
	// Reset drops what the scheduler held of this worker before. Tokens are then
	// the taken ones: what the scheduler has placed beyond them is on its way to
	// the worker's actor, and is taken too.
	Reset  bool
	Tokens []attune.Token
}

// RevokeSlots takes a worker out of scheduling: lost, left or draining.
type RevokeSlots struct{ Worker, Incarnation string }

// ReturnSlots asks the scheduler to forget the free slots it holds of a worker,
// whose actor was restarted; it answers [SlotsReturned].
type ReturnSlots struct {
	Worker, Incarnation string
	// Number comes back in the answer: only that to the last question counts.
	Number int64
}

// SlotsReturned are the attempts the scheduler placed on a worker and has not
// seen freed.
type SlotsReturned struct {
	Worker, Incarnation string
	Number              int64
	Tokens              []attune.Token
}

// SchedulerStarted tells workers and partitions that the scheduler holds
// nothing: grants and requests are to be repeated.
type SchedulerStarted struct{}

// DrainWorker sets the operator's word that a worker is given nothing more, or
// takes it back. Reply gets the stored row; it must not block.
type DrainWorker struct {
	Worker string
	On     bool
	Reply  func(*attune.Worker, error)
}

// RemoveWorker forgets a worker that is lost or has left. Reply gets its last
// row; it must not block.
type RemoveWorker struct {
	Worker string
	Reply  func(*attune.Worker, error)
}

// WorkerForgotten tells the workers that a worker's row may be gone from the
// store; its actor looks.
type WorkerForgotten struct{ Worker string }

// CheckIncarnation asks the workers whether an incarnation is lost; only if so
// they answer, with [WorkerLost] to the execution.
type CheckIncarnation struct {
	Worker, Incarnation string
	Execution           attune.ExecutionID
	// NotMine means that the present incarnation was asked and holds no journal
	// of this one.
	NotMine bool
}

// WorkerLost is the stored fact that an incarnation is lost. Nothing of it runs
// any more.
type WorkerLost struct {
	Worker, Incarnation string
	// Left means that it left in order: it had ended all it started, and every
	// end was acknowledged.
	Left bool
}

// ToExecution carries a message to an execution by its id.
type ToExecution struct {
	ID      attune.ExecutionID
	Message any
}

// ToWorker asks the broker to send an item of the worker protocol.
type ToWorker struct {
	Worker string
	Item   any
}

// Announce asks the broker to publish the end of an execution.
type Announce struct{ End *ExecutionCompleted }

// AnnounceStatus asks the broker to publish a change of status.
type AnnounceStatus struct{ Status *ExecutionStatus }

// SyncBroker asks the broker to prove that it took what was announced since the
// last proof that anybody got; Reply is called with nil then, and must not block.
// What was lost before is in the count of losses by then.
type SyncBroker struct{ Reply func(error) }

type token attune.Token

func (t token) String() string { return attune.Token(t).String() }

// Signal shows the token in the inspection.
func (r *Report) Signal() fmt.Stringer { return reported{r.Kind, r.Token} }

type reported struct {
	kind  ReportKind
	token attune.Token
}

func (r reported) String() string { return r.kind.String() + " " + r.token.String() }

// Signal shows the token in the inspection.
func (f *FreeSlot) Signal() fmt.Stringer { return token(f.Token) }

// Signal shows the token in the inspection.
func (s *SlotTaken) Signal() fmt.Stringer { return token(s.Token) }

// Signal shows the id in the inspection.
func (p *Place) Signal() fmt.Stringer { return p.ID }

// Signal shows the id in the inspection.
func (p *Placed) Signal() fmt.Stringer { return p.ID }

// Signal shows the id in the inspection.
func (c *Cancel) Signal() fmt.Stringer { return c.ID }
