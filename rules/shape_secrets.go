package rules

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression/pattern"
)

// DecodeShape compiles a schema that was compiled before it was kept as JSON;
// one that has faults all the same checks nothing.
func DecodeShape(text []byte) *Shape {
	s, faults := decodeShape(text)
	if len(faults) > 0 {
		s, _ = CompileShape(nil)
	}
	return s
}

// CheckTriggerParameters holds what a rule asks of a trigger against the
// trigger's parameters_schema. Rules give texts; each is first cast to the type
// that is declared for it.
func CheckTriggerParameters(t *attune.Trigger, given map[string]string) []ShapeFault {
	s, faults := decodeShape(t.ParametersSchema)
	if len(faults) > 0 {
		return faults
	}
	properties, _ := s.source["properties"].(map[string]any)
	values := make(map[string]any, len(given))
	for name, text := range given {
		values[name] = text
		own, _ := properties[name].(map[string]any)
		declared, _ := own["type"].(string)
		if v, err := cast(declared, text); err == nil {
			values[name] = v
		}
	}
	return s.Check(values)
}

// Secrets are the texts below what the schema calls secret, sorted: numbers as
// they are written. The empty one is none.
func (s *Shape) Secrets(value any) []string {
	found := map[string]bool{}
	s.visit(value, s.source, func(secret any) any {
		texts(secret, found)
		return secret
	})
	delete(found, "")
	return slices.Sorted(maps.Keys(found))
}

// Mask is the value with each secret replaced; the value itself is not changed.
func (s *Shape) Mask(value any, mask string) any {
	return s.visit(value, s.source, func(secret any) any {
		if secret == nil {
			return nil
		}
		return mask
	})
}

// visit is the value with what the schema calls secret replaced.
func (s *Shape) visit(value any, schema map[string]any, replace func(any) any) any {
	schema, found := s.resolve(schema)
	if !found || s.hides(schema) {
		return replace(value)
	}
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, one := range v {
			switch own := below(schema, name); {
			case len(own) == 1:
				out[name] = s.visit(one, own[0], replace)
			case len(own) > 1 && s.secret: // each may call another part of it secret
				out[name] = replace(one)
			default:
				out[name] = one
			}
		}
		return out
	case []any:
		items, _ := schema["items"].(map[string]any)
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = s.visit(one, items, replace)
		}
		return out
	}
	return value
}

// below are the schemas of a member of an object.
func below(schema map[string]any, name string) []map[string]any {
	var found []map[string]any
	if properties, ok := schema["properties"].(map[string]any); ok {
		if own, ok := properties[name].(map[string]any); ok {
			found = append(found, own)
		}
	}
	patterns, _ := schema["patternProperties"].(map[string]any)
	for text, own := range patterns {
		re, err := pattern.Compile(text, pattern.Options{})
		if err != nil {
			continue // it was a fault before
		}
		if fits, err := re.Match(name); fits || err != nil {
			one, _ := own.(map[string]any)
			found = append(found, one)
		}
	}
	if others, ok := schema["additionalProperties"].(map[string]any); ok && found == nil {
		found = append(found, others)
	}
	return found
}

// maxReferences is how many references may follow each other.
const maxReferences = 20

// resolve follows the references of a schema to others within it.
func (s *Shape) resolve(schema map[string]any) (map[string]any, bool) {
	for range maxReferences {
		ref, is := schema["$ref"].(string)
		if !is {
			return schema, true
		}
		at := any(s.source)
		for _, step := range strings.Split(strings.TrimPrefix(strings.TrimPrefix(ref, "#"), "/"), "/") {
			if plain, err := url.PathUnescape(step); err == nil {
				step = plain
			}
			if step != "" {
				at = find(at, []string{strings.NewReplacer("~1", "/", "~0", "~").Replace(step)})
			}
		}
		schema, is = at.(map[string]any)
		if !is {
			return nil, false
		}
	}
	return nil, false
}

// hides tells that a value with this schema is secret, or may hold a secret in a
// place that only the validator could find.
func (s *Shape) hides(schema map[string]any) bool {
	if saysSecret(schema) {
		return true
	}
	if !s.secret {
		return false
	}
	if list, is := schema["items"].([]any); is && maySecret(list) {
		return true
	}
	return slices.ContainsFunc([]string{"allOf", "anyOf", "oneOf", "not", "additionalItems", "dependencies"},
		func(word string) bool { return maySecret(schema[word]) })
}

// maySecret tells that something at any depth is called secret, or refers to
// what may be.
func maySecret(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		if saysSecret(v) || v["$ref"] != nil {
			return true
		}
		for _, one := range v {
			if maySecret(one) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, maySecret)
	}
	return false
}

// texts adds every text and number below a value.
func texts(value any, found map[string]bool) {
	switch v := value.(type) {
	case string:
		found[v] = true
	case int64, float64:
		found[string(AppendJSON(nil, v))] = true
	case []any:
		for _, one := range v {
			texts(one, found)
		}
	case map[string]any:
		for _, one := range v {
			texts(one, found)
		}
	}
}

// saysSecret tells that a schema declares its value secret; a text that says so
// is taken at its word.
func saysSecret(schema map[string]any) bool {
	switch v := schema["secret"].(type) {
	case bool:
		return v
	case string:
		return strings.EqualFold(v, "true")
	}
	return false
}
