package rules

import (
	"fmt"
	"strings"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/secret"
)

// MaxParameters limits the encoded parameters of one execution, in bytes.
const MaxParameters = 1 << 20

// The codes of a failed enforcement.
const (
	// CodeRendering: a template of the rule could not be rendered.
	CodeRendering = "rendering_failed"
	// CodeParameters: the action does not accept what was rendered.
	CodeParameters = "invalid_parameters"
	// CodeAction: the action is disabled or can never run here.
	CodeAction = "action_refused"
)

// Match is how one rule judged one event.
type Match struct {
	// Rule is the rule that judged.
	Rule *Rule
	// Evaluation explains the verdict. It holds nothing of the event but
	// values of at most 1 kB.
	Evaluation attune.Evaluation
	// Matched is the verdict. With Failure it yields a failed enforcement,
	// else one with an execution of Rule.Action.
	Matched bool
	// Parameters is the checked JSON object for the execution, keys sorted; nil
	// without match or with Failure.
	Parameters []byte
	// Hidden says what of Parameters is secret: they must be sealed before they
	// are stored, and not be shown. Nil is nothing.
	Hidden *secret.Hidden
	// Timeout is the limit of one attempt; zero is none, or no action.
	Timeout time.Duration
	// Failure is why there is no execution; its message holds every fault.
	Failure *attune.Failure
}

// Judge judges an event by its decoded payload (expression.DecodeJSON; nil
// when there is none), which it only reads. Of the event it takes the id, and
// Accepted, which is the present for td_lt and td_gt. A backstop rule is judged as if no
// other rule had matched: see [Set.Judge].
func (r *Rule) Judge(event *attune.Event, payload any) Match { return r.judge(event, payload, nil) }

// judge is Judge behind the standard rules that matched, by ref.
func (r *Rule) judge(event *attune.Event, payload any, matched []string) Match {
	m := Match{Rule: r, Evaluation: attune.Evaluation{Rule: r.Definition.Ref, Event: event.ID}}
	if !r.Definition.Enabled {
		m.Evaluation.Disabled, m.Evaluation.Switched = true, r.Definition.Switched
		return m
	}
	if len(r.Faults) > 0 {
		m.Evaluation.Error = "the rule does not load: " + listed(r.Faults)
		return m
	}
	if len(r.criteria) > 0 && empty(payload) {
		m.Evaluation.Error = "the event has no payload to hold against the criteria"
		return m
	}
	on := &occasion{payload: payload, at: event.Accepted}
	if n := len(r.Definition.Criteria); n > 0 {
		m.Evaluation.Criteria = make([]attune.CriterionResult, 0, n)
	}
	if r.backstop && !m.keep(standsBack(matched)) {
		return m
	}
	for i := range r.criteria {
		if !m.keep(r.criteria[i].judge(on)) {
			return m
		}
	}
	if r.when != nil && !m.keep(r.when.judge(on)) {
		return m
	}
	m.Matched, m.Evaluation.Matched = true, true
	r.prepare(&m, on)
	return m
}

// keep adds a result to the evaluation and tells whether it passed.
func (m *Match) keep(result attune.CriterionResult) bool {
	m.Evaluation.Criteria = append(m.Evaluation.Criteria, result)
	if result.Error != "" {
		m.Evaluation.Error = result.Path + ": " + result.Error
	}
	return result.Passed
}

// empty is Python's idea of no payload.
func empty(payload any) bool {
	object, ok := payload.(map[string]any)
	return payload == nil || ok && len(object) == 0
}

// prepare renders, checks and encodes the parameters.
func (r *Rule) prepare(m *Match, on *occasion) {
	if r.Action != nil {
		reason := r.Action.Refusal
		if !r.Action.Enabled {
			reason = "it is disabled"
		}
		if reason != "" {
			m.Failure = &attune.Failure{Code: CodeAction, Message: r.Action.Ref + " is refused: " + reason}
			return
		}
	}
	given, scope := make(map[string]any, len(r.parameters)), on.scope()
	if r.Action != nil && r.Action.Config != nil {
		scope[configName] = r.Action.Config
	}
	linked := r.link.over(scope)
	var faults []attune.Fault
	for i := range r.parameters {
		p := &r.parameters[i]
		if linked.gives(p.name) {
			continue // it is rendered together with what it reads
		}
		v, err := p.value.render(scope, &on.purse)
		if err != nil {
			faults = append(faults, r.schema.conceal(p.name, "it cannot be rendered", treeFaults("parameters."+p.name, err))...)
			continue
		}
		given[p.name] = v
	}
	code := CodeRendering
	params := given
	if r.schema != nil {
		rendered := len(faults) == 0
		checked, wrong := r.schema.check(given, linked, &on.purse)
		for _, f := range wrong {
			// A parameter that could not be rendered is not also missing.
			if _, given := given[strings.TrimPrefix(f.Where, "parameters.")]; given || rendered {
				faults = append(faults, f)
			}
		}
		params = checked
		if rendered && (linked == nil || !linked.unrendered) {
			code = CodeParameters
		}
	}
	if len(faults) > 0 {
		if r.schema != nil {
			r.schema.mask(given, nil, faults)
		}
		m.Failure = &attune.Failure{Code: code, Message: listed(faults)}
		return
	}
	limited := encoder{limit: MaxParameters}
	encoded, whole := limited.value(make([]byte, 0, 128), any(params), 0)
	if !whole {
		m.Failure = &attune.Failure{Code: CodeParameters, Message: fmt.Sprintf("the parameters are too large: at most %d bytes are allowed", MaxParameters)}
		return
	}
	m.Parameters = encoded
	if r.schema != nil {
		m.Hidden = r.schema.hidden(given, params, linked)
	}
	if r.Action != nil {
		m.Timeout = Timeout(r.Action, params)
	}
}

// maxListed is how many faults one text holds; nobody reads more at once.
const maxListed = 20

// listed is faults as one text.
func listed(faults []attune.Fault) string {
	var texts []string
	for _, f := range faults[:min(len(faults), maxListed)] {
		texts = append(texts, f.String())
	}
	if more := len(faults) - maxListed; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}
