package node

import (
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Traces records what the node did as spans of a distributed trace. It is
// called on actors' turns and must not block, nor keep or change what it is
// given.
type Traces interface {
	// Sampled reports whether the trace of a chain is recorded.
	Sampled(chain attune.Chain) bool
	// Event records an event from its acceptance until it was durable.
	Event(event *attune.Event, durable time.Time)
	// Execution records an execution that ended, with its attempts.
	Execution(x *attune.Execution)
}

// eventOffered counts an answered event, and records it.
func (n *Node) eventOffered(event *attune.Event, a messages.Admitted, began time.Time) {
	now, m := n.parts.Clock.Now(), n.tree.Meters
	switch {
	case a.Err != nil:
		m.Events.Refused.Add(1)
		return
	case a.Duplicate:
		m.Events.Duplicate.Add(1)
	default:
		m.Events.Accepted.Add(1)
		if n.parts.Traces != nil {
			n.parts.Traces.Event(event, now)
		}
	}
	m.Admission.Since(began, now)
}

// executionEnded counts an execution whose end is stored, and records it.
func (n *Node) executionEnded(x *attune.Execution) {
	n.ended[x.Status].Add(1)
	if !x.Started.IsZero() {
		n.tree.Meters.Queued.Since(x.Requested, x.Started)
		n.tree.Meters.Ran.Since(x.Started, x.Finished)
	}
	if n.parts.Traces != nil {
		n.parts.Traces.Execution(x)
	}
}

// traceparent is the place of the newest attempt in its trace: what the action
// is told. Where nothing is recorded it is told the place all the same, so that
// logs can be joined by it.
func (n *Node) traceparent(x *attune.Execution) string {
	place := x.Chain.Trace().Attempt(x.Token())
	place.Sampled = place.Sampled || n.parts.Traces != nil && n.parts.Traces.Sampled(x.Chain)
	return place.String()
}
