package api

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/rules"
)

// RuleDocument is a rule as GET /api/v1/rules/{ref} shows it. It need not be in
// any pack.
type RuleDocument struct {
	Ref               string            `json:"ref" minLength:"1" maxLength:"1024"`
	Pack              string            `json:"pack,omitempty"`
	Description       string            `json:"description,omitempty"`
	Enabled           *bool             `json:"enabled,omitempty"`
	Trigger           string            `json:"trigger" minLength:"1" maxLength:"1024"`
	TriggerParameters map[string]string `json:"trigger_parameters,omitempty"`
	// Criteria must all pass, in this order.
	Criteria []CriterionDocument `json:"criteria,omitempty"`
	Action   string              `json:"action" minLength:"1" maxLength:"1024"`
	// Parameters is an object; texts in it may be Jinja.
	Parameters json.RawMessage `json:"parameters,omitempty"`
	// Deadline is a duration from the request, such as 10m; Retry an object as in
	// a pack, or a number of attempts. They take the place of the action's.
	Deadline string          `json:"deadline,omitempty"`
	Retry    json.RawMessage `json:"retry,omitempty"`
	Hash     string          `json:"hash,omitempty"`
	// At is where faults are told to be.
	At attune.Position `json:"at,omitzero" required:"false"`
	// From, Applied, Switched and Faults are shown, and mean nothing in a
	// request.
	From     string         `json:"from,omitempty"`
	Applied  *attune.Stamp  `json:"applied,omitempty"`
	Switched *attune.Stamp  `json:"switched,omitempty"`
	Faults   []attune.Fault `json:"faults,omitempty"`
}

// CriterionDocument is one criterion of a [RuleDocument].
type CriterionDocument struct {
	Path    string          `json:"path"`
	Type    string          `json:"type,omitempty"`
	Pattern json.RawMessage `json:"pattern,omitempty"`
	At      attune.Position `json:"at,omitzero" required:"false"`
}

// NewRuleDocument is the document of a rule. Numbers stay what they are: 2.0 does
// not become 2.
func NewRuleDocument(r *attune.Rule) RuleDocument {
	d := RuleDocument{Ref: r.Ref, Pack: r.Pack, Description: r.Description, Enabled: &r.Enabled, Trigger: r.Trigger,
		TriggerParameters: r.TriggerParameters, Action: r.Action, Hash: r.Hash, At: r.At}
	if r.Parameters != nil {
		d.Parameters = rules.AppendJSON(nil, any(r.Parameters))
	}
	if r.Deadline > 0 {
		d.Deadline = time.Duration(r.Deadline).String()
	}
	if r.Retry != nil {
		d.Retry, _ = json.Marshal(r.Retry) // of words and numbers
	}
	for _, c := range r.Criteria {
		d.Criteria = append(d.Criteria, CriterionDocument{c.Path, c.Type, rules.AppendJSON(nil, c.Pattern), c.At})
	}
	return d
}

// rule is the way back.
func (d RuleDocument) rule() (*attune.Rule, error) {
	r := &attune.Rule{Ref: d.Ref, Pack: d.Pack, Description: d.Description, Enabled: d.Enabled == nil || *d.Enabled, Trigger: d.Trigger,
		TriggerParameters: d.TriggerParameters, Action: d.Action, Hash: d.Hash, At: d.At}
	for i, c := range d.Criteria {
		pattern, err := optional(c.Pattern)
		if err != nil {
			return nil, notJSON(fmt.Sprintf("rule.criteria[%d].pattern", i), err)
		}
		r.Criteria = append(r.Criteria, attune.Criterion{Path: c.Path, Type: c.Type, Pattern: pattern, At: c.At})
	}
	parameters, err := optional(d.Parameters)
	if err != nil {
		return nil, notJSON("rule.parameters", err)
	}
	var object bool
	if r.Parameters, object = parameters.(map[string]any); !object && parameters != nil {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_rule", Message: "parameters must be an object", Where: "rule.parameters"}
	}
	return r, d.times(r)
}

