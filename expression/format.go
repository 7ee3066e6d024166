package expression

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// percent is Python's format % values. args are the values in order; whole is
// the right side itself, for %(name)s.
func (r *run) percent(format string, args []any, whole any) (any, error) {
	var b strings.Builder
	used := 0
	for i := 0; i < len(format); {
		if format[i] != '%' {
			end := strings.IndexByte(format[i:], '%')
			if end < 0 {
				end = len(format) - i
			}
			b.WriteString(format[i : i+end])
			i += end
			continue
		}
		spec, size, err := parseSpec(format[i:])
		if err != nil {
			return nil, err
		}
		i += size
		if spec.verb == '%' {
			b.WriteByte('%')
			continue
		}
		var v any
		if spec.name != "" {
			d, _ := whole.(map[string]any)
			found := false
			if v, found = d[spec.name]; !found {
				return nil, typeFault("%%(%s) needs a dict with that key", spec.name)
			}
			used = len(args)
		} else {
			if used == len(args) {
				return nil, typeFault("the format wants more than %d values", len(args))
			}
			v = args[used]
			used++
		}
		text, err := r.formatOne(spec, v)
		if err != nil {
			return nil, err
		}
		if b.Len()+len(text) > MaxOutput {
			return nil, r.make(MaxOutput + 1)
		}
		if err := r.make(len(text)); err != nil {
			return nil, err
		}
		b.WriteString(text)
	}
	if used < len(args) {
		return nil, typeFault("the format wants %d values, not %d", used, len(args))
	}
	return r.made(b.String())
}

// spec is one conversion of a % format.
type spec struct {
	name             string
	left, zero, plus bool
	width, precision int // precision -1: not given
	verb             byte
}

const maxWidth = 1000

func parseSpec(s string) (spec, int, error) {
	out := spec{precision: -1}
	i := 1
	if strings.HasPrefix(s[i:], "(") {
		end := strings.IndexByte(s, ')')
		if end < 0 {
			return out, 0, typeFault("%%( is never closed in a format")
		}
		out.name, i = s[2:end], end+1
	}
	for ; i < len(s) && strings.IndexByte("-0+ #", s[i]) >= 0; i++ {
		out.left = out.left || s[i] == '-'
		out.zero = out.zero || s[i] == '0'
		out.plus = out.plus || s[i] == '+'
	}
	digits := func() (int, error) {
		n := 0
		for ; i < len(s) && isDigit(s[i]); i++ {
			if n = n*10 + int(s[i]-'0'); n > maxWidth {
				return 0, budgetFault("a format is wider than %d", maxWidth)
			}
		}
		return n, nil
	}
	var err error
	if out.width, err = digits(); err != nil {
		return out, 0, err
	}
	if i < len(s) && s[i] == '.' {
		i++
		if out.precision, err = digits(); err != nil {
			return out, 0, err
		}
	}
	if i == len(s) {
		return out, 0, typeFault("a format ends in the middle of a conversion")
	}
	out.verb = s[i]
	return out, i + 1, nil
}

func (r *run) formatOne(s spec, v any) (string, error) {
	text, err := "", error(nil)
	switch s.verb {
	case 's', 'r':
		if s.verb == 's' {
			text, err = r.text(v)
		} else {
			text, err = r.repr(v)
		}
		if err != nil {
			return "", err
		}
		if chars := []rune(text); s.precision >= 0 && s.precision < len(chars) {
			text = string(chars[:s.precision])
		}
		s.zero = false
	case 'd', 'i', 'x', 'X', 'o':
		if !isNumber(v) {
			return "", typeFault("%%%c formats a number, not a %s", s.verb, typeName(v))
		}
		i, whole := integer(v)
		if !whole {
			f := float(v)
			if !(f >= -1<<63 && f < 1<<63) {
				return "", typeFault("%v is not an integer", f)
			}
			i = int64(f)
		}
		base := 10
		switch s.verb {
		case 'x', 'X':
			base = 16
		case 'o':
			base = 8
		}
		text = strconv.FormatInt(i, base)
		if s.verb == 'X' {
			text = strings.ToUpper(text)
		}
	case 'f', 'F', 'e', 'E', 'g', 'G':
		if !isNumber(v) {
			return "", typeFault("%%%c formats a number, not a %s", s.verb, typeName(v))
		}
		if s.precision < 0 {
			s.precision = 6
		}
		verb := s.verb
		if verb == 'F' {
			verb = 'f'
		}
		text = strconv.FormatFloat(float(v), verb, s.precision, 64)
	default:
		return "", typeFault("unknown conversion %%%c in a format", s.verb)
	}
	if s.plus && strings.IndexByte("sr", s.verb) < 0 && !strings.HasPrefix(text, "-") {
		text = "+" + text
	}
	return pad(text, s), nil
}

func pad(text string, s spec) string {
	fill := s.width - utf8.RuneCountInString(text)
	switch {
	case fill <= 0:
		return text
	case s.left:
		return text + strings.Repeat(" ", fill)
	case s.zero:
		sign := ""
		if text[0] == '-' || text[0] == '+' {
			sign, text = text[:1], text[1:]
		}
		return sign + strings.Repeat("0", fill) + text
	}
	return strings.Repeat(" ", fill) + text
}

// repr is a value as Python's repr() gives it.
func (r *run) repr(v any) (string, error) {
	w := printer{run: r}
	if err := w.value(v, 0); err != nil {
		return "", err
	}
	return string(w.text), r.make(len(w.text))
}

// braces is Python's format.format(values): {} and {0}, without names
// and format specifications.
func (r *run) braces(format string, args []any) (any, error) {
	var b strings.Builder
	next := 0
	for i := 0; i < len(format); i++ {
		c := format[i]
		if (c == '{' || c == '}') && i+1 < len(format) && format[i+1] == c {
			b.WriteByte(c)
			i++
			continue
		}
		if c != '{' {
			if c == '}' {
				return nil, typeFault("a single } in a format")
			}
			b.WriteByte(c)
			continue
		}
		end := strings.IndexByte(format[i:], '}')
		if end < 0 {
			return nil, typeFault("a single { in a format")
		}
		field := format[i+1 : i+end]
		i += end
		index := next
		if field == "" {
			next++
		} else if n, err := strconv.Atoi(field); err == nil {
			index = n
		} else {
			return nil, typeFault("format field {%s} is not supported: only {} and {0}", shorten(field, 40))
		}
		if index < 0 || index >= len(args) {
			return nil, typeFault("the format wants more than %d values", len(args))
		}
		text, err := r.text(args[index])
		if err != nil {
			return nil, err
		}
		if err := r.make(b.Len() + len(text)); err != nil {
			return nil, err
		}
		b.WriteString(text)
	}
	return r.made(b.String())
}
