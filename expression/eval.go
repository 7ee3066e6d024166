package expression

import "fmt"

func (n *constant) eval(*run) (any, error) { return n.value, nil }

func (n *name) eval(r *run) (any, error) {
	if v, ok := r.find(n.name); ok {
		return v, nil
	}
	return &undefined{path: n.name}, nil
}

func (n *lookup) eval(r *run) (any, error) {
	of, err := r.value(n.of)
	if err != nil {
		return nil, err
	}
	v, ok := member(of, n.key)
	if !ok {
		return missing(n, of), nil
	}
	return v, nil
}

// missing explains a look-up that found nothing in of.
func missing(n *lookup, of any) *undefined {
	return &undefined{path: pathOf(n), why: whyMissing(pathOf(n.of), of, n.key)}
}

func whyMissing(path string, of any, k key) string {
	switch of := of.(type) {
	case nil:
		return path + " is null"
	case map[string]any:
		return path + " has no key " + quote(k.name+indexText(k))
	case []any:
		if k.isIndex {
			return fmt.Sprintf("%s has %d items", path, len(of))
		}
		return fmt.Sprintf("%s is a list, it has no key %s", path, k)
	}
	return fmt.Sprintf("%s is a %s, it has no %s", path, typeName(of), k)
}

func indexText(k key) string {
	if k.isIndex {
		return k.String()
	}
	return ""
}

func (n *subscript) eval(r *run) (any, error) {
	of, err := r.value(n.of)
	if err != nil {
		return nil, err
	}
	k, err := r.value(n.key)
	if err != nil {
		return nil, err
	}
	asked, err := keyOf(k)
	if err != nil {
		return nil, err
	}
	v, ok := member(of, asked)
	if !ok {
		return &undefined{path: pathOf(n), why: whyMissing(pathOf(n.of), of, asked)}, nil
	}
	return v, nil
}

func (n *slicing) eval(r *run) (any, error) {
	of, err := r.value(n.of)
	if err != nil {
		return nil, err
	}
	var bounds [3]*int64
	for i, b := range []node{n.start, n.stop, n.step} {
		if b == nil {
			continue
		}
		v, err := r.value(b)
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		index, ok := v.(int64)
		if !ok {
			return nil, locate(r.source, b.at(), typeFault("a slice bound must be an int, not a %s", typeName(v)))
		}
		bounds[i] = &index
	}
	if text, ok := of.(string); ok {
		if err := r.make(len(text)); err != nil {
			return nil, err
		}
		picked, err := slice([]rune(text), bounds)
		if err != nil {
			return nil, err
		}
		return r.made(string(picked))
	}
	items, ok := of.([]any)
	if !ok {
		return nil, typeFault("a %s cannot be sliced", typeName(of))
	}
	picked, err := slice(items, bounds)
	if err != nil {
		return nil, err
	}
	return picked, r.entries(len(picked))
}

// slice picks items[start:stop:step] as Python does.
func slice[T any](items []T, bounds [3]*int64) ([]T, error) {
	size := int64(len(items))
	step := int64(1)
	if bounds[2] != nil {
		step = *bounds[2]
	}
	if step == 0 {
		return nil, typeFault("slice step cannot be zero")
	}
	low, high := int64(0), size
	if step < 0 {
		low, high = -1, size-1
	}
	bound := func(given *int64, otherwise int64) int64 {
		if given == nil {
			return otherwise
		}
		i := *given
		if i < 0 {
			i += size
		}
		return min(max(i, low), high)
	}
	start, stop := bound(bounds[0], low), bound(bounds[1], high)
	if step < 0 {
		start, stop = bound(bounds[0], high), bound(bounds[1], low)
	}
	step = min(max(step, -size-1), size+1)
	out := []T{}
	for i := start; (step > 0 && i < stop) || (step < 0 && i > stop); i += step {
		out = append(out, items[i])
	}
	return out, nil
}

func (n *call) eval(r *run) (any, error) {
	if l, ok := n.target.(*lookup); ok && !l.key.isIndex {
		of, err := r.value(l.of)
		if err != nil {
			return nil, err
		}
		m, ok := methodOf(of, l.key.name)
		if !ok {
			return nil, &fault{
				kind: Undefined, path: pathOf(l),
				message: "a " + typeName(of) + " has no method " + quote(l.key.name),
				try:     suggestMethod(of, l.key.name),
			}
		}
		args, err := r.arguments(n.args, false)
		if err != nil {
			return nil, err
		}
		values, err := args.bind(l.key.name, m.params)
		if err != nil {
			return nil, err
		}
		return m.call(r, of, values)
	}
	target, err := r.value(n.target)
	if err != nil {
		return nil, err
	}
	args, err := r.arguments(n.args, false)
	if err != nil {
		return nil, err
	}
	switch target := target.(type) {
	case *function:
		return target.call(r, args)
	case *macro:
		return target.call(r, args)
	}
	return nil, typeFault("%s is a %s and cannot be called", pathOf(n.target), typeName(target))
}

func (n *filtered) eval(r *run) (any, error) {
	in, err := r.raw(n.of)
	if err != nil {
		return nil, err
	}
	if !n.filter.undefined {
		if in, err = r.present(in, n.of); err != nil {
			return nil, err
		}
	}
	args, err := r.arguments(n.args, n.filter.undefined)
	if err != nil {
		return nil, err
	}
	return r.filter(n.name, n.filter, in, args)
}