// times reads when the rule's executions end, and are tried again.
func (d RuleDocument) times(r *attune.Rule) error {
	if d.Deadline != "" {
		within, err := attune.ParseSpan(d.Deadline)
		if err != nil || within <= 0 || within > attune.MaxWait {
			return &attune.Error{Kind: attune.Invalid, Code: "invalid_rule", Message: fmt.Sprintf("%q is not a duration above zero and of at most a year", d.Deadline), Where: "rule.deadline", Try: "10m"}
		}
		r.Deadline = attune.Span(within)
	}
	retry, err := optional(d.Retry)
	if err != nil {
		return notJSON("rule.retry", err)
	}
	if retry == nil {
		return nil
	}
	policy, faults := attune.ParseRetry(retry)
	if len(faults) > 0 {
		return &attune.Error{Kind: attune.Invalid, Code: "invalid_rule", Message: "the retry of the rule is wrong", Where: "rule.retry", Faults: faults}
	}
	r.Retry = &policy
	return nil
}

func optional(document json.RawMessage) (any, error) {
	if len(document) == 0 {
		return nil, nil
	}
	return expression.DecodeJSON(document)
}

func notJSON(where string, err error) error {
	return &attune.Error{Kind: attune.Invalid, Code: "invalid_rule", Message: "it is not JSON", Where: where, Cause: err}
}

// RuleTestRequest is the body of POST /api/v1/rules/test: a rule, and one of
// event, payload and last.
type RuleTestRequest struct {
	Rule RuleDocument `json:"rule"`
	// Event is the id of an event.
	Event string `json:"event,omitempty"`
	// Payload is judged as that of an event of the rule's trigger that comes
	// now.
	Payload json.RawMessage `json:"payload,omitempty"`
	// Last asks for so many of the newest events of the rule's trigger.
	Last int `json:"last,omitempty" minimum:"0" maximum:"100"`
}

// RuleTest says how a rule would judge. Nothing is stored or started.
type RuleTest struct {
	Rule string `json:"rule"`
	// Trigger is the key that events of the rule carry.
	Trigger string `json:"trigger"`
	// Disabled says that the rule is disabled; it is tested as if it were not.
	Disabled bool `json:"disabled,omitempty"`
	// Items are the verdicts, that of the newest event first.
	Items []Verdict `json:"items"`
}

type (
	ruleTestInput  struct{ Body RuleTestRequest }
	ruleTestOutput struct{ Body RuleTest }
)

// testRule judges by a rule that need not be saved. It is compiled as one of a
// pack is, and its faults are those that would keep it from loading.
func (s *server) testRule(ctx context.Context, in *ruleTestInput) (*ruleTestOutput, error) {
	definition, err := in.Body.Rule.rule()
	if err != nil {
		return nil, err
	}
	out := RuleTest{Rule: definition.Ref, Disabled: !definition.Enabled, Items: []Verdict{},
		Trigger: attune.TriggerKey(definition.Trigger, definition.TriggerParameters)}
	definition.Enabled = true
	catalog := s.Engine.Catalog()
	rule, faults := catalog.Compile(definition)
	if len(faults) > 0 {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_rule", Message: "the rule " + definition.Ref + " is wrong", Faults: faults}
	}
	events, err := s.eventsToTest(ctx, in.Body, out.Trigger)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v := Verdict{Rule: out.Rule, Source: SourcePresent}
		if e.Trigger != out.Trigger {
			v.Error = fmt.Sprintf("the event is of the trigger %s, and the rule waits for %s", e.Trigger, out.Trigger)
		} else {
			payload, err := payloadOf(e.Payload)
			if err != nil {
				return nil, err
			}
			v = verdictNow(SourcePresent, catalog.Rules().Try(rule, e, payload))
		}
		if v.Event = e.ID.String(); e.ID != 0 {
			v.Accepted = stamp(e.Accepted)
		}
		out.Items = append(out.Items, v)
	}
	return &ruleTestOutput{out}, nil
}

// eventsToTest are the events that a request names, the newest first.
func (s *server) eventsToTest(ctx context.Context, r RuleTestRequest, trigger string) ([]*attune.Event, error) {
	asked := 0
	for _, named := range []bool{r.Event != "", len(r.Payload) > 0, r.Last > 0} {
		if named {
			asked++
		}
	}
	switch {
	case asked != 1:
		return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_request", Message: "a test needs exactly one of event, payload and last"}
	case r.Event != "":
		e, err := s.event(ctx, r.Event)
		return []*attune.Event{e}, err
	case r.Last > 0:
		return s.Store.Events(ctx, persistence.Query{Trigger: trigger, Limit: r.Last})
	}
	return []*attune.Event{{Trigger: trigger, Payload: r.Payload, Accepted: s.Now()}}, nil
}
