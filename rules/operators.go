package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression/pattern"
)

// A test holds the value of an event against the pattern it was made for, as
// Python would. An error means that they cannot be compared.
type test func(left any, on *occasion) (bool, error)

// An operator makes the test for a pattern: once for a constant one, else for
// each event. Its error says what is wrong with the pattern.
type operator struct {
	bind func(right any) (test, error)
	// free takes no pattern, nulls also one of null, with which no other
	// operator passes.
	free, nulls bool
}

// compared is an operator that takes any pattern.
func compared(compare func(left, right any) (bool, error)) operator {
	return operator{bind: func(right any) (test, error) {
		return func(left any, _ *occasion) (bool, error) { return compare(left, right) }, nil
	}}
}

// free takes no pattern.
func free(passes func(left any) bool) operator {
	return operator{free: true, bind: func(any) (test, error) {
		return func(left any, _ *occasion) (bool, error) { return passes(left), nil }, nil
	}}
}

// withNull compares with null too.
func withNull(o operator) operator {
	o.nulls = true
	return o
}

func same(left, right any) (bool, error)  { return equal(left, right), nil }
func holds(left, right any) (bool, error) { return within(right, left) }
func sameText(left, right string) bool    { return left == right }
func lacks(left, right string) bool       { return !strings.Contains(left, right) }

// negated is not, with the same errors.
func negated(compare func(left, right any) (bool, error)) func(left, right any) (bool, error) {
	return func(left, right any) (bool, error) {
		yes, err := compare(left, right)
		return !yes && err == nil, err
	}
}

// onTexts compares texts only, without case if told so.
func onTexts(ignoreCase bool, compare func(left, right string) bool) operator {
	return onTextsOr(ignoreCase, func(left, right string) (bool, error) { return compare(left, right), nil })
}

func onTextsOr(ignoreCase bool, compare func(left, right string) (bool, error)) operator {
	return operator{bind: func(right any) (test, error) {
		r, ok := right.(string)
		if !ok {
			return nil, fmt.Errorf("its pattern must be a text, not %s", typeOf(right))
		}
		if ignoreCase {
			r = lower(r)
		}
		return func(left any, _ *occasion) (bool, error) {
			l, ok := left.(string)
			if !ok {
				return false, fmt.Errorf("%s is no text", typeOf(left))
			}
			if ignoreCase {
				l = lower(l)
			}
			return compare(l, r)
		}, nil
	}}
}

func matching(o pattern.Options) operator {
	return operator{bind: func(right any) (test, error) {
		text, ok := right.(string)
		if !ok {
			return nil, fmt.Errorf("a regular expression must be a text, not %s", typeOf(right))
		}
		re, err := pattern.Compile(text, o)
		if err != nil {
			return nil, err
		}
		return func(left any, on *occasion) (bool, error) {
			text, ok := left.(string)
			if !ok {
				return false, fmt.Errorf("%s cannot be searched with a regular expression", typeOf(left))
			}
			return re.MatchWithin(text, &on.purse.Patience)
		}, nil
	}}
}

func ordered(wanted int) operator {
	return compared(func(left, right any) (bool, error) {
		o, err := order(left, right)
		return o == wanted && err == nil, err
	})
}

// operators are StackStorm's 33, but for search: see compileSearch.
var operators = map[string]operator{
	"equals": compared(same), "eq": compared(same),
	"nequals": withNull(compared(negated(same))), "neq": withNull(compared(negated(same))),
	"iequals": onTexts(true, sameText), "ieq": onTexts(true, sameText),
	"contains": compared(holds), "ncontains": compared(negated(holds)),
	"icontains": onTexts(true, strings.Contains), "incontains": onTexts(true, lacks),
	"in": compared(within), "inside": compared(within),
	"nin": compared(negated(within)), "ninside": compared(negated(within)),
	"startswith": onTexts(false, strings.HasPrefix), "istartswith": onTexts(true, strings.HasPrefix),
	"endswith": onTexts(false, strings.HasSuffix), "iendswith": onTexts(true, strings.HasSuffix),
	"lessthan": ordered(-1), "lt": ordered(-1),
	"greaterthan": ordered(1), "gt": ordered(1),
	"timediff_lt": aged(-1), "td_lt": aged(-1),
	"timediff_gt": aged(1), "td_gt": aged(1),
	"matchwildcard": onTextsOr(false, wildcard),
	"regex":         matching(pattern.Options{}),
	"iregex":        matching(pattern.Options{IgnoreCase: true}),
	"matchregex":    matching(pattern.Options{Anchored: true, DotAll: true}),
	"exists":        free(func(left any) bool { return left != nil }),
	"nexists":       free(func(left any) bool { return left == nil }),
}

var operatorNames = slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(operators)), search)))

// operatorOf finds the operator of a criterion by its name in lower case.
func operatorOf(c attune.Criterion, name string) (operator, *attune.Fault) {
	if o, known := operators[name]; known {
		return o, nil
	}
	try := "known are " + strings.Join(operatorNames, ", ")
	if near := Nearest(name, operatorNames); near != "" {
		try = "did you mean " + near + "?"
	}
	return operator{}, &attune.Fault{Where: c.At.String(), Message: fmt.Sprintf("the criterion %s has the unknown type %q", c.Path, c.Type), Try: try}
}
