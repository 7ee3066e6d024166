package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
)

// What templates call the payload of the event, and the configuration of the
// action's pack.
const (
	triggerName = "trigger"
	configName  = "config_context"
)

// link is the templates of a rule that read other parameters of its action, as
// well as the event. In them a name of the event's scope comes before that of a
// parameter.
type link struct {
	own   map[string]*template
	names []string // what is rendered, each after those it reads
	scope expression.Scope
	// secret are those of names that read a secret, in this rule.
	secret map[string]bool
	// unrendered tells that one of the templates failed.
	unrendered bool
}

// gives tells that the rule has a template for the parameter.
func (l *link) gives(name string) bool {
	if l == nil {
		return false
	}
	_, given := l.own[name]
	return given
}

// conceals tells that what becomes of the parameter reads a secret.
func (l *link) conceals(name string) bool { return l != nil && l.secret[name] }

// over is the link with the scope of one event.
func (l *link) over(scope expression.Scope) *link {
	if l == nil {
		return nil
	}
	return &link{own: l.own, names: l.names, secret: l.secret, scope: scope}
}

// joined finds the arguments of a rule that read parameters. Most rules have
// none, and pay nothing. Arguments that read each other in a circle are a fault.
func (s *Schema) joined(rule *attune.Rule, arguments []argument) (*link, []attune.Fault) {
	own := map[string]*template{}
	for i := range arguments {
		a := &arguments[i]
		if slices.ContainsFunc(a.value.names(), func(name string) bool { return name != triggerName && name != configName && s.fields[name] != nil }) {
			own[a.name] = &a.value
		}
	}
	if len(own) == 0 {
		return nil, nil
	}
	names, circle := s.order(own)
	if circle != nil {
		return nil, one(attune.Fault{
			Where:   rule.At.String(),
			Message: fmt.Sprintf("the parameters that %s gives to %s depend on each other in a circle: %s", rule.Ref, rule.Action, strings.Join(circle, " -> ")),
			Try:     "give one of them a value of its own",
		})
	}
	l := &link{own: own, names: names, secret: map[string]bool{}}
	for _, name := range names {
		t := own[name]
		if t == nil { // a default, which may read what the rule gives
			if _, given := rule.Parameters[name]; given {
				continue
			}
			t = &s.fields[name].value
		}
		if s.readsSecret(t, l.secret) {
			l.secret[name] = true
		}
	}
	return l, nil
}

// checking is one request being checked.
type checking struct {
	schema *Schema
	link   *link
	purse  *expression.Purse
	given  map[string]any
	params map[string]any
	failed map[string]bool
	faults []attune.Fault
}

func (c *checking) fail(name string, faults ...attune.Fault) {
	c.failed[name] = true
	for _, f := range faults {
		f.Where = "parameters." + name + f.Where
		c.faults = append(c.faults, f)
	}
}

// take checks a value, and makes it a parameter unless it has faults.
func (c *checking) take(p *parameter, value any, hidden bool) bool {
	v, faults := p.check(value, hidden)
	if len(faults) > 0 {
		c.fail(p.name, faults...)
		return false
	}
	c.params[p.name] = v
	return true
}

// render renders what reads other parameters: the templates of the rule, and
// the defaults that the request leaves open. Each is cast before another reads
// it, so that a number cannot smuggle text into a command. A parameter without
// value is null, as in StackStorm.
func (c *checking) render() {
	s := c.schema
	scope := make(expression.Scope, len(s.names)+1)
	if s.action.Config != nil {
		scope[configName] = s.action.Config
	}
	for _, name := range s.names {
		scope[name] = c.params[name]
	}
	names, outer := s.templated, scope
	if c.link != nil {
		names, outer = c.link.names, maps.Clone(scope)
		maps.Copy(outer, c.link.scope)
	}
next:
	for _, name := range names {
		if _, present := c.given[name]; present {
			continue
		}
		p := s.fields[name]
		value, seen, what, hidden := &p.value, scope, "its default", p.Secret || p.derived || c.link.conceals(name)
		if c.link.gives(name) {
			value, seen, what, hidden = c.link.own[name], outer, "it", p.Secret || c.link.secret[name]
		}
		for _, needed := range value.names() {
			// Its own fault is enough, as is that of a required one that is missing.
			if other := s.fields[needed]; c.failed[needed] || other != nil && other.Required && scope[needed] == nil && !other.HasDefault {
				c.failed[name] = true
				continue next
			}
		}
		v, err := value.render(seen, c.purse)
		if err != nil {
			c.fail(name, s.unrendered(what, hidden, err)...)
			if what == "it" {
				c.link.unrendered = true
			}
			continue
		}
		if !c.take(p, v, hidden) {
			continue
		}
		scope[name] = c.params[name]
		if _, hidden := c.link.hides(name); !hidden {
			outer[name] = c.params[name]
		}
	}
}

// hides tells that a name of the event's scope stands before the parameter.
func (l *link) hides(name string) (any, bool) {
	if l == nil {
		return nil, false
	}
	v, there := l.scope[name]
	return v, there
}

// unrendered are the faults of a template; where it reads what is not there,
// what it could read. Of a hidden one nothing is told.
func (s *Schema) unrendered(what string, hidden bool, err error) []attune.Fault {
	if hidden {
		return one(attune.Fault{Message: what + " cannot be rendered" + untold})
	}
	faults := treeFaults("", err)
	for i := range faults {
		faults[i].Message = what + " cannot be rendered: " + faults[i].Message
		if strings.Contains(faults[i].Message, configName+".") {
			faults[i].Try = "attune pack get " + s.action.Pack + " shows the configuration, and what is wrong with it"
		}
	}
	return faults
}
