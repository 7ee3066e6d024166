package expression

import (
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// method is value.name(args), as Python's types have them. Arguments come as
// for a filter. None changes its value.
type method struct {
	params []string
	call   func(r *run, of any, args []any) (any, error)
}

// methodOf finds a method of a value.
func methodOf(of any, name string) (method, bool) {
	m, ok := methodsOf(of)[name]
	return m, ok
}

func methodsOf(of any) map[string]method {
	switch of.(type) {
	case string:
		return textMethods
	case map[string]any:
		return dictMethods
	case []any:
		return listMethods
	case *loop:
		return loopMethods
	}
	return nil
}

func suggestMethod(of any, wrong string) string {
	if wrong == "append" || wrong == "extend" || wrong == "update" || wrong == "pop" {
		return "values cannot be changed; build a new one, as in {% set ns.all = ns.all + [x] %} with a namespace"
	}
	var names []string
	for n := range methodsOf(of) {
		names = append(names, n)
	}
	if len(names) == 0 {
		return ""
	}
	sort.Strings(names)
	return "it has " + strings.Join(names, ", ")
}

// onText makes a method of a function on texts.
func onText(names string, call func(r *run, s string, args []any) (any, error)) method {
	return method{params(names), func(r *run, of any, args []any) (any, error) {
		s := of.(string)
		if err := r.make(len(s)); err != nil {
			return nil, err
		}
		return call(r, s, args)
	}}
}

func changing(to func(string) string) method {
	return onText("", func(r *run, s string, _ []any) (any, error) { return r.made(to(s)) })
}

// holding is true when s is not empty and all its characters pass.
func holding(pass func(rune) bool) method {
	return onText("", func(_ *run, s string, _ []any) (any, error) {
		return s != "" && strings.IndexFunc(s, func(c rune) bool { return !pass(c) }) < 0, nil
	})
}

func stripping(left, right bool) method {
	return onText("chars", func(_ *run, s string, args []any) (any, error) { return strip(s, args[0], left, right) })
}

// affixed is startswith and endswith: one text or a tuple of them.
func affixed(has func(s, affix string) bool) method {
	return onText("affix", func(r *run, s string, args []any) (any, error) {
		list, many := args[0].([]any)
		if !many {
			list = args[:1]
		}
		for _, v := range list {
			if err := r.spend(1); err != nil {
				return nil, err
			}
			affix, ok := v.(string)
			if !ok {
				return nil, typeFault("expected a str as argument, not a %s", typeName(v))
			}
			if has(s, affix) {
				return true, nil
			}
		}
		return false, nil
	})
}

// removing is removeprefix and removesuffix.
func removing(cut func(s, affix string) string) method {
	return onText("affix", func(_ *run, s string, args []any) (any, error) {
		affix, err := textArgument(args[0], "")
		return cut(s, affix), err
	})
}

// finding is find, rfind and index; the result counts characters.
func finding(index func(s, sub string) int, must bool) method {
	return onText("sub", func(_ *run, s string, args []any) (any, error) {
		sub, err := textArgument(args[0], "")
		if err != nil {
			return nil, err
		}
		i := index(s, sub)
		if i < 0 {
			if must {
				return nil, typeFault("%s is not in the str", quote(shorten(sub, 40)))
			}
			return int64(-1), nil
		}
		return int64(utf8.RuneCountInString(s[:i])), nil
	})
}

// padding is ljust, rjust and zfill.
func padding(build func(s, fill string) string, with string) method {
	return onText("width fill", func(r *run, s string, args []any) (any, error) {
		width, err := intArgument(args[0], 0)
		if err != nil {
			return nil, err
		}
		fill, err := textArgument(args[1], with)
		if err != nil {
			return nil, err
		}
		missing := max(width-utf8.RuneCountInString(s), 0)
		if utf8.RuneCountInString(fill) != 1 {
			return nil, typeFault("the fill must be one character")
		}
		if err := r.make(len(s) + min(missing, MaxOutput+1)*len(fill)); err != nil {
			return nil, err
		}
		return build(s, strings.Repeat(fill, missing)), nil
	})
}

var textMethods = map[string]method{
	"capitalize":   changing(capitalize),
	"count":        onText("sub", countText),
	"endswith":     affixed(strings.HasSuffix),
	"find":         finding(strings.Index, false),
	"format":       onText("*", func(r *run, s string, args []any) (any, error) { list, _ := args[0].([]any); return r.braces(s, list) }),
	"index":        finding(strings.Index, true),
	"isalnum":      holding(func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }),
	"isalpha":      holding(unicode.IsLetter),
	"isdigit":      holding(unicode.IsDigit),
	"isnumeric":    holding(unicode.IsNumber),
	"isspace":      holding(unicode.IsSpace),
	"join":         {params("items"), func(r *run, of any, args []any) (any, error) { return join(r, args[0], []any{of, absent}) }},
	"ljust":        padding(func(s, fill string) string { return s + fill }, " "),
	"lower":        changing(strings.ToLower),
	"lstrip":       stripping(true, false),
	"removeprefix": removing(strings.TrimPrefix),
	"removesuffix": removing(strings.TrimSuffix),
	"replace":      onText("old new count", func(r *run, s string, args []any) (any, error) { return r.replace(s, args) }),
	"rfind":        finding(strings.LastIndex, false),
	"rjust":        padding(func(s, fill string) string { return fill + s }, " "),
	"rsplit":       onText("sep maxsplit", func(r *run, s string, args []any) (any, error) { return r.split(s, args, true) }),
	"rstrip":       stripping(false, true),
	"split":        onText("sep maxsplit", func(r *run, s string, args []any) (any, error) { return r.split(s, args, false) }),
	"splitlines": onText("", func(r *run, s string, _ []any) (any, error) {
		lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
		if lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		return r.texts(lines)
	}),
	"startswith": affixed(strings.HasPrefix),
	"strip":      stripping(true, true),
	"title":      changing(func(s string) string { return titled(s, func(c rune) bool { return !unicode.IsLetter(c) }) }),
	"upper":      changing(strings.ToUpper),
	"zfill": padding(func(s, fill string) string {
		if s != "" && (s[0] == '-' || s[0] == '+') {
			return s[:1] + fill + s[1:]
		}
		return fill + s
	}, "0"),
}

