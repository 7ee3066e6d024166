package expression

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// filter is value|name(args). Its arguments come in the order of params, and
// are absent where not given; a last param "*" takes all that remain.
type filter struct {
	params    []string
	undefined bool // it may be given *undefined
	call      func(r *run, in any, args []any) (any, error)
}

// filterTable is filled on first use, because map and select look filters up
// in it, which a plain initialisation would refuse as a cycle.
var (
	filterTable map[string]filter
	filterOnce  sync.Once
)

func filters() map[string]filter {
	filterOnce.Do(func() {
		filterTable = map[string]filter{}
		for _, group := range []map[string]filter{valueFilters(), textFilters(), listFilters(), jsonFilters(), stackStormFilters(), versionFilters()} {
			for n, f := range group {
				filterTable[n] = f
			}
		}
	})
	return filterTable
}

func params(names string) []string { return strings.Fields(names) }

// on makes a filter of a function on texts; other values are made text first.
func on(names string, call func(r *run, s string, args []any) (any, error)) filter {
	return filter{params: params(names), call: func(r *run, in any, args []any) (any, error) {
		s, err := r.text(in)
		if err != nil {
			return nil, err
		}
		if err := r.make(len(s)); err != nil {
			return nil, err
		}
		return call(r, s, args)
	}}
}

func plain(call func(string) string) filter {
	return on("", func(r *run, s string, _ []any) (any, error) { return r.made(call(s)) })
}

// The accessors of arguments: what was not given takes the value otherwise.

func textArgument(v any, otherwise string) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case *absentArgument, nil:
		return otherwise, nil
	}
	return "", typeFault("expected a str as argument, not a %s", typeName(v))
}

func intArgument(v any, otherwise int) (int, error) {
	if v == absent || v == nil {
		return otherwise, nil
	}
	i, ok := integer(v)
	if !ok {
		return 0, typeFault("expected an int as argument, not a %s", typeName(v))
	}
	return int(min(max(i, math.MinInt32), math.MaxInt32)), nil
}

func flag(v any) bool { return v != absent && truth(v) }

func given(v any) bool { return v != absent && v != nil }

func needed(v any, what string) error {
	if v == absent {
		return typeFault("the argument %s is missing", what)
	}
	return nil
}

var defaultFilter = filter{params: params("default_value boolean"), undefined: true, call: func(r *run, in any, args []any) (any, error) {
	_, missing := in.(*undefined)
	if !missing && (!flag(args[1]) || truth(in)) {
		return in, nil
	}
	if args[0] == absent {
		return "", nil
	}
	return args[0], nil
}}

var lengthFilter = filter{call: func(r *run, in any, _ []any) (any, error) { return r.length(in) }}

func valueFilters() map[string]filter {
	return map[string]filter{
		"abs": {call: func(r *run, in any, _ []any) (any, error) {
			if f, ok := in.(float64); ok {
				return math.Abs(f), nil
			}
			if i, ok := integer(in); ok {
				if i < 0 {
					return integers("-", 0, i)
				}
				return i, nil
			}
			return nil, typeFault("a %s has no absolute value", typeName(in))
		}},
		"attr": {params: params("name"), call: func(r *run, in any, args []any) (any, error) {
			return attribute(in, args[0])
		}},
		"count":   lengthFilter,
		"d":       defaultFilter,
		"default": defaultFilter,
		"float": {params: params("default"), call: func(r *run, in any, args []any) (any, error) {
			if isNumber(in) {
				return float(in), nil
			}
			if s, ok := in.(string); ok {
				if f, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
					return f, nil
				}
			}
			if given(args[0]) {
				return args[0], nil
			}
			return 0.0, nil
		}},
		"int":    {params: params("default base"), call: toInt},
		"length": lengthFilter,
		"round":  {params: params("precision method"), call: round},
		"safe":   {call: func(_ *run, in any, _ []any) (any, error) { return in, nil }},
		"string": {call: func(r *run, in any, _ []any) (any, error) { return r.text(in) }},
		// StackStorm marks null with a magic text here, so that it survives its
		// own text rendering; a native null needs no mark.
		"use_none": {call: func(_ *run, in any, _ []any) (any, error) { return in, nil }},
	}
}

func toInt(r *run, in any, args []any) (any, error) {
	base, err := intArgument(args[1], 10)
	if err != nil {
		return nil, err
	}
	if i, ok := integer(in); ok {
		return i, nil
	}
	f, number := in.(float64)
	if s, ok := in.(string); ok {
		s = strings.TrimSpace(s)
		digits := s
		if base == 16 || base == 8 || base == 2 {
			digits = strings.TrimPrefix(strings.ToLower(s), map[int]string{16: "0x", 8: "0o", 2: "0b"}[base])
		}
		if base >= 2 && base <= 36 {
			if i, err := strconv.ParseInt(digits, base, 64); err == nil {
				return i, nil
			}
		}
		f, err = strconv.ParseFloat(s, 64)
		number = err == nil
	}
	if number && f >= -1<<63 && f < 1<<63 {
		return int64(f), nil
	}
	if args[0] == absent {
		return int64(0), nil
	}
	return args[0], nil
}

