package messages

import (
	"bytes"
	"encoding/json"
	"mime"
	"time"

	"github.com/attune-automation/attune"
)

// Envelope is the form in which a message crosses the border, in either
// direction: one JSON object. Its types are those of [Contract].
type Envelope struct {
	// MessageID is a UUID, or empty: then the property message_id of AMQP counts.
	// It makes repetitions of a message one, where that says no dedupe key; a
	// message with neither may be taken more than once.
	MessageID string `json:"message_id,omitempty"`
	// CorrelationID is the root of the cause chain. At most 255 bytes. It is
	// kept on every row that comes of the message, and is in every announcement
	// of them; left out it is the id of the first row.
	CorrelationID string `json:"correlation_id,omitempty"`
	// MessageType is also the routing key.
	MessageType string `json:"message_type"`
	// Version is that of the payload, from 1. It rises when an old reader would
	// misunderstand a new message; a field more does not raise it.
	Version int `json:"version"`
	// Timestamp is when the message was made, RFC 3339.
	Timestamp time.Time `json:"timestamp,omitzero"`
	// Headers say where it comes from.
	Headers Headers `json:"headers,omitzero"`
	// Payload is what the message type says.
	Payload Payload `json:"payload"`
}

// Headers say where a message comes from. All may be left out.
type Headers struct {
	// Source is the name of the sender: letters, digits and .-_:/. At most 64 bytes.
	// It is a claim, not a proof.
	Source string `json:"source,omitempty"`
	// TraceID is a W3C traceparent. A malformed one is ignored.
	TraceID string `json:"trace_id,omitempty"`
	// RetryCount is how often the sender has sent the message before.
	RetryCount int `json:"retry_count,omitempty"`
}

// Payload is one of the types of [Contract], as a pointer.
type Payload interface {
	// MessageType is the routing key; of an announced status with the status.
	MessageType() string
	// read takes the members of the payload and notes every fault.
	read(r *reader)
}

const (
	// MaxOutside is the most bytes of one message from outside.
	MaxOutside = 1 << 20
	// JSONType is the content type of envelopes; left out it is the same.
	JSONType = "application/json"

	maxCorrelation = 255
	maxSource      = 64
	maxRef         = 255
	maxTriggerKey  = 1024
	maxDedupe      = 512
	maxReason      = 200
)

// The codes of what is wrong with a message by itself. One that is malformed
// stays so; a newer one is for a newer program.
const (
	CodeMalformed = "malformed_message"
	CodeNewer     = "newer_message"
)

// Outside is the envelope as bytes, ready to be published.
func (e *Envelope) Outside() (Outside, error) {
	body, err := json.Marshal(e)
	return Outside{ID: e.MessageID, ContentType: JSONType, Body: body}, err
}

// ReadEnvelope reads a message that was published under a key. Unknown members
// are ignored: a newer sender may say more. Errors are *attune.Error, Invalid,
// with every fault at once, and one of the codes of this file.
func ReadEnvelope(key string, m Outside) (*Envelope, error) {
	if fault := foreign(m); fault != nil {
		return nil, fault
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(m.Body, &members); err != nil || members == nil {
		return nil, &attune.Error{Kind: attune.Invalid, Code: CodeMalformed, Message: "the message is not a JSON object", Where: "body", Cause: err,
			Try: `{"message_type": "event.created", "version": 1, "payload": {…}}`}
	}
	r := &reader{members: members}
	e := &Envelope{MessageType: r.text("message_type", maxRef, true), Version: int(r.number("version", true))}
	kind, known := contractOf(e.MessageType)
	switch {
	case e.MessageType == "":
	case e.MessageType != key:
		r.fault("message_type", "it is "+e.MessageType+", and the routing key is "+key, "publish it under its message_type")
	case !known:
		r.fault("message_type", "there is no message type "+e.MessageType, "event.created, enforcement.created, execution.requested or execution.cancel.requested")
	}
	if known && e.Version > kind.Version {
		return nil, newer(e, kind)
	}
	if e.MessageID = r.text("message_id", maxRef, false); e.MessageID != "" && !isUUID(e.MessageID) {
		r.fault("message_id", "it is not a UUID", "0b5f3c1e-8d1a-4c55-9a53-0c7d5b1f2a10, or leave it out and give a dedupe key")
	}
	if e.MessageID == "" {
		e.MessageID = m.ID
	}
	if len(e.MessageID) > maxDedupe {
		r.fault("message_id", "it is longer than 512 bytes", "a UUID")
	}
	e.CorrelationID = r.text("correlation_id", maxCorrelation, false)
	e.Timestamp = r.time("timestamp")
	h := r.object("headers", false)
	e.Headers = Headers{Source: h.text("source", maxSource, false), TraceID: h.text("trace_id", maxRef, false), RetryCount: int(h.number("retry_count", false))}
	if !plain(e.Headers.Source) {
		h.fault("source", "it has other characters than letters, digits and .-_:/", "billing.prod")
	}
	if _, ok := attune.ParseTraceparent(e.Headers.TraceID); !ok {
		e.Headers.TraceID = ""
	}
	payload := r.object("payload", true)
	if known {
		e.Payload = kind.New()
		if payload.members != nil {
			e.Payload.read(payload)
		}
	}
	r.join(h, payload)
	if r.faults != nil {
		return nil, &attune.Error{Kind: attune.Invalid, Code: CodeMalformed, Message: "the message is not what its type says", Where: key, Faults: r.faults,
			Try: "docs/messages.md has the schema and an example of every message"}
	}
	return e, nil
}

// foreign is why a message cannot be an envelope at all.
func foreign(m Outside) error {
	if len(m.Body) > MaxOutside {
		return &attune.Error{Kind: attune.Invalid, Code: CodeMalformed, Message: "the message is larger than 1 MiB", Where: "body",
			Try: "keep the document elsewhere, and send where it is"}
	}
	if kind, _, err := mime.ParseMediaType(m.ContentType); m.ContentType != "" && (err != nil || kind != JSONType) {
		return &attune.Error{Kind: attune.Invalid, Code: CodeMalformed, Message: "the content type is " + m.ContentType, Where: "content_type", Try: JSONType}
	}
	return nil
}

func newer(e *Envelope, kind Message) error {
	return &attune.Error{Kind: attune.Invalid, Code: CodeNewer, Where: "version",
		Message: "version " + number(int64(e.Version)) + " of " + e.MessageType + " is newer than this program, which knows " + number(int64(kind.Version)),
		Try:     "replay it when all nodes are upgraded, or send version " + number(int64(kind.Version))}
}

// isUUID tells whether a text is 32 hexadecimal digits in the five groups of a
// UUID; of which version it is says nothing here.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
			continue
		}
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// plain tells whether a name has nothing in it that could be mistaken for
// something else where it is shown.
func plain(s string) bool {
	return bytes.IndexFunc([]byte(s), func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' && c != ':' && c != '/'
	}) < 0
}