func (r *run) filter(name string, f *filter, in any, args arguments) (any, error) {
	values, err := args.bind(name, f.params)
	if err != nil {
		return nil, err
	}
	return f.call(r, in, values)
}

func (n *tested) eval(r *run) (any, error) {
	in, err := r.raw(n.of)
	if err != nil {
		return nil, err
	}
	if !n.test.undefined {
		if in, err = r.present(in, n.of); err != nil {
			return nil, err
		}
	}
	args, err := r.arguments(n.args, false)
	if err != nil {
		return nil, err
	}
	return r.test(n.name, n.test, in, args)
}

func (r *run) test(name string, t *test, in any, args arguments) (any, error) {
	values, err := args.bind(name, t.params)
	if err != nil {
		return nil, err
	}
	return t.call(r, in, values)
}

func (n *negation) eval(r *run) (any, error) {
	v, err := r.value(n.of)
	return !truth(v), err
}

func (n *sign) eval(r *run) (any, error) {
	v, err := r.value(n.of)
	if err != nil {
		return nil, err
	}
	if !n.negative {
		return arithmetic(r, "-", v, int64(0))
	}
	if f, ok := v.(float64); ok {
		return -f, nil
	}
	return arithmetic(r, "-", int64(0), v)
}

func (n *binary) eval(r *run) (any, error) {
	left, err := r.value(n.left)
	if err != nil {
		return nil, err
	}
	right, err := r.value(n.right)
	if err != nil {
		return nil, err
	}
	if format, ok := left.(string); ok && n.operator == "%" {
		args := []any{right}
		if s, ok := n.right.(*sequence); ok && s.tuple {
			args = right.([]any)
		}
		return r.percent(format, args, right)
	}
	return arithmetic(r, n.operator, left, right)
}

func (n *logic) eval(r *run) (any, error) {
	left, err := r.value(n.left)
	if err != nil || truth(left) == n.or {
		return left, err
	}
	return r.value(n.right)
}

func (n *comparison) eval(r *run) (any, error) {
	left, err := r.value(n.first)
	if err != nil {
		return nil, err
	}
	for i, operator := range n.operators {
		right, err := r.value(n.rest[i])
		if err != nil {
			return nil, err
		}
		ok, err := r.compare(operator, left, right)
		if err != nil || !ok {
			return false, err
		}
		left = right
	}
	return true, nil
}

func (n *conditional) eval(r *run) (any, error) {
	test, err := r.value(n.test)
	switch {
	case err != nil:
		return nil, err
	case truth(test):
		return r.raw(n.yes)
	case n.no == nil:
		return &undefined{path: "the inline if", lenient: true}, nil
	}
	return r.raw(n.no)
}

func (n *sequence) eval(r *run) (any, error) {
	if err := r.entries(len(n.items)); err != nil {
		return nil, err
	}
	out := make([]any, len(n.items))
	for i, item := range n.items {
		v, err := r.value(item)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (n *mapping) eval(r *run) (any, error) {
	if err := r.entries(len(n.keys)); err != nil {
		return nil, err
	}
	out := make(map[string]any, len(n.keys))
	for i := range n.keys {
		k, err := r.value(n.keys[i])
		if err != nil {
			return nil, err
		}
		switch k.(type) {
		case string, int64:
		default:
			return nil, typeFault("a dict key must be a str or an int, not a %s", typeName(k))
		}
		text, err := r.text(k)
		if err != nil {
			return nil, err
		}
		if out[text], err = r.value(n.values[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// arguments evaluates what a call is given.
func (r *run) arguments(nodes argumentNodes, missingOK bool) (arguments, error) {
	get := r.value
	if missingOK {
		get = r.raw
	}
	var out arguments
	for _, n := range nodes.list {
		v, err := get(n)
		if err != nil {
			return out, err
		}
		out.list = append(out.list, v)
	}
	for _, n := range nodes.named {
		v, err := get(n.value)
		if err != nil {
			return out, err
		}
		out.named = append(out.named, named{n.name, v})
	}
	return out, nil
}

// arguments are the values of a call.
type arguments struct {
	list  []any
	named []named
}

type named struct {
	name  string
	value any
}

// absentArgument marks a parameter that a call did not give.
type absentArgument struct{}

var absent any = &absentArgument{}

// bind puts arguments into the order of params; what is not given is absent.
// A parameter "*" takes all remaining arguments as one list.
func (a arguments) bind(name string, params []string) ([]any, error) {
	out := make([]any, len(params))
	for i := range out {
		out[i] = absent
	}
	for i, v := range a.list {
		if i < len(params) && params[i] == "*" {
			out[i] = a.list[i:]
			break
		}
		if i >= len(params) {
			return nil, typeFault("%s takes %d arguments, not %d", name, len(params), len(a.list))
		}
		out[i] = v
	}
next:
	for _, n := range a.named {
		for i, p := range params {
			if p == n.name {
				if out[i] != absent {
					return nil, typeFault("%s got %s twice", name, n.name)
				}
				out[i] = n.value
				continue next
			}
		}
		return nil, typeFault("%s has no parameter %s", name, quote(n.name))
	}
	return out, nil
}
