package api_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/secret"
)

func TestBadRequestsAreNamedInFull(t *testing.T) {
	w := apitest.New(t)
	run := func(body string) answer { return ask(t, "POST", w.URL+"/api/v1/executions", w.Operator, body) }
	run(`{"action":"demo.nope"}`).problem(t, 404, "unknown_action")
	p := run(`{"action":"demo.greet","parameters":{"times":"many","bogus":1}}`).problem(t, 422, "invalid_parameters")
	for _, name := range []string{"message", "times", "bogus"} {
		if !strings.Contains(p.Error()+faults(p), "parameters."+name) {
			t.Errorf("%s is not named: %+v", name, p)
		}
	}
	p = run(`{"action":5,"bogus":1}`).problem(t, 422, "invalid_request")
	if len(p.Faults) != 2 {
		t.Errorf("faults: %+v", p.Faults)
	}
	p = run(`{"action":"demo.greet","parameters":[1],"timeout":"soon"}`).problem(t, 422, "invalid_request")
	if len(p.Faults) != 2 {
		t.Errorf("faults: %+v", p.Faults)
	}
	run(`{"action"`).problem(t, 422, "invalid_request")
	run(``).problem(t, 422, "invalid_request")
	ask(t, "POST", w.URL+"/api/v1/executions", w.Operator, `a=b`, "Content-Type", "text/plain").problem(t, 422, "unsupported_media_type")
	ask(t, "GET", w.URL+"/api/v1/executions?status=asleep", w.Viewer, "").problem(t, 422, "invalid_status")
	ask(t, "GET", w.URL+"/api/v1/executions?colour=red", w.Viewer, "").problem(t, 422, "invalid_request")
	ask(t, "GET", w.URL+"/api/v1/executions/nonsense", w.Viewer, "").problem(t, 422, "invalid_id")
	ask(t, "GET", w.URL+"/api/v1/executions/"+attune.ExecutionID(apitest.ID(9)).String(), w.Viewer, "").problem(t, 404, "unknown_execution")
	if a := ask(t, "DELETE", w.URL+"/api/v1/executions", w.Admin, ""); a.Header.Get("Allow") != "GET, POST" {
		t.Errorf("Allow: %q", a.Header.Get("Allow"))
	}
}

func TestTimesOfARequest(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1)
	x.Limits.Deadline = attune.Epoch.Add(time.Hour)
	x.Limits.Retry = attune.RetryPolicy{MaxAttempts: 3, On: []attune.Status{attune.Failed}, Delay: attune.Span(90 * time.Second), MaxDelay: attune.Span(time.Hour)}
	w.Store.Put(x)
	var asked api.ExecutionRequest
	w.Engine.Request = func(r api.ExecutionRequest) (api.ExecutionReceipt, error) {
		asked = r
		return api.ExecutionReceipt{ID: x.ID}, nil
	}
	run := func(times string) answer {
		return ask(t, "POST", w.URL+"/api/v1/executions", w.Operator, `{"action":"demo.greet","parameters":{"message":"m"},`+times+`}`)
	}
	var v api.RunAnswer
	run(`"deadline":"10m","at":"2030-01-31T08:00:00+01:00","retry":{"max_attempts":3,"delay":"90s"}`).into(t, 201, &v)
	if asked.Within != 10*time.Minute || !asked.Deadline.IsZero() || !asked.NotBefore.Equal(time.Date(2030, 1, 31, 7, 0, 0, 0, time.UTC)) || asked.After != 0 ||
		asked.Retry == nil || asked.Retry.MaxAttempts != 3 || asked.Retry.Delay != attune.Span(90*time.Second) {
		t.Errorf("asked %+v", asked)
	}
	if v.Deadline != "2025-01-01T01:00:00.000Z" || !reflect.DeepEqual(v.Retry, &x.Limits.Retry) {
		t.Errorf("shown are the deadline %s and the retry %+v", v.Deadline, v.Retry)
	}
	run(`"deadline":"2030-01-31T08:00:00Z","at":"5s","retry":2`).into(t, 201, &v)
	if asked.Within != 0 || asked.Deadline.Year() != 2030 || asked.After != 5*time.Second || asked.Retry.MaxAttempts != 2 {
		t.Errorf("asked %+v", asked)
	}
	p := run(`"deadline":"tomorrow","at":"-1s","retry":{"max_attempts":0,"jitter":7}`).problem(t, 422, "invalid_request")
	for _, where := range []string{"deadline", "at", "retry.max_attempts", "retry.jitter"} {
		if !strings.Contains(faults(p), `"`+where+`"`) {
			t.Errorf("%s is not named in %s", where, faults(p))
		}
	}
}

