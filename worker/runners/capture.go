package runners

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// The bounds of what a result holds.
const (
	headBytes   = 64 << 10 // of a stream, as text
	tailBytes   = 1 << 20  // of stdout, to find a document at its end
	resultBytes = 1 << 20  // of the whole result
)

// capture keeps the beginning and the end of a stream.
type capture struct {
	head  []byte
	tail  []byte // the last tailBytes, or up to twice as many
	total int64
}

func (c *capture) write(b []byte) {
	c.total += int64(len(b))
	if room := headBytes - len(c.head); room > 0 {
		c.head = append(c.head, b[:min(room, len(b))]...)
	}
	if c.tail = append(c.tail, b...); len(c.tail) > 2*tailBytes {
		c.tail = append(c.tail[:0], c.tail[len(c.tail)-tailBytes:]...)
	}
}

// truncated reports whether the head is not all.
func (c *capture) truncated() bool { return c.total > headBytes }

// text makes bytes fit for every store: UTF-8 without NUL.
func text(b []byte) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(b), "\uFFFD"), "\x00", "\uFFFD")
}

// document is b as one JSON document, fit for every store, or nil.
func document(b []byte) json.RawMessage {
	b = bytes.TrimSpace(b)
	if !json.Valid(b) {
		return nil
	}
	if utf8.Valid(b) && !bytes.Contains(b, []byte(`\u0000`)) && !bytes.Contains(bytes.ToLower(b), []byte(`\ud`)) {
		return b
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil { // replaces what is no UTF-8, and halves of surrogate pairs
		return nil
	}
	clean, err := encode(cleaned(v))
	if err != nil {
		return nil
	}
	return clean
}

// cleaned replaces NUL in all strings of a document.
func cleaned(v any) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "\x00", "\uFFFD")
	case []any:
		for i := range v {
			v[i] = cleaned(v[i])
		}
	case map[string]any:
		for name, value := range v {
			delete(v, name)
			v[strings.ReplaceAll(name, "\x00", "\uFFFD")] = cleaned(value)
		}
	}
	return v
}

// encode is json.Marshal that leaves <, > and & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// lastDocument finds the JSON document that ends a text: it begins at the begin
// of a line, and nothing but white space follows. It returns what is before it,
// too. The search is bounded; beyond, there is none.
func lastDocument(b []byte) (before []byte, doc json.RawMessage) {
	before, doc, _ = search(b, searchBytes)
	return before, doc
}

// searchBytes is how much may be parsed in vain to find a document: naively,
// every line that looks like its begin is parsed to the end.
const searchBytes = 4 << 20

// search is lastDocument, and what is left of the effort; below zero by what was
// parsed last.
func search(b []byte, effort int) (before []byte, doc json.RawMessage, left int) {
	end := len(bytes.TrimRight(b, " \t\r\n"))
	if end == 0 {
		return b, nil, effort
	}
	first := map[byte]byte{'}': '{', ']': '['}[b[end-1]]
	for start := end; start > 0 && effort > 0; {
		start = bytes.LastIndexByte(b[:start-1], '\n') + 1
		if first != 0 && bytes.TrimLeft(b[start:end], " \t\r")[0] != first {
			continue
		}
		parsed, valid := parse(b[start:end])
		if valid {
			return b[:start], document(b[start:end]), effort
		}
		effort -= parsed
		if first == 0 {
			break // what ends otherwise is all on one line
		}
	}
	return b, nil, effort
}

// parse says whether b is a document, and how much was read to see that it is
// not.
func parse(b []byte) (read int, valid bool) {
	var raw json.RawMessage
	err := json.Unmarshal(b, &raw)
	if fault := (*json.SyntaxError)(nil); errors.As(err, &fault) {
		return int(fault.Offset), false
	}
	return len(b), err == nil
}

// end is what is kept of the end of the stream, from the begin of a line.
func (c *capture) end() []byte {
	b := c.tail[max(0, len(c.tail)-tailBytes):]
	if int64(len(b)) < c.total {
		_, b, _ = bytes.Cut(b, []byte("\n"))
	}
	return b
}
