package attune

import "time"

// Attempt is what a history tells of one assignment to a worker.
type Attempt struct {
	// Number counts from 1.
	Number int
	// Worker and Incarnation are where it was.
	Worker, Incarnation string
	// Assigned, Started and Ended are when; zero where it did not happen yet.
	// An attempt that was given back never started.
	Assigned, Started, Ended time.Time
	// End is the signal that ended it, and Status that of the execution after
	// it; NoSignal and NoStatus while it goes on.
	End    Signal
	Status Status
	// Note says why it ended, for people; while it is being ended, why that.
	Note string
	// Late are signals that spoke of it and changed nothing: evidence.
	Late []Step
}

// Outcome is how the attempt ended, in one word: the last status of the
// execution, or "returned" or "retried" where the execution goes on without it.
// It is empty while the attempt goes on.
func (a Attempt) Outcome() string {
	switch {
	case a.End == NoSignal:
		return ""
	case a.Status.Terminal():
		return a.Status.String()
	case a.End == Return:
		return "returned"
	}
	return "retried"
}

// Attempts are the attempts that the steps of a history tell of, in order.
// Steps that speak of an attempt nobody assigned, as of a damaged history, make
// one without a worker.
func Attempts(steps []Step) []Attempt {
	var all []Attempt
	of := func(number int) *Attempt {
		for i := len(all) - 1; i >= 0; i-- {
			if all[i].Number == number {
				return &all[i]
			}
		}
		all = append(all, Attempt{Number: number})
		return &all[len(all)-1]
	}
	for _, s := range steps {
		if s.Attempt == 0 {
			continue
		}
		switch a := of(s.Attempt); {
		case s.Refused:
			a.Late = append(a.Late, s)
		case a.End != NoSignal: // it is between attempts: of the execution, not of this one
		case s.Signal == Assign:
			a.Assigned, a.Worker, a.Incarnation = s.At, s.Worker, s.Incarnation
		default:
			a.take(s)
		}
	}
	return all
}

// take adds a step of an attempt that goes on.
func (a *Attempt) take(s Step) {
	if s.Note != "" {
		a.Note = s.Note
	}
	switch {
	case s.Signal == Start:
		a.Started = s.At
	case s.To.Terminal() || !s.To.Assigned():
		a.Ended, a.End, a.Status = s.At, s.Signal, s.To
	}
}
