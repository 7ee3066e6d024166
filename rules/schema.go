package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
)

// Schema is what requests of one action are checked against.
type Schema struct {
	action *attune.Action
	names  []string // sorted
	fields map[string]*parameter
	// templated are the parameters whose default holds Jinja, each after those
	// it reads.
	templated []string
	// secret are the parameters declared so, sorted.
	secret []string
}

type parameter struct {
	*attune.Parameter
	name string
	// value is the default.
	value template
	// derived tells that the default reads a secret, itself or through another.
	derived bool
}

// NewSchema compiles the parameters of an action. The only faults are defaults
// that depend on each other in a circle. A default that is no valid Jinja is
// taken as it is written, as in StackStorm.
func NewSchema(action *attune.Action) (*Schema, []attune.Fault) {
	s := &Schema{
		action: action,
		names:  slices.Sorted(maps.Keys(action.Parameters)),
		fields: make(map[string]*parameter, len(action.Parameters)),
	}
	for _, name := range s.names {
		p := &parameter{Parameter: action.Parameters[name], name: name}
		s.fields[name] = p
		if p.Secret {
			s.secret = append(s.secret, name)
		}
		if !p.HasDefault {
			continue
		}
		p.value, _ = compileTemplate(p.Default, p.Type, "")
		if p.value.constant() && p.value.value != nil {
			if v, err := cast(p.Type, p.value.value); err == nil {
				p.value.value = v
			}
		}
	}
	if circle := s.order(); circle != nil {
		return nil, []attune.Fault{{
			Where:   action.At.String(),
			Message: fmt.Sprintf("the defaults of %s depend on each other in a circle: %s", action.Ref, strings.Join(circle, " -> ")),
			Try:     "give one of them a value of its own",
		}}
	}
	return s, nil
}

// order fills templated, or returns a circle.
func (s *Schema) order() (circle []string) {
	done := map[string]bool{}
	var way []string
	var visit func(name string)
	visit = func(name string) {
		p := s.fields[name]
		if circle != nil || done[name] || p == nil || p.value.constant() {
			return
		}
		if i := slices.Index(way, name); i >= 0 {
			circle = append(slices.Clone(way[i:]), name)
			return
		}
		way = append(way, name)
		for _, needed := range p.value.names() {
			visit(needed)
		}
		for _, needed := range p.value.names() {
			if other := s.fields[needed]; other != nil && (other.Secret || other.derived) {
				p.derived = true
			}
		}
		way = way[:len(way)-1]
		done[name] = true
		s.templated = append(s.templated, name)
	}
	for _, name := range s.names {
		visit(name)
	}
	return circle
}

// CheckParameters is [Schema.Check] for an action whose schema nobody keeps.
func CheckParameters(action *attune.Action, given map[string]any) (map[string]any, []attune.Fault) {
	s, faults := NewSchema(action)
	if len(faults) > 0 {
		return nil, faults
	}
	return s.Check(given)
}

// Check turns the values of a request into the parameters of an execution:
// each cast to its declared type, defaults applied, defaults that hold Jinja
// rendered with the other parameters in scope. The given values are data and
// never rendered. All faults are reported at once, with the path
// parameters.NAME; then the parameters are nil. A parameter without value and
// default is left out.
func (s *Schema) Check(given map[string]any) (map[string]any, []attune.Fault) {
	var faults []attune.Fault
	params := make(map[string]any, len(s.names))
	failed := map[string]bool{}
	fail := func(name string, f attune.Fault) {
		failed[name] = true
		f.Where = "parameters." + name
		faults = append(faults, f)
	}
	for name := range given {
		if s.fields[name] == nil {
			fail(name, s.unknown(name))
		}
	}
	for _, name := range s.names {
		p := s.fields[name]
		value, present := given[name]
		switch {
		case present && p.Immutable:
			fail(name, attune.Fault{Message: fmt.Sprintf("%s is fixed by %s", name, s.action.Ref), Try: "leave it out"})
			continue
		case !present && p.HasDefault && p.value.constant():
			value = p.value.value
		case !present:
			continue
		}
		if value, f := p.check(value, p.Secret); f != nil {
			fail(name, *f)
		} else {
			params[name] = value
		}
	}
	if len(s.templated) > 0 {
		s.renderDefaults(given, params, failed, fail)
	}
	for _, name := range s.names {
		if _, present := params[name]; !present && s.fields[name].Required && !failed[name] {
			fail(name, attune.Fault{Message: fmt.Sprintf("%s is required by %s", name, s.action.Ref), Try: s.hint(name)})
		}
	}
	if len(faults) > 0 {
		s.mask(given, params, faults)
		slices.SortStableFunc(faults, func(a, b attune.Fault) int { return strings.Compare(a.Where, b.Where) })
		return nil, faults
	}
	return params, nil
}

