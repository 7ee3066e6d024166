package api

import (
	"encoding/json"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/rules"
)

// The sources of a verdict.
const (
	// SourceStored: the rule matched, and the verdict stands in its enforcement.
	SourceStored = "stored"
	// SourceMemory: the engine still remembers it.
	SourceMemory = "memory"
	// SourceAgain: judged again by the rules of then, as of then. What it says is
	// what was said then.
	SourceAgain = "judged_again"
	// SourcePresent: judged now, by the rules there are now.
	SourcePresent = "judged_now"
)

// Verdict is how one rule judged one event.
type Verdict struct {
	Rule string `json:"rule"`
	// Event is left out where a payload alone was judged; Accepted is when it
	// came.
	Event    string `json:"event,omitempty"`
	Accepted string `json:"accepted,omitempty"`
	Matched  bool   `json:"matched"`
	// Source is stored, memory, judged_again, or judged_now.
	Source string `json:"source"`
	// Disabled means that the rule did not judge at all; Switched is who
	// disabled it, where that was not its file.
	Disabled bool          `json:"disabled,omitempty"`
	Switched *attune.Stamp `json:"switched,omitempty"`
	// Later means that the rule was not there yet: it did not judge, and this is
	// what it would say now.
	Later bool `json:"later,omitempty"`
	// Changed means that the rule is another today than the one that judged.
	Changed bool `json:"changed,omitempty"`
	// Removed means that there is no such rule any more.
	Removed bool `json:"removed,omitempty"`
	// Criteria are those that were tried, up to the first that failed.
	Criteria []CriterionView `json:"criteria,omitempty"`
	// Error is why judging failed; then it did not match.
	Error string `json:"error,omitempty"`
	// Action is what a match starts.
	Action string `json:"action,omitempty"`
	// Parameters are what a match that was judged now would start it with.
	Parameters json.RawMessage `json:"parameters,omitempty"`
	// Failure is why a match starts nothing.
	Failure *attune.Failure `json:"failure,omitempty"`
	// Enforcement and Execution are what became of a stored match.
	Enforcement string `json:"enforcement,omitempty"`
	Execution   string `json:"execution,omitempty"`
}

// CriterionView is how one criterion judged.
type CriterionView struct {
	// Path and Type are the criterion's: trigger.item.status, equals.
	Path   string `json:"path"`
	Type   string `json:"type"`
	Passed bool   `json:"passed"`
	// Left is the value found at the path, Right the rendered pattern; of long
	// ones the beginning.
	Left  json.RawMessage `json:"left"`
	Right json.RawMessage `json:"right,omitempty"`
	// Error is why judging failed.
	Error string `json:"error,omitempty"`
}

// verdictOf shows an evaluation as it is stored, numbers with all their digits.
// One that cannot be read is shown without its criteria.
func verdictOf(rule, source string, evaluation []byte) Verdict {
	v := Verdict{}
	if err := json.Unmarshal(evaluation, &v); err != nil {
		v = Verdict{Error: "the stored evaluation cannot be read"}
	}
	v.Rule, v.Source = rule, source
	return v
}

// verdictNow shows a match, the secrets of its parameters masked.
func verdictNow(source string, m rules.Match) Verdict {
	v := verdictOf(m.Rule.Ref(), source, rules.EncodeEvaluation(m.Evaluation))
	if !m.Matched {
		return v
	}
	v.Action, v.Failure = m.Rule.Definition.Action, m.Failure
	if m.Failure == nil {
		hide := secrets{unknown: true}
		if m.Rule.Action != nil {
			hide = secretParameters(m.Rule.Action)
		}
		if m.Hidden != nil {
			for _, name := range m.Hidden.Names {
				hide.names[name] = true
			}
		}
		v.Parameters = hide.parameters(m.Parameters)
	}
	return v
}

// payloadOf is what rules judge of an event.
func payloadOf(document []byte) (any, error) {
	payload, err := expression.DecodeJSON(document)
	if err != nil {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_payload", Message: "the payload is not JSON", Cause: err}
	}
	return payload, nil
}
