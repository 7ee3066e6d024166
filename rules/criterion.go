package rules

import (
	"errors"
	"strings"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/expression/jsonpath"
)

// occasion is one event that is judged.
type occasion struct {
	payload any
	// at is when the event was accepted: the present of all that judge it.
	at   time.Time
	made expression.Scope
	// purse is what all templates and regular expressions of the rule share.
	purse expression.Purse
	// searched counts the comparisons of searches, see maxSearchWork.
	searched int
}

// scope is what templates see. It is made when first needed.
func (o *occasion) scope() expression.Scope {
	if o.made == nil {
		o.made = expression.Scope{"trigger": o.payload}
	}
	return o.made
}

// criterion is a compiled criterion.
type criterion struct {
	attune.Criterion
	path *jsonpath.Path
	operator
	pattern template
	// test is that of a constant pattern, or nil.
	test test
}

var errNoType = errors.New("the criterion has no type")

// compileCriterion compiles a criterion whose path begins with root.
func compileCriterion(c attune.Criterion, root string) (criterion, []attune.Fault) {
	out := criterion{Criterion: c}
	where := c.At.String()
	var err error
	if out.path, err = parsePath(c.Path, root); err != nil {
		return out, []attune.Fault{{Where: where, Message: err.Error(), Try: strings.ReplaceAll(pathForms, "trigger", root)}}
	}
	out.Type = strings.ToLower(c.Type)
	if name, condition, _ := strings.Cut(out.Type, " "); name == search {
		o, faults := compileSearch(c, condition)
		out.test, out.pattern.value = o, c.Pattern
		return out, faults
	}
	if out.Type == "" {
		return out, nil
	}
	var fault *attune.Fault
	if out.operator, fault = operatorOf(c, out.Type); fault != nil {
		return out, []attune.Fault{*fault}
	}
	if !out.free {
		var faults []attune.Fault
		if out.pattern, faults = compilePattern(c.Pattern); len(faults) > 0 {
			f := faults[0]
			f.Where, f.Message = where, "the pattern of "+c.Path+": "+f.Message
			return out, []attune.Fault{f}
		}
	}
	if out.pattern.constant() && out.decides(out.pattern.value) {
		if out.test, err = out.bind(out.pattern.value); err != nil {
			return out, []attune.Fault{{Where: where, Message: "the criterion " + c.Path + ": " + err.Error()}}
		}
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

// decides tells that the operator is asked at all with such a pattern.
func (o *operator) decides(right any) bool { return o.free || o.nulls || right != nil }

// judge holds the criterion against an event.
func (c *criterion) judge(on *occasion) attune.CriterionResult {
	result := attune.CriterionResult{Path: c.Path, Type: c.Type}
	left, _ := c.path.First(on.payload)
	result.Left = kept(left)
	right, test, err := c.prepare(on)
	result.Right = kept(right)
	if err == nil && test != nil {
		result.Passed, err = test(left, on)
	}
	if err != nil {
		result.Passed, result.Error = false, err.Error()
	}
	return result
}

// prepare renders the pattern and makes the test for it, which is nil when
// nothing passes.
func (c *criterion) prepare(on *occasion) (right any, t test, err error) {
	if c.Type == "" {
		return nil, nil, errNoType
	}
	if c.pattern.constant() {
		return c.pattern.value, c.test, nil
	}
	if right, err = c.pattern.render(on.scope(), &on.purse); err != nil {
		return nil, nil, errors.New("its pattern cannot be rendered: " + err.Error())
	}
	if !c.decides(right) {
		return nil, nil, nil
	}
	t, err = c.bind(right)
	return right, t, err
}
