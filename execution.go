package attune

import (
	"fmt"
	"time"
)

// Token is one attempt of one execution: what every dispatch, report and cancel
// carries.
type Token struct {
	// Execution is what is attempted.
	Execution ExecutionID `json:"execution"`
	// Attempt counts from 1.
	Attempt int `json:"attempt"`
}

func (t Token) String() string { return fmt.Sprintf("%s:%d", t.Execution, t.Attempt) }

// Chain is why a live row exists. It is stored on every one of them, so that
// history survives the change or deletion of every definition.
type Chain struct {
	// Correlation is the text id of the first cause: the same for all rows of
	// one chain.
	Correlation string `json:"correlation_id"`
	// Traceparent is the W3C trace context of the request. May be empty.
	Traceparent string `json:"traceparent,omitempty"`
	// Principal is the name of the token that caused it, or of a part of the
	// engine such as "@webhook".
	Principal string `json:"principal"`
}

// Limits bound an execution. They are resolved when it is accepted, so that a
// pack update changes nothing that is under way.
type Limits struct {
	// Timeout limits one attempt, from its start. Zero is no limit.
	Timeout time.Duration
	// Grace is how long a stopped attempt has between SIGTERM and SIGKILL.
	Grace time.Duration
	// Deadline limits the whole execution. Zero is none.
	Deadline time.Time
	// Retry says whether an attempt that ended badly is followed by another.
	Retry RetryPolicy
}

// Execution is one run of an action, over all its attempts. Its partition's
// owner alone changes it, by [Execution.Apply].
type Execution struct {
	// ID names it and carries its partition. Its time may be up to half a minute
	// ahead of Requested, after a restart or a take-over.
	ID ExecutionID
	// Requested is when it was asked for, in database time.
	Requested time.Time
	// Action is the ref of what runs, ActionHash the content it had.
	Action     string
	ActionHash string
	// Runner is the runner of the action; a worker must have it.
	Runner string
	// Parameters is the checked JSON object of parameters, defaults applied.
	Parameters []byte
	// Root and Parent are the executions above it, or zero.
	Root, Parent ExecutionID
	// RerunOf is the execution that it repeats, or zero.
	RerunOf ExecutionID
	// Rule, Event, Enforcement are what caused it, or empty. A repetition has
	// the rule and the event of the first, and no enforcement.
	Rule        string
	Event       EventID
	Enforcement EnforcementID
	// Trigger is the key of the event's trigger, or empty.
	Trigger string
	// Chain is the rest of its cause.
	Chain Chain
	// Limits are its time limits, resolved.
	Limits Limits

	// Version counts its stored states, from 1.
	Version int64
	// Status is where it stands, Cause why it is stopping.
	Status Status
	Cause  Cause
	// Attempt is the number of the newest attempt, or 0.
	Attempt int
	// Worker and Incarnation are where the newest attempt is, or was.
	Worker, Incarnation string
	// Reason says, in words a user understands, what it waits for; Until is
	// the moment at which its owner looks again. Zero in a terminal status.
	Reason string
	Until  time.Time
	// Started is when its newest attempt began to run, Finished when it ended.
	Started, Finished time.Time
	// Result is the JSON of its result, Failure why it did not complete.
	Result  []byte
	Failure *Failure
	// FinishNumber numbers the ends of a partition in the order of their
	// flushes; the writer sets it, announcing counts by it.
	FinishNumber int64
	// History is its whole life.
	History History
}

// Token is the newest attempt.
func (x *Execution) Token() Token { return Token{x.ID, x.Attempt} }

// Input is a signal with what it knows.
type Input struct {
	// Signal says what happened; At when, in database time.
	Signal Signal
	At     time.Time
	// Attempt is the attempt a report speaks of; zero means the newest.
	Attempt int
	// Worker and Incarnation come with Assign.
	Worker, Incarnation string
	// Result and Failure come with the end of an attempt.
	Result  []byte
	Failure *Failure
	// Reason says why, for people.
	Reason string
	// Until is the next moment at which the owner looks.
	Until time.Time
}

// Apply makes the transition that the signal calls for, writes its step into
// the history, and returns what is to be done once the state is stored. A
// signal that is refused, or that speaks of an attempt other than the newest,
// changes nothing and returns [Refused]; keep it with [Execution.Witness].
func (x *Execution) Apply(in Input) ([]Effect, error) {
	if in.Attempt != 0 && in.Attempt != x.Attempt {
		return nil, &Refused{x.Status, in.Signal}
	}
	to, cause, effects, err := Next(x.Status, x.Cause, in.Signal)
	if err != nil {
		return nil, err
	}
	step := Step{At: in.At, Signal: in.Signal, To: to, Attempt: x.Attempt, Note: in.Reason}
	switch in.Signal {
	case Assign:
		x.Attempt++
		x.Worker, x.Incarnation = in.Worker, in.Incarnation
		step.Attempt, step.Worker, step.Incarnation = x.Attempt, in.Worker, in.Incarnation
	case Start:
		x.Started = in.At
	case Return, Retry:
		if !to.Terminal() {
			x.Started = time.Time{}
		}
	}
	x.Status, x.Cause, x.Reason, x.Until = to, cause, in.Reason, in.Until
	if to.Terminal() {
		x.Finished, x.Result, x.Failure = in.At, in.Result, in.Failure
		x.Reason, x.Until = "", time.Time{}
	}
	x.History = x.History.Append(step)
	return effects, nil
}

// Witness keeps a refused signal as evidence in the history, without changing
// anything else.
func (x *Execution) Witness(in Input) {
	attempt := in.Attempt
	if attempt == 0 {
		attempt = x.Attempt
	}
	x.History = x.History.Append(Step{At: in.At, Signal: in.Signal, To: x.Status, Attempt: attempt, Note: in.Reason, Refused: true})
}

// Clone is a copy that shares only what is never changed in place.
func (x *Execution) Clone() *Execution {
	c := *x
	c.History = x.History[:len(x.History):len(x.History)]
	return &c
}