func faults(p api.Problem) string {
	b, _ := json.Marshal(p.Faults)
	return string(b)
}

func TestBodiesOverOneMiB(t *testing.T) {
	w := apitest.New(t)
	w.Engine.Offer = func(o api.EventOffer) (api.EventReceipt, error) {
		return api.EventReceipt{ID: attune.EventID(apitest.ID(1))}, nil
	}
	whole := `{"trigger":"demo.alert","payload":"` // filled up to the limit
	fill := func(n int) string { return whole + strings.Repeat("x", n-len(whole)-2) + `"}` }
	if a := ask(t, "POST", w.URL+"/api/v1/events", w.Operator, fill(api.MaxBody)); a.StatusCode != 201 {
		t.Errorf("exactly 1 MiB: %s", a.Status)
	}
	ask(t, "POST", w.URL+"/api/v1/events", w.Operator, fill(api.MaxBody+1)).problem(t, 413, "body_too_large")
}

func TestSecretsAreMasked(t *testing.T) {
	w := apitest.New(t)
	known := apitest.Execution(t, 1, apitest.Admitted, apitest.Assigned, apitest.Started, apitest.Finished)
	old := known.Clone() // of a definition that has changed since
	old.ID, old.ActionHash = attune.ExecutionID(apitest.ID(2)), "old"
	w.Store.Put(persistence.Definition{Hash: "old", Kind: "action", Ref: old.Action, Body: []byte(`{"parameters":{"password":{"secret":true}}}`)})
	lost := known.Clone() // of one that nobody kept
	lost.ID, lost.ActionHash = attune.ExecutionID(apitest.ID(3)), "lost"
	w.Store.Put(known, old, lost)
	for _, path := range []string{"executions?payload=true", "executions/" + known.ID.String(), "executions/" + old.ID.String(),
		"executions/" + old.ID.String() + "/wait?timeout=0s", "trace/" + known.ID.String(), "rules/demo.on_alert", "rules"} {
		a := ask(t, "GET", w.URL+"/api/v1/"+path, w.Admin, "")
		if a.StatusCode != 200 || !strings.Contains(a.body, "********") {
			t.Errorf("%s: %s %s", path, a.Status, a.body)
		}
		if path != "executions?payload=true" && strings.Contains(a.body, "hunter22") {
			t.Errorf("%s tells the secret: %s", path, a.body)
		}
	}
	var v api.ExecutionView
	ask(t, "GET", w.URL+"/api/v1/executions/"+known.ID.String(), w.Viewer, "").into(t, 200, &v)
	if string(v.Parameters) != `{"message":"hello","password":"********"}` || string(v.Result) != `{"greeting":"hello with ********"}` {
		t.Errorf("parameters %s, result %s", v.Parameters, v.Result)
	}
	ask(t, "GET", w.URL+"/api/v1/executions/"+lost.ID.String(), w.Viewer, "").into(t, 200, &v)
	if string(v.Parameters) != `{"message":"********","password":"********"}` {
		t.Errorf("without a definition everything may be secret: %s", v.Parameters)
	}
}

