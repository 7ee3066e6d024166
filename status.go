package attune

import "fmt"

// Status is where an execution stands. Its text form is its name in every
// table, message, log line and screen. The numbers are stored: never reorder.
type Status uint8

// The statuses of an execution. The last five are terminal: nothing leaves
// them.
const (
	// NoStatus is the status before the first; it is never stored.
	NoStatus Status = iota
	// Requested is accepted.
	Requested
	// Delayed waits for a moment or a policy.
	Delayed
	// Scheduling is admitted and waits for a free slot.
	Scheduling
	// Scheduled is assigned to a worker's slot and not yet known to run.
	Scheduled
	// Running was started by its worker.
	Running
	// Paused is an engine-run execution that waits for a person.
	Paused
	// Stopping is being ended, for a stored [Cause], until there is evidence
	// that nothing of it runs any more.
	Stopping
	// Completed is the success.
	Completed
	// Failed ended with a failure, or can never run.
	Failed
	// TimedOut ran into its time limit or its deadline.
	TimedOut
	// Cancelled was ended on request.
	Cancelled
	// Abandoned lost its worker.
	Abandoned
)

var statusNames = [...]string{"none", "requested", "delayed", "scheduling", "scheduled", "running", "paused", "stopping",
	"completed", "failed", "timeout", "cancelled", "abandoned"}

// Statuses lists all statuses in order of life.
func Statuses() []Status {
	all := make([]Status, 0, len(statusNames)-1)
	for s := Requested; s <= Abandoned; s++ {
		all = append(all, s)
	}
	return all
}

func (s Status) String() string { return word("status", statusNames[:], s) }

// word is the name of one of a numbered list. A number behind its end, which a
// damaged row or a newer program may say, is still something to print.
func word[T ~uint8](list string, names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("%s(%d)", list, uint8(v))
}

// MarshalText writes the name.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name.
func (s *Status) UnmarshalText(b []byte) error {
	v, err := ParseStatus(string(b))
	*s = v
	return err
}

// ParseStatus reads a name.
func ParseStatus(name string) (Status, error) {
	for i, n := range statusNames {
		if i > 0 && n == name {
			return Status(i), nil
		}
	}
	return NoStatus, NewError(Invalid, "invalid_status", fmt.Sprintf("%q is not a status", name))
}

// Terminal reports that nothing leaves the status.
func (s Status) Terminal() bool { return s >= Completed && s <= Abandoned }

// Live reports that the execution has an end ahead of it.
func (s Status) Live() bool { return s >= Requested && s <= Stopping }

// Assigned reports that the execution holds a slot of a worker.
func (s Status) Assigned() bool {
	return s == Scheduled || s == Running || s == Paused || s == Stopping
}

// Rank orders the statuses within one attempt: it only rises, so that a late or
// repeated report is recognised by (attempt, rank). Statuses before an attempt
// have rank 0.
func (s Status) Rank() int {
	switch {
	case s == Scheduled:
		return 1
	case s == Running || s == Paused:
		return 2
	case s == Stopping:
		return 3
	case s.Terminal():
		return 4
	}
	return 0
}

// Cause is why an execution is stopping. The numbers are stored.
type Cause uint8

// The causes of a stop.
const (
	// NoCause is for statuses other than stopping.
	NoCause Cause = iota
	// CauseCancelled was asked for.
	CauseCancelled
	// CauseTimeout is a passed limit or deadline.
	CauseTimeout
	// CausePanic is an actor that failed three times in 60 s.
	CausePanic
)

var causeNames = [...]string{"", "cancelled", "timeout", "panic"}

func (c Cause) String() string { return word("cause", causeNames[:], c) }

// MarshalText writes the name.
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Status is the terminal status that a stop for this cause ends in.
func (c Cause) Status() Status {
	switch c {
	case CauseCancelled:
		return Cancelled
	case CauseTimeout:
		return TimedOut
	case CausePanic:
		return Failed
	}
	return NoStatus
}
