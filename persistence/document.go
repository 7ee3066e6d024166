package persistence

import "unicode/utf8"

// What is wrong with a document.
const (
	notJSON  = "is not JSON"
	notUTF8  = "is not UTF-8"
	tooDeep  = "is nested deeper than 1000"
	nulChar  = `holds a NUL character (\u0000)`
	halfPair = "escapes half a surrogate pair"
	maxDepth = 1000
)

// documentFault says why a document is none that every store can hold, or "".
// It is one pass over all bytes: every document of every flush comes by here,
// and encoding/json's three are a tenth of what an execution costs.
func documentFault(b []byte) string {
	d := document{b: b}
	if why := d.value(0); why != "" {
		return why
	}
	if d.space(); d.i < len(d.b) {
		return notJSON
	}
	return ""
}

// document is a place in a document. Each method reads one thing and says what
// is wrong with it.
type document struct {
	b []byte
	i int
}

// peek is the next byte, or 0 at the end, which no token begins with.
func (d *document) peek() byte {
	if d.i < len(d.b) {
		return d.b[d.i]
	}
	return 0
}

func (d *document) space() {
	for d.i < len(d.b) {
		switch d.b[d.i] {
		case ' ', '\t', '\n', '\r':
			d.i++
		default:
			return
		}
	}
}

func (d *document) value(depth int) string {
	if depth > maxDepth {
		return tooDeep
	}
	d.space()
	switch c := d.peek(); c {
	case '{', '[':
		return d.members(depth, c+2) // the closing ones are two behind in ASCII
	case '"':
		return d.text()
	case 't':
		return d.word("true")
	case 'f':
		return d.word("false")
	case 'n':
		return d.word("null")
	}
	return d.number()
}

func (d *document) members(depth int, closing byte) string {
	d.i++
	if d.space(); d.peek() == closing {
		d.i++
		return ""
	}
	for {
		if closing == '}' {
			if d.space(); d.peek() != '"' {
				return notJSON
			}
			if why := d.text(); why != "" {
				return why
			}
			if d.space(); d.peek() != ':' {
				return notJSON
			}
			d.i++
		}
		if why := d.value(depth + 1); why != "" {
			return why
		}
		d.space()
		c := d.peek()
		d.i++
		if c == closing {
			return ""
		}
		if c != ',' {
			return notJSON
		}
	}
}

func (d *document) word(w string) string {
	if len(d.b)-d.i < len(w) || string(d.b[d.i:d.i+len(w)]) != w {
		return notJSON
	}
	d.i += len(w)
	return ""
}

func (d *document) text() string {
	d.i++
	begin, ascii := d.i, true
	for d.i < len(d.b) {
		switch c := d.b[d.i]; {
		case c == '"':
			if !ascii && !utf8.Valid(d.b[begin:d.i]) {
				return notUTF8
			}
			d.i++
			return ""
		case c == '\\':
			if why := d.escape(); why != "" {
				return why
			}
		case c < ' ':
			return notJSON
		default:
			ascii = ascii && c < utf8.RuneSelf
			d.i++
		}
	}
	return notJSON
}

func (d *document) escape() string {
	d.i++
	switch d.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		d.i++
		return ""
	case 'u':
		d.i++
	default:
		return notJSON
	}
	v, ok := d.hex()
	switch {
	case !ok:
		return notJSON
	case v == 0:
		return nulChar
	case v < 0xd800 || v > 0xdfff:
		return ""
	case v > 0xdbff || d.word(`\u`) != "":
		return halfPair
	}
	if v, ok = d.hex(); !ok {
		return notJSON
	} else if v < 0xdc00 || v > 0xdfff {
		return halfPair
	}
	return ""
}

func (d *document) hex() (v int, ok bool) {
	for range 4 {
		c := d.peek()
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | int(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			v = v<<4 | int(c|0x20-'a'+10)
		default:
			return 0, false
		}
		d.i++
	}
	return v, true
}

func (d *document) number() string {
	if d.peek() == '-' {
		d.i++
	}
	if d.peek() == '0' {
		d.i++
	} else if !d.digits() {
		return notJSON
	}
	if d.peek() == '.' {
		if d.i++; !d.digits() {
			return notJSON
		}
	}
	if d.peek()|0x20 == 'e' {
		d.i++
		if c := d.peek(); c == '+' || c == '-' {
			d.i++
		}
		if !d.digits() {
			return notJSON
		}
	}
	return ""
}

func (d *document) digits() bool {
	begin := d.i
	for c := d.peek(); c >= '0' && c <= '9'; c = d.peek() {
		d.i++
	}
	return d.i > begin
}
