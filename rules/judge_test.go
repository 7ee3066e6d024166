package rules_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/rules"
)

func decode(t testing.TB, text string) any {
	t.Helper()
	v, err := expression.DecodeJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func compile(t testing.TB, rule *attune.Rule, action *attune.Action) *rules.Rule {
	t.Helper()
	r, faults := rules.Compile(rule, action)
	if len(faults) > 0 {
		t.Fatalf("faults: %v", faults)
	}
	return r
}

var event = &attune.Event{ID: attune.EventID(attune.MakeID(1, 2, 3))}

func TestAHostileRegexEndsWithAnError(t *testing.T) {
	rule := &attune.Rule{Enabled: true, Criteria: []attune.Criterion{{Path: "trigger.x", Type: "regex", Pattern: `^(a+)+(?!x)$`}}}
	m := compile(t, rule, nil).Judge(event, map[string]any{"x": strings.Repeat("a", 40) + "!"})
	if m.Matched || !strings.Contains(m.Evaluation.Error, "takes too long") {
		t.Errorf("got %+v", m.Evaluation)
	}
	rule.Criteria[0].Pattern = `^(a+)+$` // linear: no limit is needed
	m = compile(t, rule, nil).Judge(event, map[string]any{"x": strings.Repeat("a", 100_000) + "!"})
	if m.Matched || m.Evaluation.Error != "" {
		t.Errorf("got %v", m.Evaluation.Error)
	}
}

func TestAFaultyRuleNamesEveryFaultAndItsPlace(t *testing.T) {
	at := func(line int) attune.Position { return attune.Position{File: "r.yaml", Line: line, Column: 3} }
	rule := &attune.Rule{Ref: "p.r", At: at(1), Criteria: []attune.Criterion{
		{Path: "trigger.a", Type: "equal", At: at(5)},
		{Path: "body.a", Type: "exists", At: at(6)},
		{Path: "trigger.a[?(@.b)]", Type: "exists", At: at(7)},
		{Path: "trigger..a..b", Type: "exists", At: at(8)},
		{Path: "trigger['a", Type: "exists", At: at(9)},
		{Path: "trigger.a", Type: "regex", Pattern: "(", At: at(10)},
		{Path: "trigger.a", Type: "equals", Pattern: "{{ trigger. }}", At: at(11)},
	}, Action: "p.a", Parameters: map[string]any{"fixed": "x", "comand": "{{ }}", "deep": map[string]any{"a": []any{"{{ 1 +"}}}}
	action := &attune.Action{Ref: "p.a", Enabled: true, Parameters: map[string]*attune.Parameter{
		"fixed": {Immutable: true}, "command": {Required: true}, "deep": {Type: "object"}}}
	_, faults := rules.Compile(rule, action)
	var all []string
	for _, f := range faults {
		all = append(all, f.String())
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{
		`r.yaml:5:3: the criterion trigger.a has the unknown type "equal" (did you mean equals?)`,
		"r.yaml:6:3: the path", "r.yaml:7:3: the path", "r.yaml:8:3: the path", "r.yaml:9:3: the path", "r.yaml:10:3: the criterion trigger.a: the regular expression",
		"r.yaml:11:3: the pattern of trigger.a", "(write trigger.name, trigger['a name']",
		"p.a has no parameter comand (did you mean command?)", "fixed is fixed by p.a", "p.a needs the parameter command",
		"action.parameters.comand", "action.parameters.deep.a[0]",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no fault %q in\n%s", want, text)
		}
	}
	if len(faults) != 12 {
		t.Errorf("%d faults:\n%s", len(faults), text)
	}
}

func shell() *attune.Action {
	return &attune.Action{Ref: "p.a", Enabled: true, Timeout: time.Minute, Parameters: map[string]*attune.Parameter{
		"name":    {Type: "string", Required: true},
		"count":   {Type: "integer", Default: int64(1), HasDefault: true},
		"labels":  {Type: "object"},
		"timeout": {Type: "integer"},
	}}
}

func TestAMatchCarriesCheckedParameters(t *testing.T) {
	rule := &attune.Rule{Ref: "p.r", Enabled: true, Action: "p.a", Parameters: map[string]any{
		"name": "{{ trigger.n }}", "count": "{{ trigger.num }}", "labels": map[string]any{"a": "{{ trigger.list }}", "b": "{{ trigger.text }}!"}, "timeout": "5"}}
	m := compile(t, rule, shell()).Judge(event, decode(t, payload))
	want := `{"count":3,"labels":{"a":["a",1,{"k":"v"}],"b":"disk full on web-1!"},"name":"3","timeout":5}`
	if !m.Matched || m.Failure != nil || string(m.Parameters) != want || m.Timeout != 5*time.Second {
		t.Errorf("got %s %+v", m.Parameters, m)
	}
}

func TestWhatAnEventSaysIsNeverATemplate(t *testing.T) {
	rule := &attune.Rule{Enabled: true, Parameters: map[string]any{"name": "{{ trigger.evil }}"}}
	action := shell()
	action.Parameters["cmd"] = &attune.Parameter{Type: "string", Default: "echo {{ name }}", HasDefault: true, Immutable: true}
	m := compile(t, rule, action).Judge(event, map[string]any{"evil": "{{ 6 * 7 }}"})
	want := `{"cmd":"echo {{ 6 * 7 }}","count":1,"name":"{{ 6 * 7 }}"}`
	if string(m.Parameters) != want {
		t.Errorf("got %s %v", m.Parameters, m.Failure)
	}
}

func TestAFailedEnforcementNamesEveryFault(t *testing.T) {
	for _, c := range []struct {
		name       string
		parameters map[string]any
		change     func(*attune.Action)
		code       string
		want       []string
	}{
		{"every template that fails, and the wrong values beside them", map[string]any{"name": "{{ trigger.x.y }}", "count": "{{ trigger.text }}", "labels": map[string]any{"a": "{{ trigger.z.y }}"}}, nil,
			rules.CodeRendering, []string{"parameters.name: ", "parameters.labels.a: ", "parameters.count: count must be an integer"}},
		{"every wrong value", map[string]any{"name": "{{ trigger.null }}", "count": "{{ trigger.list }}"}, nil,
			rules.CodeParameters, []string{"parameters.name: name is required", "parameters.count: count must be an integer, not a list"}},
		{"an action that is refused", map[string]any{"name": "x", "hosts": "y"}, func(a *attune.Action) { a.Refusal = `no runner "x"` }, rules.CodeAction, []string{`p.a is refused: no runner "x"`}},
		{"an action that is disabled", map[string]any{"name": "x"}, func(a *attune.Action) { a.Enabled = false }, rules.CodeAction, []string{"disabled"}},
		{"parameters that are too large", map[string]any{"name": "{{ trigger.text * 30000 }}", "labels": map[string]any{"a": "{{ trigger.text * 30000 }}"}}, nil, rules.CodeParameters, []string{"at most 1048576"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			action := shell()
			if c.change != nil {
				c.change(action)
			}
			rule := &attune.Rule{Enabled: true, Action: "p.a", Parameters: c.parameters}
			m := compile(t, rule, action).Judge(event, decode(t, payload))
			if !m.Matched || m.Parameters != nil || m.Failure == nil || m.Failure.Code != c.code {
				t.Fatalf("got %+v %+v", m, m.Failure)
			}
			for _, want := range c.want {
				if !strings.Contains(m.Failure.Message, want) {
					t.Errorf("no %q in %q", want, m.Failure.Message)
				}
			}
		})
	}
}

func TestNothingPassesWithoutPayloadAndDisabledRulesDoNotJudge(t *testing.T) {
	rule := &attune.Rule{Enabled: true, Criteria: []attune.Criterion{{Path: "trigger", Type: "exists"}}}
	for _, p := range []any{nil, map[string]any{}} {
		if m := compile(t, rule, nil).Judge(event, p); m.Matched || m.Evaluation.Error == "" {
			t.Errorf("%v matched: %+v", p, m)
		}
	}
	if m := compile(t, &attune.Rule{Enabled: true}, nil).Judge(event, nil); !m.Matched || string(m.Parameters) != "{}" {
		t.Errorf("no criteria: %+v", m)
	}
	if m := compile(t, &attune.Rule{}, nil).Judge(event, "x"); m.Matched || !m.Evaluation.Disabled {
		t.Errorf("disabled: %+v", m)
	}
}

func TestAnEvaluationKeepsLittleAndReadsBack(t *testing.T) {
	long := strings.Repeat("ä", 1000)
	deep := map[string]any{"a": []any{long, long}}
	rule := &attune.Rule{Ref: "p.r", Enabled: true, Criteria: []attune.Criterion{
		{Path: "trigger.long", Type: "exists"},
		{Path: "trigger.deep", Type: "contains", Pattern: "a"},
		{Path: "trigger.small", Type: "equals", Pattern: []any{"<&>", 1.5, "\x01\"\\\n\xff"}},
		{Path: "trigger.null", Type: "contains", Pattern: "x"},
	}}
	m := compile(t, rule, nil).Judge(event, map[string]any{"long": long, "deep": deep, "small": []any{"<&>", 1.5, "\x01\"\\\n\xff"}, "null": nil})
	encoded := rules.EncodeEvaluation(m.Evaluation)
	if len(encoded) > 4000 || strings.Count(string(encoded), "… (cut)") != 2 {
		t.Errorf("%d bytes: %s", len(encoded), encoded)
	}
	standard, err := json.Marshal(m.Evaluation)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := decode(t, string(encoded)), decode(t, string(standard)); !reflect.DeepEqual(a, b) {
		t.Errorf("got  %v\nwant %v", a, b)
	}
	for _, e := range []attune.Evaluation{{}, {Rule: "a.b", Disabled: true}, {Matched: true, Error: "x", Criteria: []attune.CriterionResult{{}, {Left: 1e300, Right: false}}}} {
		standard, _ := json.Marshal(e)
		if a, b := decode(t, string(rules.EncodeEvaluation(e))), decode(t, string(standard)); !reflect.DeepEqual(a, b) {
			t.Errorf("got  %v\nwant %v", a, b)
		}
	}
}

func FuzzJudge(f *testing.F) {
	f.Add("trigger.a['b'][0]", "regex", "(?P<x>a)(?P=x)|[[a]$", `{"a": {"b": ["aa"]}}`, "{{ trigger.a }}")
	f.Add("trigger.x[*]#1", "search any", "matchwildcard", `{"x": [1, "a"]}`, "[a-")
	f.Add("trigger.x", "matchwildcard", "*[!a-c]?[", `{"x": "abcd["}`, "")
	f.Add("trigger.x", "td_lt", "{{ 3 }}", `{"x": "2024-01-01 10:00 UTC"}`, "")
	f.Add("when", "is", "trigger.x | regex_search('a')", `{"x": "a"}`, "")
	f.Add("trigger.x", "in", "{{ trigger.x }}", `{"x": [1, "a"]}`, "{'a': [1, None]}")
	f.Fuzz(func(t *testing.T, path, operator, pattern, body, parameter string) {
		v, err := expression.DecodeJSON([]byte(body))
		if err != nil {
			v = body
		}
		rule := &attune.Rule{Enabled: true, Criteria: []attune.Criterion{{Path: path, Type: operator, Pattern: pattern}}, Parameters: map[string]any{"name": parameter, "labels": parameter}}
		r, faults := rules.Compile(rule, shell())
		if (r == nil) != (len(faults) > 0) {
			t.Fatalf("rule %v, faults %v", r, faults)
		}
		if r == nil {
			return
		}
		m := r.Judge(event, v)
		if !json.Valid(rules.EncodeEvaluation(m.Evaluation)) || m.Parameters != nil && !json.Valid(m.Parameters) {
			t.Errorf("not JSON: %s %s", rules.EncodeEvaluation(m.Evaluation), m.Parameters)
		}
		if m.Matched && (m.Parameters == nil) == (m.Failure == nil) {
			t.Errorf("a match has parameters or a failure: %+v", m)
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	rule := &attune.Rule{Ref: "examples.critical_alert", Enabled: true, Criteria: []attune.Criterion{
		{Path: "trigger.item.status", Type: "equals", Pattern: "firing"},
		{Path: "trigger.item.labels.severity", Type: "equals", Pattern: "critical"},
	}, Action: "p.a", Parameters: map[string]any{"name": "{{ trigger.item.labels.alertname }}", "count": "{{ trigger.item.count }}"}}
	r := compile(b, rule, shell())
	v := decode(b, `{"headers": {}, "body": {}, "index": 0, "item": {"status": "firing", "count": 3, "labels": {"alertname": "HighErrorRate", "severity": "critical", "instance": "web-1:8080"}}}`)
	b.ReportAllocs()
	for b.Loop() {
		m := r.Judge(event, v)
		if len(rules.EncodeEvaluation(m.Evaluation)) == 0 || m.Parameters == nil {
			b.Fatal(m)
		}
	}
}
