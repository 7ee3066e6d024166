package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
)

func TestReadinessNamesThePartThatIsAway(t *testing.T) {
	w := apitest.New(t)
	w.Engine.Health = []api.PartHealth{{Part: "store", State: api.PartOK}, {Part: "broker", State: api.PartDegraded, Reason: "the connection is down"}}
	if a := ask(t, "GET", w.URL+"/readyz", "", ""); a.StatusCode != http.StatusOK || !strings.Contains(a.body, `"status":"degraded"`) || !strings.Contains(a.body, "the connection is down") {
		t.Errorf("without its broker: %d %s", a.StatusCode, a.body)
	}
	w.Engine.Health[0] = api.PartHealth{Part: "store", State: api.PartAway, Reason: "it takes no writes"}
	if p := ask(t, "GET", w.URL+"/readyz", "", "").problem(t, 503, "not_ready"); p.Where != "store" || !strings.Contains(p.Detail, "it takes no writes") {
		t.Errorf("without its store: %+v", p)
	}
}

func TestANodeThatIsNotThereYetSaysWhy(t *testing.T) {
	s := httptest.NewServer(api.Starting(func() string { return "the database is not there yet" }))
	defer s.Close()
	if a := ask(t, "GET", s.URL+"/healthz", "", ""); a.StatusCode != http.StatusOK {
		t.Errorf("it lives, and says %d", a.StatusCode)
	}
	for _, path := range []string{"/readyz", "/api/v1/events"} {
		if p := ask(t, "GET", s.URL+path, "", "").problem(t, 503, "starting"); !strings.Contains(p.Detail, "the database is not there yet") || p.RetryAfter == 0 {
			t.Errorf("%s: %+v", path, p)
		}
	}
}
