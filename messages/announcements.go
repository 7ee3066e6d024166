package messages

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/attune-automation/attune"
)

// ExecutionCompleted is announced after every terminal status, at least once:
// deduplicate by (id, version), or by the message_id, which is the same each
// time.
type ExecutionCompleted struct {
	// ID is the execution, Version counts its stored states.
	ID      attune.ExecutionID `json:"id"`
	Version int64              `json:"version"`
	// Action is the ref of what ran, Status how it ended.
	Action string        `json:"action"`
	Status attune.Status `json:"status"`
	// Attempt is the number of the last attempt, 0 where there was none.
	Attempt int `json:"attempt"`
	// Rule, Trigger and Event are what caused it; left out where a request did.
	Rule    string `json:"rule,omitempty"`
	Trigger string `json:"trigger,omitempty"`
	Event   string `json:"event,omitempty"`
	// Requested, Started and Finished are its times, RFC 3339; of one that never
	// ran Started is left out.
	Requested time.Time `json:"requested,omitzero"`
	Started   time.Time `json:"started,omitzero"`
	Finished  time.Time `json:"finished,omitzero"`
	// Result is the result, at most 64 kB of JSON: of a larger one only
	// ResultBytes is said, and GET /api/v1/executions/{id} has it.
	Result      json.RawMessage `json:"result,omitempty"`
	ResultBytes int             `json:"result_bytes,omitempty"`
	// Failure says why it did not complete.
	Failure *attune.Failure `json:"error,omitempty"`

	// Chain becomes the headers of the envelope.
	Chain attune.Chain `json:"-"`
}

const (
	// maxAnnouncedResult is the largest result that is announced.
	maxAnnouncedResult = 64 << 10
	// maxAnnouncedDetail bounds the detail of an announced failure.
	maxAnnouncedDetail = 4 << 10
	// announcer is the source of what we announce.
	announcer = "attune"
)

// EndOf is the announcement of an execution that has ended.
func EndOf(x *attune.Execution) *ExecutionCompleted {
	c := &ExecutionCompleted{ID: x.ID, Version: x.Version, Action: x.Action, Status: x.Status, Attempt: x.Attempt, Rule: x.Rule, Trigger: x.Trigger,
		Requested: x.Requested, Started: x.Started, Finished: x.Finished, Result: x.Result, Failure: x.Failure, Chain: x.Chain}
	if x.Event != 0 {
		c.Event = x.Event.String()
	}
	if len(x.Result) > maxAnnouncedResult {
		c.Result, c.ResultBytes = nil, len(x.Result)
	}
	if f := x.Failure; f != nil && len(f.Detail) > maxAnnouncedDetail {
		short := *f
		short.Detail = strings.ToValidUTF8(f.Detail[:maxAnnouncedDetail], "") + "…"
		c.Failure = &short
	}
	return c
}

// MessageType implements Payload.
func (*ExecutionCompleted) MessageType() string { return CompletedKey }

// Envelope is the announcement as it leaves.
func (c *ExecutionCompleted) Envelope() *Envelope {
	return announced(c, c.ID, c.Version, c.Finished, c.Chain)
}

func (c *ExecutionCompleted) read(r *reader) {
	r.id("id", &c.ID, "")
	c.Version, c.Attempt = r.number("version", true), int(r.number("attempt", false))
	c.Action, c.Rule, c.Trigger, c.Event = r.text("action", maxRef, true), r.text("rule", maxRef, false), r.text("trigger", maxTriggerKey, false), r.text("event", maxRef, false)
	c.Status = r.status("status", true)
	c.Requested, c.Started, c.Finished = r.time("requested"), r.time("started"), r.time("finished")
	c.Result, c.ResultBytes = r.raw("result"), int(r.number("result_bytes", false))
	if r.has("error") && json.Unmarshal(r.members["error"], &c.Failure) != nil {
		r.fault("error", "it is not an error", "")
	}
}

