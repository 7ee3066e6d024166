package expression

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

type (
	// namespace is the only value a template can change: {% set ns.x = 1 %}.
	namespace struct{ vars map[string]any }
	// loop is the variable loop inside a for.
	loop struct {
		items []any
		index int
	}
	// function is a global function, such as range.
	function struct {
		name string
		call func(r *run, args arguments) (any, error)
	}
)

// normal turns any Go value into one of the kinds that templates know: nil,
// bool, int64, float64, string, []any, map[string]any and this package's own.
// Only the outermost level is converted; the rest follows when it is met.
func normal(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int64, float64, string, []any, map[string]any,
		*undefined, *namespace, *loop, *macro, *function:
		return v, nil
	case int:
		return int64(v), nil
	case json.Number:
		return number(v.String())
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return rv.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if u := rv.Uint(); u <= math.MaxInt64 {
			return int64(u), nil
		}
		return float64(rv.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return rv.Float(), nil
	case reflect.Bool:
		return rv.Bool(), nil
	case reflect.String:
		return rv.String(), nil
	case reflect.Slice, reflect.Array:
		out := make([]any, rv.Len())
		for i := range out {
			out[i] = rv.Index(i).Interface()
		}
		return out, nil
	case reflect.Map:
		if rv.Type().Key().Kind() != reflect.String {
			break
		}
		out := make(map[string]any, rv.Len())
		for it := rv.MapRange(); it.Next(); {
			out[it.Key().String()] = it.Value().Interface()
		}
		return out, nil
	case reflect.Pointer:
		if rv.IsNil() {
			return nil, nil
		}
		return normal(rv.Elem().Interface())
	}
	return nil, typeFault("a Go value of type %T cannot be used in a template", v)
}

// member is the one look-up of dicts, lists, texts, namespaces and loops, for
// the path and for the run alike.
func member(of any, k key) (any, bool) {
	switch of := of.(type) {
	case map[string]any:
		if k.isIndex {
			k.name = k.String()
		}
		v, ok := of[k.name]
		return v, ok
	case []any:
		i := k.index
		if i < 0 {
			i += int64(len(of))
		}
		if !k.isIndex || i < 0 || i >= int64(len(of)) {
			return nil, false
		}
		return of[i], true
	case string:
		return character(of, k)
	case *namespace:
		v, ok := of.vars[k.name]
		return v, ok && !k.isIndex
	case *loop:
		return of.member(k.name)
	}
	return nil, false
}

func character(of string, k key) (any, bool) {
	i := k.index
	if i < 0 {
		i += int64(utf8.RuneCountInString(of))
	}
	if !k.isIndex || i < 0 {
		return nil, false
	}
	for _, c := range of {
		if i--; i < 0 {
			return string(c), true
		}
	}
	return nil, false
}

func (l *loop) member(name string) (any, bool) {
	size, index := int64(len(l.items)), int64(l.index)
	switch name {
	case "index":
		return index + 1, true
	case "index0":
		return index, true
	case "revindex":
		return size - index, true
	case "revindex0":
		return size - index - 1, true
	case "first":
		return index == 0, true
	case "last":
		return index == size-1, true
	case "length":
		return size, true
	case "depth":
		return int64(1), true // recursive loops, which it counts, do not exist
	case "depth0":
		return int64(0), true
	case "previtem":
		if index > 0 {
			return l.items[index-1], true
		}
	case "nextitem":
		if index < size-1 {
			return l.items[index+1], true
		}
	}
	return nil, false
}

// typeName is the Python name of a value's type.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []any:
		return "list"
	case map[string]any:
		return "dict"
	case *namespace:
		return "namespace"
	case *loop:
		return "loop"
	case *macro:
		return "macro"
	case *function:
		return "function"
	}
	return fmt.Sprintf("%T", v)
}

// truth is Python's: null, false, zero and whatever is empty are false.
func truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// sortedKeys are the keys of a dict in the one order used everywhere.
func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// iterate returns the items of a list, the keys of a dict or the characters of
// a text. The result must not be changed: it may belong to the scope.
func (r *run) iterate(v any) ([]any, error) {
	switch v := v.(type) {
	case []any:
		if err := r.spend(len(v)); err != nil {
			return nil, err
		}
		return r.normalItems(v)
	case map[string]any:
		if err := r.entries(len(v)); err != nil {
			return nil, err
		}
		if err := r.spend(len(v) * 4); err != nil {
			return nil, err
		}
		out := make([]any, 0, len(v))
		for _, k := range sortedKeys(v) {
			out = append(out, k)
		}
		return out, nil
	case string:
		if err := r.entries(utf8.RuneCountInString(v)); err != nil {
			return nil, err
		}
		out := make([]any, 0, len(v))
		for _, c := range v {
			out = append(out, string(c))
		}
		return out, nil
	}
	return nil, typeFault("a %s has no items", typeName(v))
}

