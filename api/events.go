package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
)

type listEventsInput struct {
	Page
	Trigger string `query:"trigger" doc:"Exact trigger key"`
	Since   string `query:"since" doc:"RFC 3339 time"`
	Payload bool   `query:"payload" doc:"Include payloads"`
}

type eventList struct{ Body List[EventView] }

func (s *server) listEvents(ctx context.Context, in *listEventsInput) (*eventList, error) {
	q, err := in.query(in.Since)
	if err != nil {
		return nil, err
	}
	q.Trigger = in.Trigger
	rows, err := s.Store.Events(ctx, q)
	if err != nil {
		return nil, err
	}
	return &eventList{paged(in.Page, rows, func(e *attune.Event) string { return e.ID.String() },
		func(e *attune.Event) EventView { return viewEvent(e, in.Payload) })}, nil
}

// ByID is the input of routes about one live row.
type ByID struct {
	ID string `path:"id"`
}

type eventOutput struct{ Body EventView }

func (s *server) getEvent(ctx context.Context, in *ByID) (*eventOutput, error) {
	e, err := s.event(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &eventOutput{viewEvent(e, true)}, nil
}

func (s *server) event(ctx context.Context, text string) (*attune.Event, error) {
	var id attune.EventID
	if err := id.UnmarshalText([]byte(text)); err != nil {
		return nil, err
	}
	return s.Store.Event(ctx, id)
}

// EventRequest is the body of POST /api/v1/events.
type EventRequest struct {
	// Trigger is a trigger key: a ref, or ref?name=value for a trigger with
	// parameters.
	Trigger string `json:"trigger" minLength:"1" maxLength:"1024"`
	// Payload is any JSON document; left out it is {}.
	Payload json.RawMessage `json:"payload,omitempty"`
	// Dedupe makes repetitions one event; the header Idempotency-Key says the
	// same.
	Dedupe string `json:"dedupe,omitempty" maxLength:"512"`
	// OccurredAt is when the source says it happened, RFC 3339.
	OccurredAt string `json:"occurred_at,omitempty" format:"date-time"`
}

// EventAnswer says which event a request became.
type EventAnswer struct {
	ID      string `json:"id"`
	Trigger string `json:"trigger"`
	// Duplicate means that the event was there before.
	Duplicate bool `json:"duplicate"`
}

type sendEventInput struct {
	Caller
	Body EventRequest
}

type sendEventOutput struct {
	Status   int
	Location string `header:"Location"`
	Body     EventAnswer
}

func (s *server) sendEvent(ctx context.Context, in *sendEventInput) (*sendEventOutput, error) {
	offer := EventOffer{Trigger: in.Body.Trigger, Payload: in.Body.Payload, Chain: in.chain(ctx)}
	if len(offer.Payload) == 0 {
		offer.Payload = []byte("{}")
	}
	var err error
	if offer.Dedupe, err = oneKey(in.Body.Dedupe, in.Idempotency); err != nil {
		return nil, err
	}
	if in.Body.OccurredAt != "" {
		if offer.OccurredAt, err = attune.ParseTime(in.Body.OccurredAt); err != nil {
			return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_time", Message: "it is not a time", Where: "occurred_at", Cause: err}
		}
	}
	receipt, err := s.Engine.OfferEvent(ctx, offer)
	if err != nil {
		return nil, err
	}
	out := &sendEventOutput{Status: http.StatusCreated, Location: "/api/v1/events/" + receipt.ID.String(),
		Body: EventAnswer{receipt.ID.String(), offer.Trigger, receipt.Duplicate}}
	if receipt.Duplicate {
		out.Status = http.StatusOK
	}
	return out, nil
}

// oneKey is the dedupe key that is said in the body, in the header, or in both.
func oneKey(body, header string) (string, error) {
	if body != "" && header != "" && body != header {
		return "", attune.NewError(attune.Invalid, "two_keys", "the field dedupe and the header Idempotency-Key differ")
	}
	return max(body, header), nil
}

// EvaluationList is how the rules judged one event.
type EvaluationList struct {
	Items []attune.Evaluation `json:"items"`
}

type evaluationsOutput struct{ Body EvaluationList }

func (s *server) evaluations(ctx context.Context, in *ByID) (*evaluationsOutput, error) {
	e, err := s.event(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	all, err := s.judged(ctx, e)
	if err != nil {
		return nil, err
	}
	return &evaluationsOutput{EvaluationList{all}}, nil
}

// judged are the verdicts of the rules of then: of the matches as they are kept,
// of the others as they are judged again, in the order of their rules. Where the
// rules of then are not kept it is what the engine's memory still holds.
func (s *server) judged(ctx context.Context, e *attune.Event) ([]attune.Evaluation, error) {
	all, err := s.Engine.Evaluations(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	then, err := s.Engine.RulesAt(ctx, e.RulesRevision)
	if err != nil && attune.KindOf(err) != attune.NotFound {
		return nil, err
	}
	kept, err := s.enforcementsOf(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	have := map[string]bool{}
	for _, one := range all {
		have[one.Rule] = true
	}
	for _, k := range kept {
		var one attune.Evaluation
		if !have[k.Rule] && json.Unmarshal(k.Evaluation, &one) == nil {
			all = append(all, one)
		}
		have[k.Rule] = true
	}
	if then != nil {
		payload, err := payloadOf(e.Payload)
		if err != nil {
			return nil, err
		}
		for _, m := range then.Judge(e, payload) {
			if !have[m.Rule.Ref()] {
				all = append(all, m.Evaluation)
			}
		}
	}
	slices.SortFunc(all, func(a, b attune.Evaluation) int { return strings.Compare(a.Rule, b.Rule) })
	return append([]attune.Evaluation{}, all...), nil
}
