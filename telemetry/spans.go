package telemetry

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/attune-automation/attune"
)

// Event records an event from its acceptance until it was durable.
func (t *Tracer) Event(event *attune.Event, durable time.Time) {
	if !t.Sampled(event.Chain) {
		return
	}
	chain := event.Chain.Trace()
	span := t.begin(chain.In(attune.ID(event.ID)), chain, "event "+event.Trigger, event.Accepted, trace.SpanKindInternal,
		attribute.String("attune.event", event.ID.String()), attribute.String("attune.trigger", event.Trigger))
	span.End(trace.WithTimestamp(durable))
}

// Execution records an execution that ended, and each of its attempts.
func (t *Tracer) Execution(x *attune.Execution) {
	if !t.Sampled(x.Chain) {
		return
	}
	chain := x.Chain.Trace()
	place, parent := chain.In(attune.ID(x.ID)), chain
	switch {
	case x.Parent != 0:
		parent = chain.In(attune.ID(x.Parent))
	case x.Event != 0:
		parent = chain.In(attune.ID(x.Event))
	}
	span := t.begin(place, parent, "execution "+x.Action, x.Requested, trace.SpanKindInternal, attributesOf(x)...)
	if x.Status != attune.Completed {
		span.SetStatus(codes.Error, x.Status.String())
	}
	span.End(trace.WithTimestamp(x.Finished))
	steps, _ := x.History.Steps() // of a damaged one, what could be read
	for _, a := range attemptsOf(steps, x.Finished) {
		a.record(t, x, place)
	}
}

func attributesOf(x *attune.Execution) []attribute.KeyValue {
	all := []attribute.KeyValue{
		attribute.String("attune.execution", x.ID.String()), attribute.String("attune.action", x.Action),
		attribute.String("attune.status", x.Status.String()), attribute.String("attune.correlation", x.Chain.Correlation),
		attribute.String("attune.principal", x.Chain.Principal),
	}
	if x.Rule != "" {
		all = append(all, attribute.String("attune.rule", x.Rule))
	}
	if x.Failure != nil { // its code alone: the text may hold a secret
		all = append(all, attribute.String("error.type", x.Failure.Code))
	}
	return all
}

// attempt is one attempt as the history tells it.
type attempt struct {
	number                   int
	worker                   string
	assigned, started, ended time.Time
	last                     attune.Signal
}

// attemptsOf reads the attempts out of a history. One whose end the history does
// not say ended with its execution.
func attemptsOf(steps []attune.Step, finished time.Time) []attempt {
	var all []attempt
	for _, s := range steps {
		if s.Refused {
			continue
		}
		if s.Signal == attune.Assign {
			all = append(all, attempt{number: s.Attempt, worker: s.Worker, assigned: s.At, ended: finished})
			continue
		}
		if len(all) == 0 {
			continue
		}
		a := &all[len(all)-1]
		switch a.last = s.Signal; {
		case s.Signal == attune.Start:
			a.started = s.At
		case s.To.Terminal(), s.Signal == attune.Return, s.Signal == attune.Retry:
			a.ended = s.At
		}
	}
	return all
}

func (a attempt) record(t *Tracer, x *attune.Execution, parent attune.TraceContext) {
	token := attune.Token{Execution: x.ID, Attempt: a.number}
	span := t.begin(parent.Attempt(token), parent, "attempt "+x.Action, a.assigned, trace.SpanKindConsumer,
		attribute.String("attune.execution", x.ID.String()), attribute.Int("attune.attempt", a.number), attribute.String("attune.worker", a.worker))
	if !a.started.IsZero() {
		span.AddEvent("started", trace.WithTimestamp(a.started))
	}
	if a.last != attune.Finish {
		span.SetStatus(codes.Error, a.last.String())
	}
	span.End(trace.WithTimestamp(a.ended))
}
