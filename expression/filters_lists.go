package expression

import (
	"slices"
	"strings"
)

func listFilters() map[string]filter {
	return map[string]filter{
		"batch":    {params: params("linecount fill_with"), call: batch},
		"dictsort": {params: params("case_sensitive by reverse"), call: dictsort},
		"first": {call: func(r *run, in any, _ []any) (any, error) {
			return r.pick(in, "first", func(items []any) any { return items[0] })
		}},
		"last": {call: func(r *run, in any, _ []any) (any, error) {
			return r.pick(in, "last", func(items []any) any { return items[len(items)-1] })
		}},
		"groupby": {params: params("attribute default"), call: groupby},
		"items":   {call: func(r *run, in any, _ []any) (any, error) { return r.items(in) }},
		"join":    {params: params("d attribute"), call: join},
		"list":    {call: func(r *run, in any, _ []any) (any, error) { return r.iterate(in) }},
		"map":     {params: params("name * attribute default"), call: mapped},
		"max":     {params: params("case_sensitive attribute"), call: func(r *run, in any, args []any) (any, error) { return r.extreme(in, args, 1) }},
		"min":     {params: params("case_sensitive attribute"), call: func(r *run, in any, args []any) (any, error) { return r.extreme(in, args, -1) }},
		"reject":  {params: params("name *"), call: func(r *run, in any, args []any) (any, error) { return r.choose(in, nil, args, false) }},
		"rejectattr": {params: params("attribute name *"), call: func(r *run, in any, args []any) (any, error) {
			return r.choose(in, args[0], args[1:], false)
		}},
		"reverse": {call: func(r *run, in any, _ []any) (any, error) {
			if s, text := in.(string); text {
				if err := r.make(len(s)); err != nil {
					return nil, err
				}
				chars := []rune(s)
				slices.Reverse(chars)
				return string(chars), nil
			}
			items, err := r.iterate(in)
			if err != nil {
				return nil, err
			}
			out := append([]any{}, items...)
			slices.Reverse(out)
			return out, r.entries(len(out))
		}},
		"select": {params: params("name *"), call: func(r *run, in any, args []any) (any, error) { return r.choose(in, nil, args, true) }},
		"selectattr": {params: params("attribute name *"), call: func(r *run, in any, args []any) (any, error) {
			return r.choose(in, args[0], args[1:], true)
		}},
		"slice": {params: params("slices fill_with"), call: sliced},
		"sort": {params: params("reverse case_sensitive attribute"), call: func(r *run, in any, args []any) (any, error) {
			items, err := r.iterate(in)
			if err != nil {
				return nil, err
			}
			return r.sorted(items, foldedKey(args[2], args[1]), flag(args[0]))
		}},
		"sum":    {params: params("attribute start"), call: sum},
		"unique": {params: params("case_sensitive attribute"), call: unique},
	}
}

// foldedKey is what sort, min, max and unique compare: an attribute or the
// item itself, without case unless asked for.
func foldedKey(path, caseSensitive any) func(any) (any, error) {
	return func(item any) (any, error) {
		v, err := attributeOf(item, path)
		if s, ok := v.(string); ok && !flag(caseSensitive) {
			return strings.ToLower(s), err
		}
		return v, err
	}
}

func (r *run) pick(in any, what string, of func([]any) any) (any, error) {
	items, err := r.iterate(in)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return &undefined{path: "the " + what + " item", why: "there are none"}, nil
	}
	return of(items), nil
}

// items are the [key, value] pairs of a dict.
func (r *run) items(in any) (any, error) {
	d, ok := in.(map[string]any)
	if !ok {
		return nil, typeFault("a %s has no items", typeName(in))
	}
	if err := r.entries(3 * len(d)); err != nil {
		return nil, err
	}
	out := make([]any, 0, len(d))
	for _, k := range sortedKeys(d) {
		out = append(out, []any{k, d[k]})
	}
	return out, nil
}

