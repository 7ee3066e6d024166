package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/secret"
)

type streamInput struct {
	LastEventID string   `header:"Last-Event-ID" doc:"The id of the last event that was received: go on behind it"`
	After       string   `query:"after" doc:"The same, for callers that cannot set a header"`
	Kind        []string `query:"kind" enum:"event,enforcement,execution,worker" doc:"Only these kinds"`
	Execution   []string `query:"execution" doc:"Only these executions"`
	Status      []string `query:"status" doc:"Only executions in these statuses"`
	Action      string   `query:"action"`
	Rule        string   `query:"rule"`
	Trigger     string   `query:"trigger"`
	Worker      string   `query:"worker"`
	Event       string   `query:"event"`
	Parent      string   `query:"parent"`
	Terminal    bool     `query:"terminal" doc:"Only executions that have ended"`
}

// wanted is what a stream shows. A filter that a kind of row does not have
// leaves that kind out.
type wanted struct {
	*streamInput
	executions []attune.ExecutionID
	event      attune.EventID
	parent     attune.ExecutionID
}

// filter checks the filters.
func (in *streamInput) filter() (wanted, error) {
	w := wanted{streamInput: in}
	for _, status := range in.Status {
		if _, err := attune.ParseStatus(status); err != nil {
			return w, err
		}
	}
	for _, text := range in.Execution {
		id, err := attune.ParseExecutionID(text)
		if err != nil {
			return w, err
		}
		w.executions = append(w.executions, id)
	}
	if err := w.event.UnmarshalText([]byte(in.Event)); err != nil {
		return w, err
	}
	return w, w.parent.UnmarshalText([]byte(in.Parent))
}

func (w *wanted) wants(c *Change) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	execution := c.Kind == ChangeOfExecution
	return (w.Kind == nil || slices.Contains(w.Kind, c.Kind)) &&
		is(w.Action, c.Action) && is(w.Rule, c.Rule) && is(w.Trigger, c.Trigger) && is(w.Worker, c.Worker) &&
		(w.Status == nil || execution && slices.Contains(w.Status, c.Status)) &&
		(!w.Terminal || c.Terminal) &&
		(w.executions == nil || slices.Contains(w.executions, c.Execution)) &&
		(w.event == 0 || w.event == c.Event) && (w.parent == 0 || w.parent == c.Parent)
}

// StreamWord is what open, reset and end say.
type StreamWord struct {
	// Node is whose changes these are: its incarnation.
	Node string `json:"node,omitempty"`
	// Code is why there is a gap, or an end, and Message the same for people.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// stream tells every stored change as it is stored, until the caller leaves,
// loses its token, or the node ends.
func (s *server) stream(ctx context.Context, in *streamInput) (*streamOutput, error) {
	filter, err := in.filter()
	if err != nil {
		return nil, err
	}
	t := &telling{server: s, node: s.Engine.Node().Incarnation, wanted: filter, memo: map[string]secrets{}}
	number, err := t.begin(cmp.Or(in.LastEventID, in.After))
	if err != nil {
		return nil, err
	}
	t.from = s.Engine.Listen(number)
	return &streamOutput{func(hc huma.Context) {
		defer t.from.Close()
		_, w := humago.Unwrap(hc)
		t.to = s.beginSSE(w)
		defer t.to.end()
		if end := t.tell(ctx); end != nil {
			_ = t.to.send(t.place(t.from.Place()), StreamEnd, end)
			_ = t.to.flush() // to whoever is still there
		}
	}}, nil
}

// telling is one stream under way.
type telling struct {
	server *server
	node   string
	wanted wanted
	from   Listener
	to     *sse
	memo   map[string]secrets
	// elsewhere says that the reader comes from another incarnation.
	elsewhere bool
	batch     [64]Change
}

// place is the id of an event: the node's incarnation and a number.
func (t *telling) place(number int64) string { return t.node + ":" + strconv.FormatInt(number, 10) }

// begin reads a place that the reader was told before. One of another
// incarnation cannot be gone on from.
func (t *telling) begin(after string) (int64, error) {
	if after == "" {
		return -1, nil
	}
	node, digits, found := cutLast(after, ':')
	number, err := strconv.ParseInt(digits, 10, 64)
	if !found || err != nil || number < 0 {
		return 0, &attune.Error{Kind: attune.Invalid, Code: "invalid_place", Message: fmt.Sprintf("%q is not the id of an event of this stream", after),
			Where: "Last-Event-ID", Try: "leave it out to begin now"}
	}
	if node != t.node {
		t.elsewhere = true
		return -1, nil
	}
	return number, nil
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// tell sends until there is an end, and returns its word; nil when nobody reads
// any more.
func (t *telling) tell(ctx context.Context) *StreamWord {
	if err := t.greet(); err != nil {
		return nil
	}
	for {
		n, lost := t.from.Read(t.batch[:])
		if lost {
			if err := t.reset("forgotten", "the changes behind that place are no longer remembered"); err != nil {
				return nil
			}
			continue
		}
		for i := range t.batch[:n] {
			if err := t.change(ctx, &t.batch[i]); err != nil {
				return nil
			}
		}
		t.to.heartbeat(t.place(t.from.Place()))
		if err := t.to.flush(); err != nil {
			return nil
		}
		if n < len(t.batch) {
			t.sleep(ctx)
		}
		if ctx.Err() != nil {
			code, message := lastWord(ctx)
			return &StreamWord{Node: t.node, Code: code, Message: message}
		}
	}
}

// greet says that the stream is open, or that it begins with a gap.
func (t *telling) greet() error {
	if t.elsewhere {
		return t.reset("restarted", "that place is of another incarnation of the node")
	}
	if err := t.to.send(t.place(t.from.Place()), StreamOpen, StreamWord{Node: t.node}); err != nil {
		return err
	}
	return t.to.flush()
}

func (t *telling) reset(code, message string) error {
	if err := t.to.send(t.place(t.from.Place()), StreamReset, StreamWord{Node: t.node, Code: code, Message: message}); err != nil {
		return err
	}
	return t.to.flush()
}

// sleep waits for a change or the next heartbeat.
func (t *telling) sleep(ctx context.Context) {
	nap, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.to.pulse, cancel)()
	sleep(nap, t.from.Woken())
}

// change sends one, if it is wanted.
func (t *telling) change(ctx context.Context, c *Change) error {
	if !t.wanted.wants(c) {
		return nil
	}
	v := viewChange(c)
	if c.Reason != "" && c.Kind == ChangeOfExecution {
		v.Reason = t.veiled(ctx, c)
	}
	return t.to.send(t.place(c.Number), c.Kind, v)
}

// veiled is the reason without the secrets of the execution. Where its action
// has some, the row is read for their values; what was cut may end with half of
// one, and is hidden.
func (t *telling) veiled(ctx context.Context, c *Change) string {
	row := &attune.Execution{Action: c.Action, ActionHash: c.ActionHash}
	hide := t.server.secretsOf(ctx, row, t.memo)
	if !hide.unknown && len(hide.names) == 0 {
		return c.Reason
	}
	x, err := t.server.Store.Execution(ctx, attune.ExecutionID(c.ID))
	if err != nil || strings.HasSuffix(c.Reason, "…") {
		return secret.Stars
	}
	return hide.veil(x.Parameters).text(c.Reason)
}
