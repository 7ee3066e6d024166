package api_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
	"github.com/attune-automation/attune/rules"
)

const aRule = `{"ref": "mine.r", "trigger": "demo.alert", "action": "demo.greet", "criteria": [{"path": "trigger.item.n", "type": "equals", "pattern": 2.0}],
	"parameters": {"message": "hi", "password": "open sesame"}}`

func TestARuleIsApplied(t *testing.T) {
	w := apitest.New(t)
	var got *attune.Rule
	var dry bool
	w.Engine.Apply = func(r *attune.Rule, principal string, isDry bool) (api.RuleChange, error) {
		if principal != "admin" {
			t.Errorf("by %s", principal)
		}
		got, dry = r, isDry
		return api.RuleChange{Change: api.RuleChanged, Before: r, After: r, Enabled: true}, nil
	}
	route := w.URL + "/api/v1/rules/mine.r"
	var a api.AppliedRule
	answer := ask(t, "PUT", route, w.Admin, aRule)
	answer.into(t, 200, &a)
	if a.Change != api.RuleChanged || a.DryRun || dry || got.Pack != "mine" || got.Criteria[0].Pattern != 2.0 || a.Before == nil || string(a.After.Criteria[0].Pattern) != "2.0" {
		t.Errorf("%+v, %+v", a, got)
	}
	if strings.Contains(answer.body, "sesame") || got.Parameters["password"] != "open sesame" {
		t.Errorf("a secret: %s", answer.body)
	}
	ask(t, "PUT", route+"?dry_run=true", w.Admin, aRule).into(t, 200, &a)
	if !a.DryRun || !dry {
		t.Errorf("%+v", a)
	}
	// What is shown may come back, but for its secrets.
	back, err := json.Marshal(a.After)
	if err != nil {
		t.Fatal(err)
	}
	if p := ask(t, "PUT", route, w.Admin, string(back)).problem(t, 422, "invalid_rule"); len(p.Faults) != 1 || p.Faults[0].Message != "action.parameters.password is what is shown in place of a secret" {
		t.Errorf("%+v", p)
	}
	// Of a rule whose action is gone all is shown so.
	ask(t, "PUT", route, w.Admin, strings.Replace(strings.Replace(string(back), "demo.greet", "demo.gone", 1), "message", "other", 1)).problem(t, 422, "invalid_rule")
	shown := ask(t, "GET", w.URL+"/api/v1/rules/demo.on_alert", w.Viewer, "").body
	shown = strings.ReplaceAll(strings.ReplaceAll(shown, "demo.on_alert", "mine.r"), `"pack":"demo"`, `"pack":"mine"`)
	ask(t, "PUT", route, w.Admin, strings.ReplaceAll(shown, "********", "new")).into(t, 200, &a)
}

func TestNoFieldOfARuleIsLostOnItsWay(t *testing.T) {
	w := apitest.New(t)
	var got *attune.Rule
	w.Engine.Apply = func(r *attune.Rule, _ string, _ bool) (api.RuleChange, error) {
		got = r
		return api.RuleChange{Change: api.RuleCreated, After: r}, nil
	}
	sent := attune.Rule{Ref: "mine.r", Pack: "mine", Description: "d", Enabled: true, Trigger: "demo.alert", TriggerParameters: map[string]string{"a": "b"},
		Criteria: []attune.Criterion{{Path: "trigger.n", Type: "equals", Pattern: 2.0, At: attune.Position{File: "f", Line: 3}}},
		Action:   "demo.greet", Parameters: map[string]any{"message": "hi"}, Hash: "h", At: attune.Position{File: "f", Line: 1, Column: 2},
		Deadline: attune.Span(90 * time.Second), Retry: &attune.RetryPolicy{MaxAttempts: 3, On: []attune.Status{attune.Failed}, Delay: attune.Span(time.Second),
			Backoff: attune.Exponential, MaxDelay: attune.Span(time.Minute), Jitter: 0.5}}
	for i, v := 0, reflect.ValueOf(sent); i < v.NumField(); i++ {
		// Who applied and switched it is not for the sender to say.
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "Applied" && name != "Switched" {
			t.Fatalf("this test sends no %s", name)
		}
	}
	body, err := json.Marshal(api.NewRuleDocument(&sent))
	if err != nil {
		t.Fatal(err)
	}
	ask(t, "PUT", w.URL+"/api/v1/rules/mine.r", w.Admin, string(body)).into(t, 200, &api.AppliedRule{})
	if !reflect.DeepEqual(got, &sent) {
		t.Errorf("%+v became %+v", sent, *got)
	}
	for field, wrong := range map[string]string{"deadline": `"0s"`, "retry": `{"max_attempts": 0}`} {
		ask(t, "PUT", w.URL+"/api/v1/rules/mine.r", w.Admin, `{"ref": "mine.r", "trigger": "demo.alert", "action": "demo.greet", "parameters": {"message": "m"}, "`+field+`": `+wrong+`}`).
			problem(t, 422, "invalid_rule")
	}
}

