package rules_test

import (
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/rules"
)

// FuzzCriteria looks for a panic, a verdict that differs when the event is judged
// again, an evaluation that is no JSON, and a match beside an error.
func FuzzCriteria(f *testing.F) {
	for _, kind := range []string{"equals", "nequals", "contains", "icontains", "in", "startswith", "lt", "gt", "timediff_lt", "matchwildcard", "regex", "iregex", "matchregex", "exists",
		"search any", "search all2any", "", "EQ", "nothing"} {
		f.Add("trigger.a", kind, `"b"`, `{"a": "b"}`)
	}
	for _, seed := range [][4]string{
		{"trigger.a[*].b", "equals", `2.0`, `{"a": [{"b": 2}]}`}, {"trigger..n", "gt", `"{{ trigger.m }}"`, `{"n": 3, "m": 2}`}, {"$.trigger['a b']", "exists", ``, `{"a b": null}`},
		{"trigger.a", "search any", `{"item.n": {"type": "gt", "pattern": 1}}`, `{"a": [{"n": 1}, {"n": 2}]}`}, {"trigger.t", "td_gt", `60`, `{"t": "2026-01-31T11:00:00Z"}`},
		{"trigger.a", "regex", `"(?=a)(a+)+$"`, `{"a": "aaaaaaaaaaaaaaaa!"}`}, {"trigger.a", "matchwildcard", `"*[!a-c]?"`, `{"a": "zzz"}`}, {"when", "", `"trigger.a > 1"`, `{"a": 2}`},
		{"trigger.a#1", "contains", `"{{ trigger"`, `{}`}, {"trigger[0:2].x", "in", `["x", 1, null]`, `[{"x": 1}]`}, {"type", "", ``, `{"a": 1}`},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, path, kind, pattern, body string) {
		right, err := expression.DecodeJSON([]byte(pattern))
		payload, err2 := expression.DecodeJSON([]byte(body))
		if err != nil || err2 != nil {
			return
		}
		rule := &attune.Rule{Ref: "f.r", Trigger: "f.t", Enabled: true, Criteria: []attune.Criterion{{Path: path, Type: kind, Pattern: right}}}
		compiled, faults := rules.Compile(rule, nil)
		if (compiled == nil) != (len(faults) > 0) {
			t.Fatalf("%v with the faults %v", compiled, faults)
		}
		if compiled == nil {
			return
		}
		event := &attune.Event{ID: 7, Trigger: "f.t", Accepted: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
		first, second := compiled.Judge(event, payload), compiled.Judge(event, payload)
		if first.Matched && first.Evaluation.Error != "" || first.Matched != first.Evaluation.Matched {
			t.Fatalf("%+v", first)
		}
		one, two := rules.EncodeEvaluation(first.Evaluation), rules.EncodeEvaluation(second.Evaluation)
		timed := strings.Contains(string(one)+string(two), "takes too long")
		if string(one) != string(two) && !timed {
			t.Fatalf("first %s\nthen %s", one, two)
		}
		if _, err := expression.DecodeJSON(one); err != nil {
			t.Fatalf("%s: %v", one, err)
		}
	})
}
