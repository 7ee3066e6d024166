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
	shape *Shape // or nil
	// derived tells that the default reads a secret, itself or through another.
	derived bool
}

// NewSchema compiles the parameters of an action. Faults are defaults that
// depend on each other in a circle, and a parameter whose schema is none. A
// default that is no valid Jinja is taken as it is written, as in StackStorm.
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
		if len(p.Schema) > 0 {
			var wrong []ShapeFault
			if p.shape, wrong = decodeShape(p.Schema); len(wrong) > 0 {
				return nil, []attune.Fault{{Where: action.At.String(), Message: fmt.Sprintf("the schema of %s%s: %s", name, wrong[0].Where, wrong[0].Message), Try: wrong[0].Try}}
			}
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
	var circle []string
	if s.templated, circle = s.order(nil); circle != nil {
		return nil, []attune.Fault{{
			Where:   action.At.String(),
			Message: fmt.Sprintf("the defaults of %s depend on each other in a circle: %s", action.Ref, strings.Join(circle, " -> ")),
			Try:     "give one of them a value of its own",
		}}
	}
	for _, name := range s.templated {
		p := s.fields[name]
		p.derived = s.readsSecret(&p.value, nil)
	}
	return s, nil
}

// readsSecret tells that a template reads a secret parameter, or one whose value
// was made of one; own are those of a rule that were. Call it in the order of
// rendering.
func (s *Schema) readsSecret(t *template, own map[string]bool) bool {
	return slices.ContainsFunc(t.names(), func(name string) bool {
		p := s.fields[name]
		return p != nil && (p.Secret || p.derived || own[name])
	})
}

// order is the parameters that are rendered, each after those it reads, or a
// circle. Templates of a rule stand in for the defaults of their parameters.
func (s *Schema) order(own map[string]*template) (names, circle []string) {
	done := map[string]bool{}
	var way []string
	var visit func(name string)
	visit = func(name string) {
		p := s.fields[name]
		if circle != nil || done[name] || p == nil {
			return
		}
		value := &p.value
		if t, given := own[name]; given {
			value = t
		}
		if value.constant() {
			return
		}
		if i := slices.Index(way, name); i >= 0 {
			circle = append(slices.Clone(way[i:]), name)
			return
		}
		way = append(way, name)
		for _, needed := range value.names() {
			visit(needed)
		}
		way = way[:len(way)-1]
		done[name] = true
		names = append(names, name)
	}
	for _, name := range s.names {
		visit(name)
	}
	return names, circle
}

// Check turns the values of a request into the parameters of an execution:
// each cast to its declared type, defaults applied at any depth, defaults that
// hold Jinja rendered with the other parameters and config_context in scope.
// The given values are data and never rendered. All faults are reported at
// once, with the path parameters.NAME and what stands below it; then the
// parameters are nil. A parameter without value and default is left out.
func (s *Schema) Check(given map[string]any) (map[string]any, []attune.Fault) {
	return s.check(given, nil, &expression.Purse{})
}

// check is Check; with a link the rule has templates that read parameters. What
// is rendered is paid from the purse.
func (s *Schema) check(given map[string]any, l *link, purse *expression.Purse) (map[string]any, []attune.Fault) {
	c := &checking{schema: s, link: l, purse: purse, given: given, params: make(map[string]any, len(s.names)), failed: map[string]bool{}}
	for name := range given {
		if s.fields[name] == nil {
			c.fail(name, s.unknown(name))
		}
	}
	for _, name := range s.names {
		p := s.fields[name]
		value, present := given[name]
		switch {
		case present && p.Immutable:
			c.fail(name, attune.Fault{Message: fmt.Sprintf("%s is fixed by %s", name, s.action.Ref), Try: "leave it out"})
			continue
		case !present && l.gives(name):
			continue
		case !present && p.HasDefault && p.value.constant():
			value = p.value.value
		case !present:
			continue
		}
		c.take(p, value, p.Secret)
	}
	if len(s.templated) > 0 || l != nil {
		c.render()
	}
	for _, name := range s.names {
		if _, present := c.params[name]; !present && s.fields[name].Required && !c.failed[name] {
			c.fail(name, attune.Fault{Message: fmt.Sprintf("%s is required by %s", name, s.action.Ref), Try: s.hint(name)})
		}
	}
	if len(c.faults) > 0 {
		s.mask(given, c.params, c.faults)
		slices.SortStableFunc(c.faults, func(a, b attune.Fault) int { return strings.Compare(a.Where, b.Where) })
		return nil, c.faults
	}
	return c.params, nil
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

// check casts one value and holds it against the rest of its declaration. The
// places of its faults begin below the parameter. Of a hidden value nothing is
// told.
func (p *parameter) check(value any, hidden bool) (any, []attune.Fault) {
	if value == nil {
		if p.Required && !(p.HasDefault && p.Default == nil) {
			return nil, one(attune.Fault{Message: p.name + " is required and must not be null"})
		}
		return nil, nil
	}
	v, err := cast(p.Type, value)
	if err != nil {
		if hidden {
			return nil, one(attune.Fault{Message: p.name + " must be " + typeWord(p.Type)})
		}
		return nil, one(attune.Fault{Message: p.name + " " + err.Error()})
	}
	if len(p.Enum) > 0 && !slices.ContainsFunc(p.Enum, func(one any) bool { return equal(one, v) }) {
		return nil, one(p.notAllowed(v, hidden))
	}
	if p.name == timeoutName && p.Type == "integer" {
		if seconds, _ := v.(int64); seconds < 0 || seconds > MaxTimeout {
			return nil, one(attune.Fault{Message: fmt.Sprintf("timeout must be from 0 to %d seconds, not %d", MaxTimeout, seconds)})
		}
	}
	if p.shape == nil {
		return v, nil
	}
	v = p.shape.Fill(v, false)
	var faults []attune.Fault
	for _, f := range p.shape.check(v, hidden || p.shape.secret) {
		faults = append(faults, attune.Fault{Where: f.Where, Message: p.name + f.Where + " " + f.Message, Try: f.Try})
	}
	return v, faults
}

func one(f attune.Fault) []attune.Fault { return []attune.Fault{f} }

// notAllowed is the fault of a value that the enum lacks.
func (p *parameter) notAllowed(v any, hidden bool) attune.Fault {
	f := attune.Fault{Message: p.name + " must be one of the values that are allowed, not " + show(v)}
	if hidden {
		f.Message = p.name + " must be one of the values that are allowed"
	}
	if p.Secret {
		return f
	}
	all := make([]string, len(p.Enum))
	for i, one := range p.Enum {
		all[i] = string(AppendJSON(nil, one))
	}
	f.Try = "allowed are " + strings.Join(all, ", ")
	return f
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
