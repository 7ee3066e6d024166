package expression

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenText
	tokenOutput    // {{
	tokenOutputEnd // }}
	tokenBlock     // {%
	tokenBlockEnd  // %}
	tokenName
	tokenInt
	tokenFloat
	tokenString
	tokenOperator
)

// token is one word of a template. text holds the decoded value of a string.
type token struct {
	kind tokenKind
	pos  int
	text string
}

// isTemplate says whether a source has anything to render. A lone {# does not
// count: it is common in shell commands, as in ${#name}.
func isTemplate(source string) bool {
	for rest := source; ; {
		i := strings.IndexByte(rest, '{')
		if i < 0 || i+1 >= len(rest) {
			return false
		}
		if rest[i+1] == '{' || rest[i+1] == '%' {
			return true
		}
		rest = rest[i+1:]
	}
}

type lexer struct {
	source string
	pos    int
	tokens []token
	trim   bool // the next text loses its leading white space
}

// lex splits a template into tokens. The last one is always tokenEnd.
func lex(source string) ([]token, error) {
	l := &lexer{source: source}
	for l.pos < len(source) {
		if err := l.document(); err != nil {
			return nil, locate(source, l.pos, err)
		}
	}
	l.emit(tokenEnd, len(source), "")
	return l.tokens, nil
}

func (l *lexer) emit(kind tokenKind, pos int, text string) {
	l.tokens = append(l.tokens, token{kind, pos, text})
}

// document reads text up to the next marker, and what the marker opens.
func (l *lexer) document() error {
	start := l.pos
	at := start
	for ; at < len(l.source); at++ {
		if l.source[at] == '{' && at+1 < len(l.source) && strings.IndexByte("{%#", l.source[at+1]) >= 0 {
			break
		}
	}
	text := l.source[start:at]
	if l.trim {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
		l.trim = false
	}
	if at == len(l.source) {
		l.text(start, text)
		l.pos = at
		return nil
	}
	l.pos = at
	after := at + 2
	if after < len(l.source) && l.source[after] == '-' {
		text = strings.TrimRightFunc(text, unicode.IsSpace)
		after++
	} else if after < len(l.source) && l.source[after] == '+' && l.source[at+1] != '{' {
		after++
	}
	l.text(start, text)
	switch l.source[at+1] {
	case '#':
		return l.comment(after)
	case '%':
		if end, ok, err := l.raw(after); ok || err != nil {
			l.pos = max(end, l.pos)
			return err
		}
		l.emit(tokenBlock, at, "{%")
		l.pos = after
		return l.expression("%}", tokenBlockEnd)
	default:
		l.emit(tokenOutput, at, "{{")
		l.pos = after
		return l.expression("}}", tokenOutputEnd)
	}
}

func (l *lexer) text(pos int, text string) {
	if text != "" {
		l.emit(tokenText, pos, text)
	}
}

func (l *lexer) comment(from int) error {
	end := strings.Index(l.source[from:], "#}")
	if end < 0 {
		return &fault{kind: Syntax, message: "comment {# is never closed", try: "close it with #}"}
	}
	l.trim = end > 0 && l.source[from+end-1] == '-'
	l.pos = from + end + 2
	return nil
}

// raw reads {% raw %} text {% endraw %}; ok says whether there was one.
func (l *lexer) raw(from int) (end int, ok bool, err error) {
	inner, trim, ok := blockWord(l.source, from, "raw")
	if !ok {
		return 0, false, nil
	}
	for at := inner; ; {
		i := strings.Index(l.source[at:], "{%")
		if i < 0 {
			return 0, false, &fault{kind: Syntax, message: "raw block is never closed", try: "close it with {% endraw %}"}
		}
		at += i
		word, left := at+2, false
		if word < len(l.source) && (l.source[word] == '-' || l.source[word] == '+') {
			left = l.source[word] == '-'
			word++
		}
		if after, right, found := blockWord(l.source, word, "endraw"); found {
			text := l.source[inner:at]
			if trim {
				text = strings.TrimLeftFunc(text, unicode.IsSpace)
			}
			if left {
				text = strings.TrimRightFunc(text, unicode.IsSpace)
			}
			l.text(inner, text)
			l.trim = right
			return after, true, nil
		}
		at += 2
	}
}

// blockWord matches a block that is nothing but one word, from behind its {%.
func blockWord(source string, from int, word string) (after int, trim, ok bool) {
	rest := strings.TrimLeftFunc(source[from:], unicode.IsSpace)
	if !strings.HasPrefix(rest, word) {
		return 0, false, false
	}
	rest = strings.TrimLeftFunc(rest[len(word):], unicode.IsSpace)
	if cut, found := strings.CutPrefix(rest, "-"); found {
		rest, trim = cut, true
	} else {
		rest = strings.TrimPrefix(rest, "+")
	}
	if !strings.HasPrefix(rest, "%}") {
		return 0, false, false
	}
	return len(source) - len(rest) + 2, trim, true
}

