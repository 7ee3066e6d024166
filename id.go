package attune

import (
	"fmt"
	"strings"
	"time"
)

// Partitions is the number of partitions of a cluster, fixed when it is
// created. An id carries its partition, so that any node routes by id alone.
const Partitions = 128

const (
	partitionBits = 10
	sequenceBits  = 12
	millisShift   = partitionBits + sequenceBits
	// MaxSequence is the highest sequence number within one millisecond of one
	// partition.
	MaxSequence = 1<<sequenceBits - 1
	idDigits    = 13
)

// Epoch is the moment at which ids begin to count their milliseconds.
var Epoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// ID is the number behind every live row: 41 bits of milliseconds since
// [Epoch] in database time, 10 bits of partition, 12 bits of sequence. IDs of
// one partition rise; all ids sort by time. Zero is no id.
type ID int64

// MakeID composes an id. It does not check its arguments: millis counts from
// [Epoch], partition is below [Partitions], sequence at most [MaxSequence].
func MakeID(millis int64, partition, sequence int) ID {
	return ID(millis<<millisShift | int64(partition)<<sequenceBits | int64(sequence))
}

// Partition is the partition that owns the row, below [Partitions] for every
// id that [ParseID] accepts.
func (id ID) Partition() int { return int(id>>sequenceBits) & (1<<partitionBits - 1) }

// Millis is the time of the id in milliseconds since [Epoch].
func (id ID) Millis() int64 { return int64(id) >> millisShift }

// Time is the database time at which the id was made.
func (id ID) Time() time.Time { return Epoch.Add(time.Duration(id.Millis()) * time.Millisecond) }

// Kind says what an id is of. It is the prefix of the id's text form.
type Kind string

// The kinds of live rows.
const (
	KindEvent       Kind = "ev"
	KindEnforcement Kind = "en"
	KindExecution   Kind = "ex"
	KindInquiry     Kind = "iq"
)

// Typed ids. Their text form is the kind's prefix, a dash and 13 characters of
// lower-case Crockford base32; in JSON always a string, and the zero id is the
// empty string.
type (
	// EventID names an event.
	EventID ID
	// EnforcementID names an enforcement.
	EnforcementID ID
	// ExecutionID names an execution.
	ExecutionID ID
)

// Partition is the partition that owns the event.
func (id EventID) Partition() int { return ID(id).Partition() }

// Partition is the partition that owns the enforcement.
func (id EnforcementID) Partition() int { return ID(id).Partition() }

// Partition is the partition that owns the execution.
func (id ExecutionID) Partition() int { return ID(id).Partition() }

func (id EventID) String() string       { return FormatID(KindEvent, ID(id)) }
func (id EnforcementID) String() string { return FormatID(KindEnforcement, ID(id)) }
func (id ExecutionID) String() string   { return FormatID(KindExecution, ID(id)) }

// MarshalText writes the text form.
func (id EventID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText writes the text form.
func (id EnforcementID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText writes the text form.
func (id ExecutionID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form; an id of another kind is invalid.
func (id *EventID) UnmarshalText(b []byte) error { return unmarshalID(b, KindEvent, (*ID)(id)) }

// UnmarshalText reads the text form; an id of another kind is invalid.
func (id *EnforcementID) UnmarshalText(b []byte) error {
	return unmarshalID(b, KindEnforcement, (*ID)(id))
}

// UnmarshalText reads the text form; an id of another kind is invalid.
func (id *ExecutionID) UnmarshalText(b []byte) error {
	return unmarshalID(b, KindExecution, (*ID)(id))
}

const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// FormatID is the text form of id; the zero id is "".
func FormatID(kind Kind, id ID) string {
	if id == 0 {
		return ""
	}
	var b [16]byte
	n := copy(b[:], kind)
	b[n] = '-'
	v := uint64(id)
	for i := n + idDigits; i > n; i-- {
		b[i] = crockford[v&31]
		v >>= 5
	}
	return string(b[:n+1+idDigits])
}

// ParseID reads the text form of an id of any kind. It forgives upper case and
// Crockford's look-alikes (o for 0, i and l for 1). What it refuses is invalid.
func ParseID(s string) (Kind, ID, error) {
	kind, digits, ok := strings.Cut(strings.ToLower(s), "-")
	switch Kind(kind) {
	case KindEvent, KindEnforcement, KindExecution, KindInquiry:
	default:
		ok = false
	}
	if !ok || len(digits) != idDigits {
		return "", 0, invalidID(s)
	}
	var v uint64
	for i, c := range []byte(digits) {
		d := crockfordDigit(c)
		if d < 0 || (i == 0 && d > 7) {
			return "", 0, invalidID(s)
		}
		v = v<<5 | uint64(d)
	}
	id := ID(v)
	if id <= 0 || id.Partition() >= Partitions {
		return "", 0, invalidID(s)
	}
	return Kind(kind), id, nil
}

// ParseExecutionID reads the text form of an execution's id.
func ParseExecutionID(s string) (ExecutionID, error) {
	var id ExecutionID
	err := id.UnmarshalText([]byte(s))
	if err == nil && id == 0 {
		err = invalidID(s)
	}
	return id, err
}

func crockfordDigit(c byte) int {
	switch c {
	case 'o':
		c = '0'
	case 'i', 'l':
		c = '1'
	}
	return strings.IndexByte(crockford, c)
}

func unmarshalID(b []byte, want Kind, id *ID) error {
	if len(b) == 0 {
		*id = 0
		return nil
	}
	kind, v, err := ParseID(string(b))
	if err != nil {
		return err
	}
	if kind != want {
		return &Error{Kind: Invalid, Code: "invalid_id", Message: fmt.Sprintf("%q is not the id of an %s", b, kindNames[want]),
			Try: "an id that begins with " + string(want) + "-"}
	}
	*id = v
	return nil
}

var kindNames = map[Kind]string{KindEvent: "event", KindEnforcement: "enforcement", KindExecution: "execution", KindInquiry: "inquiry"}

func invalidID(s string) error {
	return &Error{Kind: Invalid, Code: "invalid_id", Message: fmt.Sprintf("%q is not an id", s),
		Try: "ids look like ex-0c3k9w2v7r1ab; copy one from a list"}
}