// hint says what a missing parameter is for.
func (s *Schema) hint(name string) string {
	p := s.fields[name]
	hint := "give " + name
	if p.Type != "" {
		hint += ", " + typeWord(p.Type)
	}
	if p.Description != "" {
		hint += ": " + p.Description
	}
	return hint
}

func (s *Schema) unknown(name string) attune.Fault {
	f := attune.Fault{Message: fmt.Sprintf("%s has no parameter %s", s.action.Ref, name)}
	var open []string
	for _, n := range s.names {
		if !s.fields[n].Immutable {
			open = append(open, n)
		}
	}
	switch near := Nearest(name, open); {
	case near != "":
		f.Try = "did you mean " + near + "?"
	case len(open) == 0:
		f.Try = "it takes none"
	default:
		f.Try = "it takes " + strings.Join(open, ", ")
	}
	return f
}

// renderDefaults renders the defaults with Jinja that the request leaves open.
// Each is cast before another reads it, so that a number cannot smuggle text
// into a command. A parameter without value is null, as in StackStorm.
func (s *Schema) renderDefaults(given, params map[string]any, failed map[string]bool, fail func(string, attune.Fault)) {
	scope, purse := make(expression.Scope, len(s.names)), &expression.Purse{}
	for _, name := range s.names {
		scope[name] = params[name]
	}
next:
	for _, name := range s.templated {
		if _, present := given[name]; present {
			continue
		}
		p := s.fields[name]
		for _, needed := range p.value.names() {
			// Its own fault is enough, as is that of a required one that is missing.
			if other := s.fields[needed]; failed[needed] || other != nil && other.Required && scope[needed] == nil && !other.HasDefault {
				failed[name] = true
				continue next
			}
		}
		v, err := p.value.render(scope, purse)
		if err != nil {
			fault := templateFault("", err)
			if fault.Message = "its default cannot be rendered: " + fault.Message; p.Secret || p.derived {
				fault = attune.Fault{Message: "its default cannot be rendered" + untold}
			}
			fail(name, fault)
			continue
		}
		v, fault := p.check(v, p.Secret || p.derived)
		if fault != nil {
			fail(name, *fault)
			continue
		}
		params[name], scope[name] = v, v
	}
}

// check casts one value and holds it against the rest of its declaration. Of a
// hidden one nothing is told.
func (p *parameter) check(value any, hidden bool) (any, *attune.Fault) {
	if value == nil {
		if p.Required && !(p.HasDefault && p.Default == nil) {
			return nil, &attune.Fault{Message: p.name + " is required and must not be null"}
		}
		return nil, nil
	}
	v, err := cast(p.Type, value)
	if err != nil {
		if hidden {
			return nil, &attune.Fault{Message: p.name + " must be " + typeWord(p.Type)}
		}
		return nil, &attune.Fault{Message: p.name + " " + err.Error()}
	}
	if len(p.Enum) > 0 && !slices.ContainsFunc(p.Enum, func(one any) bool { return equal(one, v) }) {
		f := &attune.Fault{Message: p.name + " must be one of the values that are allowed, not " + show(v)}
		if hidden {
			f.Message = p.name + " must be one of the values that are allowed"
		}
		if p.Secret {
			return nil, f
		}
		all := make([]string, len(p.Enum))
		for i, one := range p.Enum {
			all[i] = string(AppendJSON(nil, one))
		}
		f.Try = "allowed are " + strings.Join(all, ", ")
		return nil, f
	}
	if p.name == timeoutName && p.Type == "integer" {
		if seconds, _ := v.(int64); seconds < 0 || seconds > MaxTimeout {
			return nil, &attune.Fault{Message: fmt.Sprintf("timeout must be from 0 to %d seconds, not %d", MaxTimeout, seconds)}
		}
	}
	return v, nil
}

// MaxTimeout is the longest limit of an attempt, a year in seconds.
const MaxTimeout = 365 * 24 * 3600

const timeoutName = "timeout"

// Timeout is the limit of one attempt with the checked parameters: what their
// timeout says in seconds, else what the action says. Zero is no limit.
func Timeout(action *attune.Action, params map[string]any) time.Duration {
	if p := action.Parameters[timeoutName]; p != nil && p.Type == "integer" {
		if seconds, ok := params[timeoutName].(int64); ok {
			return time.Duration(seconds) * time.Second
		}
	}
	return action.Timeout
}