func round(r *run, in any, args []any) (any, error) {
	precision, err := intArgument(args[0], 0)
	if err != nil {
		return nil, err
	}
	method, err := textArgument(args[1], "common")
	if err != nil {
		return nil, err
	}
	if !isNumber(in) {
		return nil, typeFault("a %s cannot be rounded", typeName(in))
	}
	precision = min(max(precision, -300), 300)
	scale := math.Pow(10, float64(precision))
	switch i, whole := integer(in); {
	case method == "ceil":
		return math.Ceil(float(in)*scale) / scale, nil
	case method == "floor":
		return math.Floor(float(in)*scale) / scale, nil
	case method != "common":
		return nil, typeFault("round knows common, ceil and floor, not %s", quote(method))
	case whole && precision >= 0:
		return i, nil
	case whole:
		return int64(math.RoundToEven(float64(i)*scale) / scale), nil
	case precision < 0:
		return math.RoundToEven(float(in)*scale) / scale, nil
	}
	return strconv.ParseFloat(strconv.FormatFloat(float(in), 'f', precision, 64), 64)
}

var escapeFilter = plain(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&#39;", `"`, "&#34;").Replace)

func textFilters() map[string]filter {
	return map[string]filter{
		"basename":   plain(func(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }),
		"capitalize": plain(capitalize),
		"center": on("width", func(r *run, s string, args []any) (any, error) {
			width, err := intArgument(args[0], 80)
			if err != nil {
				return nil, err
			}
			fill := max(width-utf8.RuneCountInString(s), 0)
			if err := r.make(len(s) + fill); err != nil {
				return nil, err
			}
			left := fill/2 + (fill & width & 1)
			return strings.Repeat(" ", left) + s + strings.Repeat(" ", fill-left), nil
		}),
		"dirname":     plain(dirname),
		"e":           escapeFilter,
		"escape":      escapeFilter,
		"forceescape": escapeFilter,
		"format": on("*", func(r *run, s string, args []any) (any, error) {
			values, _ := args[0].([]any)
			return r.percent(s, values, nil)
		}),
		"indent": on("width first blank", indent),
		"lower":  plain(strings.ToLower),
		"replace": on("old new count", func(r *run, s string, args []any) (any, error) {
			return r.replace(s, args)
		}),
		"title": plain(func(s string) string {
			return titled(s, func(c rune) bool { return unicode.IsSpace(c) || strings.ContainsRune("-({[<", c) })
		}),
		"trim": on("chars", func(r *run, s string, args []any) (any, error) { return strip(s, args[0], true, true) }),
		"truncate": on("length killwords end leeway", func(r *run, s string, args []any) (any, error) {
			return truncate(s, args)
		}),
		"upper":     plain(strings.ToUpper),
		"urlencode": {call: urlencode},
		"wordcount": on("", func(_ *run, s string, _ []any) (any, error) {
			return int64(len(strings.FieldsFunc(s, func(c rune) bool { return c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) }))), nil
		}),
	}
}

func capitalize(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:size]) + strings.ToLower(s[size:])
}

// dirname is Python's os.path.dirname.
func dirname(s string) string {
	head := s[:strings.LastIndexByte(s, '/')+1]
	if bare := strings.TrimRight(head, "/"); bare != "" {
		return bare
	}
	return head
}

// titled writes the first letter behind each separator large, others small.
func titled(s string, separates func(rune) bool) string {
	start := true
	return strings.Map(func(c rune) rune {
		first := start
		if start = separates(c); first && !start {
			return unicode.ToUpper(c)
		}
		return unicode.ToLower(c)
	}, s)
}

func indent(r *run, s string, args []any) (any, error) {
	by, isText := args[0].(string)
	if !isText {
		width, err := intArgument(args[0], 4)
		if err != nil {
			return nil, err
		}
		if width > maxWidth {
			return nil, budgetFault("an indent is wider than %d", maxWidth)
		}
		by = strings.Repeat(" ", max(width, 0))
	}
	lines := strings.Split(s, "\n")
	if err := r.make(len(s) + len(lines)*len(by)); err != nil {
		return nil, err
	}
	for i, line := range lines {
		if (i == 0 && flag(args[1])) || (i > 0 && (line != "" || flag(args[2]))) {
			lines[i] = by + line
		}
	}
	return strings.Join(lines, "\n"), nil
}

func (r *run) replace(s string, args []any) (any, error) {
	if err := needed(args[1], "new"); err != nil {
		return nil, err
	}
	old, err := r.text(args[0])
	if err != nil {
		return nil, err
	}
	text, err := r.text(args[1])
	if err != nil {
		return nil, err
	}
	count, err := intArgument(args[2], -1)
	if err != nil {
		return nil, err
	}
	found := strings.Count(s, old)
	if count >= 0 {
		found = min(found, count)
	}
	if len(text) > 0 && found > MaxOutput/len(text) {
		return nil, r.make(MaxOutput + 1)
	}
	if err := r.make(len(s) + found*len(text)); err != nil {
		return nil, err
	}
	return strings.Replace(s, old, text, count), nil
}

