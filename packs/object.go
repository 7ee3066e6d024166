package packs

import (
	"fmt"
	"strings"

	"github.com/attune-automation/attune/rules"
)

// object reads the fields of a mapping; every wrong one becomes a fault of its
// source.
type object struct {
	s     *source
	value *value
}

// object reads v as a mapping. With known keys, any other key is a fault. It
// returns nil, after a fault, when v is something else.
func (s *source) object(v *value, what string, known []string) *object {
	if v.kind != mapKind {
		s.fault(v.at, "", "%s must be a mapping, not %s", what, v.describe())
		return nil
	}
	o := &object{s, v}
	if len(known) == 0 {
		return o
	}
	allowed := make(map[string]bool, len(known))
	for _, k := range known {
		allowed[k] = true
	}
	for _, f := range v.fields {
		if allowed[f.name] {
			continue
		}
		try := "known are " + strings.Join(known, ", ")
		if near := rules.Nearest(f.name, known); near != "" {
			try = "did you mean " + near + "?"
		}
		s.fault(f.at, try, "%s has no key %q", what, f.name)
	}
	return o
}

// get is the value of a field, or nil when it is missing or null.
func (o *object) get(name string) *value {
	if v := o.find(name); v != nil && (v.kind != scalarKind || v.scalar != nil) {
		return v
	}
	return nil
}

// find is the value of a field, null included, or nil when it is missing.
func (o *object) find(name string) *value {
	for _, f := range o.value.fields {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// text is a field that should be a text. Numbers and booleans are taken as they
// are written, since versions and names are often bare.
func (o *object) text(name string) string {
	v := o.get(name)
	if v == nil {
		return ""
	}
	text, ok := v.text()
	if !ok {
		o.s.fault(v.at, "", "%s must be a text, not %s", name, v.describe())
	}
	return text
}

// need is text, and a fault when it is missing or empty.
func (o *object) need(name, what string) string {
	text := o.text(name)
	if text == "" && (o.get(name) == nil || o.get(name).kind == scalarKind) {
		o.s.fault(o.value.at, "", "%s needs the key %q", what, name)
	}
	return text
}

func (o *object) boolean(name string, otherwise bool) bool {
	v := o.get(name)
	if v == nil {
		return otherwise
	}
	b, ok := v.scalar.(bool)
	if !ok {
		if text, is := v.scalar.(string); is && (strings.EqualFold(text, "true") || strings.EqualFold(text, "false")) {
			return strings.EqualFold(text, "true")
		}
		o.s.fault(v.at, "", "%s must be true or false, not %s", name, v.describe())
		return otherwise
	}
	return b
}

// text is the scalar as it is written; null is none.
func (v *value) text() (string, bool) { return v.raw, v.kind == scalarKind && v.scalar != nil }

// describe names the value in a fault.
func (v *value) describe() string {
	switch v.kind {
	case listKind:
		return "a list"
	case mapKind:
		return "a mapping"
	}
	text, isText := v.scalar.(string)
	switch {
	case v.scalar == nil:
		return "null"
	case isText && len(text) > 40:
		return "a text"
	case isText:
		return fmt.Sprintf("the text %q", text)
	}
	return v.raw
}
