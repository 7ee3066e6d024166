package api

import (
	"encoding/json"
	"time"

	"github.com/attune-automation/attune"
)

// List is a page of a list. Next is the cursor of the following page, empty on
// the last.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// EventView is an event as the API shows it. Times are RFC 3339 with
// milliseconds, in UTC, in all views; what is not known is left out.
type EventView struct {
	ID          string `json:"id"`
	Trigger     string `json:"trigger"`
	Dedupe      string `json:"dedupe,omitempty"`
	Accepted    string `json:"accepted"`
	OccurredAt  string `json:"occurred_at,omitempty"`
	Evaluated   string `json:"evaluated,omitempty"`
	Correlation string `json:"correlation_id"`
	Traceparent string `json:"traceparent,omitempty"`
	Principal   string `json:"principal"`
	// Payload is left out of lists unless asked for.
	Payload json.RawMessage `json:"payload,omitempty"`
}

// EnforcementView is an enforcement as the API shows it.
type EnforcementView struct {
	ID          string          `json:"id"`
	Event       string          `json:"event"`
	Rule        string          `json:"rule"`
	RuleHash    string          `json:"rule_hash"`
	Action      string          `json:"action"`
	Status      string          `json:"status"`
	Execution   string          `json:"execution,omitempty"`
	Error       *attune.Failure `json:"error,omitempty"`
	Created     string          `json:"created"`
	Correlation string          `json:"correlation_id"`
	Principal   string          `json:"principal"`
	// Evaluation is how the rule judged; left out of lists unless asked for.
	Evaluation json.RawMessage `json:"evaluation,omitempty"`
}

// ExecutionView is an execution as the API shows it. Durations are text such as
// 1m30s in all views.
type ExecutionView struct {
	ID     string `json:"id"`
	Action string `json:"action"`
	// RerunOf is the execution that it repeats.
	RerunOf    string `json:"rerun_of,omitempty"`
	ActionHash string `json:"action_hash"`
	Runner     string `json:"runner"`
	Status     string `json:"status"`
	// Terminal says that the status is the last.
	Terminal bool `json:"terminal"`
	// Cause is why it is stopping.
	Cause string `json:"cause,omitempty"`
	// Reason is what it waits for, Until when its owner looks again.
	Reason      string `json:"reason,omitempty"`
	Until       string `json:"until,omitempty"`
	Attempt     int    `json:"attempt"`
	Worker      string `json:"worker,omitempty"`
	Incarnation string `json:"incarnation,omitempty"`
	Rule        string `json:"rule,omitempty"`
	Trigger     string `json:"trigger,omitempty"`
	Event       string `json:"event,omitempty"`
	Enforcement string `json:"enforcement,omitempty"`
	Parent      string `json:"parent,omitempty"`
	Root        string `json:"root,omitempty"`
	Correlation string `json:"correlation_id"`
	Traceparent string `json:"traceparent,omitempty"`
	Principal   string `json:"principal"`
	Timeout     string `json:"timeout,omitempty"`
	Deadline    string `json:"deadline,omitempty"`
	// Retry is left out where nothing is tried again.
	Retry     *attune.RetryPolicy `json:"retry,omitempty"`
	Requested string              `json:"requested"`
	Started   string              `json:"started,omitempty"`
	Finished  string              `json:"finished,omitempty"`
	// Duration is from start to finish of the newest attempt.
	Duration string          `json:"duration,omitempty"`
	Version  int64           `json:"version"`
	Error    *attune.Failure `json:"error,omitempty"`
	// Parameters, Result, Attempts and History are left out of lists unless
	// asked for.
	Parameters json.RawMessage `json:"parameters,omitempty"`
	Result     json.RawMessage `json:"result,omitempty"`
	Attempts   []AttemptView   `json:"attempts,omitempty"`
	History    []StepView      `json:"history,omitempty"`
}

// AttemptView is one assignment of an execution to a worker.
type AttemptView struct {
	Number      int    `json:"number"`
	Worker      string `json:"worker,omitempty"`
	Incarnation string `json:"incarnation,omitempty"`
	Assigned    string `json:"assigned,omitempty"`
	Started     string `json:"started,omitempty"`
	Ended       string `json:"ended,omitempty"`
	// Duration is from its start to its end.
	Duration string `json:"duration,omitempty"`
	// Outcome is the last status of the execution, or "returned" or "retried"
	// where it went on without this attempt; left out while the attempt does.
	Outcome string `json:"outcome,omitempty"`
	// Note says why it ended, Error with what, where the execution ended with
	// it.
	Note  string          `json:"note,omitempty"`
	Error *attune.Failure `json:"error,omitempty"`
	// Late is what was said of it and changed nothing.
	Late []StepView `json:"late,omitempty"`
}

// StepView is one line of an execution's history.
type StepView struct {
	At          string `json:"at"`
	Signal      string `json:"signal"`
	Status      string `json:"status"`
	Attempt     int    `json:"attempt,omitempty"`
	Worker      string `json:"worker,omitempty"`
	Incarnation string `json:"incarnation,omitempty"`
	Note        string `json:"note,omitempty"`
	// Refused marks evidence that changed nothing.
	Refused bool `json:"refused,omitempty"`
}