// strip removes characters, or white space, from the ends of a text.
func strip(s string, chars any, left, right bool) (any, error) {
	set, err := textArgument(chars, "")
	if err != nil {
		return nil, err
	}
	cut := unicode.IsSpace
	if given(chars) {
		cut = func(c rune) bool { return strings.ContainsRune(set, c) }
	}
	if left {
		s = strings.TrimLeftFunc(s, cut)
	}
	if right {
		s = strings.TrimRightFunc(s, cut)
	}
	return s, nil
}

func truncate(s string, args []any) (any, error) {
	length, err := intArgument(args[0], 255)
	if err != nil {
		return nil, err
	}
	end, err := textArgument(args[2], "...")
	if err != nil {
		return nil, err
	}
	leeway, err := intArgument(args[3], 5)
	if err != nil {
		return nil, err
	}
	chars := []rune(s)
	keep := length - utf8.RuneCountInString(end)
	if keep < 0 || leeway < 0 {
		return nil, typeFault("truncate needs a length of at least that of its end, and a leeway of at least 0")
	}
	if len(chars) <= length+leeway {
		return s, nil
	}
	head := string(chars[:keep])
	if i := strings.LastIndexByte(head, ' '); i >= 0 && !flag(args[1]) {
		head = head[:i]
	}
	return head + end, nil
}

func urlencode(r *run, in any, _ []any) (any, error) {
	var b strings.Builder
	put := func(v any, safe string) error {
		s, err := r.text(v)
		if err != nil {
			return err
		}
		if err := r.make(b.Len() + 3*len(s)); err != nil {
			return err
		}
		const hex = "0123456789ABCDEF"
		for i := range len(s) {
			c := s[i]
			switch {
			case isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte("-._~", c) >= 0 || strings.IndexByte(safe, c) >= 0:
				b.WriteByte(c)
			case c == ' ' && safe == "":
				b.WriteByte('+')
			default:
				b.Write([]byte{'%', hex[c>>4], hex[c&15]})
			}
		}
		return nil
	}
	d, ok := in.(map[string]any)
	if !ok {
		err := put(in, "/")
		return b.String(), err
	}
	for i, k := range sortedKeys(d) {
		if i > 0 {
			b.WriteByte('&')
		}
		if err := put(k, ""); err != nil {
			return nil, err
		}
		b.WriteByte('=')
		if err := put(d[k], ""); err != nil {
			return nil, err
		}
	}
	return b.String(), nil
}

// attribute follows a path such as a.b.0, as the filters' attribute= does.
func attribute(v any, path any) (any, error) {
	var steps []key
	switch p := path.(type) {
	case int64:
		steps = []key{{index: p, isIndex: true}}
	case string:
		for _, part := range strings.Split(p, ".") {
			k := key{name: part}
			if i, err := strconv.ParseInt(part, 10, 64); err == nil {
				k = key{index: i, isIndex: true}
			}
			steps = append(steps, k)
		}
	default:
		return nil, typeFault("an attribute is named by a str or an int")
	}
	for i, k := range steps {
		var err error
		if v, err = normal(v); err != nil {
			return nil, err
		}
		next, ok := member(v, k)
		if !ok {
			u := &undefined{path: shorten(asText(path), 100), why: whyMissing("a "+typeName(v), v, k)}
			if i < len(steps)-1 {
				return nil, u.fault()
			}
			return u, nil
		}
		v = next
	}
	return normal(v)
}

func asText(path any) string {
	if s, ok := path.(string); ok {
		return s
	}
	i, _ := integer(path)
	return strconv.FormatInt(i, 10)
}

// attributeOf is attribute, or v itself when no path was given; a missing one
// is an error.
func attributeOf(v, path any) (any, error) {
	if !given(path) {
		return normal(v)
	}
	out, err := attribute(v, path)
	if u, missing := out.(*undefined); missing {
		return nil, u.fault()
	}
	return out, err
}

// sorted sorts items by a key of each; the sort is stable.
func (r *run) sorted(items []any, keyOf func(any) (any, error), reverse bool) ([]any, error) {
	if err := r.entries(2 * len(items)); err != nil {
		return nil, err
	}
	type pair struct{ key, item any }
	pairs := make([]pair, len(items))
	for i, item := range items {
		k, err := keyOf(item)
		if err != nil {
			return nil, err
		}
		pairs[i] = pair{k, item}
	}
	var failed error
	slices.SortStableFunc(pairs, func(a, b pair) int {
		if failed != nil {
			return 0
		}
		order, err := r.order(a.key, b.key, 0)
		if failed = err; order == unordered {
			order = 0
		}
		if reverse {
			return -order
		}
		return order
	})
	out := make([]any, len(pairs))
	for i, p := range pairs {
		out[i] = p.item
	}
	return out, failed
}
