package rules

import (
	"errors"
	"fmt"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
)

// criterion is a compiled criterion.
type criterion struct {
	attune.Criterion
	path path
	// compare is nil for a criterion without a type, which never passes.
	compare operator
	pattern template
	exists  bool
}

var errNoType = errors.New("the criterion has no type")

func compileCriterion(c attune.Criterion) (criterion, *attune.Fault) {
	out := criterion{Criterion: c}
	where := c.At.String()
	var err error
	if out.path, err = parsePath(c.Path); err != nil {
		return out, &attune.Fault{Where: where, Message: err.Error(), Try: pathForms + "; full JSONPath is not supported yet"}
	}
	out.Type = strings.ToLower(c.Type)
	if out.Type == "" {
		return out, nil
	}
	known := false
	if out.compare, known = operatorOf(out.Type); !known {
		try := "known are " + strings.Join(operatorNames, ", ")
		if near := Nearest(out.Type, operatorNames); near != "" {
			try = "did you mean " + near + "? " + try
		}
		return out, &attune.Fault{Where: where, Message: fmt.Sprintf("the criterion %s has the unknown type %q", c.Path, c.Type), Try: try}
	}
	out.exists = out.Type == "exists"
	if out.exists || c.Pattern == nil {
		return out, nil
	}
	pattern, faults := compilePattern(c.Pattern)
	if len(faults) > 0 {
		f := faults[0]
		f.Where, f.Message = where, "the pattern of "+c.Path+": "+f.Message
		return out, &f
	}
	out.pattern = pattern
	text, isText := pattern.value.(string)
	switch {
	case out.Type != "regex" || !pattern.constant():
	case !isText:
		return out, &attune.Fault{Where: where, Message: fmt.Sprintf("the pattern of %s must be a text, not %s", c.Path, typeOf(pattern.value))}
	default:
		re, err := compileRegex(text)
		if err != nil {
			return out, &attune.Fault{Where: where, Message: err.Error()}
		}
		out.compare = func(left, _ any) (bool, error) { return re.match(left) }
	}
	return out, nil
}

// compilePattern compiles a pattern: of the types only a text is a template.
func compilePattern(pattern any) (template, []attune.Fault) {
	if text, ok := pattern.(string); ok {
		return compileTemplate(text, "", "")
	}
	return template{value: pattern}, nil
}

// judge holds the criterion against a payload. scope is made once, when first
// needed.
func (c *criterion) judge(payload any, scope func() expression.Scope) attune.CriterionResult {
	result := attune.CriterionResult{Path: c.Path, Type: c.Type}
	left := c.path.find(payload)
	result.Left = kept(left)
	if c.compare == nil {
		result.Error = errNoType.Error()
		return result
	}
	right := c.pattern.value
	if !c.pattern.constant() {
		var err error
		if right, err = c.pattern.render(scope()); err != nil {
			result.Error = "its pattern cannot be rendered: " + err.Error()
			return result
		}
	}
	result.Right = kept(right)
	if right == nil && !c.exists {
		return result
	}
	passed, err := c.compare(left, right)
	if err != nil {
		result.Error = err.Error()
		return result
	}
	result.Passed = passed
	return result
}
