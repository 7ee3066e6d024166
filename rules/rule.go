package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
)

// Rule is a compiled rule.
type Rule struct {
	// Definition is what it was compiled from; never change it.
	Definition *attune.Rule
	// Action is what it starts, or nil if it was compiled without.
	Action *attune.Action
	// Faults are why it cannot be compiled: it matches nothing, and says so to
	// each event. See [Broken].
	Faults []attune.Fault

	key        string
	backstop   bool
	criteria   []criterion
	when       *when      // or nil
	parameters []argument // sorted by name
	schema     *Schema
	link       *link // or nil
}

// maxCriteria is how many criteria a rule may have, those of searches included:
// each may look through the whole payload.
const maxCriteria = 200

func countCriteria(all []attune.Criterion) int {
	n := len(all)
	for _, c := range all {
		if strings.HasPrefix(strings.ToLower(c.Type), search) {
			n += countChildren(c.Pattern)
		}
	}
	return n
}

func countChildren(pattern any) int {
	children, _ := pattern.(map[string]any)
	n := len(children)
	for _, child := range children {
		if c, ok := child.(map[string]any); ok && n <= maxCriteria {
			n += countChildren(c["pattern"])
		}
	}
	return n
}

// argument is one parameter of the rule's action.
type argument struct {
	name  string
	value template
}

// Compile compiles a rule for its action: paths and constant patterns are
// parsed once, templates compiled, and parameters that can never be accepted
// refused. Without an action (nil) the parameters are rendered and not
// checked. With faults, all of them at once, the rule is nil.
func Compile(rule *attune.Rule, action *attune.Action) (*Rule, []attune.Fault) {
	r := &Rule{Definition: rule, Action: action, key: attune.TriggerKey(rule.Trigger, rule.TriggerParameters)}
	var faults []attune.Fault
	if n := countCriteria(rule.Criteria); n > maxCriteria {
		return nil, []attune.Fault{{Where: rule.At.String(), Message: fmt.Sprintf("the rule has %d criteria, at most %d are allowed", n, maxCriteria), Try: "say it with when"}}
	}
	for _, c := range rule.Criteria {
		var wrong []attune.Fault
		switch c.Path {
		case pathType:
			r.backstop = true
		case pathWhen:
			r.when, wrong = compileWhen(c)
		default:
			var one criterion
			one, wrong = compileCriterion(c, "trigger")
			r.criteria = append(r.criteria, one)
		}
		faults = append(faults, wrong...)
	}
	where := rule.At.String()
	if action != nil && action.Refusal == "" { // a runner we lack has parameters we do not know
		var wrong []attune.Fault
		if r.schema, wrong = NewSchema(action); len(wrong) > 0 {
			return nil, append(faults, wrong...)
		}
		faults = append(faults, r.schema.misfits(rule, where)...)
	}
	for _, name := range slices.Sorted(maps.Keys(rule.Parameters)) {
		declared := ""
		if action != nil && action.Parameters[name] != nil {
			declared = action.Parameters[name].Type
		}
		value, wrong := compileTemplate(rule.Parameters[name], declared, "action.parameters."+name)
		for _, f := range r.schema.conceal(name, "it is no valid template", wrong) {
			faults = append(faults, attune.Fault{Where: where, Message: f.Where + ": " + f.Message, Try: f.Try})
		}
		r.parameters = append(r.parameters, argument{name, value})
	}
	if r.schema != nil {
		var wrong []attune.Fault
		r.link, wrong = r.schema.joined(rule, r.parameters)
		faults = append(faults, wrong...)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return r, nil
}

// Broken is a rule that cannot be compiled, so that whoever asks why it did not
// match is told. There must be a fault.
func Broken(rule *attune.Rule, faults []attune.Fault) *Rule {
	return &Rule{Definition: rule, Faults: faults, key: attune.TriggerKey(rule.Trigger, rule.TriggerParameters)}
}

// misfits are the faults of a rule's parameters that no event can mend: names
// that the action lacks or fixes, and required ones that are missing.
func (s *Schema) misfits(rule *attune.Rule, where string) []attune.Fault {
	var faults []attune.Fault
	for _, name := range slices.Sorted(maps.Keys(rule.Parameters)) {
		switch p := s.fields[name]; {
		case p == nil:
			f := s.unknown(name)
			f.Where = where
			faults = append(faults, f)
		case p.Immutable:
			faults = append(faults, attune.Fault{Where: where, Message: fmt.Sprintf("%s is fixed by %s", name, rule.Action), Try: "leave it out"})
		}
	}
	for _, name := range s.names {
		p := s.fields[name]
		if _, given := rule.Parameters[name]; !given && p.Required && !p.HasDefault {
			faults = append(faults, attune.Fault{Where: where, Message: fmt.Sprintf("%s needs the parameter %s", rule.Action, name), Try: s.hint(name)})
		}
	}
	return faults
}

// Ref is the rule's ref.
func (r *Rule) Ref() string { return r.Definition.Ref }

// TriggerKey is what the events it waits for carry.
func (r *Rule) TriggerKey() string { return r.key }
