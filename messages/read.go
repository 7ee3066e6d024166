package messages

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/attune-automation/attune"
)

// reader takes the members of one JSON object and notes all that is wrong with
// them. encoding/json would stop at the first.
type reader struct {
	at      string
	members map[string]json.RawMessage
	faults  []attune.Fault
}

func (r *reader) fault(name, message, try string) {
	r.faults = append(r.faults, attune.Fault{Where: r.at + name, Message: message, Try: try})
}

// join takes over what is wrong with the objects within.
func (r *reader) join(inner ...*reader) {
	for _, i := range inner {
		r.faults = append(r.faults, i.faults...)
	}
}

// has tells whether a member says something; null says nothing.
func (r *reader) has(name string) bool {
	text := bytes.TrimSpace(r.members[name])
	return len(text) > 0 && !bytes.Equal(text, []byte("null"))
}

// empty tells whether a member that may be left out says as much as none.
func (r *reader) empty(name string) bool {
	return !r.has(name) || bytes.Equal(bytes.TrimSpace(r.members[name]), []byte(`""`))
}

func (r *reader) missing(name string, needed bool) bool {
	if r.has(name) {
		return false
	}
	if needed {
		try := ""
		if near := r.near(name); near != "" {
			try = "is " + near + " meant for it?"
		}
		r.fault(name, "it is missing", try)
	}
	return true
}

// near is a member that may be meant for a missing one: the same but for its
// case, dashes and underscores.
func (r *reader) near(name string) string {
	bare := func(s string) string {
		return string(bytes.ToLower(bytes.Map(func(c rune) rune {
			if c == '_' || c == '-' || c == ' ' {
				return -1
			}
			return c
		}, []byte(s))))
	}
	for _, other := range slices.Sorted(maps.Keys(r.members)) {
		if bare(other) == bare(name) {
			return strconv.Quote(other)
		}
	}
	return ""
}

// text reads a text of at most so many bytes; a needed one is not empty.
func (r *reader) text(name string, most int, needed bool) string {
	if r.missing(name, needed) {
		return ""
	}
	var s string
	switch err := json.Unmarshal(r.members[name], &s); {
	case err != nil:
		r.fault(name, "it is not a text", "")
	case len(s) > most:
		r.fault(name, "it is longer than "+strconv.Itoa(most)+" bytes", "")
	case s == "" && needed:
		r.fault(name, "it is empty", "")
	default:
		return s
	}
	return ""
}

// number reads a whole number, zero or above; a needed one is above zero.
func (r *reader) number(name string, needed bool) int64 {
	if r.missing(name, needed) {
		return 0
	}
	var n int64
	if json.Unmarshal(r.members[name], &n) != nil || n < 0 || n > 1<<53 || needed && n == 0 {
		r.fault(name, "it is not a whole number", "1")
		return 0
	}
	return n
}

// time reads a moment; zero where there is none.
func (r *reader) time(name string) time.Time {
	text := r.text(name, maxRef, false)
	if text == "" {
		return time.Time{}
	}
	at, err := attune.ParseTime(text)
	if err != nil {
		r.fault(name, "it is not a time", "2030-01-31T08:00:00Z")
	}
	return at
}

// object goes into an object; one that is not there has no members.
func (r *reader) object(name string, needed bool) *reader {
	inner := &reader{at: r.at + name + "."}
	if r.missing(name, needed) {
		return inner
	}
	if json.Unmarshal(r.members[name], &inner.members) != nil {
		inner.members = nil
		r.fault(name, "it is not an object", "{…}")
	}
	return inner
}

// raw is a member as it stands, or nil.
func (r *reader) raw(name string) json.RawMessage {
	if !r.has(name) {
		return nil
	}
	return r.members[name]
}

// id reads an id of one kind into what it is for.
func (r *reader) id(name string, into interface{ UnmarshalText(text []byte) error }, example string) {
	text := r.text(name, maxRef, true)
	if text != "" && into.UnmarshalText([]byte(text)) != nil {
		r.fault(name, "it is not such an id", example)
	}
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
