package rules

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/attune-automation/attune/expression"
)

// maxLiteralDepth limits the nesting of a Python literal.
const maxLiteralDepth = 100

var errNoLiteral = errors.New("not a Python literal")

// decodeText reads a list or object from text: JSON, else a Python literal,
// which is how a list or object prints within a template.
func decodeText(text string) (any, error) {
	if v, err := expression.DecodeJSON([]byte(text)); err == nil {
		return v, nil
	}
	l := literal{rest: text}
	v, err := l.value(0)
	if err == nil && l.skip() != "" {
		err = errNoLiteral
	}
	return v, err
}

// literal reads lists, tuples, dicts with text keys, texts without prefix,
// numbers, True, False and None. It evaluates nothing.
type literal struct{ rest string }

func (l *literal) skip() string {
	l.rest = strings.TrimLeft(l.rest, " \t\r\n")
	return l.rest
}

func (l *literal) take(token string) bool {
	if !strings.HasPrefix(l.skip(), token) {
		return false
	}
	l.rest = l.rest[len(token):]
	return true
}

func (l *literal) value(depth int) (any, error) {
	if depth > maxLiteralDepth {
		return nil, errNoLiteral
	}
	rest := l.skip()
	if rest == "" {
		return nil, errNoLiteral
	}
	switch rest[0] {
	case '[':
		return l.list("[", "]", depth)
	case '(':
		return l.list("(", ")", depth)
	case '{':
		return l.dict(depth)
	case '\'', '"':
		return l.text()
	}
	return l.word()
}

func (l *literal) list(open, end string, depth int) (any, error) {
	l.take(open)
	list := []any{}
	for !l.take(end) {
		v, err := l.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if !l.take(",") && !strings.HasPrefix(l.skip(), end) {
			return nil, errNoLiteral
		}
	}
	return list, nil
}

func (l *literal) dict(depth int) (any, error) {
	l.take("{")
	m := map[string]any{}
	for !l.take("}") {
		k, err := l.value(depth + 1)
		if err != nil {
			return nil, err
		}
		key, ok := k.(string)
		if !ok || !l.take(":") {
			return nil, errNoLiteral
		}
		if m[key], err = l.value(depth + 1); err != nil {
			return nil, err
		}
		if !l.take(",") && !strings.HasPrefix(l.skip(), "}") {
			return nil, errNoLiteral
		}
	}
	return m, nil
}

// escapes are Python's, without those that name a character.
var escapes = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", '\\': "\\", '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v", '0': "\x00"}

// hexEscapes are the digits that \x, \u and \U take.
var hexEscapes = map[byte]int{'x': 2, 'u': 4, 'U': 8}

func (l *literal) text() (any, error) {
	quote := l.rest[0]
	var b strings.Builder
	for i := 1; i < len(l.rest); i++ {
		switch c := l.rest[i]; {
		case c == quote:
			l.rest = l.rest[i+1:]
			return b.String(), nil
		case c != '\\':
			b.WriteByte(c)
		case i+1 == len(l.rest):
			return nil, errNoLiteral
		default:
			i++
			if s, ok := escapes[l.rest[i]]; ok {
				b.WriteString(s)
				continue
			}
			n := hexEscapes[l.rest[i]]
			if n == 0 || i+n >= len(l.rest) {
				return nil, errNoLiteral
			}
			code, err := strconv.ParseUint(l.rest[i+1:i+1+n], 16, 32)
			if err != nil || code > math.MaxInt32 {
				return nil, errNoLiteral
			}
			b.WriteRune(rune(code))
			i += n
		}
	}
	return nil, errNoLiteral
}

func (l *literal) word() (any, error) {
	end := strings.IndexAny(l.rest, ",:]})( \t\r\n")
	if end < 0 {
		end = len(l.rest)
	}
	word := l.rest[:end]
	l.rest = l.rest[end:]
	switch word {
	case "True":
		return true, nil
	case "False":
		return false, nil
	case "None":
		return nil, nil
	}
	if v, ok := parseNumber(word); ok {
		return v, nil
	}
	return nil, errNoLiteral
}

// parseNumber reads an integer or a finite decimal number.
func parseNumber(text string) (any, bool) {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || strings.ContainsAny(text, "xX_") {
		return nil, false
	}
	return f, true
}

// fromNumber is a json.Number as int64 or float64.
func fromNumber(n json.Number) any {
	if v, ok := parseNumber(string(n)); ok {
		return v
	}
	return string(n)
}
