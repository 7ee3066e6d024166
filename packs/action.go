package packs

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
	"github.com/attune-automation/attune/secret"
)

// The keys of action files, and of one parameter: StackStorm's words around
// JSON Schema.
var (
	actionKeys = []string{"name", "ref", "pack", "runner_type", "entry_point", "description", "enabled", "parameters", "limits",
		"notify", "tags", "output_schema", "output_key", "uid", "id", "metadata_file", "content_version", "deadline", "retry"}
	parameterKeys = append([]string{"type", "description", "required", "default", "enum", "immutable", "secret", "position",
		"format", "title", "example", "examples", "$schema"}, schemaKeys...)
	parameterTypes = []string{"string", "integer", "number", "boolean", "array", "object"}
)

func (l *loading) action(s *source, v *value) {
	o := s.object(v, "an action", actionKeys)
	if o == nil {
		return
	}
	a := &attune.Action{
		Config: l.pack.Config, Hidden: l.hidden,
		Pack: l.pack.Ref, Name: l.name(o, "an action"), Description: o.text("description"),
		Runner: o.need("runner_type", "an action"), EntryPoint: o.text("entry_point"),
		Enabled: o.boolean("enabled", true), At: v.at,
	}
	a.Ref = a.Pack + "." + a.Name
	if l.pack.Dir != "" {
		a.Dir = path.Join(l.pack.Dir, "actions")
	}
	r, known := runners[a.Runner]
	if !known {
		a.Refusal = fmt.Sprintf("no runner %q: this version has %s", a.Runner, strings.Join(Runners(), ", "))
	}
	a.Timeout = r.timeout
	if known {
		l.entryPoint(s, o, a, r)
	}
	if v := o.get("limits"); v != nil {
		a.Limits = s.limits(v)
		if known && !r.processes {
			s.fault(v.at, "remove it", "the runner %s starts no process to limit", a.Runner)
		}
	}
	l.file.Ref = a.Ref
	a.Parameters = s.parameters(o.get("parameters"), r)
	if p := a.Parameters["timeout"]; p != nil && p.HasDefault {
		if seconds, ok := p.Default.(int64); ok && seconds >= 0 && seconds <= rules.MaxTimeout {
			a.Timeout = time.Duration(seconds) * time.Second
		} else if p.Default != nil {
			s.fault(v.at, "", "the default of timeout must be whole seconds from 0 to %d", rules.MaxTimeout)
		}
	}
	a.Deadline, a.Retry = o.span("deadline"), o.retry()
	a.Hash = contentHash(a.Ref, v)
	if l.accept(s, "action", a.Ref, v.at) {
		if _, faults := rules.NewSchema(a); len(faults) > 0 {
			s.faults = append(s.faults, faults...)
			return
		}
		if a.Refusal != "" {
			l.file.State, l.file.Reason = attune.FileNoRunner, a.Refusal
		}
		l.pack.Actions = append(l.pack.Actions, a)
	}
}

// entryPoint holds a script's name within the pack: it is run with the
// worker's rights, and must be what the pack's author sees.
func (l *loading) entryPoint(s *source, o *object, a *attune.Action, r runner) {
	v := o.get("entry_point")
	switch {
	case !r.script:
		if a.EntryPoint != "" {
			s.fault(v.at, "remove it", "the runner %s has no entry point", a.Runner)
		}
	case a.EntryPoint == "":
		s.fault(o.value.at, "name the script, relative to the actions folder", "an action of the runner %s needs an entry_point", a.Runner)
	case path.IsAbs(a.EntryPoint) || path.Clean(a.EntryPoint) != a.EntryPoint || strings.HasPrefix(a.EntryPoint, "../") || a.EntryPoint == "..":
		s.fault(v.at, "give a plain path relative to the actions folder", "the entry point %q leaves the actions folder", a.EntryPoint)
	case !l.exists(path.Join("actions", a.EntryPoint)):
		s.fault(v.at, "", "the entry point %q is not in the actions folder", a.EntryPoint)
	}
}

