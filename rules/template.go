package rules

import (
	"errors"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
)

// template is a value of a definition that may hold Jinja.
type template struct {
	// value is used as it is while text and tree are nil.
	value any
	text  *expression.Template
	tree  *expression.Tree
	// asText keeps the result of text a text: the parameter is a string.
	asText bool
}

// compileTemplate compiles a value of a definition for a parameter of the
// declared type. The faults begin with where.
func compileTemplate(value any, declared, where string) (template, []attune.Fault) {
	if source, ok := value.(string); ok {
		t, err := expression.Compile(source)
		if err != nil {
			return template{value: value}, []attune.Fault{templateFault(where, err)}
		}
		if t.Constant() {
			return template{value: value}, nil
		}
		return template{text: t, asText: declared == "string"}, nil
	}
	switch value.(type) {
	case []any, map[string]any:
	default:
		if declared == "string" && value != nil {
			value = plainText(value) // port: 80 in a definition means "80"
		}
		return template{value: value}, nil
	}
	t, err := expression.CompileTree(value)
	if err != nil {
		return template{value: value}, treeFaults(where, err)
	}
	if t.Constant() {
		return template{value: value}, nil
	}
	return template{tree: t}, nil
}

// constant tells that nothing is rendered.
func (t *template) constant() bool { return t.text == nil && t.tree == nil }

// names are the variables it reads.
func (t *template) names() []string {
	switch {
	case t.text != nil:
		return t.text.Names()
	case t.tree != nil:
		return t.tree.Names()
	}
	return nil
}

func (t *template) render(scope expression.Scope, purse *expression.Purse) (any, error) {
	switch {
	case t.text != nil:
		v, err := t.text.RenderFrom(scope, purse)
		if err != nil || !t.asText || v == nil {
			return v, err
		}
		if _, ok := v.(string); ok {
			return v, nil
		}
		return t.text.RenderTextFrom(scope, purse)
	case t.tree != nil:
		return t.tree.RenderFrom(scope, purse)
	}
	return t.value, nil
}

// plainText is a scalar of a definition as text.
func plainText(value any) any {
	switch value.(type) {
	case bool, int64, int, float64:
		return string(AppendJSON(nil, value))
	}
	return value
}

func templateFault(where string, err error) attune.Fault {
	var e *expression.Error
	if !errors.As(err, &e) {
		return attune.Fault{Where: where, Message: err.Error()}
	}
	untried := *e
	untried.Try = ""
	return attune.Fault{Where: where, Message: untried.Error(), Try: e.Try}
}

// treeFaults takes the errors of a tree apart.
func treeFaults(where string, err error) []attune.Fault {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var faults []attune.Fault
		for _, e := range many.Unwrap() {
			faults = append(faults, treeFaults(where, e)...)
		}
		return faults
	}
	var p *expression.PathError
	if errors.As(err, &p) && p.Path != "" {
		if p.Path[0] != '[' {
			where += "."
		}
		where += p.Path
	}
	return []attune.Fault{templateFault(where, err)}
}