func countText(_ *run, s string, args []any) (any, error) {
	sub, err := textArgument(args[0], "")
	return int64(strings.Count(s, sub)), err
}

// texts makes a list of texts that were counted already.
func (r *run) texts(list []string) (any, error) {
	if err := r.entries(len(list)); err != nil {
		return nil, err
	}
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out, nil
}

// split is Python's split and, from the right, rsplit.
func (r *run) split(s string, args []any, right bool) (any, error) {
	limit, err := intArgument(args[1], -1)
	if err != nil {
		return nil, err
	}
	if limit < 0 {
		limit = len(s)
	}
	separator, err := textArgument(args[0], "")
	if err != nil {
		return nil, err
	}
	if given(args[0]) && separator == "" {
		return nil, typeFault("the separator is empty")
	}
	if err := r.entries(min(len(s), MaxOutput/bytesPerEntry)); err != nil {
		return nil, err
	}
	next := func(rest string) (start, end int) { // the separator's place, or -1
		if right {
			start = strings.LastIndex(rest, separator)
		} else {
			start = strings.Index(rest, separator)
		}
		return start, start + len(separator)
	}
	if separator == "" {
		trim := strings.TrimLeftFunc
		if right {
			trim = strings.TrimRightFunc
		}
		s = trim(s, unicode.IsSpace)
		next = func(rest string) (start, end int) { return spaces(rest, right) }
	}
	var out []string
	for len(out) < limit {
		start, end := next(s)
		if start < 0 {
			break
		}
		if right {
			out, s = append(out, s[end:]), s[:start]
		} else {
			out, s = append(out, s[:start]), s[end:]
		}
	}
	if s != "" || separator != "" {
		out = append(out, s)
	}
	if right {
		slices.Reverse(out)
	}
	return r.texts(out)
}

// spaces finds the first or last run of white space.
func spaces(s string, last bool) (start, end int) {
	if last {
		tail := strings.LastIndexFunc(s, unicode.IsSpace)
		if tail < 0 {
			return -1, -1
		}
		_, size := utf8.DecodeRuneInString(s[tail:])
		return len(strings.TrimRightFunc(s[:tail+size], unicode.IsSpace)), tail + size
	}
	start = strings.IndexFunc(s, unicode.IsSpace)
	if start < 0 {
		return -1, -1
	}
	return start, len(s) - len(strings.TrimLeftFunc(s[start:], unicode.IsSpace))
}

var dictMethods = map[string]method{
	"get": {params("key default"), func(_ *run, of any, args []any) (any, error) {
		k, err := keyOf(args[0])
		if err != nil {
			return nil, err
		}
		if v, ok := member(of, k); ok {
			return v, nil
		}
		if args[1] == absent {
			return nil, nil
		}
		return args[1], nil
	}},
	"items":     {nil, func(r *run, of any, _ []any) (any, error) { return r.items(of) }},
	"iteritems": {nil, func(r *run, of any, _ []any) (any, error) { return r.items(of) }},
	"keys":      {nil, func(r *run, of any, _ []any) (any, error) { return r.iterate(of) }},
	"values": {nil, func(r *run, of any, _ []any) (any, error) {
		d := of.(map[string]any)
		if err := r.entries(2 * len(d)); err != nil {
			return nil, err
		}
		out := make([]any, 0, len(d))
		for _, k := range sortedKeys(d) {
			out = append(out, d[k])
		}
		return out, nil
	}},
}

// keyOf turns a value into what a look-up asks for.
func keyOf(v any) (key, error) {
	switch v := v.(type) {
	case string:
		return key{name: v}, nil
	case int64:
		return key{index: v, isIndex: true}, nil
	}
	return key{}, typeFault("a %s cannot be a key or an index", typeName(v))
}

var listMethods = map[string]method{
	"count": {params("item"), func(r *run, of any, args []any) (any, error) {
		count := int64(0)
		for _, v := range of.([]any) {
			same, err := r.equal(v, args[0], 0)
			if err != nil {
				return nil, err
			}
			if same {
				count++
			}
		}
		return count, nil
	}},
	"index": {params("item"), func(r *run, of any, args []any) (any, error) {
		for i, v := range of.([]any) {
			if same, err := r.equal(v, args[0], 0); err != nil || same {
				return int64(i), err
			}
		}
		return nil, typeFault("the item is not in the list")
	}},
}

var loopMethods = map[string]method{
	"cycle": {params("*"), func(_ *run, of any, args []any) (any, error) {
		list, _ := args[0].([]any)
		if len(list) == 0 {
			return nil, typeFault("cycle needs values")
		}
		return list[of.(*loop).index%len(list)], nil
	}},
}
