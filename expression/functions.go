package expression

import (
	"sort"
	"strings"
)

// functions are the names every template knows, unless its scope has the same.
var functions = map[string]any{
	"range":     &function{"range", rangeOf},
	"dict":      &function{"dict", dictOf},
	"namespace": &function{"namespace", namespaceOf},
}

func rangeOf(r *run, args arguments) (any, error) {
	if len(args.named) > 0 || len(args.list) == 0 || len(args.list) > 3 {
		return nil, typeFault("range takes (stop), (start, stop) or (start, stop, step)")
	}
	bounds := [3]int64{0, 0, 1}
	for i, v := range args.list {
		n, ok := integer(v)
		if !ok {
			return nil, typeFault("range takes ints, not a %s", typeName(v))
		}
		if len(args.list) == 1 {
			i = 1
		}
		bounds[i] = n
	}
	start, stop, step := bounds[0], bounds[1], bounds[2]
	if step == 0 {
		return nil, typeFault("range's step cannot be zero")
	}
	out := []any{}
	for i := start; (step > 0 && i < stop) || (step < 0 && i > stop); i += step {
		if len(out) == MaxRange {
			return nil, budgetFault("range gives more than %d numbers", MaxRange)
		}
		out = append(out, i)
		if (step > 0) != (i+step > i) {
			break // past the end of int64
		}
	}
	return out, r.entries(len(out))
}

func dictOf(r *run, args arguments) (any, error) {
	out := map[string]any{}
	for _, v := range args.list {
		given, ok := v.(map[string]any)
		if !ok {
			return nil, typeFault("dict takes a dict and names, not a %s", typeName(v))
		}
		if err := r.entries(len(given)); err != nil {
			return nil, err
		}
		for k, item := range given {
			out[k] = item
		}
	}
	for _, n := range args.named {
		out[n.name] = n.value
	}
	return out, r.entries(len(args.named))
}

func namespaceOf(r *run, args arguments) (any, error) {
	d, err := dictOf(r, args)
	if err != nil {
		return nil, err
	}
	return &namespace{d.(map[string]any)}, nil
}

// suggest names what exists, when a filter or a test does not.
func suggest[T any](wrong string, known map[string]T) string {
	var near, all []string
	for n := range known {
		all = append(all, n)
		if wrong != "" && n[0] == wrong[0] {
			near = append(near, n)
		}
	}
	if len(near) == 0 {
		near = all
	}
	sort.Strings(near)
	return "known ones are " + strings.Join(near, ", ")
}
