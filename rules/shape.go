package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/expression/pattern"
)

// Shape says what a value must look like: a JSON schema of draft 4 in
// StackStorm's dialect. There a property says itself that it is required, an
// optional one may also be null, and secret, position and immutable stand
// beside JSON Schema's words. Words that neither knows mean nothing, and format
// is not checked. It never changes and is safe for concurrent use.
type Shape struct {
	source   map[string]any
	compiled *jsonschema.Schema
	// secret tells that something in it is: then no fault shows a value.
	secret bool
}

// ShapeFault is one thing that is wrong with a schema, or with a value held
// against one.
type ShapeFault struct {
	// Path leads to the place: names, and numbers of items from 0.
	Path []string
	// Where is the path as people write it: .hosts[2].port, or empty.
	Where        string
	Message, Try string
}

// shapeURL is what a schema is called while it is compiled; nothing is there.
const shapeURL = "attune:///schema"

// maxShapeFaults of one value are reported; nobody reads more at once.
const maxShapeFaults = 100

// CompileShape compiles a schema, made of what JSON holds. With faults, all of
// them at once, the shape is nil. A schema can only refer to itself: nothing is
// ever fetched. Patterns are Python's.
func CompileShape(source map[string]any) (*Shape, []ShapeFault) {
	s := &Shape{source: source}
	r := &rewriting{}
	doc := r.schema(source, nil)
	if len(r.faults) > 0 {
		return nil, r.faults
	}
	s.secret = r.secret
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.UseLoader(nothing{})
	c.UseRegexpEngine(func(text string) (jsonschema.Regexp, error) {
		re, err := pattern.Compile(text, pattern.Options{})
		if err != nil {
			return nil, err
		}
		return expressionOf{text, re}, nil
	})
	if err := c.AddResource(shapeURL, doc); err != nil {
		return nil, []ShapeFault{{Message: "it is no schema: " + err.Error()}}
	}
	compiled, err := c.Compile(shapeURL)
	if err != nil {
		return nil, schemaFaults(doc, err)
	}
	s.compiled = compiled
	return s, nil
}

// decodeShape compiles a schema that is kept as JSON.
func decodeShape(text []byte) (*Shape, []ShapeFault) {
	v, err := expression.DecodeJSON(text)
	source, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, []ShapeFault{{Message: "it is no JSON object"}}
	}
	return CompileShape(source)
}

// nothing is a loader for schemas that refer to others.
type nothing struct{}

func (nothing) Load(string) (any, error) { return nil, fs.ErrNotExist }

// expressionOf is a regular expression as the library wants it. A search that
// takes too long does not match.
type expressionOf struct {
	text string
	re   *pattern.Regex
}

func (e expressionOf) String() string { return e.text }

func (e expressionOf) MatchString(text string) bool {
	found, err := e.re.Match(text)
	return err == nil && found
}

// schemaFaults are what is wrong with a schema itself.
func schemaFaults(doc any, err error) []ShapeFault {
	var invalid *jsonschema.SchemaValidationError
	var wrong *jsonschema.ValidationError
	if errors.As(err, &invalid) && errors.As(invalid.Err, &wrong) {
		c := &collection{value: doc}
		c.add(wrong)
		return c.faults
	}
	var re *jsonschema.InvalidRegexError
	if errors.As(err, &re) {
		return []ShapeFault{{Message: re.Err.Error()}}
	}
	var ref *jsonschema.LoadURLError
	if errors.As(err, &ref) {
		return []ShapeFault{{Message: "it refers to another schema", Try: "write it out, or refer to #/definitions/NAME"}}
	}
	message, _, _ := strings.Cut(strings.ReplaceAll(err.Error(), shapeURL, ""), "\n")
	return []ShapeFault{{Message: message}}
}

// rewriting turns the dialect into draft 4.
type rewriting struct {
	faults []ShapeFault
	secret bool
}

// The words of a schema that stay, by what stands below them.
var (
	plainWords = []string{"type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
		"pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "$ref"}
	schemaWords = []string{"additionalProperties", "additionalItems", "items", "not"}
	listWords   = []string{"allOf", "anyOf", "oneOf", "items"}
	namedWords  = []string{"properties", "patternProperties", "definitions", "dependencies"}
)

// schema rewrites one schema, and what is below it.
func (r *rewriting) schema(source map[string]any, path []string) map[string]any {
	doc := make(map[string]any, len(source))
	for _, word := range plainWords {
		if v, there := source[word]; there && v != nil {
			doc[word] = v
		}
	}
	if t, there := doc["type"]; there {
		if t = shapeTypes(t); t == nil {
			delete(doc, "type")
		} else {
			doc["type"] = t
		}
	}
	if ref, ok := doc["$ref"].(string); ok && !strings.HasPrefix(ref, "#") {
		r.fault(append(path, "$ref"), "it refers to another schema", "write it out, or refer to #/definitions/NAME")
	}
	if saysSecret(source) {
		r.secret = true
	}
	for _, word := range schemaWords {
		if v, there := source[word]; there && v != nil {
			doc[word] = r.below(v, append(path, word))
		}
	}
	for _, word := range listWords {
		if list, ok := source[word].([]any); ok {
			doc[word] = r.list(list, append(path, word))
		} else if v, there := source[word]; there && v != nil && word != "items" {
			doc[word] = v // the library says what is wrong with it
		}
	}
	for _, word := range namedWords {
		if v, there := source[word]; there && v != nil {
			doc[word] = r.named(v, append(path, word))
		}
	}
	if needed := neededBy(source); len(needed) > 0 {
		doc["required"] = needed
	}
	return doc
}

func (r *rewriting) fault(path []string, message, try string) {
	r.faults = append(r.faults, ShapeFault{Path: slices.Clone(path), Where: "." + strings.Join(path, "."), Message: message, Try: try})
}

func (r *rewriting) below(v any, path []string) any {
	if m, ok := v.(map[string]any); ok {
		return r.schema(m, path)
	}
	return v
}

func (r *rewriting) list(list []any, path []string) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = r.below(v, append(path, fmt.Sprint(i)))
	}
	return out
}

