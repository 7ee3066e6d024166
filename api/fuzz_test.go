package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
)

// entrance is the API without a network between, and what came through.
type entrance struct {
	handler http.Handler
	token   string
	stored  int // events and executions that the last request made
}

func newEntrance(t testing.TB) *entrance {
	t.Helper()
	d := &entrance{}
	engine, store := &apitest.Engine{Snapshot: apitest.Pack(t)}, apitest.NewStore()
	engine.Offer = func(api.EventOffer) (api.EventReceipt, error) {
		d.stored++
		return api.EventReceipt{ID: attune.EventID(apitest.ID(1))}, nil
	}
	engine.Request = func(api.ExecutionRequest) (api.ExecutionReceipt, error) {
		d.stored++
		return api.ExecutionReceipt{ID: attune.ExecutionID(apitest.ID(2))}, nil
	}
	row := apitest.Execution(t, 2)
	engine.Stop = func(attune.ExecutionID, string, string) (*attune.Execution, error) { return row.Clone(), nil }
	store.Put(row, &attune.Event{ID: attune.EventID(apitest.ID(1)), Trigger: "demo.alert", Payload: []byte(`{"item":{"status":"firing","id":"a"}}`)})
	secret, token := api.NewToken("operator", attune.RoleOperator)
	store.Put(token)
	d.token = secret
	var err error
	d.handler, err = api.New(api.Config{Engine: engine, Store: store, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
		Now: func() time.Time { return apitest.Noon }, AfterFunc: func(time.Duration, func()) attune.Timer { return never{} }})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// knock sends a request as it stands on the wire; nil is one that no server
// takes.
func (d *entrance) knock(target, headers, body string) *httptest.ResponseRecorder {
	text := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\n%sContent-Length: %d\r\n\r\n%s", target, d.token, headers, len(body), body)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		return nil
	}
	r.RemoteAddr = "127.0.0.1:1"
	d.stored = 0
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

// judge holds an answer against what the API promises: never 500, a problem or a
// document, and of a refused request nothing is stored.
func (d *entrance) judge(t *testing.T, asked string, w *httptest.ResponseRecorder) {
	t.Helper()
	kind, body := w.Header().Get("Content-Type"), w.Body.Bytes()
	switch {
	case w.Code >= 500:
		t.Errorf("%s: %d %s", asked, w.Code, body)
	case w.Code >= 400:
		var p api.Problem
		if err := json.Unmarshal(body, &p); err != nil || kind != "application/problem+json" || p.Status != w.Code || p.Code == "" || p.Detail == "" {
			t.Errorf("%s: %d is no problem: %s %s", asked, w.Code, kind, body)
		}
		if d.stored > 0 {
			t.Errorf("%s: %d, and %d were stored", asked, w.Code, d.stored)
		}
	case w.Code >= 300:
		if d.stored > 0 || w.Header().Get("Location") == "" {
			t.Errorf("%s: %d to %q, and %d were stored", asked, w.Code, w.Header().Get("Location"), d.stored)
		}
	default:
		if kind != "application/json" || !json.Valid(body) {
			t.Errorf("%s: %d with %s %s", asked, w.Code, kind, body)
		}
	}
}

// field is a header line of what is left of a value that a line can hold.
func field(name, value string) string {
	value = strings.NewReplacer("\r", "", "\n", "").Replace(value)
	if value == "" {
		return ""
	}
	return name + ": " + value + "\r\n"
}

// FuzzBodies sends any body, with any type and key, to the routes that take one.
func FuzzBodies(f *testing.F) {
	routes := []string{"/api/v1/events", "/api/v1/executions", "/api/v1/rules/test", "/api/v1/webhooks/alerts/in", "/api/v1/executions/" + attune.ExecutionID(apitest.ID(2)).String() + "/cancel"}
	for _, seed := range []struct {
		route           uint8
		kind, key, body string
	}{
		{0, "application/json", "k", `{"trigger":"demo.alert","payload":{"a":[1,2.50,null]},"dedupe":"k","occurred_at":"2026-01-31T12:00:00Z"}`},
		{0, "", "", `{"trigger":""}`}, {0, "text/plain", "", `{`}, {0, "application/json; charset=utf-7", "x", "[]"},
		{1, "application/json", "", `{"action":"demo.greet","parameters":{"message":"x","times":"3","password":"p"},"timeout":"90s"}`},
		{1, "application/json", "", `{"action":"demo.greet","parameters":[],"timeout":"-1"}`}, {1, "application/json", "", `{"action":"demo.none"}`},
		{2, "application/json", "", "{" + trial + `, "payload": {"item": {"status": "resolved", "id": "x"}}}`}, {2, "application/json", "", "{" + trial + `, "last": 5}`},
		{2, "application/json", "", `{"rule":{"ref":"a.b","trigger":"demo.alert","action":"demo.greet","criteria":[{"path":"trigger.item","type":"regex","pattern":"("}]},"payload":{}}`},
		{3, "", "k", `{"alerts":[{"id":"a"},{"id":"b"}]}`}, {3, "", "", `{"alerts":[{"id":"a"},{}]}`}, {3, "application/x-www-form-urlencoded", "", "alerts=1&%zz"}, {3, "application/json", "", `{"alerts":{}}`},
		{3, "application/json", "", "\xff\xfe"}, {4, "application/json", "", `{"reason":"x"}`}, {4, "", "", ""}, {0, "application/cbor", "", "\xa1"},
	} {
		f.Add(seed.route, seed.kind, seed.key, seed.body)
	}
	d := newEntrance(f)
	f.Fuzz(func(t *testing.T, route uint8, kind, key, body string) {
		target := routes[int(route)%len(routes)]
		if w := d.knock(target, field("Content-Type", kind)+field("Idempotency-Key", key), body); w != nil {
			d.judge(t, fmt.Sprintf("POST %s %q %q %q", target, kind, key, body), w)
		}
	})
}

// FuzzTargets sends a good body to any path below the API.
func FuzzTargets(f *testing.F) {
	for _, path := range []string{"webhooks/alerts/in", "webhooks/alerts%2fin", "webhooks//alerts/in", "webhooks/../events", "webhooks/", "webhooks/%00", "webhooks/%zz", "webhooks/alerts/in?x=%zz;y",
		"webhooks/\xff", "executions/ex-03z9gs2000m02/cancel", "executions/ev-03z9gs2000m02/cancel", "executions/%20/cancel", "actions/demo.greet", "nowhere", "events?wait=1#x", "webhooks/..%2f..%2f..%2fetc"} {
		f.Add(path, `{"alerts":[{"id":"a"}]}`)
	}
	d := newEntrance(f)
	f.Fuzz(func(t *testing.T, path, body string) {
		if w := d.knock("/api/v1/"+path, field("Content-Type", "application/json"), body); w != nil {
			d.judge(t, fmt.Sprintf("POST %q %q", path, body), w)
		}
	})
}

// never is a timer that is never due: nobody waits here.
type never struct{}

func (never) Stop() bool { return true }