func TestARuleIsNotApplied(t *testing.T) {
	w := apitest.New(t)
	for name, c := range map[string]struct{ ref, body, code string }{
		"the route names another":    {"mine.s", aRule, "invalid_rule"},
		"its ref has no pack":        {"mine", strings.Replace(aRule, "mine.r", "mine", 1), "invalid_rule"},
		"its ref is no ref":          {"a.b!", strings.Replace(aRule, "mine.r", "a.b!", 1), "invalid_rule"},
		"its pack is another":        {"mine.r", strings.Replace(aRule, `"ref"`, `"pack": "other", "ref"`, 1), "invalid_rule"},
		"it cannot be compiled":      {"mine.r", strings.Replace(aRule, "demo.greet", "demo.great", 1), "invalid_rule"},
		"a key is unknown":           {"mine.r", strings.Replace(aRule, `"criteria"`, `"criterion"`, 1), "invalid_request"},
		"its parameters are no list": {"mine.r", strings.Replace(aRule, `{"message": "hi", "password": "open sesame"}`, `[]`, 1), "invalid_rule"},
	} {
		t.Run(name, func(t *testing.T) {
			ask(t, "PUT", w.URL+"/api/v1/rules/"+c.ref, w.Admin, c.body).problem(t, 422, c.code)
		})
	}
}

func TestWhoMayChangeRules(t *testing.T) {
	w := apitest.New(t)
	w.Engine.Apply = func(r *attune.Rule, _ string, _ bool) (api.RuleChange, error) { return api.RuleChange{After: r}, nil }
	w.Engine.Delete = func(string) error { return nil }
	var switched []string
	w.Engine.Switch = func(ref string, enabled bool, principal string) (*rules.Rule, error) {
		word := map[bool]string{true: "on", false: "off"}[enabled]
		switched = append(switched, word+" by "+principal)
		return w.Engine.Snapshot.Rules().Rule(ref), nil
	}
	route := w.URL + "/api/v1/rules/"
	for _, c := range []struct {
		method, path, body      string
		admin, operator, viewer int
	}{
		{"PUT", "mine.r", aRule, 200, 403, 403},
		{"DELETE", "mine.r", "", 204, 403, 403},
		{"POST", "demo.on_alert/enable", "", 200, 200, 403},
		{"POST", "demo.on_alert/disable", "", 200, 200, 403},
	} {
		for token, want := range map[string]int{w.Admin: c.admin, w.Operator: c.operator, w.Viewer: c.viewer} {
			if got := ask(t, c.method, route+c.path, token, c.body).StatusCode; got != want {
				t.Errorf("%s %s: %d, not %d", c.method, c.path, got, want)
			}
		}
	}
	if len(switched) != 4 {
		t.Errorf("%v", switched)
	}
	r := ask(t, "PATCH", route+"demo.on_alert", w.Admin, "")
	if allow := r.Header.Get("Allow"); r.StatusCode != http.StatusMethodNotAllowed || allow != "GET, PUT, DELETE" {
		t.Errorf("%d, allowed are %s", r.StatusCode, allow)
	}
}

func TestReruns(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted)
	x.RerunOf = attune.ExecutionID(apitest.ID(9))
	w.Store.Put(x)
	var keys []string
	w.Engine.Again = func(id attune.ID, dedupe string, chain attune.Chain) (api.ExecutionReceipt, error) {
		keys = append(keys, dedupe+" by "+chain.Principal)
		return api.ExecutionReceipt{ID: x.ID, Duplicate: dedupe != "" || id == apitest.ID(7)}, nil
	}
	execution, enforcement := w.URL+"/api/v1/executions/"+x.RerunOf.String()+"/rerun", w.URL+"/api/v1/enforcements/"+attune.EnforcementID(apitest.ID(7)).String()+"/rerun"
	var a api.RunAnswer
	ask(t, "POST", execution, w.Operator, "").into(t, 201, &a)
	if a.ID != x.ID.String() || a.RerunOf != x.RerunOf.String() || a.Duplicate {
		t.Errorf("%+v", a)
	}
	ask(t, "POST", execution, w.Operator, `{"dedupe": "k"}`).into(t, 200, &a)
	ask(t, "POST", enforcement, w.Operator, "").into(t, 200, &a)
	if !a.Duplicate || strings.Join(keys, ", ") != " by operator, k by operator,  by operator" {
		t.Errorf("%+v, %q", a, keys)
	}
	for _, route := range []string{execution, enforcement} {
		if got := ask(t, "POST", route, w.Viewer, "").StatusCode; got != 403 {
			t.Errorf("a viewer: %d", got)
		}
	}
	ask(t, "POST", w.URL+"/api/v1/executions/xyz/rerun", w.Operator, "").problem(t, 422, "invalid_id")
}