func (r *rewriting) named(v any, path []string) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := make(map[string]any, len(m))
	for name, one := range m {
		if one == nil {
			one = map[string]any{} // a bare name: anything
		}
		out[name] = r.below(one, append(path, name))
	}
	return out
}

// shapeTypes are the types that say something: any and a bare null are none.
func shapeTypes(t any) any {
	switch t := t.(type) {
	case string:
		if t == "any" {
			return nil
		}
	case []any:
		out := make([]any, 0, len(t))
		for _, one := range t {
			switch one {
			case "any":
				return nil
			case nil:
				one = "null"
			}
			if !slices.Contains(out, one) {
				out = append(out, one)
			}
		}
		return out
	}
	return t
}

// neededBy are the names that an object must have: those in its list, and its
// properties that say so themselves. A default makes up for a missing one.
func neededBy(source map[string]any) []any {
	var names []string
	if list, ok := source["required"].([]any); ok {
		for _, name := range list {
			if text, ok := name.(string); ok {
				names = append(names, text)
			}
		}
	}
	properties, _ := source["properties"].(map[string]any)
	for name, p := range properties {
		own, _ := p.(map[string]any)
		if needs, _ := own["required"].(bool); needs {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var needed []any
	for _, name := range slices.Compact(names) {
		own, _ := properties[name].(map[string]any)
		if _, has := own["default"]; !has {
			needed = append(needed, name)
		}
	}
	return needed
}

// Secret tells that something in it is secret.
func (s *Shape) Secret() bool { return s.secret }

// Fill returns the value with the defaults that the schema has for what its
// objects lack, at any depth; the value itself is not changed. With whole an
// object that is missing is made where a default stands within it, else only
// objects that are there are filled.
func (s *Shape) Fill(value any, whole bool) any { return fill(value, s.source, whole) }

func fill(value any, schema map[string]any, whole bool) any {
	switch v := value.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		others, _ := schema["additionalProperties"].(map[string]any)
		if len(properties) == 0 && others == nil {
			return v
		}
		out := maps.Clone(v)
		if out == nil {
			out = map[string]any{}
		}
		for name, one := range v {
			own, known := properties[name].(map[string]any)
			if !known {
				own = others
			}
			out[name] = fill(one, own, whole)
		}
		for name, p := range properties {
			own, _ := p.(map[string]any)
			if _, there := v[name]; there || own == nil {
				continue
			}
			if d, has := own["default"]; has {
				out[name] = fill(d, own, whole)
			} else if made, _ := fill(map[string]any{}, own, whole).(map[string]any); whole && len(made) > 0 {
				out[name] = made
			}
		}
		return out
	case []any:
		items, _ := schema["items"].(map[string]any)
		if items == nil {
			return v
		}
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = fill(one, items, whole)
		}
		return out
	}
	return value
}

// Check holds a value against the schema. The faults are sorted by place, all
// at once up to a bound.
func (s *Shape) Check(value any) []ShapeFault { return s.check(value, s.secret) }

func (s *Shape) check(value any, hide bool) []ShapeFault {
	err := s.compiled.Validate(bare(value, s.source))
	if err == nil {
		return nil
	}
	c := &collection{value: value, hide: hide}
	var wrong *jsonschema.ValidationError
	if errors.As(err, &wrong) {
		c.add(wrong)
	} else {
		c.faults = []ShapeFault{{Message: err.Error()}}
	}
	slices.SortStableFunc(c.faults, func(a, b ShapeFault) int { return strings.Compare(a.Where, b.Where) })
	return c.faults
}

// bare is the value without the nulls of optional properties, which count as
// left out, and with numbers as the library knows them.
func bare(value any, schema map[string]any) any {
	switch v := value.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		others, _ := schema["additionalProperties"].(map[string]any)
		out := make(map[string]any, len(v))
		for name, one := range v {
			own, known := properties[name].(map[string]any)
			if known && one == nil && nullable(name, own, schema) {
				continue
			}
			if !known {
				own = others
			}
			out[name] = bare(one, own)
		}
		return out
	case []any:
		items, _ := schema["items"].(map[string]any)
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = bare(one, items)
		}
		return out
	case json.Number:
		return fromNumber(v)
	}
	return value
}

// nullable tells that a property may be null: it is optional, or null is its
// default.
func nullable(name string, own, around map[string]any) bool {
	if d, has := own["default"]; has {
		return d == nil || !required(name, own, around)
	}
	return !required(name, own, around)
}

func required(name string, own, around map[string]any) bool {
	if needs, _ := own["required"].(bool); needs {
		return true
	}
	list, _ := around["required"].([]any)
	return slices.Contains(list, any(name))
}