// ExecutionStatus is announced after a stored change of status, where that is
// asked for: best effort, and not for what was overtaken before it was stored.
type ExecutionStatus struct {
	// ID is the execution, Version counts its stored states.
	ID      attune.ExecutionID `json:"id"`
	Version int64              `json:"version"`
	// From is the status before, left out where there was none; To the new one.
	From string        `json:"from,omitempty"`
	To   attune.Status `json:"to"`
	// Attempt is the newest attempt, 0 where there is none yet.
	Attempt int `json:"attempt"`
	// At is when it changed, RFC 3339.
	At time.Time `json:"at"`

	// Chain becomes the headers of the envelope.
	Chain attune.Chain `json:"-"`
}

// StatusOf is the announcement of what the newest step of an execution changed,
// or nil where that left the status as it was.
func StatusOf(x *attune.Execution) *ExecutionStatus {
	steps, err := x.History.Steps()
	if err != nil || len(steps) == 0 || steps[len(steps)-1].Refused {
		return nil
	}
	s := &ExecutionStatus{ID: x.ID, Version: x.Version, To: x.Status, Attempt: x.Attempt, At: steps[len(steps)-1].At, Chain: x.Chain}
	for _, step := range steps[:len(steps)-1] {
		if !step.Refused {
			s.From = step.To.String()
		}
	}
	if s.From == x.Status.String() {
		return nil
	}
	return s
}

// MessageType implements Payload.
func (s *ExecutionStatus) MessageType() string { return statusKey + s.To.String() }

// Envelope is the announcement as it leaves.
func (s *ExecutionStatus) Envelope() *Envelope {
	return announced(s, s.ID, s.Version, s.At, s.Chain)
}

func (s *ExecutionStatus) read(r *reader) {
	r.id("id", &s.ID, "")
	s.Version, s.Attempt = r.number("version", true), int(r.number("attempt", false))
	if r.has("from") {
		s.From = r.status("from", true).String()
	}
	s.To, s.At = r.status("to", true), r.time("at")
}

func (r *reader) status(name string, needed bool) attune.Status {
	text := r.text(name, maxRef, needed)
	if text == "" {
		return attune.NoStatus
	}
	status, err := attune.ParseStatus(text)
	if err != nil {
		r.fault(name, "it is not a status", "")
	}
	return status
}

// announcement is what leaves in an envelope.
type announcement interface{ Envelope() *Envelope }

// readAnnouncement is the inverse of an announcement's envelope.
func readAnnouncement(body []byte) (any, error) {
	var kind struct {
		Type string `json:"message_type"`
	}
	_ = json.Unmarshal(body, &kind) // reading it all says what is wrong
	e, err := ReadEnvelope(kind.Type, Outside{Body: body})
	if err != nil {
		return nil, err
	}
	chain := attune.Chain{Correlation: e.CorrelationID, Traceparent: e.Headers.TraceID}
	switch p := e.Payload.(type) {
	case *ExecutionCompleted:
		p.Chain = chain
	case *ExecutionStatus:
		p.Chain = chain
	default:
		return nil, &attune.Error{Kind: attune.Invalid, Code: CodeMalformed, Message: "it is no announcement", Where: e.MessageType}
	}
	return e.Payload, nil
}

// announced wraps an announcement. Its message_id follows from what it says, so
// that who hears it twice can tell.
func announced(p Payload, id attune.ExecutionID, version int64, at time.Time, chain attune.Chain) *Envelope {
	sum := sha256.Sum256([]byte(p.MessageType() + " " + id.String() + " " + number(version)))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8: made by a rule of our own
	h := hex.EncodeToString(sum[:16])
	return &Envelope{MessageID: h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], CorrelationID: chain.Correlation,
		MessageType: p.MessageType(), Version: 1, Timestamp: at, Headers: Headers{Source: announcer, TraceID: chain.Traceparent}, Payload: p}
}