func batch(r *run, in any, args []any) (any, error) {
	items, err := r.iterate(in)
	if err != nil {
		return nil, err
	}
	size, err := intArgument(args[0], 0)
	if err != nil {
		return nil, err
	}
	if size < 1 {
		return nil, typeFault("batch needs a size of at least 1")
	}
	if err := r.entries(len(items) + min(size, MaxOutput)); err != nil {
		return nil, err
	}
	out := []any{}
	for len(items) > 0 {
		n := min(size, len(items))
		row := append([]any{}, items[:n]...)
		for given(args[1]) && len(row) < size {
			row = append(row, args[1])
		}
		out, items = append(out, row), items[n:]
	}
	return out, nil
}

// sliced cuts a list into a number of lists of about the same length.
func sliced(r *run, in any, args []any) (any, error) {
	items, err := r.iterate(in)
	if err != nil {
		return nil, err
	}
	count, err := intArgument(args[0], 0)
	if err != nil {
		return nil, err
	}
	if count < 1 {
		return nil, typeFault("slice needs at least 1 slice")
	}
	if err := r.entries(2*count + len(items)); err != nil {
		return nil, err
	}
	size, longer := len(items)/count, len(items)%count
	out := make([]any, 0, count)
	for i := range count {
		n := size
		if i < longer {
			n++
		}
		row := append([]any{}, items[:n]...)
		items = items[n:]
		if given(args[1]) && i >= longer {
			row = append(row, args[1])
		}
		out = append(out, row)
	}
	return out, nil
}

func dictsort(r *run, in any, args []any) (any, error) {
	items, err := r.items(in)
	if err != nil {
		return nil, err
	}
	by, err := textArgument(args[1], "key")
	if err != nil {
		return nil, err
	}
	index := map[string]int64{"key": 0, "value": 1}
	i, ok := index[by]
	if !ok {
		return nil, typeFault("dictsort sorts by 'key' or 'value', not by %s", quote(by))
	}
	return r.sorted(items.([]any), foldedKey(i, args[0]), flag(args[2]))
}

func groupby(r *run, in any, args []any) (any, error) {
	items, err := r.iterate(in)
	if err != nil {
		return nil, err
	}
	keyOf := func(item any) (any, error) {
		v, err := attribute(item, args[0])
		if u, missing := v.(*undefined); missing {
			if args[1] == absent {
				return nil, u.fault()
			}
			return args[1], nil
		}
		if s, ok := v.(string); ok {
			return strings.ToLower(s), err
		}
		return v, err
	}
	items, err = r.sorted(items, keyOf, false)
	if err != nil {
		return nil, err
	}
	if err := r.entries(3 * len(items)); err != nil {
		return nil, err
	}
	out := []any{}
	var last any
	for _, item := range items {
		k, err := keyOf(item)
		if err != nil {
			return nil, err
		}
		if len(out) > 0 {
			same, err := r.equal(k, last, 0)
			if err != nil {
				return nil, err
			}
			if same {
				group := out[len(out)-1].([]any)
				group[1] = append(group[1].([]any), item)
				continue
			}
		}
		shown, err := attribute(item, args[0])
		if err != nil {
			return nil, err
		}
		if _, missing := shown.(*undefined); missing {
			shown = args[1]
		}
		out, last = append(out, []any{shown, []any{item}}), k
	}
	return out, nil
}

