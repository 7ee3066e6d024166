package attune

import "time"

// Event is one firing of a trigger.
type Event struct {
	// ID names it and carries its partition. Its time may be up to half a minute
	// ahead of Accepted, after a restart or a take-over.
	ID EventID
	// Accepted is when it came, in database time.
	Accepted time.Time
	// Trigger is the key of what fired: see [TriggerKey].
	Trigger string
	// Payload is the JSON document that came with it.
	Payload []byte
	// Dedupe is the key under which it is one event however often it is sent,
	// or empty.
	Dedupe string
	// OccurredAt is when its source says it happened, or zero.
	OccurredAt time.Time
	// Chain is its cause.
	Chain Chain
	// RulesRevision is the revision of the rules that judge it, stored with its
	// first commit.
	RulesRevision int64
	// Evaluated is when all its rules had been judged and their enforcements
	// stored; zero until then.
	Evaluated time.Time
}

// EnforcementStatus is what became of a match. The numbers are stored.
type EnforcementStatus uint8

// The statuses of an enforcement.
const (
	// EnforcementCreated has its execution.
	EnforcementCreated EnforcementStatus = iota + 1
	// EnforcementFailed could not render or check its parameters; it is
	// visible and can be run again, which makes it created.
	EnforcementFailed
)

var enforcementStatusNames = [...]string{"none", "created", "failed"}

func (s EnforcementStatus) String() string {
	return word("enforcement status", enforcementStatusNames[:], s)
}

// MarshalText writes the name.
func (s EnforcementStatus) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Enforcement is one rule matched by one event: there is exactly one for the
// pair, and at most one execution from it.
type Enforcement struct {
	// ID names it.
	ID EnforcementID
	// Created is when the rule matched, in database time.
	Created time.Time
	// Event and Rule are the pair; RuleHash the content the rule had.
	Event    EventID
	Rule     string
	RuleHash string
	// Action is the ref the rule calls.
	Action string
	// Status says whether it has its execution.
	Status EnforcementStatus
	// Execution is what it started, or zero.
	Execution ExecutionID
	// Failure says why it failed, or is nil. One that was run again keeps it.
	Failure *Failure
	// Evaluation is the whole evaluation as JSON: see [Evaluation].
	Evaluation []byte
	// Chain is its cause.
	Chain Chain
}

// Evaluation is how one rule judged one event.
type Evaluation struct {
	// Rule is the ref.
	Rule string `json:"rule"`
	// Event is what was judged.
	Event EventID `json:"event"`
	// Matched is the verdict.
	Matched bool `json:"matched"`
	// Disabled means that the rule did not judge at all.
	Disabled bool `json:"disabled,omitempty"`
	// Switched says who disabled it, where that was not its file.
	Switched *Stamp `json:"switched,omitempty"`
	// Criteria are the criteria in the order they were tried.
	Criteria []CriterionResult `json:"criteria,omitempty"`
	// Error is why judging failed; then it did not match.
	Error string `json:"error,omitempty"`
}

// CriterionResult is how one criterion judged.
type CriterionResult struct {
	// Path and Type are the criterion's: trigger.item.status, equals.
	Path string `json:"path"`
	Type string `json:"type"`
	// Passed is the verdict.
	Passed bool `json:"passed"`
	// Left is the value found at the path, Right the rendered pattern.
	Left  any `json:"left"`
	Right any `json:"right,omitempty"`
	// Error is why judging failed.
	Error string `json:"error,omitempty"`
}
