package expression

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"unicode/utf16"
)

// DecodeJSON reads exactly one JSON document into the values that templates
// use: a number that is written as an integer and fits becomes int64, any
// other float64. The document may be nested as encoding/json allows.
func DecodeJSON(document []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON document")
	}
	return plainNumbers(v)
}

// plainNumbers replaces json.Number in place.
func plainNumbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		return number(string(v))
	case []any:
		for i, item := range v {
			if v[i], err = plainNumbers(item); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k, item := range v {
			switch item.(type) {
			case json.Number, []any, map[string]any:
				if v[k], err = plainNumbers(item); err != nil {
					return nil, err
				}
			}
		}
	}
	return v, nil
}

var fromJSON = on("", func(r *run, s string, _ []any) (any, error) {
	// A document of n bytes becomes at most some 20 n bytes of values.
	if err := r.make(min(len(s)*4, MaxOutput)); err != nil {
		return nil, err
	}
	v, err := DecodeJSON([]byte(s))
	if err != nil {
		return nil, typeFault("not JSON: %v", err)
	}
	return v, nil
})

// toJSON is Python's json.dumps with sorted keys; indented is the default
// indent, and html escapes <, >, & and ' as Jinja's own tojson does.
func toJSON(indent int, html bool) filter {
	return filter{params: params("indent"), call: func(r *run, in any, args []any) (any, error) {
		width, err := intArgument(args[0], indent)
		if args[0] == nil {
			width = -1
		}
		if err != nil {
			return nil, err
		}
		if width > maxWidth {
			return nil, budgetFault("an indent is wider than %d", maxWidth)
		}
		w := jsonWriter{run: r, indent: width, html: html}
		if err := w.value(in, 0); err != nil {
			return nil, err
		}
		return r.made(string(w.text))
	}}
}

func jsonFilters() map[string]filter {
	return map[string]filter{
		"from_json_string": fromJSON,
		"json_parse":       fromJSON,
		"to_json_string":   toJSON(4, false),
		"json_dump":        toJSON(4, false),
		"to_complex":       toJSON(-1, false),
		"tojson":           toJSON(-1, true),
		"json_escape": on("", func(r *run, s string, _ []any) (any, error) {
			w := jsonWriter{run: r}
			if err := w.string(s); err != nil {
				return nil, err
			}
			return r.made(string(w.text[1 : len(w.text)-1]))
		}),
	}
}

// jsonWriter writes JSON as Python does: ", " and ": " on one line, or "," and
// a new line with an indent; characters beyond ASCII are escaped.
type jsonWriter struct {
	run    *run
	text   []byte
	indent int // -1: one line
	html   bool
}

func (w *jsonWriter) value(v any, depth int) error {
	v, err := w.run.writable(v, depth, len(w.text))
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		w.text = append(w.text, "null"...)
	case bool:
		w.text = strconv.AppendBool(w.text, v)
	case int64:
		w.text = strconv.AppendInt(w.text, v, 10)
	case float64:
		if math.IsInf(v, 0) || v != v {
			return typeFault("JSON has no number %s", floatText(v))
		}
		w.text = append(w.text, floatText(v)...)
	case string:
		return w.string(v)
	case []any:
		return w.container('[', ']', len(v), depth, func(i int) error { return w.value(v[i], depth+1) })
	case map[string]any:
		if err := w.run.spend(len(v) * 4); err != nil {
			return err
		}
		keys := sortedKeys(v)
		return w.container('{', '}', len(v), depth, func(i int) error {
			if err := w.string(keys[i]); err != nil {
				return err
			}
			w.text = append(w.text, ": "...)
			return w.value(v[keys[i]], depth+1)
		})
	default:
		return typeFault("a %s has no JSON", typeName(v))
	}
	return nil
}

func (w *jsonWriter) container(open, closing byte, size, depth int, item func(int) error) error {
	w.text = append(w.text, open)
	for i := range size {
		if i > 0 {
			w.text = append(w.text, ',')
			if w.indent < 0 {
				w.text = append(w.text, ' ')
			}
		}
		if err := w.line(depth + 1); err != nil {
			return err
		}
		if err := item(i); err != nil {
			return err
		}
	}
	if size > 0 {
		if err := w.line(depth); err != nil {
			return err
		}
	}
	w.text = append(w.text, closing)
	return nil
}

func (w *jsonWriter) line(depth int) error {
	if w.indent < 0 {
		return nil
	}
	w.text = append(w.text, '\n')
	for range w.indent * depth {
		w.text = append(w.text, ' ')
	}
	return w.run.read(w.indent * depth)
}

func (w *jsonWriter) string(s string) error {
	if err := w.run.read(len(s)); err != nil {
		return err
	}
	const short, letters = "\"\\\b\f\n\r\t", `"\bfnrt`
	w.text = append(w.text, '"')
	for _, c := range s {
		if i := indexByte(short, c); i >= 0 {
			w.text = append(w.text, '\\', letters[i])
			continue
		}
		if c >= ' ' && c < 0x7f && !(w.html && indexByte("<>&'", c) >= 0) {
			w.text = append(w.text, byte(c))
			continue
		}
		if high, low := utf16.EncodeRune(c); c >= 0x10000 {
			w.text = appendHex(append(w.text, `\u`...), high, 4)
			c = low
		}
		w.text = appendHex(append(w.text, `\u`...), c, 4)
	}
	w.text = append(w.text, '"')
	return nil
}

func indexByte(set string, c rune) int {
	for i := range len(set) {
		if rune(set[i]) == c {
			return i
		}
	}
	return -1
}