// normalItems returns v with normal items, copying it when one was not.
func (r *run) normalItems(v []any) ([]any, error) {
	out := v
	for i := range v {
		item, err := normal(v[i])
		if err != nil {
			return nil, err
		}
		switch v[i].(type) {
		case nil, bool, int64, float64, string, []any, map[string]any, *namespace, *loop, *macro, *function:
			continue
		}
		if &out[0] == &v[0] {
			if err := r.entries(len(v)); err != nil {
				return nil, err
			}
			out = slices.Clone(v)
		}
		out[i] = item
	}
	return out, nil
}

// equal is Python's ==: 1, 1.0 and true are equal, "1" is none of them.
func (r *run) equal(a, b any, depth int) (bool, error) {
	if depth > MaxNesting {
		return false, budgetFault("a value is nested more than %d deep", MaxNesting)
	}
	a, err := normal(a)
	if err != nil {
		return false, err
	}
	if b, err = normal(b); err != nil {
		return false, err
	}
	if err := r.spend(1); err != nil {
		return false, err
	}
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		if !ok || len(x) != len(y) {
			return false, nil
		}
		return x == y, r.read(len(x))
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false, nil
		}
		for i := range x {
			if same, err := r.equal(x[i], y[i], depth+1); err != nil || !same {
				return false, err
			}
		}
		return true, nil
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false, nil
		}
		for _, k := range sortedKeys(x) {
			other, found := y[k]
			if !found {
				return false, nil
			}
			if same, err := r.equal(x[k], other, depth+1); err != nil || !same {
				return false, err
			}
		}
		return true, r.spend(len(x) * 4)
	}
	if isNumber(a) && isNumber(b) {
		return compareNumbers(a, b) == 0, nil
	}
	return a == b, nil
}

// compare applies one comparison operator.
func (r *run) compare(operator string, left, right any) (bool, error) {
	switch operator {
	case "==", "!=":
		same, err := r.equal(left, right, 0)
		return same == (operator == "=="), err
	case "in", "not in":
		found, err := r.contains(right, left)
		return found == (operator == "in"), err
	}
	order, err := r.order(left, right, 0)
	if order == unordered || err != nil {
		if err == nil {
			return false, nil // a NaN is neither less nor greater
		}
		if f := (*fault)(nil); errors.As(err, &f) && f.kind == Type {
			return false, typeFault("%s cannot compare a %s and a %s", operator, typeName(left), typeName(right))
		}
		return false, err
	}
	switch operator {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	}
	return order >= 0, nil
}

// unordered is the order of a NaN and anything.
const unordered = 2

// order is -1, 0 or 1, or unordered. Only numbers, texts and lists have one.
func (r *run) order(a, b any, depth int) (int, error) {
	if depth > MaxNesting {
		return 0, budgetFault("a value is nested more than %d deep", MaxNesting)
	}
	a, err := normal(a)
	if err != nil {
		return 0, err
	}
	if b, err = normal(b); err != nil {
		return 0, err
	}
	if err := r.spend(1); err != nil {
		return 0, err
	}
	if isNumber(a) && isNumber(b) {
		return compareNumbers(a, b), nil
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), r.read(min(len(x), len(y)))
		}
	case []any:
		if y, ok := b.([]any); ok {
			for i := range min(len(x), len(y)) {
				if same, err := r.equal(x[i], y[i], depth+1); err != nil {
					return 0, err
				} else if !same {
					return r.order(x[i], y[i], depth+1)
				}
			}
			return compareNumbers(int64(len(x)), int64(len(y))), nil
		}
	}
	return 0, typeFault("a %s and a %s have no order", typeName(a), typeName(b))
}

// contains is Python's `item in of`.
func (r *run) contains(of, item any) (bool, error) {
	switch of := of.(type) {
	case string:
		text, ok := item.(string)
		if !ok {
			return false, typeFault("only a str can be in a str, not a %s", typeName(item))
		}
		return strings.Contains(of, text), r.read(len(of) + len(text))
	case []any:
		for _, v := range of {
			if same, err := r.equal(v, item, 0); err != nil || same {
				return same, err
			}
		}
		return false, nil
	case map[string]any:
		switch k := item.(type) {
		case string:
			_, ok := of[k]
			return ok, nil
		case int64:
			_, ok := of[key{index: k, isIndex: true}.String()]
			return ok, nil
		}
		return false, nil
	}
	return false, typeFault("a %s contains nothing", typeName(of))
}

// length is the number of items, keys or characters.
func (r *run) length(v any) (int64, error) {
	switch v := v.(type) {
	case string:
		return int64(utf8.RuneCountInString(v)), r.read(len(v))
	case []any:
		return int64(len(v)), nil
	case map[string]any:
		return int64(len(v)), nil
	}
	return 0, typeFault("a %s has no length", typeName(v))
}