// What is sealed is shown without its seal, whatever is known of its action; and
// what its worker has masked is not looked through again.
func TestSealedParametersAreShownWithoutTheSeal(t *testing.T) {
	w := apitest.New(t)
	box, err := secret.NewBox(nil, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	x := apitest.Execution(t, 1, apitest.Admitted, apitest.Assigned, apitest.Started)
	apitest.Apply(t, x, attune.Input{Signal: attune.Finish, Result: []byte(`{"greeting":"hello with ********"}`)})
	if x.Parameters, err = box.Seal(x.Action, x.Parameters, &secret.Hidden{Names: []string{"password"}}); err != nil {
		t.Fatal(err)
	}
	lost := x.Clone()
	lost.ID, lost.ActionHash = attune.ExecutionID(apitest.ID(2)), "lost"
	w.Store.Put(x, lost)
	for _, one := range []*attune.Execution{x, lost} {
		var v api.ExecutionView
		ask(t, "GET", w.URL+"/api/v1/executions/"+one.ID.String(), w.Viewer, "").into(t, 200, &v)
		if string(v.Parameters) != `{"message":"hello","password":"********"}` || string(v.Result) != `{"greeting":"hello with ********"}` {
			t.Errorf("parameters %s, result %s", v.Parameters, v.Result)
		}
	}
}

func TestAnExecutionIsShown(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted, apitest.Assigned, apitest.Started, apitest.Failed)
	w.Store.Put(x)
	var v api.ExecutionView
	ask(t, "GET", w.URL+"/api/v1/executions/"+x.ID.String(), w.Viewer, "").into(t, 200, &v)
	if v.Status != "failed" || !v.Terminal || v.Error.Code != "exit_code" || v.Requested != "2026-01-31T12:00:00.000Z" || v.Duration != "1s" || len(v.History) != 4 {
		t.Errorf("%+v", v)
	}
	var l api.List[map[string]any]
	ask(t, "GET", w.URL+"/api/v1/executions", w.Viewer, "").into(t, 200, &l)
	for _, name := range []string{"parameters", "result", "history"} {
		if _, there := l.Items[0][name]; there {
			t.Errorf("a list holds %s unasked", name)
		}
	}
}

func TestListsArePaged(t *testing.T) {
	w := apitest.New(t)
	for n := 1; n <= 5; n++ {
		w.Store.Put(apitest.Execution(t, n))
	}
	var got []string
	for cursor := ""; ; {
		var l api.List[api.ExecutionView]
		ask(t, "GET", w.URL+"/api/v1/executions?limit=2&cursor="+cursor, w.Viewer, "").into(t, 200, &l)
		for _, x := range l.Items {
			got = append(got, x.ID)
		}
		if cursor = l.Next; cursor == "" {
			break
		}
	}
	if len(got) != 5 || got[0] <= got[4] {
		t.Errorf("all pages together: %v", got)
	}
}

func TestRepeatedRequests(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1)
	w.Store.Put(x)
	var asked api.ExecutionRequest
	w.Engine.Request = func(r api.ExecutionRequest) (api.ExecutionReceipt, error) {
		duplicate := asked.Dedupe == r.Dedupe
		asked = r
		return api.ExecutionReceipt{ID: x.ID, Duplicate: duplicate}, nil
	}
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	send := func() answer {
		return ask(t, "POST", w.URL+"/api/v1/executions", w.Operator, `{"action":"demo.greet","parameters":{"message":"m","times":9007199254740993},"timeout":"90s"}`,
			"Idempotency-Key", "k1", "traceparent", trace)
	}
	var v api.RunAnswer
	send().into(t, 201, &v)
	if v.Duplicate || v.ID != x.ID.String() || asked.Dedupe != "k1" || asked.Timeout.String() != "1m30s" {
		t.Errorf("%+v from %+v", v, asked)
	}
	if asked.Chain.Principal != "operator" || asked.Chain.Traceparent != trace || asked.Parameters["times"] != int64(9007199254740993) {
		t.Errorf("asked %+v", asked)
	}
	send().into(t, 200, &v)
	if !v.Duplicate {
		t.Error("the second is not called a duplicate")
	}
	ask(t, "POST", w.URL+"/api/v1/executions", w.Operator, `{"action":"demo.greet","parameters":{"message":"m"},"dedupe":"k2"}`, "Idempotency-Key", "k1").problem(t, 422, "two_keys")
}

func TestCancel(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted)
	w.Engine.Stop = func(id attune.ExecutionID, reason, principal string) (*attune.Execution, error) {
		if id != x.ID || principal != "operator" || reason != "" && reason != "enough" {
			t.Errorf("cancel %s, %q, by %q", id, reason, principal)
		}
		return x, nil
	}
	url := w.URL + "/api/v1/executions/" + x.ID.String() + "/cancel"
	for _, body := range []string{"", `{"reason":"enough"}`} {
		var v api.ExecutionView
		ask(t, "POST", url, w.Operator, body).into(t, 200, &v)
	}
}
