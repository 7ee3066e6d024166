package expression

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

// Scope holds the variables a template sees, by name. A render only reads it;
// a native result may share its lists and dicts.
type Scope = map[string]any

// Template is a compiled template. It never changes and is safe for
// concurrent use.
type Template struct {
	source string
	fixed  any // the source, when it is a constant
	body   []statement
	whole  node  // set when the template is exactly one {{ }}
	path   *path // set when whole is a plain look-up
	names  []string
}

// Compile parses a template once. A source without {{ and {% is a constant and
// always compiles. The error is an *Error of kind Syntax or Budget.
func Compile(source string) (t *Template, err error) {
	if !isTemplate(source) {
		return &Template{source: source, fixed: source}, nil
	}
	if len(source) > MaxSource {
		return nil, locate(source, 0, budgetFault("the template is longer than %d bytes", MaxSource))
	}
	defer rescue(source, &err)
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	tokens, err := lex(strings.TrimSuffix(source, "\n"))
	if err != nil {
		return nil, err
	}
	p := &parser{source: source, tokens: tokens, free: map[string]bool{}}
	body, _, err := p.body()
	if err != nil {
		return nil, err
	}
	t = &Template{source: source, body: body}
	for n := range p.free {
		t.names = append(t.names, n)
	}
	slices.Sort(t.names)
	if len(body) == 1 {
		if only, ok := body[0].(*output); ok && only.value != nil && strings.HasPrefix(source, "{{") && strings.HasSuffix(source, "}}") {
			t.whole = only.value
			t.path = newPath(source, only.value)
		}
	}
	return t, nil
}

// Source is the text the template was compiled from.
func (t *Template) Source() string { return t.source }

// Constant says whether the template renders to its own source.
func (t *Template) Constant() bool { return t.fixed != nil }

// Native says whether the template is exactly one {{ }}, so that [Template.Render]
// gives the native value.
func (t *Template) Native() bool { return t.whole != nil }

// Names are the variables that the template may read from its scope, sorted.
// A name that only a branch reads is one of them.
func (t *Template) Names() []string { return slices.Clone(t.names) }

// Render renders the template. One that is exactly one {{ }} gives the native
// value: nil, bool, int64, float64, string, []any or map[string]any (numbers
// within lists and dicts of the scope stay as they are there). Everything else
// gives a string. The error is an *Error.
func (t *Template) Render(scope Scope) (any, error) {
	if v, ok, err := t.short(scope); ok || err != nil {
		return v, err
	}
	return t.render(scope, &Purse{})
}

// RenderFrom is Render with a budget that other renders share.
func (t *Template) RenderFrom(scope Scope, purse *Purse) (any, error) {
	if v, ok, err := t.short(scope); ok || err != nil {
		return v, err
	}
	return t.render(scope, purse)
}

// short is what needs no work to be counted: a constant, a plain look-up.
func (t *Template) short(scope Scope) (any, bool, error) {
	if t.fixed != nil {
		return t.fixed, true, nil
	}
	if t.path != nil {
		return t.path.find(scope)
	}
	return nil, false, nil
}

// render is RenderFrom without the short cuts.
func (t *Template) render(scope Scope, purse *Purse) (v any, err error) {
	defer rescue(t.source, &err)
	if err := purse.open(); err != nil {
		return nil, locate(t.source, 0, err)
	}
	r := newRun(t.source, scope, purse)
	defer purse.pay(r)
	if t.whole == nil {
		if err := r.body(t.body, nil); err != nil {
			return nil, err
		}
		return r.out.String(), nil
	}
	if v, err = r.value(t.whole); err == nil {
		err = r.exportable(v, 0)
	}
	if err != nil {
		return nil, locate(t.source, t.whole.at(), err)
	}
	return v, nil
}

// RenderText renders the template as text, also where Render would give a
// native value.
func (t *Template) RenderText(scope Scope) (string, error) { return t.RenderTextFrom(scope, &Purse{}) }

// RenderTextFrom is RenderText with a budget that other renders share.
func (t *Template) RenderTextFrom(scope Scope, purse *Purse) (text string, err error) {
	v, err := t.RenderFrom(scope, purse)
	if err != nil {
		return "", err
	}
	if text, ok := v.(string); ok {
		return text, nil
	}
	defer rescue(t.source, &err)
	r := newRun(t.source, scope, purse)
	defer purse.pay(r)
	if text, err = r.text(v); err != nil {
		return "", locate(t.source, t.whole.at(), err)
	}
	return text, nil
}

// Render compiles and renders in one go; see [Template.Render].
func Render(source string, scope Scope) (any, error) {
	t, err := Compile(source)
	if err != nil {
		return nil, err
	}
	return t.Render(scope)
}

// exportable refuses what has no meaning outside of a template, and values
// that are too large to leave it.
func (r *run) exportable(v any, depth int) error {
	if depth > MaxNesting {
		return budgetFault("a value is nested more than %d deep", MaxNesting)
	}
	if err := r.spend(1); err != nil {
		return err
	}
	switch v := v.(type) {
	case *macro, *function, *namespace, *loop:
		return typeFault("a %s cannot be the value of a template", typeName(v))
	case string:
		r.memory += len(v)
	case []any:
		r.memory += len(v) * bytesPerEntry
		for _, item := range v {
			if err := r.exportable(item, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		r.memory += len(v) * bytesPerEntry
		for _, k := range sortedKeys(v) {
			if err := r.exportable(v[k], depth+1); err != nil {
				return err
			}
		}
	}
	return r.make(0)
}

// rescue turns a panic into an error: a fault here must not end a node.
func rescue(source string, err *error) {
	if p := recover(); p != nil {
		*err = &Error{
			Source: shorten(source, 200), Kind: Internal,
			Message: fmt.Sprintf("expression: panic: %v\n%s", p, debug.Stack()),
			Try:     "please report this",
		}
	}
}