// limits reads our optional key limits. A wrong one is left out, after a fault.
func (s *source) limits(v *value) attune.Resources {
	var r attune.Resources
	o := s.object(v, "limits", []string{"memory", "processes", "cpu"})
	if o == nil {
		return r
	}
	if size := o.text("memory"); size != "" {
		var err error
		if r.Memory, err = attune.ParseSize(size); err != nil || r.Memory == 0 {
			s.fault(o.get("memory").at, "512MiB, or 1GiB", "memory must be a number of bytes, not %s", o.get("memory").describe())
		}
	}
	if v := o.get("processes"); v != nil {
		n, ok := v.scalar.(int64)
		if !ok || n < 1 || n > 1<<22 {
			s.fault(v.at, "", "processes must be a whole number from 1 to 4194304, not %s", v.describe())
			n = 0
		}
		r.Processes = int(n)
	}
	if v := o.get("cpu"); v != nil {
		switch n := v.scalar.(type) {
		case int64:
			r.CPU = float64(n)
		case float64:
			r.CPU = n
		}
		if r.CPU <= 0 {
			s.fault(v.at, "1.5 is one and a half processors", "cpu must be a number above 0, not %s", v.describe())
			r.CPU = 0
		}
	}
	if err := r.Check(); err != nil {
		s.fault(v.at, "", "%s", err)
		return attune.Resources{}
	}
	return r
}

// parameters are the runner's, with what the action changes about them, and
// the action's own.
func (s *source) parameters(v *value, r runner) map[string]*attune.Parameter {
	all := map[string]*attune.Parameter{}
	for name, p := range r.parameters {
		own := *p
		all[name] = &own
	}
	if v == nil {
		return all
	}
	o := s.object(v, "parameters", nil)
	if o == nil {
		return all
	}
	positions := map[int]string{}
	for _, f := range o.value.fields {
		if f.name == secret.Member {
			s.fault(f.at, "rename it", "no parameter can be called %s", f.name)
			continue
		}
		p, inherited := all[f.name]
		if !inherited {
			p = &attune.Parameter{}
			all[f.name] = p
		}
		s.parameter(p, f, inherited)
		if p.Position != nil && *p.Position >= 0 {
			if other, taken := positions[*p.Position]; taken {
				s.fault(f.at, "", "the parameters %s and %s both have position %d", other, f.name, *p.Position)
			}
			positions[*p.Position] = f.name
		}
	}
	return all
}

func (s *source) parameter(p *attune.Parameter, f field, inherited bool) {
	if f.value.kind == scalarKind && f.value.scalar == nil {
		return // a bare name: any value
	}
	o := s.object(f.value, "the parameter "+f.name, parameterKeys)
	if o == nil {
		return
	}
	if inherited {
		s.redeclared(p, o, f.name)
	} else {
		p.Type = s.parameterType(o.get("type"))
		var secret bool
		p.Schema, secret = s.schema(o, p.Type, "the parameter "+f.name)
		p.Secret = p.Secret || secret // the whole of it, so that no sink has to look within
	}
	if o.get("description") != nil {
		p.Description = o.text("description")
	}
	if v := o.get("required"); v == nil || v.kind != listKind { // a list names members of an object
		p.Required = o.boolean("required", p.Required)
	}
	p.Immutable = o.boolean("immutable", p.Immutable)
	p.Secret = o.boolean("secret", false) || p.Secret
	if v := o.find("default"); v != nil {
		p.Default, p.HasDefault = v.plain(), true
	}
	if v := o.get("enum"); v != nil {
		list, ok := v.plain().([]any)
		if !ok {
			s.fault(v.at, "", "enum must be a list, not %s", v.describe())
		}
		p.Enum = list
	}
	if v := o.get("position"); v != nil {
		n, ok := v.scalar.(int64)
		if !ok {
			s.fault(v.at, "", "position must be a whole number, not %s", v.describe())
		}
		position := int(n)
		p.Position = &position
	}
}

// redeclared refuses what an action may not change about its runner's
// parameter: the runner relies on it.
func (s *source) redeclared(p *attune.Parameter, o *object, name string) {
	const try = "an action may change only its default, description, enum, immutable, required and secret"
	if v := o.get("type"); v != nil {
		if s.parameterType(v) != p.Type {
			s.fault(v.at, try, "the runner declares %s as %s", name, p.Type)
		}
	}
	for _, key := range schemaKeys {
		if v := o.get(key); v != nil {
			s.fault(v.at, try, "%s is a parameter of the runner, and %s is not the action's to say", name, key)
		}
	}
}

// parameterType reads the type; a list of types, null aside, of more than one
// means any.
func (s *source) parameterType(v *value) string {
	if v == nil {
		return ""
	}
	names := []*value{v}
	if v.kind == listKind {
		names = v.list
	}
	var types []string
	for _, n := range names {
		name, ok := n.text()
		switch {
		case name == "null" || name == "any" || n.kind == scalarKind && n.scalar == nil:
		case ok && slices.Contains(parameterTypes, name):
			types = append(types, name)
		default:
			s.fault(n.at, "known are "+strings.Join(parameterTypes, ", "), "%s is not a type", n.describe())
		}
	}
	if len(types) != 1 {
		return ""
	}
	return types[0]
}
