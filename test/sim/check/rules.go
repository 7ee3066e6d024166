package check

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Rule is one rule of the simulation, in the few shapes it has.
type Rule struct {
	Name, Trigger, Action string
	Disabled              bool
	// Field and Equals, unless Field is empty: the payload's field is that
	// text. Tag, unless empty: the payload's list of tags has it.
	Field, Equals string
	Tag           string
	// Breaks means that its parameters cannot be made of any event;
	// BreaksWithout that they cannot when the payload has no such field.
	Breaks        bool
	BreaksWithout string
	// Limits take the place of the action's retry and deadline, unless nil.
	Limits *Limits
}

// verdict is what must become of a rule and an event.
type verdict uint8

const (
	noMatch verdict = iota
	starts
	fails
)

// judge is the naive evaluator.
func (r *Rule) judge(trigger string, payload map[string]any) verdict {
	if r.Disabled || r.Trigger != trigger {
		return noMatch
	}
	if r.Field != "" {
		if text, ok := payload[r.Field].(string); !ok || text != r.Equals {
			return noMatch
		}
	}
	if r.Tag != "" {
		if tags, ok := payload["tags"].([]any); !ok || !slices.Contains(tags, any(r.Tag)) {
			return noMatch
		}
	}
	if _, has := payload[r.BreaksWithout]; r.Breaks || r.BreaksWithout != "" && !has {
		return fails
	}
	return starts
}

type match struct {
	event int64
	rule  string
}

// rules proves G2: for each event and matching rule one enforcement, and one
// execution or a failure with its reason.
func (c *checker) rules() {
	made := map[match]*Enforcement{}
	for i := range c.in.Enforcements {
		en := &c.in.Enforcements[i]
		key := match{en.Event, en.Rule}
		if made[key] != nil {
			c.fault("G2", "%s and rule %s have two enforcements", Name("ev", en.Event), en.Rule)
		}
		if c.events[en.Event] == nil {
			c.fault("G2", "%s: its event is not there", Name("en", en.ID))
		}
		made[key] = en
	}
	of := map[int64][]*Execution{}
	for i := range c.in.Executions {
		if x := &c.in.Executions[i]; x.Enforcement != 0 {
			of[x.Enforcement] = append(of[x.Enforcement], x)
		}
	}
	matched, enforced, failed := 0, 0, 0
	for i := range c.in.Events {
		ev := &c.in.Events[i]
		var payload map[string]any
		if err := json.Unmarshal([]byte(ev.Payload), &payload); err != nil {
			c.fault("G2", "%s: %v", Name("ev", ev.ID), err)
			continue
		}
		if ev.Evaluated.IsZero() {
			c.fault("G9", "%s was never judged to the end", Name("ev", ev.ID))
		}
		for j := range c.in.Rules {
			r := &c.in.Rules[j]
			v := r.judge(ev.Trigger, payload)
			en := made[match{ev.ID, r.Name}]
			if v != noMatch {
				matched++
			}
			if v == fails {
				failed++
			}
			if en != nil {
				enforced += len(of[en.ID])
			}
			c.pair(ev, r, v, en, payload, of)
		}
	}
	if matched != len(c.in.Enforcements) {
		c.fault("G2", "%d pairs of rule and event match, and %d enforcements are there", matched, len(c.in.Enforcements))
	}
	if matched == 0 || failed == 0 {
		c.fault("thin", "no rule matched, or none failed to render")
	}
	all := 0
	for _, xs := range of {
		all += len(xs)
	}
	if all != enforced {
		c.fault("G2", "%d executions name an enforcement, %d of them one that is there", all, enforced)
	}
}

func (c *checker) pair(ev *Event, r *Rule, v verdict, en *Enforcement, payload map[string]any, of map[int64][]*Execution) {
	where := fmt.Sprintf("%s and rule %s", Name("ev", ev.ID), r.Name)
	switch {
	case v == noMatch && en == nil:
		return
	case v == noMatch:
		c.fault("G2", "%s do not match and have an enforcement", where)
		return
	case en == nil:
		c.fault("G2", "%s match and have no enforcement", where)
		return
	}
	xs := of[en.ID]
	if v == fails {
		if en.Status != "failed" || en.Failure == "" || len(xs) > 0 || en.Execution != 0 {
			c.fault("G2", "%s: the rendering fails, the enforcement is %s (%q) with %d executions", where, en.Status, en.Failure, len(xs))
		}
		return
	}
	if en.Status != "created" || len(xs) != 1 || en.Execution != xs[0].ID {
		c.fault("G2", "%s: the enforcement is %s (%s) with %d executions", where, en.Status, en.Failure, len(xs))
		return
	}
	var given map[string]any
	x := xs[0]
	if err := json.Unmarshal([]byte(x.Parameters), &given); err != nil || given["n"] != payload["n"] || x.Action != r.Action || x.Event != ev.ID || x.Rule != r.Name {
		c.fault("G2", "%s: the execution is of %s %s %s with %s", where, x.Action, Name("ev", x.Event), x.Rule, x.Parameters)
	}
}
