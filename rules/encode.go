package rules

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/attune-automation/attune"
)

const (
	// maxKept limits each value kept in an evaluation, in bytes.
	maxKept = 1 << 10
	// cutMark ends a value of which only the beginning was kept.
	cutMark = "… (cut)"
)

// EncodeEvaluation is the evaluation as JSON: what encoding/json makes of it,
// without its price. It never fails: a value that JSON cannot carry becomes
// null.
func EncodeEvaluation(e attune.Evaluation) []byte {
	b := make([]byte, 0, 256)
	b = append(b, `{"rule":`...)
	b = appendText(b, e.Rule)
	b = append(b, `,"event":`...)
	b = appendText(b, e.Event.String())
	b = append(b, `,"matched":`...)
	b = strconv.AppendBool(b, e.Matched)
	if e.Disabled {
		b = append(b, `,"disabled":true`...)
	}
	if s := e.Switched; s != nil {
		b = append(b, `,"switched":{"by":`...)
		b = appendText(b, s.By)
		b = append(b, `,"at":`...)
		b = appendText(b, s.At.Format(time.RFC3339Nano))
		b = append(b, '}')
	}
	for i, c := range e.Criteria {
		if i == 0 {
			b = append(b, `,"criteria":[`...)
		} else {
			b = append(b, ',')
		}
		b = append(b, `{"path":`...)
		b = appendText(b, c.Path)
		b = append(b, `,"type":`...)
		b = appendText(b, c.Type)
		b = append(b, `,"passed":`...)
		b = strconv.AppendBool(b, c.Passed)
		b = append(b, `,"left":`...)
		b = AppendJSON(b, c.Left)
		if c.Right != nil {
			b = append(b, `,"right":`...)
			b = AppendJSON(b, c.Right)
		}
		b = appendError(b, c.Error)
		b = append(b, '}')
	}
	if len(e.Criteria) > 0 {
		b = append(b, ']')
	}
	b = appendError(b, e.Error)
	return append(b, '}')
}

func appendError(b []byte, text string) []byte {
	if text == "" {
		return b
	}
	return appendText(append(b, `,"error":`...), text)
}

// kept is what an evaluation keeps of a value: all of it up to 1 kB, else the
// beginning as a text that ends with a mark. Lists and objects are encoded, so
// that the evaluation does not hold on to the event.
func kept(v any) any {
	switch x := v.(type) {
	case string:
		if len(x) > maxKept {
			return cut(x)
		}
	case []any, map[string]any:
		e := encoder{limit: maxKept}
		b, ok := e.value(make([]byte, 0, 128), v, 0)
		if !ok {
			return cut(string(b))
		}
		return json.RawMessage(b)
	}
	return v
}

func cut(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxKept)], "") + cutMark
}

// maxEncodeDepth is beyond what any payload can be nested.
const maxEncodeDepth = 20_000

// AppendJSON appends v as JSON with sorted keys. v is made of nil, bool,
// numbers, strings, []any, map[string]any and json.RawMessage; anything else
// goes through encoding/json, and what that refuses becomes null.
func AppendJSON(b []byte, v any) []byte {
	e := encoder{limit: math.MaxInt}
	b, _ = e.value(b, v, 0)
	return b
}

// encoder stops with false once it has written more than limit bytes.
type encoder struct{ limit int }

func (e *encoder) value(b []byte, v any, depth int) ([]byte, bool) {
	switch x := v.(type) {
	case nil:
		b = append(b, "null"...)
	case bool:
		b = strconv.AppendBool(b, x)
	case string:
		b = appendText(b, x)
	case int64:
		b = strconv.AppendInt(b, x, 10)
	case int:
		b = strconv.AppendInt(b, int64(x), 10)
	case float64:
		b = appendFloat(b, x)
	case json.RawMessage:
		b = append(b, x...)
	case []any:
		return e.list(b, x, depth+1)
	case map[string]any:
		return e.object(b, x, depth+1)
	default:
		other, err := json.Marshal(v)
		if err != nil {
			other = []byte("null")
		}
		b = append(b, other...)
	}
	return b, len(b) <= e.limit
}

func (e *encoder) list(b []byte, list []any, depth int) ([]byte, bool) {
	if depth > maxEncodeDepth {
		return append(b, "null"...), true
	}
	b = append(b, '[')
	for i, item := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var ok bool
		if b, ok = e.value(b, item, depth); !ok {
			return b, false
		}
	}
	return append(b, ']'), len(b) < e.limit
}

func (e *encoder) object(b []byte, m map[string]any, depth int) ([]byte, bool) {
	if depth > maxEncodeDepth {
		return append(b, "null"...), true
	}
	var room [16]string
	keys := room[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, k), ':')
		var ok bool
		if b, ok = e.value(b, m[k], depth); !ok {
			return b, false
		}
	}
	return append(b, '}'), len(b) < e.limit
}

// appendFloat writes a number so that it reads back as the same one, and as
// a float.
func appendFloat(b []byte, f float64) []byte {
	switch abs := math.Abs(f); {
	case math.IsInf(f, 0) || math.IsNaN(f):
		return append(b, "null"...)
	case abs != 0 && (abs < 1e-6 || abs >= 1e21):
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	case f == math.Trunc(f):
		return strconv.AppendFloat(b, f, 'f', 1, 64)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

const hexDigits = "0123456789abcdef"

// appendText writes a string; bytes that are no UTF-8 become U+FFFD.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
