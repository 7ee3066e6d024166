package check

import "time"

// Step is a step of a history that was read otherwise than from a stored row.
type Step struct {
	At                  time.Time
	Signal, To          string
	Attempt             int
	Worker, Incarnation string
	Note                string
	Refused             bool
}

// Walk goes through a history and says where it leads, and what is wrong with
// it, if anything: see life.
func Walk(history []Step) (status string, attempt int, wrong string) {
	steps := make([]step, len(history))
	for i, s := range history {
		steps[i] = step{at: s.At, signal: s.Signal, to: s.To, attempt: s.Attempt, worker: s.Worker, incarnation: s.Incarnation, note: s.Note, refused: s.Refused}
	}
	status, _, attempt, wrong = life(steps)
	return status, attempt, wrong
}

// Ends reports whether a status is a terminal one.
func Ends(status string) bool { return ends[status] }

// Status is the word behind a stored number.
func Status(number int) string { return statusWords[number] }