func join(r *run, in any, args []any) (any, error) {
	items, err := r.iterate(in)
	if err != nil {
		return nil, err
	}
	separator := ""
	if given(args[0]) {
		if separator, err = r.text(args[0]); err != nil {
			return nil, err
		}
	}
	var b strings.Builder
	for i, item := range items {
		if item, err = attributeOf(item, args[1]); err != nil {
			return nil, err
		}
		text, err := r.text(item)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			text = separator + text
		}
		if b.Len()+len(text) > MaxOutput {
			return nil, r.make(MaxOutput + 1)
		}
		if err := r.make(len(text)); err != nil {
			return nil, err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// mapped is map('filter', args) and map(attribute='a.b', default=x).
func mapped(r *run, in any, args []any) (any, error) {
	items, err := r.iterate(in)
	if err != nil {
		return nil, err
	}
	if err := r.entries(len(items)); err != nil {
		return nil, err
	}
	var f filter
	filterName, rest := "", arguments{}
	if !given(args[2]) {
		if err := needed(args[0], "a filter's name or attribute="); err != nil {
			return nil, err
		}
		if filterName, err = textArgument(args[0], ""); err != nil {
			return nil, err
		}
		known := false
		if f, known = filters()[filterName]; !known {
			return nil, typeFault("unknown filter %s", quote(filterName))
		}
		rest.list, _ = args[1].([]any)
	}
	out := make([]any, len(items))
	for i, item := range items {
		if filterName != "" {
			if out[i], err = r.filter(filterName, &f, item, rest); err != nil {
				return nil, err
			}
		} else if out[i], err = attribute(item, args[2]); err != nil {
			return nil, err
		}
		if u, missing := out[i].(*undefined); missing {
			if args[3] == absent {
				return nil, u.fault()
			}
			out[i] = args[3]
		}
		if err := r.spend(1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// choose keeps the items, or an attribute of which, pass a test.
func (r *run) choose(in, path any, args []any, keep bool) (any, error) {
	items, err := r.iterate(in)
	if err != nil {
		return nil, err
	}
	if err := r.entries(len(items)); err != nil {
		return nil, err
	}
	testName, err := textArgument(args[0], "")
	if err != nil {
		return nil, err
	}
	t, known := tests()[testName]
	if testName != "" && !known {
		return nil, typeFault("unknown test %s", quote(testName))
	}
	rest, _ := args[1].([]any)
	out := []any{}
	for _, item := range items {
		v := item
		if path != nil {
			if v, err = attribute(item, path); err != nil {
				return nil, err
			}
		}
		if u, missing := v.(*undefined); missing && !t.undefined {
			return nil, u.fault()
		}
		passed := any(truth(v))
		if known {
			if passed, err = r.test(testName, &t, v, arguments{list: rest}); err != nil {
				return nil, err
			}
		}
		if err := r.spend(1); err != nil {
			return nil, err
		}
		if passed == keep {
			out = append(out, item)
		}
	}
	return out, nil
}

func (r *run) extreme(in any, args []any, sign int) (any, error) {
	items, err := r.iterate(in)
	if err != nil {
		return nil, err
	}
	keyOf := foldedKey(args[1], args[0])
	var best, bestKey any
	for i, item := range items {
		k, err := keyOf(item)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			best, bestKey = item, k
			continue
		}
		order, err := r.order(k, bestKey, 0)
		if err != nil {
			return nil, err
		}
		if order == sign {
			best, bestKey = item, k
		}
	}
	if len(items) == 0 {
		return &undefined{path: "the largest or smallest item", why: "there are none"}, nil
	}
	return best, nil
}

func sum(r *run, in any, args []any) (any, error) {
	items, err := r.iterate(in)
	if err != nil {
		return nil, err
	}
	total := any(int64(0))
	if given(args[1]) {
		total = args[1]
	}
	for _, item := range items {
		v, err := attributeOf(item, args[0])
		if err != nil {
			return nil, err
		}
		if total, err = arithmetic(r, "+", total, v); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func unique(r *run, in any, args []any) (any, error) {
	items, err := r.iterate(in)
	if err != nil {
		return nil, err
	}
	if err := r.entries(2 * len(items)); err != nil {
		return nil, err
	}
	keyOf := foldedKey(args[1], args[0])
	seenTexts, seen := map[string]bool{}, []any{}
	out := []any{}
	for _, item := range items {
		k, err := keyOf(item)
		if err != nil {
			return nil, err
		}
		if s, ok := k.(string); ok {
			if !seenTexts[s] {
				out = append(out, item)
			}
			seenTexts[s] = true
			continue
		}
		found, err := r.contains(seen, k)
		if err != nil {
			return nil, err
		}
		if !found {
			seen, out = append(seen, k), append(out, item)
		}
	}
	return out, nil
}