const stampFormat = "2006-01-02T15:04:05.000Z07:00"

// stamp is a time as text; the zero time is "".
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(stampFormat)
}

// span is a duration as text; zero is "".
func span(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// document is stored JSON, or nothing where there is none. Bytes that are no
// JSON, which no part of the engine writes, are shown as text rather than
// spoiling the answer.
func document(b []byte) json.RawMessage {
	if len(b) == 0 {
		return nil
	}
	if !json.Valid(b) {
		b, _ = json.Marshal(string(b))
	}
	return b
}

func viewEvent(e *attune.Event, payload bool) EventView {
	v := EventView{
		ID: e.ID.String(), Trigger: e.Trigger, Dedupe: e.Dedupe, Accepted: stamp(e.Accepted), OccurredAt: stamp(e.OccurredAt),
		Evaluated: stamp(e.Evaluated), Correlation: e.Chain.Correlation, Traceparent: e.Chain.Traceparent, Principal: e.Chain.Principal,
	}
	if payload {
		v.Payload = document(e.Payload)
	}
	return v
}

func viewEnforcement(e *attune.Enforcement, payload bool) EnforcementView {
	v := EnforcementView{
		ID: e.ID.String(), Event: e.Event.String(), Rule: e.Rule, RuleHash: e.RuleHash, Action: e.Action, Status: e.Status.String(),
		Execution: e.Execution.String(), Error: e.Failure, Created: stamp(e.Created),
		Correlation: e.Chain.Correlation, Principal: e.Chain.Principal,
	}
	if payload {
		v.Evaluation = document(e.Evaluation)
	}
	return v
}

// viewExecution shows an execution; with payload its secrets must be known.
func viewExecution(x *attune.Execution, payload bool, hide secrets) ExecutionView {
	v := ExecutionView{
		ID: x.ID.String(), Action: x.Action, RerunOf: x.RerunOf.String(), ActionHash: x.ActionHash, Runner: x.Runner, Status: x.Status.String(), Terminal: x.Status.Terminal(),
		Cause: x.Cause.String(), Reason: x.Reason, Until: stamp(x.Until), Attempt: x.Attempt, Worker: x.Worker, Incarnation: x.Incarnation,
		Rule: x.Rule, Trigger: x.Trigger, Event: x.Event.String(), Enforcement: x.Enforcement.String(), Parent: x.Parent.String(), Root: x.Root.String(),
		Correlation: x.Chain.Correlation, Traceparent: x.Chain.Traceparent, Principal: x.Chain.Principal,
		Timeout: span(x.Limits.Timeout), Deadline: stamp(x.Limits.Deadline),
		Requested: stamp(x.Requested), Started: stamp(x.Started), Finished: stamp(x.Finished), Version: x.Version,
	}
	if x.Limits.Retry.MaxAttempts > 1 {
		v.Retry = &x.Limits.Retry
	}
	if !x.Started.IsZero() && !x.Finished.IsZero() {
		v.Duration = x.Finished.Sub(x.Started).String()
	}
	veil := hide.veil(x.Parameters)
	if x.Failure != nil {
		v.Error = &attune.Failure{Code: x.Failure.Code, Message: veil.text(x.Failure.Message), Detail: veil.text(x.Failure.Detail)}
	}
	v.Reason = veil.text(v.Reason)
	if payload {
		v.Parameters = hide.parameters(x.Parameters)
		v.Result = veil.document(x.Result)
		steps, err := x.History.Steps()
		v.History = viewHistory(steps, err, veil)
		v.Attempts = viewAttempts(attune.Attempts(steps), v, veil)
	}
	return v
}

// viewAttempts shows the attempts of an execution; the error it ended with is
// that of the newest.
func viewAttempts(attempts []attune.Attempt, x ExecutionView, veil veil) []AttemptView {
	var views []AttemptView
	for _, a := range attempts {
		v := AttemptView{Number: a.Number, Worker: a.Worker, Incarnation: a.Incarnation, Assigned: stamp(a.Assigned), Started: stamp(a.Started),
			Ended: stamp(a.Ended), Outcome: a.Outcome(), Note: veil.text(a.Note)}
		if !a.Started.IsZero() && !a.Ended.IsZero() {
			v.Duration = a.Ended.Sub(a.Started).String()
		}
		if a.Number == x.Attempt && a.Status.Terminal() {
			v.Error = x.Error
		}
		for _, s := range a.Late {
			v.Late = append(v.Late, viewStep(s, veil))
		}
		views = append(views, v)
	}
	return views
}

// viewHistory shows what can be read of a history; a damaged one says so in its
// last line.
func viewHistory(steps []attune.Step, damage error, veil veil) []StepView {
	views := make([]StepView, 0, len(steps)+1)
	for _, s := range steps {
		views = append(views, viewStep(s, veil))
	}
	if damage != nil {
		views = append(views, StepView{Signal: "none", Status: "none", Note: damage.Error()})
	}
	return views
}

func viewStep(s attune.Step, veil veil) StepView {
	return StepView{At: stamp(s.At), Signal: s.Signal.String(), Status: s.To.String(), Attempt: s.Attempt,
		Worker: s.Worker, Incarnation: s.Incarnation, Note: veil.text(s.Note), Refused: s.Refused}
}
