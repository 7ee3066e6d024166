package attune

import "fmt"

// Transition is one cell of the table: what a signal does in a status.
type Transition struct {
	// From is the status the signal finds.
	From Status
	// On is the signal.
	On Signal
	// To is the next status. NoStatus means "by cause": [Cause.Status] of the
	// stored cause.
	To Status
	// Sets is the cause the transition stores, or NoCause to keep it.
	Sets Cause
	// Effects are performed in order, after the transition is stored.
	Effects []Effect
}

// The effects that transitions share.
var (
	endAssigned   = []Effect{FreeSlot, Acknowledge, Announce, Retire}
	endUnassigned = []Effect{Withdraw, Announce, Retire}
	stop          = []Effect{StopAttempt}
)

// transitions is the whole life of an execution. A pair of status and signal
// that is not here is refused with [Refused] and changes nothing.
//
// Order: by status in the order of life, then by signal in the order of
// [Signals]; TestTransitions* hold it to the rules of docs/execution.md.
var transitions = []Transition{
	{Requested, Admit, Scheduling, NoCause, []Effect{Place}},
	{Requested, Hold, Delayed, NoCause, nil},
	{Requested, Expire, TimedOut, NoCause, endUnassigned},
	{Requested, Cancel, Cancelled, NoCause, endUnassigned},
	{Requested, Refuse, Failed, NoCause, endUnassigned},
	{Requested, Panic, Failed, NoCause, endUnassigned},

	{Delayed, Admit, Scheduling, NoCause, []Effect{Place}},
	{Delayed, Hold, Delayed, NoCause, nil},
	{Delayed, Expire, TimedOut, NoCause, endUnassigned},
	{Delayed, Cancel, Cancelled, NoCause, endUnassigned},
	{Delayed, Refuse, Failed, NoCause, endUnassigned},
	{Delayed, Panic, Failed, NoCause, endUnassigned},

	{Scheduling, Hold, Delayed, NoCause, []Effect{Withdraw}},
	{Scheduling, Assign, Scheduled, NoCause, []Effect{Dispatch}},
	{Scheduling, Expire, TimedOut, NoCause, endUnassigned},
	{Scheduling, Cancel, Cancelled, NoCause, endUnassigned},
	{Scheduling, Refuse, Failed, NoCause, endUnassigned},
	{Scheduling, Panic, Failed, NoCause, endUnassigned},

	{Scheduled, Return, Scheduling, NoCause, []Effect{FreeSlot, Acknowledge, Place}},
	{Scheduled, Start, Running, NoCause, nil},
	{Scheduled, Finish, Completed, NoCause, endAssigned},
	{Scheduled, Fail, Failed, NoCause, endAssigned},
	{Scheduled, TimeOut, TimedOut, NoCause, endAssigned},
	{Scheduled, Retry, Delayed, NoCause, []Effect{FreeSlot, Acknowledge}},
	{Scheduled, Lose, Abandoned, NoCause, endAssigned},
	{Scheduled, Expire, Stopping, CauseTimeout, stop},
	{Scheduled, Cancel, Stopping, CauseCancelled, stop},
	{Scheduled, Refuse, Failed, NoCause, endAssigned},
	{Scheduled, Panic, Stopping, CausePanic, stop},

	{Running, Finish, Completed, NoCause, endAssigned},
	{Running, Fail, Failed, NoCause, endAssigned},
	{Running, TimeOut, TimedOut, NoCause, endAssigned},
	{Running, Retry, Delayed, NoCause, []Effect{FreeSlot, Acknowledge}},
	{Running, Lose, Abandoned, NoCause, endAssigned},
	{Running, Expire, Stopping, CauseTimeout, stop},
	{Running, Pause, Paused, NoCause, nil},
	{Running, Cancel, Stopping, CauseCancelled, stop},
	{Running, Panic, Stopping, CausePanic, stop},

	{Paused, Finish, Completed, NoCause, endAssigned},
	{Paused, Fail, Failed, NoCause, endAssigned},
	{Paused, TimeOut, TimedOut, NoCause, endAssigned},
	{Paused, Retry, Delayed, NoCause, []Effect{FreeSlot, Acknowledge}},
	{Paused, Expire, Stopping, CauseTimeout, stop},
	{Paused, Resume, Running, NoCause, nil},
	{Paused, Cancel, Stopping, CauseCancelled, stop},
	{Paused, Panic, Stopping, CausePanic, stop},

	{Stopping, Return, NoStatus, NoCause, endAssigned},
	{Stopping, Finish, Completed, NoCause, endAssigned},
	{Stopping, Fail, NoStatus, NoCause, endAssigned},
	{Stopping, TimeOut, NoStatus, NoCause, endAssigned},
	{Stopping, Retry, Delayed, NoCause, []Effect{FreeSlot, Acknowledge}},
	{Stopping, Lose, NoStatus, NoCause, endAssigned},
	{Stopping, Cancel, Stopping, CauseCancelled, stop},
	{Stopping, Confirm, NoStatus, NoCause, endAssigned},
	{Stopping, Refuse, NoStatus, NoCause, endAssigned},
	{Stopping, Panic, Stopping, CausePanic, stop},
}

// cells is the table by status and signal; nil is refused.
var cells = func() (t [Abandoned + 1][Panic + 1]*Transition) {
	for i := range transitions {
		t[transitions[i].From][transitions[i].On] = &transitions[i]
	}
	return t
}()

// Transitions is a copy of the table, for drawings and tests.
func Transitions() []Transition { return append([]Transition(nil), transitions...) }

// Refused is the answer to a signal that means nothing in a status. Nothing
// changed.
type Refused struct {
	// Status is what the signal found.
	Status Status
	// Signal is what was refused.
	Signal Signal
}

func (r *Refused) Error() string {
	return fmt.Sprintf("%s is refused: the execution is %s", r.Signal, r.Status)
}

// Next looks a signal up: the next status, the cause to store with it, and the
// effects. The rules beyond the cells stand here too: a retry leaves stopping
// only when the cause is timeout, and a panic does not displace cancelled as
// the cause of a stop.
func Next(from Status, cause Cause, on Signal) (Status, Cause, []Effect, error) {
	if from > Abandoned || on > Panic || cells[from][on] == nil {
		return from, cause, nil, &Refused{from, on}
	}
	t := cells[from][on]
	if from == Stopping && on == Retry && cause != CauseTimeout {
		return from, cause, nil, &Refused{from, on}
	}
	to := t.To
	if to == NoStatus {
		to = cause.Status()
	}
	switch {
	case to != Stopping:
		cause = NoCause
	case on == Panic && cause == CauseCancelled:
	default:
		cause = t.Sets
	}
	return to, cause, t.Effects, nil
}
