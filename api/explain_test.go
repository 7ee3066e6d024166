package api_test

import (
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
)

// Three sources, each where the one before has nothing: the enforcement, memory,
// judging again.
func TestAnEventIsExplainedRuleByRule(t *testing.T) {
	w := apitest.New(t)
	at := func(n int) attune.EventID { return attune.EventID(apitest.ID(n)) }
	firing := func(n int) *attune.Event {
		return &attune.Event{ID: at(n), Trigger: "demo.alert", Payload: []byte(`{"item":{"status":"firing"}}`), RulesRevision: w.Engine.Snapshot.Revision()}
	}
	older := firing(3)
	older.RulesRevision++
	w.Store.Put(firing(1), firing(2), older, &attune.Event{ID: at(4), Trigger: "demo.unheard", Payload: []byte(`{}`)},
		&attune.Enforcement{ID: attune.EnforcementID(apitest.ID(11)), Event: at(1), Rule: "demo.on_alert", RuleHash: "old", Action: "demo.greet",
			Status: attune.EnforcementFailed, Failure: &attune.Failure{Code: "rendering_failed"},
			Evaluation: []byte(`{"rule":"demo.on_alert","event":"x","matched":true,"criteria":[{"path":"p","type":"gt","passed":true,"left":12345678901234567,"right":2.0}]}`)},
		&attune.Enforcement{ID: attune.EnforcementID(apitest.ID(12)), Event: at(1), Rule: "demo.gone", Action: "demo.greet", Status: attune.EnforcementCreated, Execution: attune.ExecutionID(apitest.ID(13))})
	// Of a rule that matched, memory is not asked.
	w.Engine.Judged = []attune.Evaluation{{Rule: "demo.on_alert", Event: at(1)}, {Rule: "demo.on_alert", Event: at(2), Error: "remembered"}}
	explain := func(n int) api.Explanation {
		var e api.Explanation
		ask(t, "GET", w.URL+"/api/v1/events/"+at(n).String()+"/explain", w.Viewer, "").into(t, 200, &e)
		return e
	}
	e := explain(1)
	if len(e.Items) != 2 || !e.SameRules || e.Event.ID != at(1).String() {
		t.Fatalf("%+v", e)
	}
	gone, kept := e.Items[0], e.Items[1]
	if gone.Rule != "demo.gone" || !gone.Removed || !gone.Matched || gone.Execution == "" || gone.Error == "" {
		t.Errorf("of a rule that is gone: %+v", gone)
	}
	if kept.Source != api.SourceStored || !kept.Matched || !kept.Changed || kept.Failure == nil || kept.Event != at(1).String() || len(kept.Criteria) != 1 ||
		string(kept.Criteria[0].Left) != "12345678901234567" || string(kept.Criteria[0].Right) != "2.0" {
		t.Errorf("of the enforcement: %+v", kept)
	}
	if e := explain(2); len(e.Items) != 1 || e.Items[0].Source != api.SourceMemory || e.Items[0].Matched || e.Items[0].Error != "remembered" {
		t.Errorf("of memory: %+v", e)
	}
	e = explain(3)
	if len(e.Items) != 1 || e.SameRules || e.Items[0].Source != api.SourcePresent || !e.Items[0].Matched || e.Items[0].Enforcement != "" ||
		string(e.Items[0].Parameters) != `{"message":"hello","password":"********","times":1}` {
		t.Errorf("judged again: %+v", e)
	}
	if a := ask(t, "GET", w.URL+"/api/v1/events/"+at(3).String()+"/explain", w.Viewer, ""); strings.Contains(a.body, "hunter22") {
		t.Errorf("a secret: %s", a.body)
	}
	if e := explain(4); e.Items == nil || len(e.Items) != 0 {
		t.Errorf("of no rule: %+v", e)
	}
	ask(t, "GET", w.URL+"/api/v1/events/"+at(9).String()+"/explain", w.Viewer, "").problem(t, 404, "unknown_event")
}
