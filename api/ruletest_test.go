package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
)

const trial = `"rule": {"ref": "trial.resolved", "enabled": true, "trigger": "demo.alert", "action": "demo.greet",
	"criteria": [{"path": "trigger.item.status", "type": "equals", "pattern": "resolved"}],
	"parameters": {"message": "{{ trigger.item.id }}", "times": 2, "password": "open sesame"}}`

func TestARuleIsTestedWithoutBeingSaved(t *testing.T) {
	w := apitest.New(t)
	for n, status := range []string{"resolved", "firing", "resolved"} {
		w.Store.Put(&attune.Event{ID: attune.EventID(apitest.ID(n)), Accepted: apitest.ID(n).Time(), Trigger: "demo.alert",
			Payload: fmt.Appendf(nil, `{"item":{"status":%q,"id":"a%d"}}`, status, n)})
	}
	w.Store.Put(&attune.Event{ID: attune.EventID(apitest.ID(7)), Trigger: "demo.other", Payload: []byte(`{"item":{"status":"resolved"}}`)})
	id := func(n int) string { return attune.EventID(apitest.ID(n)).String() }
	for _, c := range []struct{ name, rest, want string }{
		{"a payload that matches", `"payload": {"item": {"status": "resolved", "id": "x"}}`, " x"},
		{"a payload that does not", `"payload": {"item": {}}`, " -"},
		{"an empty payload", `"payload": {}`, " error"},
		{"a past event", `"event": "` + id(0) + `"`, id(0) + " a0"},
		{"the newest events first", `"last": 2`, id(2) + " a2," + id(1) + " -"},
		{"more than there are", `"last": 100`, id(2) + " a2," + id(1) + " -," + id(0) + " a0"},
		{"an event that the rule never sees", `"event": "` + id(7) + `"`, id(7) + " error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := ask(t, "POST", w.URL+"/api/v1/rules/test", w.Operator, "{"+trial+", "+c.rest+"}")
			var out api.RuleTest
			a.into(t, 200, &out)
			var got []string
			for _, v := range out.Items {
				said := "-"
				switch {
				case v.Error != "":
					said = "error"
				case v.Matched:
					var p struct{ Message string }
					if err := json.Unmarshal(v.Parameters, &p); err != nil {
						t.Error(err)
					}
					said = p.Message
				}
				got = append(got, v.Event+" "+said)
			}
			if strings.Join(got, ",") != c.want {
				t.Errorf("got %q, want %q: %s", got, c.want, a.body)
			}
			if strings.Contains(a.body, "sesame") {
				t.Errorf("a secret: %s", a.body)
			}
		})
	}
}

// A document that was read from a rule is the same rule: a number that JSON writes
// as whole stays whole, and one with a point keeps it.
func TestARuleDocumentKeepsNumbers(t *testing.T) {
	w := apitest.New(t)
	r := &attune.Rule{Ref: "trial.numbers", Trigger: "demo.alert", Action: "demo.greet",
		Criteria:   []attune.Criterion{{Path: "trigger.n", Type: "equals", Pattern: int64(9007199254740993)}},
		Parameters: map[string]any{"message": "hello", "times": int64(3), "password": "{{ trigger.n }}"}}
	body, err := json.Marshal(api.RuleTestRequest{Rule: api.NewRuleDocument(r), Payload: []byte(`{"n": 9007199254740993}`)})
	if err != nil {
		t.Fatal(err)
	}
	var out api.RuleTest
	ask(t, "POST", w.URL+"/api/v1/rules/test", w.Operator, string(body)).into(t, 200, &out)
	if len(out.Items) != 1 || !out.Items[0].Matched || string(out.Items[0].Criteria[0].Left) != "9007199254740993" || !out.Disabled ||
		string(out.Items[0].Parameters) != `{"message":"hello","password":"********","times":3}` {
		t.Errorf("%+v", out)
	}
	r.Parameters["times"] = 3.0
	if d := api.NewRuleDocument(r); !strings.Contains(string(d.Parameters), `"times":3.0`) {
		t.Errorf("%s", d.Parameters)
	}
}

// What GET shows can be sent back as it is.
func TestARuleThatIsThereCanBeTested(t *testing.T) {
	w := apitest.New(t)
	shown := ask(t, "GET", w.URL+"/api/v1/rules/demo.on_alert", w.Viewer, "").body
	var out api.RuleTest
	ask(t, "POST", w.URL+"/api/v1/rules/test", w.Operator, `{"rule": `+shown+`, "payload": {"item": {"status": "firing"}}}`).into(t, 200, &out)
	if len(out.Items) != 1 || !out.Items[0].Matched {
		t.Errorf("%+v", out)
	}
}

func TestARuleTestThatIsWrong(t *testing.T) {
	w := apitest.New(t)
	send := func(body string, status int, code string) api.Problem {
		t.Helper()
		return ask(t, "POST", w.URL+"/api/v1/rules/test", w.Operator, body).problem(t, status, code)
	}
	send("{"+trial+"}", 422, "invalid_request")
	send("{"+trial+`, "last": 1, "payload": {}}`, 422, "invalid_request")
	send("{"+trial+`, "last": 101}`, 422, "invalid_request")
	send("{"+trial+`, "event": "`+attune.EventID(apitest.ID(1)).String()+`"}`, 404, "unknown_event")
	send(`{"rule": {"ref": "a.b", "trigger": "demo.alert", "action": "demo.greet", "parameters": [1]}, "last": 1}`, 422, "invalid_rule")
	p := send(`{"rule": {"ref": "a.b", "trigger": "demo.alart", "action": "demo.greet", "at": {"file": "b.yaml", "line": 1, "column": 1},
		"criteria": [{"path": "trigger.x", "type": "equal", "at": {"file": "b.yaml", "line": 4, "column": 3}}]}, "last": 1}`, 422, "invalid_rule")
	var where []string
	for _, f := range p.Faults {
		where = append(where, f.Where)
	}
	if got := strings.Join(where, " "); got != "b.yaml:1:1 b.yaml:4:3 b.yaml:1:1" {
		t.Errorf("%s: %v", got, p.Faults)
	}
}