var operators = [...]string{"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "|"}

// expression reads tokens up to the closing marker.
func (l *lexer) expression(closing string, kind tokenKind) error {
	open := l.tokens[len(l.tokens)-1]
	depth := 0
	for l.pos < len(l.source) {
		rest := l.source[l.pos:]
		if depth == 0 {
			trimmed := rest
			if rest[0] == '-' || rest[0] == '+' && closing == "%}" {
				trimmed = rest[1:]
			}
			if strings.HasPrefix(trimmed, closing) {
				l.emit(kind, l.pos, closing)
				l.trim = len(trimmed) < len(rest) && rest[0] == '-'
				l.pos = len(l.source) - len(trimmed) + len(closing)
				return nil
			}
		}
		char, size := utf8.DecodeRuneInString(rest)
		switch {
		case unicode.IsSpace(char):
			l.pos += size
		case char == '"' || char == '\'':
			if err := l.quoted(byte(char)); err != nil {
				return err
			}
		case char >= '0' && char <= '9':
			if err := l.number(); err != nil {
				return err
			}
		case char == '_' || unicode.IsLetter(char):
			end := len(rest)
			if i := strings.IndexFunc(rest, func(c rune) bool { return c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) }); i >= 0 {
				end = i
			}
			l.emit(tokenName, l.pos, rest[:end])
			l.pos += end
		default:
			operator := operatorAt(rest)
			if operator == "" {
				return syntaxFault("unexpected character %q", char)
			}
			switch operator {
			case "(", "[", "{":
				depth++
			case ")", "]", "}":
				depth--
			}
			if depth < 0 {
				return syntaxFault("%q closes nothing", operator)
			}
			l.emit(tokenOperator, l.pos, operator)
			l.pos += len(operator)
		}
	}
	l.pos = open.pos
	return &fault{kind: Syntax, message: strconv.Quote(open.text) + " is never closed", try: "close it with " + closing}
}

func operatorAt(rest string) string {
	for _, operator := range operators {
		if strings.HasPrefix(rest, operator) {
			return operator
		}
	}
	return ""
}

// number reads 12, 1_000, 0x1f, 0o7, 0b1, 1.5 and 1e3.
func (l *lexer) number() error {
	rest := l.source[l.pos:]
	end, kind := 0, tokenInt
	digits := func(valid string) {
		for end < len(rest) && (strings.IndexByte(valid, rest[end]) >= 0 || rest[end] == '_') {
			end++
		}
	}
	switch {
	case len(rest) > 2 && rest[0] == '0' && strings.IndexByte("xXoObB", rest[1]) >= 0:
		end = 2
		digits("0123456789abcdefABCDEF")
	default:
		digits("0123456789")
		if end+1 < len(rest) && rest[end] == '.' && isDigit(rest[end+1]) {
			kind = tokenFloat
			end++
			digits("0123456789")
		}
		if end < len(rest) && (rest[end] == 'e' || rest[end] == 'E') {
			mantissa := end
			end++
			if end < len(rest) && (rest[end] == '+' || rest[end] == '-') {
				end++
			}
			if end < len(rest) && isDigit(rest[end]) {
				kind = tokenFloat
				digits("0123456789")
			} else {
				end = mantissa
			}
		}
	}
	l.emit(kind, l.pos, strings.ReplaceAll(rest[:end], "_", ""))
	l.pos += end
	return nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// quoted reads a string literal and decodes its escapes as Python does: an
// unknown one keeps its backslash.
func (l *lexer) quoted(quote byte) error {
	start := l.pos
	var b strings.Builder
	for at := start + 1; at < len(l.source); at++ {
		switch c := l.source[at]; c {
		case quote:
			l.emit(tokenString, start, b.String())
			l.pos = at + 1
			return nil
		case '\\':
			used, err := unescape(&b, l.source[at:])
			if err != nil {
				l.pos = at
				return err
			}
			at += used - 1
		default:
			b.WriteByte(c)
		}
	}
	return &fault{kind: Syntax, message: "string is never closed", try: "close it with " + string(quote)}
}

// unescape decodes the escape at the start of rest and returns its length.
func unescape(b *strings.Builder, rest string) (int, error) {
	if len(rest) < 2 {
		b.WriteByte('\\')
		return 1, nil
	}
	const plain, meaning = "\n\\'\"abfnrtv", "\x00\\'\"\a\b\f\n\r\t\v"
	c := rest[1]
	if c == '\n' {
		return 2, nil
	}
	if i := strings.IndexByte(plain, c); i >= 0 {
		b.WriteByte(meaning[i])
		return 2, nil
	}
	if width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]; width > 0 {
		if len(rest) < 2+width {
			return 0, syntaxFault("escape \\%c needs %d hexadecimal digits", c, width)
		}
		code, err := strconv.ParseUint(rest[2:2+width], 16, 32)
		if err != nil || !utf8.ValidRune(rune(code)) {
			return 0, syntaxFault("escape \\%s is not a character", rest[1:2+width])
		}
		b.WriteRune(rune(code))
		return 2 + width, nil
	}
	if c >= '0' && c <= '7' {
		end := 2
		for end < len(rest) && end < 4 && rest[end] >= '0' && rest[end] <= '7' {
			end++
		}
		code, err := strconv.ParseUint(rest[1:end], 8, 32)
		if err != nil {
			return 0, syntaxFault("escape %s is not a character", rest[:end])
		}
		b.WriteRune(rune(code))
		return end, nil
	}
	b.WriteByte('\\')
	return 1, nil
}
