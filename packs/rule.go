package packs

import (
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

var (
	ruleKeys = []string{"name", "ref", "pack", "description", "enabled", "trigger", "criteria", "when", "action", "type", "tags",
		"context", "uid", "id", "metadata_file", "deadline", "retry"}
	ruleTriggerKeys = []string{"type", "ref", "description", "parameters"}
	ruleActionKeys  = []string{"ref", "description", "parameters"}
	ruleTypeKeys    = []string{"ref", "parameters"}
	criterionKeys   = []string{"type", "pattern", "condition"}
)

func (l *loading) rule(s *source, v *value) {
	o := s.object(v, "a rule", ruleKeys)
	if o == nil {
		return
	}
	r := &attune.Rule{Pack: l.pack.Ref, Description: o.text("description"), Enabled: o.boolean("enabled", true), At: v.at}
	r.Ref = r.Pack + "." + l.name(o, "a rule")
	if t := o.part("trigger", "a rule", ruleTriggerKeys); t != nil {
		r.Trigger = t.need("type", "trigger")
		r.TriggerParameters = t.texts("parameters")
	}
	if u, ok := r.TriggerParameters["url"]; ok && r.Trigger == webhookTrigger {
		r.TriggerParameters["url"] = strings.Trim(u, "/")
	}
	if a := o.part("action", "a rule", ruleActionKeys); a != nil {
		r.Action = a.need("ref", "action")
		if p := a.get("parameters"); p != nil {
			if s.object(p, "parameters", nil) != nil {
				r.Parameters, _ = p.plain().(map[string]any)
			}
		}
	}
	if c := o.get("criteria"); c != nil {
		r.Criteria = s.criteria(c)
	}
	if o.backstop() {
		r.Criteria = append(r.Criteria, rules.Backstop(o.get("type").at))
	}
	if w := o.get("when"); w != nil {
		r.Criteria = append(r.Criteria, rules.When(o.text("when"), w.at))
	}
	r.Deadline, r.Retry = o.span("deadline"), o.retry()
	l.file.Ref = r.Ref
	r.Hash = contentHash(r.Ref, v)
	if l.accept(s, "rule", r.Ref, v.at) {
		l.pack.Rules = append(l.pack.Rules, r)
	}
}

// backstop tells that the rule has StackStorm's type backstop: it matches only
// when no standard rule of its trigger does.
func (o *object) backstop() bool {
	v := o.get("type")
	if v == nil {
		return false
	}
	t := o.s.object(v, "type", ruleTypeKeys)
	if t == nil {
		return false
	}
	switch ref := t.need("ref", "type"); ref {
	case "", "standard":
		return false
	case "backstop":
		return true
	default:
		o.s.fault(v.at, "known are standard and backstop", "%q is no type of a rule", ref)
		return false
	}
}

func (s *source) criteria(v *value) []attune.Criterion {
	o := s.object(v, "criteria", nil)
	if o == nil {
		return nil
	}
	all := make([]attune.Criterion, 0, len(o.value.fields))
	for _, f := range o.value.fields {
		c := s.object(f.value, "the criterion "+f.name, criterionKeys)
		if c == nil {
			continue
		}
		if rules.Reserved(f.name) {
			s.fault(f.at, "put it beside criteria", "%s is a key of the rule, and no criterion", f.name)
			continue
		}
		one := attune.Criterion{Path: f.name, Type: c.text("type"), At: f.at}
		if strings.EqualFold(one.Type, "search") {
			one.Type = rules.SearchType(c.text("condition"))
		}
		if p := c.get("pattern"); p != nil {
			one.Pattern = p.plain()
		}
		all = append(all, one)
	}
	return all
}

// part is a mapping that must be there.
func (o *object) part(name, what string, known []string) *object {
	v := o.get(name)
	if v == nil {
		o.s.fault(o.value.at, "", "%s needs the key %q", what, name)
		return nil
	}
	return o.s.object(v, name, known)
}

// texts is a mapping of scalars, each taken as text.
func (o *object) texts(name string) map[string]string {
	v := o.get(name)
	if v == nil {
		return nil
	}
	inner := o.s.object(v, name, nil)
	if inner == nil || len(inner.value.fields) == 0 {
		return nil
	}
	all := map[string]string{}
	for _, f := range inner.value.fields {
		text, ok := f.value.text()
		if !ok {
			o.s.fault(f.value.at, "", "%s must be a text, not %s", f.name, f.value.describe())
		}
		all[f.name] = text
	}
	return all
}
