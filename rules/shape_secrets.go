package rules

import (
	"maps"
	"slices"

	"github.com/attune-automation/attune"
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
	if s.hides(schema) {
		return replace(value)
	}
	switch v := value.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		others, _ := schema["additionalProperties"].(map[string]any)
		out := make(map[string]any, len(v))
		for name, one := range v {
			own, known := properties[name].(map[string]any)
			if !known {
				own = others
			}
			out[name] = s.visit(one, own, replace)
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

// hides tells that a value with this schema is secret, or may hold a secret in a
// place that only the validator could find.
func (s *Shape) hides(schema map[string]any) bool {
	if secret, _ := schema["secret"].(bool); secret {
		return true
	}
	if !s.secret {
		return false
	}
	_, list := schema["items"].([]any)
	return schema["$ref"] != nil || list && anySecret(schema["items"]) || slices.ContainsFunc([]string{"allOf", "anyOf", "oneOf", "not", "patternProperties", "additionalItems", "dependencies"},
		func(word string) bool { return anySecret(schema[word]) })
}

// anySecret tells that something at any depth is called secret.
func anySecret(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		if secret, _ := v["secret"].(bool); secret {
			return true
		}
		for _, one := range v {
			if anySecret(one) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, anySecret)
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
