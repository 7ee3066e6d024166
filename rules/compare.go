package rules

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// equal is Python's ==.
func equal(a, b any) bool {
	switch x := a.(type) {
	case nil:
		return b == nil
	case string:
		y, ok := b.(string)
		return ok && x == y
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !equal(x[i], y[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			if w, there := y[k]; !there || !equal(v, w) {
				return false
			}
		}
		return true
	}
	i, f, whole, ok := number(a)
	j, g, whole2, ok2 := number(b)
	switch {
	case !ok || !ok2:
		return false
	case whole && whole2:
		return i == j
	case whole:
		return sameNumber(i, g)
	case whole2:
		return sameNumber(j, f)
	}
	return f == g
}

// number reads any number, and true and false as 1 and 0; whole tells i from f.
func number(v any) (i int64, f float64, whole, ok bool) {
	switch x := v.(type) {
	case int64:
		return x, 0, true, true
	case float64:
		return 0, x, false, true
	case bool:
		if x {
			i = 1
		}
		return i, 0, true, true
	case int:
		return int64(x), 0, true, true
	case json.Number:
		if i, err := x.Int64(); err == nil {
			return i, 0, true, true
		}
		f, err := x.Float64()
		return 0, f, false, err == nil
	}
	return 0, 0, false, false
}

// sameNumber compares without rounding: 2^53+1 is not the float 2^53.
func sameNumber(i int64, f float64) bool {
	return f == math.Trunc(f) && f >= -(1<<63) && f < 1<<63 && int64(f) == i
}

// order is Python's < and >: -1, 0 or 1, or unordered. Numbers, texts and lists
// have one, each among themselves.
func order(a, b any) (int, error) {
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), nil
		}
	case []any:
		y, ok := b.([]any)
		if !ok {
			break
		}
		for i := range min(len(x), len(y)) {
			if !equal(x[i], y[i]) {
				return order(x[i], y[i])
			}
		}
		return cmp.Compare(len(x), len(y)), nil
	default:
		i, f, whole, ok := number(a)
		j, g, whole2, ok2 := number(b)
		switch {
		case !ok || !ok2:
		case whole && whole2:
			return cmp.Compare(i, j), nil
		case whole:
			return orderMixed(i, g), nil
		case whole2:
			return -orderMixed(j, f), nil
		case f != f || g != g:
			return unordered, nil
		default:
			return cmp.Compare(f, g), nil
		}
	}
	return 0, fmt.Errorf("%s and %s have no order", typeOf(a), typeOf(b))
}

// unordered is the order of what is no number and anything; it is neither
// less nor greater also when negated.
const unordered = 2

// orderMixed orders without rounding.
func orderMixed(i int64, f float64) int {
	switch {
	case f != f:
		return unordered
	case f >= 1<<63:
		return -1
	case f < -(1 << 63):
		return 1
	}
	if o := cmp.Compare(i, int64(math.Floor(f))); o != 0 || f == math.Floor(f) {
		return o
	}
	return -1 // the same whole part, and f has more
}

// within is Python's in: part of a text, item of a list, key of an object.
func within(part, whole any) (bool, error) {
	switch w := whole.(type) {
	case string:
		p, ok := part.(string)
		if !ok {
			return false, fmt.Errorf("%s cannot be part of a text", typeOf(part))
		}
		return strings.Contains(w, p), nil
	case []any:
		for _, item := range w {
			if equal(part, item) {
				return true, nil
			}
		}
		return false, nil
	case map[string]any:
		switch p := part.(type) {
		case string:
			_, ok := w[p]
			return ok, nil
		case []any, map[string]any:
			return false, fmt.Errorf("%s cannot be a key of an object", typeOf(part))
		}
		return false, nil
	}
	return false, fmt.Errorf("%s holds nothing", typeOf(whole))
}

// typeOf is the word for a value's type in messages.
func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a text"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	if _, _, whole, ok := number(v); ok {
		if whole {
			return "an integer"
		}
		return "a number"
	}
	return reflect.TypeOf(v).String()
}
