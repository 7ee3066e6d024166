package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
)

func TestWebhook(t *testing.T) {
	w := apitest.New(t)
	var offers []api.EventOffer
	w.Engine.Offer = func(o api.EventOffer) (api.EventReceipt, error) {
		offers = append(offers, o)
		return api.EventReceipt{ID: attune.EventID(apitest.ID(len(offers))), Duplicate: o.Dedupe == "b"}, nil
	}
	url := w.URL + "/api/v1/webhooks/alerts/in"
	var out api.WebhookAnswer
	ask(t, "POST", url, w.Operator, `{"n":9007199254740993,"alerts":[{"id":"a"},{"id":"b"}]}`, "X-Source", "am").into(t, 202, &out)
	if len(out.Events) != 2 || out.Events[0].Duplicate || !out.Events[1].Duplicate || out.Events[0].Trigger != "demo.alert" {
		t.Errorf("answer %+v", out)
	}
	if len(offers) != 2 || offers[0].Dedupe != "a" || offers[0].Chain.Principal != "operator" {
		t.Fatalf("offers %+v", offers)
	}
	payload := string(offers[0].Payload)
	if !strings.Contains(payload, "9007199254740993") || !strings.Contains(payload, `"x-source":"am"`) {
		t.Errorf("payload %s", payload)
	}
	if strings.Contains(payload, w.Operator) {
		t.Errorf("the payload holds the sender's token: %s", payload)
	}
	ask(t, "POST", url, w.Operator, `{"alerts":[{"id":"a"},{}]}`).problem(t, 422, "dedupe_failed")
	if len(offers) != 2 {
		t.Error("a request with a fault fired in part")
	}
	ask(t, "POST", url, w.Operator, `{"alerts"`).problem(t, 422, "invalid_json")
	ask(t, "POST", w.URL+"/api/v1/webhooks/nobody", w.Operator, `{}`).problem(t, 404, "unknown_webhook")
}

func TestSendEvent(t *testing.T) {
	w := apitest.New(t)
	w.Engine.Offer = func(o api.EventOffer) (api.EventReceipt, error) {
		if o.Trigger != "demo.alert" {
			return api.EventReceipt{}, &attune.Error{Kind: attune.TooMuch, Code: "busy", Message: "too many"}
		}
		if string(o.Payload) != `{}` && string(o.Payload) != `[1, 2]` {
			t.Errorf("payload %s", o.Payload)
		}
		return api.EventReceipt{ID: attune.EventID(apitest.ID(1)), Duplicate: o.Dedupe == "again"}, nil
	}
	for i, c := range []struct {
		body, key string
		status    int
	}{
		{`{"trigger":"demo.alert"}`, "", 201},
		{`{"trigger":"demo.alert","payload":[1, 2],"occurred_at":"2026-01-31T12:00:00Z"}`, "again", 200},
		{`{"trigger":"demo.alert","dedupe":"again"}`, "", 200},
	} {
		var out api.EventAnswer
		ask(t, "POST", w.URL+"/api/v1/events", w.Operator, c.body, "Idempotency-Key", c.key).into(t, c.status, &out)
		if out.ID != attune.EventID(apitest.ID(1)).String() {
			t.Errorf("%d: %+v", i, out)
		}
	}
	ask(t, "POST", w.URL+"/api/v1/events", w.Operator, `{"trigger":"demo.alert","occurred_at":"9999-12-31T23:59:59-01:00"}`).problem(t, 422, "invalid_time")
	a := ask(t, "POST", w.URL+"/api/v1/events", w.Operator, `{"trigger":"busy"}`)
	a.problem(t, 429, "busy")
	if a.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
}

func TestTraceOfAnyID(t *testing.T) {
	w := apitest.New(t)
	event := &attune.Event{ID: attune.EventID(apitest.ID(1)), Trigger: "demo.alert", Payload: []byte(`{"x":1}`), Chain: attune.Chain{Principal: "am"}}
	x := apitest.Execution(t, 3, apitest.Admitted)
	x.Event, x.Enforcement, x.Rule = event.ID, attune.EnforcementID(apitest.ID(2)), "demo.on_alert"
	child := apitest.Execution(t, 4)
	child.Parent, child.Root = x.ID, x.ID
	enforcement := &attune.Enforcement{ID: x.Enforcement, Event: event.ID, Rule: x.Rule, Action: x.Action, Status: attune.EnforcementCreated, Execution: x.ID,
		Evaluation: []byte(`{"rule":"demo.on_alert","matched":true}`)}
	direct := apitest.Execution(t, 5)
	w.Store.Put(event, enforcement, x, child, direct)
	w.Engine.Judged = []attune.Evaluation{{Rule: "demo.other", Event: event.ID}}

	for _, id := range []fmt.Stringer{event.ID, enforcement.ID, x.ID, child.ID} {
		var tr api.Trace
		ask(t, "GET", w.URL+"/api/v1/trace/"+id.String(), w.Viewer, "").into(t, 200, &tr)
		if tr.Event == nil || tr.Event.ID != event.ID.String() || len(tr.Enforcements) != 1 || len(tr.Executions) != 0 || len(tr.Evaluations) != 2 {
			t.Fatalf("%s: %+v", id, tr)
		}
		started := tr.Enforcements[0].Started
		if started.ID != x.ID.String() || len(started.Children) != 1 || started.Children[0].ID != child.ID.String() {
			t.Errorf("%s: %+v", id, started)
		}
	}
	var tr api.Trace
	ask(t, "GET", w.URL+"/api/v1/trace/"+direct.ID.String(), w.Viewer, "").into(t, 200, &tr)
	if tr.Event != nil || len(tr.Executions) != 1 || tr.Executions[0].ID != direct.ID.String() {
		t.Errorf("%+v", tr)
	}
	ask(t, "GET", w.URL+"/api/v1/trace/nonsense", w.Viewer, "").problem(t, 422, "invalid_id")
	ask(t, "GET", w.URL+"/api/v1/trace/"+attune.EventID(apitest.ID(9)).String(), w.Viewer, "").problem(t, 404, "unknown_event")
}
