package rules

import (
	"fmt"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
)

// A rule keeps its conditions that are no criteria in the file among its
// criteria too, so that its definition and its evaluations show them alike.
// Their paths cannot be those of criteria, which begin with trigger.
const (
	pathWhen = "when"
	pathType = "type"
)

// When is the condition of the key when: one Jinja expression over trigger,
// with or without {{ }}, which must give true.
func When(source string, at attune.Position) attune.Criterion {
	return attune.Criterion{Path: pathWhen, Type: "is", Pattern: source, At: at}
}

// Backstop is the condition of the type backstop: that no standard rule of the
// trigger matches the event.
func Backstop(at attune.Position) attune.Criterion {
	return attune.Criterion{Path: pathType, Type: "backstop", At: at}
}

// Reserved tells that a path cannot be that of a criterion in a file.
func Reserved(path string) bool { return path == pathWhen || path == pathType }

// when is a compiled condition of the key when.
type when struct {
	attune.Criterion
	template *expression.Template
}

func compileWhen(c attune.Criterion) (*when, []attune.Fault) {
	where := c.At.String()
	source, ok := c.Pattern.(string)
	source = strings.TrimSpace(source)
	if !ok || source == "" {
		return nil, []attune.Fault{{Where: where, Message: "when must be an expression, not " + show(c.Pattern), Try: "write trigger.body.count > 3"}}
	}
	if !strings.Contains(source, "{{") && !strings.Contains(source, "{%") {
		source = "{{ " + source + " }}"
	}
	t, err := expression.Compile(source)
	switch {
	case err != nil:
		f := templateFault(where, err)
		f.Message = "when: " + f.Message
		return nil, []attune.Fault{f}
	case !t.Native():
		return nil, []attune.Fault{{Where: where, Message: fmt.Sprintf("when must be one expression, and %q gives a text", source), Try: "join conditions with and, or"}}
	}
	return &when{c, t}, nil
}

// judge passes if the expression gives true; any other value than a boolean
// is an error, since it is most likely not what was meant.
func (w *when) judge(on *occasion) attune.CriterionResult {
	result := attune.CriterionResult{Path: w.Path, Type: w.Type, Right: true}
	v, err := w.template.RenderFrom(on.scope(), &on.purse)
	if err != nil {
		result.Error = "it cannot be rendered: " + err.Error()
		return result
	}
	result.Left = kept(v)
	passed, ok := v.(bool)
	if !ok {
		result.Error = "it must give true or false, not " + typeOf(v)
	}
	result.Passed = passed
	return result
}

// standsBack is the result of a backstop behind the standard rules that matched.
func standsBack(matched []string) attune.CriterionResult {
	const most = 10
	refs := make([]any, 0, min(len(matched), most))
	for _, ref := range matched[:min(len(matched), most)] {
		refs = append(refs, ref)
	}
	return attune.CriterionResult{Path: pathType, Type: "backstop", Passed: len(matched) == 0, Left: kept(refs), Right: "no other match"}
}
