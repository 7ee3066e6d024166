package expression

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// text is a value as Python's str() gives it: a text is itself, everything
// else looks as in a Python source.
func (r *run) text(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	w := printer{run: r}
	if err := w.value(v, 0); err != nil {
		return "", err
	}
	return string(w.text), r.make(len(w.text))
}

// writable charges the budget for one more value in a text that has so many
// bytes already, and brings the value into the form that the writers know.
func (r *run) writable(v any, depth, written int) (any, error) {
	if depth > MaxNesting {
		return nil, budgetFault("a value is nested more than %d deep", MaxNesting)
	}
	if written > MaxOutput {
		return nil, r.make(written)
	}
	if err := r.spend(1); err != nil {
		return nil, err
	}
	return normal(v)
}

// printer writes values as Python's repr() does, with dict keys sorted.
type printer struct {
	run  *run
	text []byte
}

func (w *printer) value(v any, depth int) error {
	v, err := w.run.writable(v, depth, len(w.text))
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		w.text = append(w.text, "None"...)
	case bool:
		if v {
			w.text = append(w.text, "True"...)
		} else {
			w.text = append(w.text, "False"...)
		}
	case int64:
		w.text = strconv.AppendInt(w.text, v, 10)
	case float64:
		w.text = append(w.text, floatText(v)...)
	case string:
		if err := w.run.read(len(v)); err != nil {
			return err
		}
		w.text = appendQuoted(w.text, v)
	case []any:
		w.text = append(w.text, '[')
		for i, item := range v {
			if i > 0 {
				w.text = append(w.text, ", "...)
			}
			if err := w.value(item, depth+1); err != nil {
				return err
			}
		}
		w.text = append(w.text, ']')
	case map[string]any:
		if err := w.run.spend(len(v) * 4); err != nil {
			return err
		}
		w.text = append(w.text, '{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				w.text = append(w.text, ", "...)
			}
			if err := w.value(k, depth+1); err != nil {
				return err
			}
			w.text = append(w.text, ": "...)
			if err := w.value(v[k], depth+1); err != nil {
				return err
			}
		}
		w.text = append(w.text, '}')
	case *undefined:
		return v.fault()
	default:
		return typeFault("a %s has no text", typeName(v))
	}
	return nil
}

// floatText is the shortest text that reads back the same, in Python's form.
func floatText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case f != f:
		return "nan"
	}
	scientific := strconv.FormatFloat(f, 'e', -1, 64)
	exponent, _ := strconv.Atoi(scientific[strings.IndexByte(scientific, 'e')+1:])
	if exponent < -4 || exponent >= 16 {
		return scientific
	}
	plain := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(plain, ".") {
		plain += ".0"
	}
	return plain
}

// quote is Python's repr() of a text.
func quote(s string) string { return string(appendQuoted(nil, s)) }

func appendQuoted(b []byte, s string) []byte {
	mark := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		mark = '"'
	}
	b = append(b, mark)
	for _, c := range s {
		switch {
		case c == rune(mark) || c == '\\':
			b = append(b, '\\', byte(c))
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case unicode.IsPrint(c):
			b = utf8.AppendRune(b, c)
		case c < 0x100:
			b = appendHex(append(b, `\x`...), c, 2)
		case c < 0x10000:
			b = appendHex(append(b, `\u`...), c, 4)
		default:
			b = appendHex(append(b, `\U`...), c, 8)
		}
	}
	return append(b, mark)
}

func appendHex(b []byte, c rune, width int) []byte {
	digits := strconv.FormatInt(int64(c), 16)
	for range width - len(digits) {
		b = append(b, '0')
	}
	return append(b, digits...)
}
