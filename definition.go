package attune

import (
	"encoding/json"
	"net/url"
	"sort"
	"strconv"
	"time"
)

// Position is a place in a file.
type Position struct {
	// File is the path as the user gave it.
	File string `json:"file"`
	// Line and Column count from 1; zero is unknown.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// String is file:line:col, as far as it is known.
func (p Position) String() string {
	s := p.File
	if p.Line > 0 {
		s += ":" + strconv.Itoa(p.Line)
		if p.Column > 0 {
			s += ":" + strconv.Itoa(p.Column)
		}
	}
	return s
}

// Action is something that can run.
type Action struct {
	// Ref is pack.name, Pack and Name its halves.
	Ref  string `json:"ref"`
	Pack string `json:"pack"`
	Name string `json:"name"`
	// Description is for people.
	Description string `json:"description,omitempty"`
	// Runner says how it runs: local-shell-cmd, process, http-request, noop.
	Runner string `json:"runner_type"`
	// EntryPoint is the program or script, relative to the pack's actions
	// folder; empty for runners that need none.
	EntryPoint string `json:"entry_point,omitempty"`
	// Dir is the absolute folder that EntryPoint is relative to.
	Dir string `json:"dir,omitempty"`
	// Enabled false refuses new executions.
	Enabled bool `json:"enabled"`
	// Refusal is why it can never run here, such as a runner that we lack; the
	// action is listed, and refused with this text. Empty: it can run.
	Refusal string `json:"refusal,omitempty"`
	// Parameters are its own and its runner's, by name.
	Parameters map[string]*Parameter `json:"parameters,omitempty"`
	// Timeout limits one attempt; zero means the runner's default.
	Timeout time.Duration `json:"-"`
	// Deadline limits an execution from its request, Retry says when it is tried
	// again; a rule or a call may say otherwise. Zero and nil: neither.
	Deadline Span         `json:"deadline,omitempty"`
	Retry    *RetryPolicy `json:"retry,omitempty"`
	// Limits are what the processes of one attempt may use.
	Limits Resources `json:"limits,omitzero"`
	// Hidden are texts that are secret for it besides its parameters, such as
	// those of its pack's configuration. They are never stored or shown.
	Hidden []string `json:"-"`
	// Config is the configuration of its pack, for templates. It is shared,
	// may hold secrets, and is neither stored nor shown with the action.
	Config map[string]any `json:"-"`
	// Hash is the hash of its content.
	Hash string `json:"hash"`
	// At is where it is defined.
	At Position `json:"at"`
}

// Positional are the names of the parameters with a position, in ascending
// position; of two with the same, in order of name.
func (a *Action) Positional() []string {
	var names []string
	for name, p := range a.Parameters {
		if p.Position != nil {
			names = append(names, name)
		}
	}
	sort.Slice(names, func(i, j int) bool {
		one, other := *a.Parameters[names[i]].Position, *a.Parameters[names[j]].Position
		return one < other || one == other && names[i] < names[j]
	})
	return names
}

// Parameter is one parameter of an action, in StackStorm's dialect of JSON
// Schema.
type Parameter struct {
	// Type is string, integer, number, boolean, array, object, or empty for
	// any.
	Type string `json:"type,omitempty"`
	// Description is for people.
	Description string `json:"description,omitempty"`
	// Required refuses a request without it.
	Required bool `json:"required,omitempty"`
	// Default is used where the request says nothing; HasDefault tells a
	// default of null from none.
	Default    any  `json:"default,omitempty"`
	HasDefault bool `json:"-"`
	// Enum are the only values allowed, or empty.
	Enum []any `json:"enum,omitempty"`
	// Immutable refuses a request that sets it.
	Immutable bool `json:"immutable,omitempty"`
	// Secret seals its value and masks it everywhere; a parameter with a secret
	// part is secret as a whole.
	Secret bool `json:"secret,omitempty"`
	// Position is its place among positional arguments, or nil.
	Position *int `json:"position,omitempty"`
	// Schema is what else JSON Schema says of its values: items, properties,
	// pattern, minimum, in StackStorm's dialect. Empty: nothing.
	Schema json.RawMessage `json:"schema,omitempty"`
}

// Trigger is something that fires events.
type Trigger struct {
	// Ref is pack.name; of a trigger that a rule asks for with parameters, the
	// [TriggerKey].
	Ref string `json:"ref"`
	// Pack is the pack it came with.
	Pack string `json:"pack"`
	// Description is for people.
	Description string `json:"description,omitempty"`
	// Webhook makes it fire on a request, or is nil.
	Webhook *Webhook `json:"webhook,omitempty"`
	// PayloadSchema is what its events must look like, ParametersSchema what
	// rules may ask of it, in StackStorm's dialect of JSON Schema; or empty.
	PayloadSchema    json.RawMessage `json:"payload_schema,omitempty"`
	ParametersSchema json.RawMessage `json:"parameters_schema,omitempty"`
	// AnyPayload is a setting of the node: PayloadSchema is shown, and not held
	// against events.
	AnyPayload bool `json:"any_payload,omitempty"`
	// Hash is the hash of its content.
	Hash string `json:"hash"`
	// At is where it is defined.
	At Position `json:"at"`
}

// Webhook fires a trigger on POST /api/v1/webhooks/{URL}.
type Webhook struct {
	// URL is the last part of the route, without slashes at its ends.
	URL string `json:"url"`
	// Split is a Jinja expression for a list in the request: each item
	// becomes an event of its own with the payload {headers, body, item,
	// index}, the list itself left out of body if Split is a plain look-up such
	// as {{ body.alerts }}. Empty: one event with {headers, body}.
	Split string `json:"split,omitempty"`
	// Dedupe is a Jinja template over the payload; what it renders to is the
	// event's dedupe key. Empty: none.
	Dedupe string `json:"dedupe,omitempty"`
}

// Rule connects a trigger with an action.
type Rule struct {
	// Ref is pack.name.
	Ref string `json:"ref"`
	// Pack is the pack it came with.
	Pack string `json:"pack"`
	// Description is for people.
	Description string `json:"description,omitempty"`
	// Enabled false is kept and never matches.
	Enabled bool `json:"enabled"`
	// Trigger is the ref of its trigger, TriggerParameters what it asks of it;
	// [TriggerKey] of both is what events carry.
	Trigger           string            `json:"trigger"`
	TriggerParameters map[string]string `json:"trigger_parameters,omitempty"`
	// Criteria must all pass.
	Criteria []Criterion `json:"criteria,omitempty"`
	// Action is the ref of what it starts, Parameters the templated values.
	Action     string         `json:"action"`
	Parameters map[string]any `json:"parameters,omitempty"`
	// Deadline and Retry take the place of the action's, unless zero and nil.
	Deadline Span         `json:"deadline,omitempty"`
	Retry    *RetryPolicy `json:"retry,omitempty"`
	// Hash is the hash of its content.
	Hash string `json:"hash"`
	// At is where it is defined.
	At Position `json:"at"`
	// Applied says who put it into the store, and when; nil is a rule of a
	// pack's folder.
	Applied *Stamp `json:"applied,omitempty"`
	// Switched says who enabled or disabled it, whatever its file says; nil:
	// nobody did.
	Switched *Stamp `json:"switched,omitempty"`
}

// Stamp is who did something to a definition, and when.
type Stamp struct {
	// By is the name of a token.
	By string `json:"by"`
	// At is in database time, in whole milliseconds.
	At time.Time `json:"at"`
}

// String is what people read: by alice, 2026-01-31T12:00:00Z.
func (s *Stamp) String() string { return "by " + s.By + ", " + s.At.UTC().Format(time.RFC3339) }

// Criterion is one condition of a rule.
type Criterion struct {
	// Path is where to look: trigger.body.status.
	Path string `json:"path"`
	// Type is the operator: equals, exists, contains, regex, in.
	Type string `json:"type"`
	// Pattern is what to compare with; strings may be Jinja.
	Pattern any `json:"pattern,omitempty"`
	// At is where it is written.
	At Position `json:"at"`
}

// TriggerKey is what an event carries and a rule waits for: the trigger's ref,
// and for a trigger with parameters those too, in a form that does not depend
// on their order: core.st2.webhook?url=alertmanager.
func TriggerKey(ref string, parameters map[string]string) string {
	if len(parameters) == 0 {
		return ref
	}
	names := make([]string, 0, len(parameters))
	for n := range parameters {
		names = append(names, n)
	}
	sort.Strings(names)
	sep := "?"
	for _, n := range names {
		ref += sep + url.QueryEscape(n) + "=" + url.QueryEscape(parameters[n])
		sep = "&"
	}
	return ref
}
