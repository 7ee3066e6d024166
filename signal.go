package attune

// Signal is what happens to an execution. The numbers are stored in histories:
// never reorder.
type Signal uint8

// The signals, in the order of the table's columns.
const (
	// NoSignal is never stored.
	NoSignal Signal = iota
	// Admit lets it go on to a slot.
	Admit
	// Hold makes it wait for a moment or a policy.
	Hold
	// Assign gives it a slot of a worker: a new attempt.
	Assign
	// Return is an attempt given back unstarted.
	Return
	// Start is the worker's word that it runs.
	Start
	// Finish is its success.
	Finish
	// Fail is its failure.
	Fail
	// TimeOut is the worker's word that it killed it at its limit.
	TimeOut
	// Retry is chosen by the owner instead of Fail, TimeOut, Lose or the end
	// of a stop by timeout.
	Retry
	// Lose is the loss of the worker's incarnation.
	Lose
	// Expire is the owner's own clock.
	Expire
	// Pause waits for a person.
	Pause
	// Resume ends a pause.
	Resume
	// Cancel is asked for.
	Cancel
	// Confirm is evidence that nothing of the attempt runs.
	Confirm
	// Refuse means that it can never run.
	Refuse
	// Panic is said by the partition when the actor failed three times in
	// 60 s.
	Panic
)

var signalNames = [...]string{"none", "admit", "hold", "assign", "return", "start", "finish", "fail", "time out", "retry", "lose",
	"expire", "pause", "resume", "cancel", "confirm", "refuse", "panic"}

// Signals lists all signals in the order of the table's columns.
func Signals() []Signal {
	all := make([]Signal, 0, len(signalNames)-1)
	for s := Admit; s <= Panic; s++ {
		all = append(all, s)
	}
	return all
}

func (s Signal) String() string { return word("signal", signalNames[:], s) }

// MarshalText writes the name.
func (s Signal) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Effect is something an actor does after a transition is stored. Each may
// happen twice, and whoever receives it deduplicates.
type Effect uint8

// The effects.
const (
	// Place asks the scheduler for a slot.
	Place Effect = iota + 1
	// Withdraw takes the request for a slot back.
	Withdraw
	// Dispatch sends the attempt to its worker.
	Dispatch
	// StopAttempt tells the worker to end the attempt.
	StopAttempt
	// FreeSlot gives the attempt's slot back to the worker's actor.
	FreeSlot
	// Acknowledge tells the worker that its report is stored.
	Acknowledge
	// Announce publishes the end and tells whoever waits for it.
	Announce
	// Retire ends the execution's actor.
	Retire
)

var effectNames = [...]string{"", "place", "withdraw", "dispatch", "stop attempt", "free slot", "acknowledge", "announce", "retire"}

func (e Effect) String() string { return word("effect", effectNames[:], e) }
