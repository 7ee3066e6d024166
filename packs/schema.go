package packs

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

// schemaKeys are the words of JSON Schema that a parameter may hold besides
// those that attune.Parameter has fields for.
var schemaKeys = []string{"items", "properties", "additionalProperties", "additionalItems", "patternProperties", "pattern",
	"minItems", "maxItems", "uniqueItems", "minLength", "maxLength", "minimum", "maximum", "minProperties", "maxProperties",
	"exclusiveMinimum", "exclusiveMaximum", "multipleOf", "oneOf", "anyOf", "allOf", "not", "dependencies", "definitions", "$ref"}

// schema reads what a parameter says in JSON Schema, and whether something in it
// is secret; declared is its one type, or empty. Every fault of it is one of the source.
func (s *source) schema(o *object, declared, what string) (text json.RawMessage, secret bool) {
	words := map[string]any{}
	for _, key := range schemaKeys {
		if v := o.get(key); v != nil {
			words[key] = v.plain()
		}
	}
	if v := o.get("required"); v != nil && v.kind == listKind {
		words["required"] = v.plain()
	}
	if v := o.get("type"); v != nil && v.kind == listKind && declared == "" { // one of several types
		words["type"] = v.plain()
	}
	if len(words) == 0 {
		return nil, false
	}
	shape := s.shape(o.value, words, what)
	if shape == nil {
		return nil, false
	}
	text, err := json.Marshal(words)
	if err != nil {
		s.fault(o.value.at, "", "%s has a schema that JSON cannot carry", what)
	}
	return text, shape.Secret()
}

// shape compiles a schema that was read from v; with faults it is nil.
func (s *source) shape(v *value, words map[string]any, what string) *rules.Shape {
	shape, faults := rules.CompileShape(words)
	for _, f := range faults {
		s.fault(v.place(f.Path), f.Try, "the schema of %s: %s", what, strings.TrimPrefix(f.Where+" "+f.Message, "."))
	}
	return shape
}

// whole reads a value that is a schema by itself, such as payload_schema.
func (s *source) whole(o *object, key string) json.RawMessage {
	v := o.get(key)
	if v == nil || s.object(v, key, nil) == nil {
		return nil
	}
	words, _ := v.plain().(map[string]any)
	if s.shape(v, words, key) == nil {
		return nil
	}
	text, err := json.Marshal(words)
	if err != nil {
		s.fault(v.at, "", "%s is a schema that JSON cannot carry", key)
	}
	return text
}

// place is where a path into the value leads, as far as it can be followed.
func (v *value) place(path []string) attune.Position {
	at := v.at
	for _, step := range path {
		var next *value
		switch v.kind {
		case mapKind:
			for _, f := range v.fields {
				if f.name == step {
					at, next = f.at, f.value
				}
			}
		case listKind:
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(v.list) {
				next = v.list[i]
				at = next.at
			}
		}
		if next == nil {
			return at
		}
		v = next
	}
	return at
}
