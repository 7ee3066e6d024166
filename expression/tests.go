package expression

import (
	"strings"
	"sync"
)

// test is `value is name(args)`, with arguments as for a filter.
type test struct {
	params    []string
	undefined bool // it may be given *undefined
	call      func(r *run, in any, args []any) (bool, error)
}

// testTable is filled on first use, because "is test" looks itself up in it.
var (
	testTable map[string]test
	testOnce  sync.Once
)

func tests() map[string]test {
	testOnce.Do(fillTests)
	return testTable
}

func fillTests() {
	testTable = map[string]test{
		"defined":     {undefined: true, call: func(_ *run, in any, _ []any) (bool, error) { return isDefined(in), nil }},
		"undefined":   {undefined: true, call: func(_ *run, in any, _ []any) (bool, error) { return !isDefined(in), nil }},
		"none":        typeTest("NoneType"),
		"boolean":     typeTest("bool"),
		"integer":     typeTest("int"),
		"float":       typeTest("float"),
		"number":      typeTest("bool", "int", "float"),
		"string":      typeTest("str"),
		"mapping":     typeTest("dict"),
		"sequence":    typeTest("str", "list", "dict"),
		"iterable":    typeTest("str", "list", "dict"),
		"callable":    typeTest("macro", "function"),
		"true":        {call: func(_ *run, in any, _ []any) (bool, error) { return in == true, nil }},
		"false":       {call: func(_ *run, in any, _ []any) (bool, error) { return in == false, nil }},
		"lower":       {call: func(r *run, in any, _ []any) (bool, error) { return r.cased(in, strings.ToLower) }},
		"upper":       {call: func(r *run, in any, _ []any) (bool, error) { return r.cased(in, strings.ToUpper) }},
		"even":        remainderTest(0),
		"odd":         remainderTest(1),
		"divisibleby": {params: params("num"), call: func(_ *run, in any, args []any) (bool, error) { return remainder(in, args[0], 0) }},
		"filter":      {call: func(_ *run, in any, _ []any) (bool, error) { return known(in, filters()), nil }},
		"test":        {call: func(_ *run, in any, _ []any) (bool, error) { return known(in, tests()), nil }},
		"sameas": {params: params("other"), call: func(r *run, in any, args []any) (bool, error) {
			if typeName(in) != typeName(args[0]) {
				return false, nil
			}
			return r.equal(in, args[0], 0)
		}},
	}
	for operator, names := range map[string]string{
		"==": "eq equalto ==", "!=": "ne !=", "<": "lt lessthan <", "<=": "le <=",
		">": "gt greaterthan >", ">=": "ge >=", "in": "in",
	} {
		for _, n := range strings.Fields(names) {
			testTable[n] = test{params: params("other"), call: func(r *run, in any, args []any) (bool, error) {
				if err := needed(args[0], "to compare with"); err != nil {
					return false, err
				}
				return r.compare(operator, in, args[0])
			}}
		}
	}
}

func isDefined(v any) bool {
	_, missing := v.(*undefined)
	return !missing
}

func typeTest(names ...string) test {
	return test{call: func(_ *run, in any, _ []any) (bool, error) {
		for _, n := range names {
			if typeName(in) == n {
				return true, nil
			}
		}
		return false, nil
	}}
}

func remainderTest(rest int64) test {
	return test{call: func(_ *run, in any, _ []any) (bool, error) { return remainder(in, int64(2), rest) }}
}

func remainder(in, by any, rest int64) (bool, error) {
	if !isNumber(in) || !isNumber(by) {
		return false, typeFault("a %s is not divisible by a %s", typeName(in), typeName(by))
	}
	x, xInt := integer(in)
	y, yInt := integer(by)
	if xInt && yInt {
		out, err := integers("%", x, y)
		return out == rest, err
	}
	out, err := floats("%", float(in), float(by))
	return out == float64(rest), err
}

func (r *run) cased(in any, to func(string) string) (bool, error) {
	s, err := r.text(in)
	if err != nil {
		return false, err
	}
	return s == to(s) && strings.ToLower(s) != strings.ToUpper(s), r.make(len(s))
}

func known[T any](name any, in map[string]T) bool {
	s, _ := name.(string)
	_, ok := in[s]
	return ok
}
