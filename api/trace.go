package api

import (
	"context"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// maxTrace bounds the executions of one trace.
const maxTrace = 1000

// Trace is the chain that an id belongs to, from its first cause down.
type Trace struct {
	// ID is what was asked for.
	ID string `json:"id"`
	// Event began the chain; left out where a request did, or the event is no
	// longer kept.
	Event *EventView `json:"event,omitempty"`
	// Evaluations are how the rules judged it, as far as known.
	Evaluations  []attune.Evaluation `json:"evaluations,omitempty"`
	Enforcements []TraceEnforcement  `json:"enforcements,omitempty"`
	// Executions are those that no enforcement started.
	Executions []*TraceExecution `json:"executions,omitempty"`
	// Truncated says that there are more executions than the 1000 shown.
	Truncated bool `json:"truncated,omitempty"`
}

// TraceEnforcement is a matched rule with what it started.
type TraceEnforcement struct {
	EnforcementView
	Started *TraceExecution `json:"started,omitempty"`
}

// TraceExecution is an execution with its children.
type TraceExecution struct {
	ExecutionView
	Children []*TraceExecution `json:"children,omitempty"`
}

type traceOutput struct{ Body Trace }

// trace finds the first cause of any id, then everything that follows from it.
func (s *server) trace(ctx context.Context, in *ByID) (*traceOutput, error) {
	event, root, err := s.firstCause(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	t := &tracing{server: s, memo: map[string]secrets{}}
	t.ID = in.ID
	if event != 0 {
		if err = t.fromEvent(ctx, event); err != nil {
			return nil, err
		}
	}
	if root != nil && !t.seen(root.ID) {
		x, err := t.from(ctx, root)
		if err != nil {
			return nil, err
		}
		t.Executions = append(t.Executions, x)
	}
	return &traceOutput{t.Trace}, nil
}

// firstCause is the event at the beginning of a chain, or zero, and the
// execution through which it was found, or nil: that one is shown even when the
// event is no longer kept.
func (s *server) firstCause(ctx context.Context, text string) (attune.EventID, *attune.Execution, error) {
	kind, id, err := attune.ParseID(text)
	if err != nil {
		return 0, nil, err
	}
	switch kind {
	case attune.KindEvent:
		_, err = s.Store.Event(ctx, attune.EventID(id))
		return attune.EventID(id), nil, err
	case attune.KindEnforcement:
		e, err := s.Store.Enforcement(ctx, attune.EnforcementID(id))
		if err != nil {
			return 0, nil, err
		}
		return e.Event, nil, nil
	case attune.KindExecution:
		x, err := s.Store.Execution(ctx, attune.ExecutionID(id))
		if err == nil && x.Root != 0 && x.Root != x.ID {
			x, err = s.Store.Execution(ctx, x.Root)
		}
		if err != nil {
			return 0, nil, err
		}
		return x.Event, x, nil
	}
	return 0, nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_id", Message: "an id of this kind has no trace", Where: text}
}

// tracing is a trace as it grows.
type tracing struct {
	Trace
	server *server
	memo   map[string]secrets
	shown  map[attune.ExecutionID]bool
}

func (t *tracing) seen(id attune.ExecutionID) bool { return t.shown[id] }

func (t *tracing) fromEvent(ctx context.Context, id attune.EventID) error {
	e, err := t.server.Store.Event(ctx, id)
	if attune.KindOf(err) == attune.NotFound && err != nil {
		return nil // no longer kept
	}
	if err != nil {
		return err
	}
	v := viewEvent(e, true)
	t.Event = &v
	if t.Evaluations, err = t.server.judged(ctx, e); err != nil {
		return err
	}
	kept, err := t.server.enforcementsOf(ctx, id)
	if err != nil {
		return err
	}
	for _, k := range kept {
		te := TraceEnforcement{EnforcementView: viewEnforcement(k, false)}
		if k.Execution != 0 {
			x, err := t.server.Store.Execution(ctx, k.Execution)
			switch {
			case err == nil:
				if te.Started, err = t.from(ctx, x); err != nil {
					return err
				}
			case attune.KindOf(err) != attune.NotFound:
				return err
			}
		}
		t.Enforcements = append(t.Enforcements, te)
	}
	return t.repetitions(ctx, id)
}

// repetitions are the executions of an event that somebody started again.
func (t *tracing) repetitions(ctx context.Context, id attune.EventID) error {
	all, err := t.server.Store.Executions(ctx, persistence.Query{Event: id, Limit: maxTrace})
	if err != nil {
		return err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].RerunOf == 0 || t.seen(all[i].ID) {
			continue
		}
		x, err := t.from(ctx, all[i])
		if err != nil {
			return err
		}
		t.Executions = append(t.Executions, x)
	}
	return nil
}

// from shows an execution and everything below it, oldest first.
func (t *tracing) from(ctx context.Context, x *attune.Execution) (*TraceExecution, error) {
	if t.shown == nil {
		t.shown = map[attune.ExecutionID]bool{}
	}
	t.shown[x.ID] = true
	te := &TraceExecution{ExecutionView: viewExecution(x, true, t.server.secretsOf(ctx, x, t.memo))}
	q := persistence.Query{Parent: x.ID, Limit: maxTrace}
	children, err := t.server.Store.Executions(ctx, q)
	if err != nil {
		return nil, err
	}
	for i := len(children) - 1; i >= 0; i-- {
		if len(t.shown) >= maxTrace || t.seen(children[i].ID) {
			t.Truncated = t.Truncated || !t.seen(children[i].ID)
			continue
		}
		c, err := t.from(ctx, children[i])
		if err != nil {
			return nil, err
		}
		te.Children = append(te.Children, c)
	}
	return te, nil
}
