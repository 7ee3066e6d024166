package expression

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// toYAML lays values out as PyYAML's safe_dump does in block style: keys
// sorted, lists not indented below their key. Unlike it, it folds no long lines,
// and writes a text of several lines in double quotes; both read back the same.
func toYAML(r *run, in any, args []any) (any, error) {
	step, err := intArgument(args[0], 2)
	if err != nil {
		return nil, err
	}
	if step < 2 || step > 9 {
		step = 2 // as PyYAML has it
	}
	w := yamlWriter{run: r, step: step}
	if err := w.value(in, 0, 0); err != nil {
		return nil, err
	}
	w.text = append(w.text, '\n')
	if !strings.ContainsRune("\"'[{", rune(w.text[0])) && !isCollection(in) {
		w.text = append(w.text, "...\n"...) // ends a bare scalar
	}
	return r.made(string(w.text))
}

type yamlWriter struct {
	run  *run
	text []byte
	step int
}

// isCollection tells a list or dict that is written over several lines.
func isCollection(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return false
}

// value writes v from the present column on; what follows on other lines
// begins there too.
func (w *yamlWriter) value(v any, column, depth int) error {
	v, err := w.run.writable(v, depth, len(w.text))
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case []any:
		return w.list(v, column, depth)
	case map[string]any:
		return w.dict(v, column, depth)
	}
	return w.scalar(v)
}

func (w *yamlWriter) list(v []any, column, depth int) error {
	if len(v) == 0 {
		w.text = append(w.text, "[]"...)
	}
	for i, item := range v {
		if i > 0 {
			if err := w.line(column); err != nil {
				return err
			}
		}
		item, err := normal(item)
		if err != nil {
			return err
		}
		w.text = append(w.text, "- "...)
		if isCollection(item) {
			w.text = append(w.text, strings.Repeat(" ", w.step-2)...)
		}
		if err := w.value(item, column+w.step, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *yamlWriter) dict(v map[string]any, column, depth int) error {
	if len(v) == 0 {
		w.text = append(w.text, "{}"...)
	}
	if err := w.run.spend(len(v) * 4); err != nil {
		return err
	}
	for i, k := range sortedKeys(v) {
		if i > 0 {
			if err := w.line(column); err != nil {
				return err
			}
		}
		if err := w.scalar(k); err != nil {
			return err
		}
		w.text = append(w.text, ':')
		item, err := normal(v[k])
		if err != nil {
			return err
		}
		inner := column
		if _, isDict := item.(map[string]any); isDict {
			inner += w.step
		}
		if isCollection(item) {
			err = w.line(inner)
		} else {
			w.text = append(w.text, ' ')
		}
		if err != nil {
			return err
		}
		if err := w.value(item, inner, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *yamlWriter) line(column int) error {
	w.text = append(w.text, '\n')
	w.text = append(w.text, strings.Repeat(" ", column)...)
	return w.run.read(column)
}

func (w *yamlWriter) scalar(v any) error {
	switch v := v.(type) {
	case nil:
		w.text = append(w.text, "null"...)
	case bool:
		w.text = strconv.AppendBool(w.text, v)
	case int64:
		w.text = strconv.AppendInt(w.text, v, 10)
	case float64:
		w.text = append(w.text, yamlFloat(v)...)
	case string:
		if err := w.run.read(len(v)); err != nil {
			return err
		}
		w.string(v)
	default:
		return typeFault("a %s has no YAML", typeName(v))
	}
	return nil
}

func yamlFloat(f float64) string {
	switch text := floatText(f); {
	case text == "nan":
		return ".nan"
	case strings.HasSuffix(text, "inf"):
		return strings.Replace(text, "inf", ".inf", 1)
	case !strings.Contains(text, "."):
		return strings.Replace(text, "e", ".0e", 1)
	default:
		return text
	}
}

// yamlOther is what a reader of YAML 1.1 or 1.2 takes for something else than a
// text: null, booleans, numbers, dates, the merge key.
var yamlOther = regexp.MustCompile(`^(?:|~|null|Null|NULL|(?i:true|false|yes|no|on|off)|[-+]?\.(?i:inf)|\.(?i:nan)|<<|=` +
	`|[-+]?0[xXoObB][0-9a-fA-F_]+|[-+]?[0-9_]+(?::[0-9_]+)+(?:\.[0-9_]*)?` +
	`|[-+]?[0-9_]*\.?[0-9_]*(?:[eE][-+]?[0-9_]+)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?)$`)

// yamlIndicator is what a plain text must not begin with or hold.
var yamlIndicator = regexp.MustCompile("^[#,\\[\\]{}&*!|>'\"%@`]|^[-?:](?: |$)|^---|^\\.\\.\\.|: |:$| #|^ | $")

func (w *yamlWriter) string(s string) {
	switch {
	case strings.ContainsFunc(s, func(c rune) bool { return c != ' ' && !unicode.IsPrint(c) }):
		w.doubleQuoted(s)
	case yamlOther.MatchString(s) || yamlIndicator.MatchString(s):
		w.text = append(append(append(w.text, '\''), strings.ReplaceAll(s, "'", "''")...), '\'')
	default:
		w.text = append(w.text, s...)
	}
}

func (w *yamlWriter) doubleQuoted(s string) {
	const short, letters = "\"\\\x00\a\b\t\n\v\f\r\x1b\u0085\u00a0\u2028\u2029", `"\0abtnvfreN_LP`
	names := []rune(letters)
	w.text = append(w.text, '"')
	for _, c := range s {
		known := -1
		for i, special := range []rune(short) {
			if c == special {
				known = i
			}
		}
		switch {
		case known >= 0:
			w.text = append(w.text, '\\', byte(names[known]))
		case unicode.IsPrint(c):
			w.text = append(w.text, string(c)...)
		case c < 0x100:
			w.text = appendHex(append(w.text, `\x`...), c, 2)
		case c < 0x10000:
			w.text = appendHex(append(w.text, `\u`...), c, 4)
		default:
			w.text = appendHex(append(w.text, `\U`...), c, 8)
		}
	}
	w.text = append(w.text, '"')
}
