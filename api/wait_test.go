package api_test

import (
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
)

func TestWaitAnswersAtTheEnd(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted, apitest.Assigned)
	w.Store.Put(x)
	url := w.URL + "/api/v1/executions/" + x.ID.String() + "/wait"

	got := make(chan answer, 1)
	go func() { got <- ask(t, "GET", url+"?timeout=1m", w.Viewer, "") }()
	<-w.Engine.Watched
	apitest.Apply(t, x, apitest.Started)
	w.Store.Put(x)
	w.Engine.Wake(x.ID) // not the end yet
	apitest.Apply(t, x, apitest.Finished)
	w.Store.Put(x)
	w.Engine.Wake(x.ID)
	var v api.ExecutionView
	(<-got).into(t, 200, &v)
	if v.Status != "completed" {
		t.Errorf("answered while %s", v.Status)
	}
	if n := w.Engine.Watchers(); n != 0 {
		t.Errorf("%d still watch", n)
	}
}

func TestWaitAnswersAtAChange(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted)
	w.Store.Put(x)
	url := w.URL + "/api/v1/executions/" + x.ID.String() + "/wait"
	got := make(chan answer, 1)
	go func() { got <- ask(t, "GET", url+"?timeout=1m&version=2", w.Viewer, "") }()
	<-w.Engine.Watched
	apitest.Apply(t, x, apitest.Assigned)
	w.Store.Put(x)
	w.Engine.Wake(x.ID)
	var v api.ExecutionView
	(<-got).into(t, 200, &v)
	if v.Status != "scheduled" || v.Version != 3 {
		t.Errorf("%s, version %d", v.Status, v.Version)
	}
	ask(t, "GET", url+"?timeout=1ms", w.Viewer, "").into(t, 200, &v)
	if v.Status != "scheduled" {
		t.Errorf("after the time is up: %s", v.Status)
	}
	ask(t, "GET", url+"?timeout=soon", w.Viewer, "").problem(t, 422, "invalid_duration")
}

func TestPreferWait(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted, apitest.Assigned)
	w.Store.Put(x)
	w.Engine.Request = func(api.ExecutionRequest) (api.ExecutionReceipt, error) { return api.ExecutionReceipt{ID: x.ID}, nil }
	got := make(chan answer, 1)
	go func() {
		got <- ask(t, "POST", w.URL+"/api/v1/executions", w.Operator, `{"action":"demo.greet","parameters":{"message":"m"}}`, "Prefer", "respond-async, wait=30")
	}()
	<-w.Engine.Watched
	apitest.Apply(t, x, apitest.Finished)
	w.Store.Put(x)
	w.Engine.Wake(x.ID)
	a := <-got
	var v api.RunAnswer
	a.into(t, 201, &v)
	if v.Status != "completed" || a.Header.Get("Preference-Applied") != "wait=30" || a.Header.Get("Location") != "/api/v1/executions/"+x.ID.String() {
		t.Errorf("%s, headers %v", v.Status, a.Header)
	}
}

func TestAWaiterThatLeavesIsForgotten(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1)
	w.Store.Put(x)
	ask(t, "GET", w.URL+"/api/v1/executions/"+attune.ExecutionID(apitest.ID(9)).String()+"/wait", w.Viewer, "").problem(t, 404, "unknown_execution")
	if n := w.Engine.Watchers(); n != 0 {
		t.Errorf("%d watch after the answer", n)
	}
}

// The naive way leaves the time limit for reading the body on the connection,
// and net/http ends the request when it passes.
func TestAWaitOutlivesTheTimeForTheBody(t *testing.T) {
	w := apitest.New(t, func(c *api.Config) { c.BodyTime = 100 * time.Millisecond })
	x := apitest.Execution(t, 1, apitest.Admitted)
	w.Store.Put(x)
	w.Engine.Request = func(api.ExecutionRequest) (api.ExecutionReceipt, error) { return api.ExecutionReceipt{ID: x.ID}, nil }
	var v api.RunAnswer
	ask(t, "POST", w.URL+"/api/v1/executions", w.Operator, `{"action":"demo.greet","parameters":{"message":"m"}}`, "Prefer", "wait=1").into(t, 201, &v)
	if v.Status != "scheduling" {
		t.Error(v.Status)
	}
}

func TestAPanicIsAnAnswer(t *testing.T) {
	w := apitest.New(t)
	w.Engine.Offer = func(api.EventOffer) (api.EventReceipt, error) { panic("secret") }
	p := ask(t, "POST", w.URL+"/api/v1/events", w.Operator, `{"trigger":"demo.alert"}`).problem(t, 500, "internal")
	if p.Detail != "the request failed inside the engine" {
		t.Error(p.Detail)
	}
}
