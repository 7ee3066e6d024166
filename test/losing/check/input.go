package check

import (
	"time"

	"github.com/attune-automation/attune/test/ledger"
	"github.com/attune-automation/attune/test/sim/check"
)

// Input is everything that is judged.
type Input struct {
	Plan Plan
	// Counts are what happened, by word.
	Counts map[string]int
	// Rules are what each kind of event leads to.
	Rules map[string][]Rule
	// Actions are what may become of an execution, by the action's ref.
	Actions map[string]Action
	// Harm are the times in which a worker was harmed: killed, frozen, or cut off
	// for longer than its lease. At no other may an attempt be lost.
	Harm []Window

	Offers       []Offer
	Events       []Event
	Enforcements []Enforcement
	Executions   []Execution
	Ledger       []ledger.Line
}

// Plan is the least that makes a run worth judging.
type Plan struct {
	// Offers is how many were acknowledged.
	Offers int
	// Counts is the least of each kind of fault or coincidence.
	Counts map[string]int
}

// Rule is one that matches a kind of event.
type Rule struct {
	Ref string
	// Fails says that its parameters cannot be made.
	Fails bool
}

// Action is what the checker has to know of an action.
type Action struct {
	// Tries is how many attempts it has where one fails or is lost.
	Tries int
	// Pure ones write no ledger.
	Pure bool
}

// Window is a span of time.
type Window struct{ From, To time.Time }

// Offer is something that a client wants, with a dedupe key.
type Offer struct {
	Key string
	// Kind is that of the event; empty for an execution, which has an Action.
	Kind, Action string
	// IDs are all answers that acknowledged it, in order. Taken says that it was
	// acknowledged by somebody who knows no id: the broker.
	IDs   []string
	Taken bool
}

// Event is a row. All ids are as they are shown.
type Event struct {
	ID, Key   string
	Evaluated bool
}

// Enforcement is a row.
type Enforcement struct {
	ID, Event, Rule, Status string
}

// Execution is a row with its history.
type Execution struct {
	ID, Key, Action          string
	Rule, Event, Enforcement string
	Status, Reason           string
	Attempt                  int
	History                  []check.Step
}
