package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
)

type webhookInput struct {
	Caller
	URL string `path:"url" doc:"What the webhook's definition says; may hold slashes"`
	// RawBody is JSON or a form; a sender without a content type sends JSON.
	RawBody []byte `contentType:"application/json"`

	headers http.Header
}

// Resolve keeps the headers, which become part of the payload.
func (in *webhookInput) Resolve(hc huma.Context) []error {
	r, _ := humago.Unwrap(hc)
	in.headers = r.Header
	return in.Caller.Resolve(hc)
}

// WebhookAnswer says which events a request became, in order.
type WebhookAnswer struct {
	Events []EventAnswer `json:"events"`
}

type webhookOutput struct{ Body WebhookAnswer }

// webhook fires every trigger that listens on the url. It answers when all
// events are durable; where one is refused the sender must send all again, and
// a trigger's dedupe template keeps the others single.
func (s *server) webhook(ctx context.Context, in *webhookInput) (*webhookOutput, error) {
	hooks := s.Engine.Catalog().Webhooks(in.URL)
	if len(hooks) == 0 {
		return nil, &attune.Error{Kind: attune.NotFound, Code: "unknown_webhook", Message: "no trigger listens on this webhook", Where: in.URL,
			Try: "attune trigger list"}
	}
	body, err := in.document()
	if err != nil {
		return nil, err
	}
	var offers []EventOffer // all fire before any is offered, so that a fault in one stops all
	for _, hook := range hooks {
		fired, err := hook.Fire(payloadHeaders(in.headers), body)
		if err != nil {
			return nil, err
		}
		for i, f := range fired {
			o := EventOffer{Trigger: hook.Trigger.Ref, Payload: f.Payload, Dedupe: f.Dedupe, Chain: in.chain(ctx)}
			if o.Dedupe == "" && in.Idempotency != "" {
				o.Dedupe = fmt.Sprintf("%s/%d", in.Idempotency, i)
			}
			if err := s.Engine.Catalog().CheckPayload(o.Trigger, o.Payload); err != nil {
				return nil, err
			}
			offers = append(offers, o)
		}
	}
	out := &webhookOutput{WebhookAnswer{Events: []EventAnswer{}}}
	for _, o := range offers {
		receipt, err := s.Engine.OfferEvent(ctx, o)
		if err != nil {
			return nil, err
		}
		out.Body.Events = append(out.Body.Events, EventAnswer{receipt.ID.String(), o.Trigger, receipt.Duplicate})
	}
	return out, nil
}

// document is the request's body as a value: JSON, or a form as an object of
// texts. Numbers keep their digits.
func (in *webhookInput) document() (any, error) {
	kind, _, _ := mime.ParseMediaType(in.headers.Get("Content-Type"))
	switch {
	case len(bytes.TrimSpace(in.RawBody)) == 0:
		return map[string]any{}, nil
	case kind == "application/x-www-form-urlencoded" && !json.Valid(in.RawBody): // curl -d says "form" of everything
		form, err := url.ParseQuery(string(in.RawBody))
		if err != nil {
			return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_form", Message: "the body is not a form", Where: "body", Cause: err}
		}
		values := map[string]any{}
		for name, v := range form {
			values[name] = v[0]
		}
		return values, nil
	}
	body, err := expression.DecodeJSON(in.RawBody)
	if err != nil {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_json", Message: "the body is not JSON", Where: "body", Cause: err,
			Try: "one JSON document"}
	}
	return body, nil
}

// payloadHeaders is the headers as rules see them; rules leaves out those that
// hold keys.
func payloadHeaders(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		out[name] = strings.Join(values, ", ")
	}
	return out
}
