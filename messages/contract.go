package messages

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/attune-automation/attune"
)

// Message is one message type of the outside contract.
type Message struct {
	// Type is the routing key; that of statuses ends with <status>.
	Type string
	// Exchange is where it is published.
	Exchange Exchange
	// Version is the newest that this program knows.
	Version int
	// Taken means that outside clients publish it, else they bind to it.
	Taken bool
	// New is an empty payload of the type.
	New func() Payload
}

// Contract is every message that crosses the border: one table for readers,
// writers and the page about them.
var Contract = []Message{
	{"event.created", Events, 1, true, func() Payload { return &EventCreated{} }},
	{"enforcement.created", Executions, 1, true, func() Payload { return &EnforcementCreated{} }},
	{"execution.requested", Executions, 1, true, func() Payload { return &ExecutionRequested{} }},
	{"execution.cancel.requested", Executions, 1, true, func() Payload { return &ExecutionCancelRequested{} }},
	{CompletedKey, Executions, 1, false, func() Payload { return &ExecutionCompleted{} }},
	{statusKey + "<status>", Executions, 1, false, func() Payload { return &ExecutionStatus{} }},
}

// CompletedKey is the routing key of ends; those of statuses begin with
// statusKey.
const (
	CompletedKey = "execution.completed"
	statusKey    = "execution.status."
)

func contractOf(messageType string) (Message, bool) {
	for _, m := range Contract {
		prefix, open := strings.CutSuffix(m.Type, "<status>")
		if messageType == m.Type && !open || open && strings.HasPrefix(messageType, prefix) {
			return m, true
		}
	}
	return Message{}, false
}

// EventCreated hands an event in, as POST /api/v1/events does.
type EventCreated struct {
	// Trigger is a trigger key: a ref, or ref?name=value for a trigger with
	// parameters. At most 1024 bytes.
	Trigger string `json:"trigger"`
	// Payload is any JSON document; left out it is {}.
	Payload json.RawMessage `json:"payload,omitempty"`
	// Dedupe makes repetitions one event, within the dedupe window; left out the
	// message_id does. At most 512 bytes.
	Dedupe string `json:"dedupe,omitempty"`
	// OccurredAt is when the source says it happened, RFC 3339.
	OccurredAt time.Time `json:"occurred_at,omitzero"`
}

// MessageType implements Payload, as do the others below.
func (*EventCreated) MessageType() string { return "event.created" }

func (p *EventCreated) read(r *reader) {
	p.Trigger, p.Payload = r.text("trigger", maxTriggerKey, true), r.raw("payload")
	p.Dedupe, p.OccurredAt = r.text("dedupe", maxDedupe, false), r.time("occurred_at")
}

// EnforcementCreated says that a rule engine elsewhere has matched an event that
// is stored here: it becomes an enforcement with one execution. The event and
// the rule decide it: sent again it starts nothing more.
type EnforcementCreated struct {
	// Event is the id of the event.
	Event attune.EventID `json:"event"`
	// Rule is the ref of the rule that matched, which need not be known here.
	// Left out it is the ref of the action.
	Rule string `json:"rule,omitempty"`
	// Action is the ref of what is to be started. It may be left out where the
	// rule is known here.
	Action string `json:"action,omitempty"`
	// Parameters are literal values, never templates.
	Parameters json.RawMessage `json:"parameters,omitempty"`
	// Dedupe makes several enforcements one execution, beyond what the event and
	// the rule decide. At most 512 bytes.
	Dedupe string `json:"dedupe,omitempty"`
}

// MessageType implements Payload.
func (*EnforcementCreated) MessageType() string { return "enforcement.created" }

func (p *EnforcementCreated) read(r *reader) {
	r.id("event", &p.Event, "ev-06yk1nr080403, as the answer to the event or the variable of the action says it")
	p.Rule, p.Action = r.text("rule", maxRef, false), r.text("action", maxRef, false)
	p.Parameters, p.Dedupe = r.raw("parameters"), r.text("dedupe", maxDedupe, false)
	if r.empty("rule") && r.empty("action") {
		r.fault("action", "it says neither an action nor a rule", "examples.notify")
	}
	r.parameters()
}

// ExecutionRequested asks for one execution, as POST /api/v1/executions does.
type ExecutionRequested struct {
	// Action is a ref.
	Action string `json:"action"`
	// Parameters are literal values; text is cast to the declared type.
	Parameters json.RawMessage `json:"parameters,omitempty"`
	// Dedupe makes repetitions one execution, within the dedupe window; left out
	// the message_id does. At most 512 bytes.
	Dedupe string `json:"dedupe,omitempty"`
	// Timeout limits one attempt: text such as 90s; left out it is the action's.
	Timeout string `json:"timeout,omitempty"`
	// Deadline limits the execution with all its attempts: an RFC 3339 time, or
	// text such as 10m from when it is taken; left out it is the action's.
	Deadline string `json:"deadline,omitempty"`
	// Retry is the object that packs know by this key, or a number of attempts;
	// left out it is the action's.
	Retry json.RawMessage `json:"retry,omitempty"`
	// At is when it may start, like Deadline; left out it is at once.
	At string `json:"at,omitempty"`
}

// MessageType implements Payload.
func (*ExecutionRequested) MessageType() string { return "execution.requested" }

func (p *ExecutionRequested) read(r *reader) {
	p.Action, p.Parameters = r.text("action", maxRef, true), r.raw("parameters")
	p.Dedupe, p.Timeout, p.Deadline = r.text("dedupe", maxDedupe, false), r.text("timeout", maxRef, false), r.text("deadline", maxRef, false)
	p.Retry, p.At = r.raw("retry"), r.text("at", maxRef, false)
	r.parameters()
}

// parameters checks that they are an object, if they are there.
func (r *reader) parameters() {
	if inner := r.object("parameters", false); inner.faults != nil {
		r.join(inner)
	}
}

// ExecutionCancelRequested asks for the end of an execution. It may be sent
// again at will; one that has ended stays as it is.
type ExecutionCancelRequested struct {
	// Execution is an id.
	Execution attune.ExecutionID `json:"execution"`
	// Reason is kept in the history, for people. At most 200 bytes.
	Reason string `json:"reason,omitempty"`
}

// MessageType implements Payload.
func (*ExecutionCancelRequested) MessageType() string { return "execution.cancel.requested" }

func (p *ExecutionCancelRequested) read(r *reader) {
	r.id("execution", &p.Execution, "ex-06yk1nr080403")
	p.Reason = r.text("reason", maxReason, false)
}
