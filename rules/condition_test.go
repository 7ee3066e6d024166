package rules_test

import (
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

func TestWhen(t *testing.T) {
	for _, c := range []struct{ name, source, want string }{
		{"true", "trigger.n > 2 and trigger.text is string", "pass"},
		{"in braces", "{{ trigger.n > 2 }}", "pass"},
		{"false", "{{ trigger.n == 4 }}", "no"},
		{"a number that is true to Python", "trigger.n", "it must give true or false, not an integer"},
		{"a text that looks like it", "'true'", "it must give true or false, not a text"},
		{"null", "trigger.null", "it must give true or false, not null"},
		{"a missing name", "trigger.nothing > 3", "trigger.nothing is not defined"},
		{"a missing name that may be", "(trigger.nothing | default(4)) > 3", "pass"},
		{"values that have no order", "trigger.text > 3", "cannot compare"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := compile(t, &attune.Rule{Enabled: true, Criteria: []attune.Criterion{
				rules.When(c.source, attune.Position{}), {Path: "trigger.n", Type: "exists"}}}, nil).Judge(event, decode(t, payload))
			if len(m.Evaluation.Criteria) != 2 || m.Evaluation.Criteria[0].Path != "trigger.n" {
				t.Fatalf("when is judged after the criteria: %+v", m.Evaluation)
			}
			result := m.Evaluation.Criteria[1]
			got := result.Error
			if got == "" {
				got = map[bool]string{true: "pass", false: "no"}[result.Passed]
			} else if m.Evaluation.Error != "when: "+result.Error {
				t.Errorf("the evaluation says %q", m.Evaluation.Error)
			}
			if got != c.want && (len(c.want) < 5 || !strings.Contains(got, c.want)) || result.Path != "when" || m.Matched != (c.want == "pass") {
				t.Errorf("got %q (%+v), want %q", got, result, c.want)
			}
		})
	}
	m := compile(t, &attune.Rule{Enabled: true, Criteria: []attune.Criterion{rules.When("x", attune.Position{}), {Path: "trigger.n", Type: "nexists"}}}, nil).Judge(event, decode(t, payload))
	if len(m.Evaluation.Criteria) != 1 || m.Evaluation.Error != "" {
		t.Errorf("when was judged behind a criterion that failed: %+v", m.Evaluation)
	}
	if m := compile(t, &attune.Rule{Enabled: true, Criteria: []attune.Criterion{rules.When("not trigger", attune.Position{})}}, nil).Judge(event, nil); !m.Matched {
		t.Errorf("when alone needs no payload: %+v", m.Evaluation)
	}
	for source, want := range map[string]string{
		"": "when must be an expression", "{{ a }} and {{ b }}": "when must be one expression", "{% if a %}true{% endif %}": "when must be one expression",
		"trigger.x >": "r.yaml:4: when: ", "trigger.x |near": "known ones are",
	} {
		_, faults := rules.Compile(&attune.Rule{Criteria: []attune.Criterion{rules.When(source, attune.Position{File: "r.yaml", Line: 4})}}, nil)
		if len(faults) != 1 || !strings.Contains(faults[0].String(), want) {
			t.Errorf("%q: got %v, want %q", source, faults, want)
		}
	}
}

// set is of rules of one trigger: their names, and | backstop, disabled or a
// value that n must have.
func set(t *testing.T, all ...string) *rules.Set {
	var compiled []*rules.Rule
	for _, one := range all {
		name, how, _ := strings.Cut(one, "|")
		r := &attune.Rule{Ref: "p." + name, Trigger: "t", Enabled: !strings.Contains(how, "disabled"), Action: "p.a", Parameters: map[string]any{"name": "x"}}
		if strings.Contains(how, "backstop") {
			r.Criteria = append(r.Criteria, rules.Backstop(attune.Position{}))
		}
		if strings.Contains(how, "never") {
			r.Criteria = append(r.Criteria, attune.Criterion{Path: "trigger.n", Type: "equals", Pattern: "never"})
		}
		if strings.Contains(how, "broken") {
			r.Parameters["name"] = "{{ trigger.missing.x }}"
		}
		compiled = append(compiled, compile(t, r, shell()))
	}
	return rules.NewSet(1, compiled)
}

func TestABackstopMatchesOnlyWhenNoStandardRuleDoes(t *testing.T) {
	for _, c := range []struct{ name, rules, want string }{
		{"a standard rule behind it by name matches", "a|backstop z", "p.z"},
		{"a standard rule before it matches", "a z|backstop", "p.a"},
		{"no standard rule matches", "a|never b|backstop c|never", "p.b"},
		{"two backstops do not see each other", "a|backstop b|backstop c|never", "p.a p.b"},
		{"a disabled rule does not count", "a|disabled b|backstop", "p.b"},
		{"a match whose parameters fail counts", "a|broken b|backstop", "p.a"},
		{"a backstop has criteria of its own", "a|backstop,never b|backstop", "p.b"},
		{"a disabled backstop", "a|backstop,disabled", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := strings.Fields(c.rules)
			matches := set(t, all...).Judge(&attune.Event{ID: event.ID, Trigger: "t"}, decode(t, payload))
			var matched []string
			for i, m := range matches {
				if m.Rule.Ref() != "p."+all[i][:1] || m.Evaluation.Rule != m.Rule.Ref() {
					t.Errorf("match %d is of %s", i, m.Rule.Ref())
				}
				if m.Matched {
					matched = append(matched, m.Rule.Ref())
				}
			}
			if got := strings.Join(matched, " "); got != c.want || len(matches) != len(all) {
				t.Errorf("got %q of %d, want %q", got, len(matches), c.want)
			}
		})
	}
	m := set(t, "a|backstop", "b").Judge(&attune.Event{ID: event.ID, Trigger: "t"}, decode(t, payload))[0]
	if got, want := string(rules.EncodeEvaluation(m.Evaluation)), `"criteria":[{"path":"type","type":"backstop","passed":false,"left":["p.b"],"right":"no other match"}]`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := set(t, "a").Judge(&attune.Event{Trigger: "other"}, nil); got != nil {
		t.Errorf("got %v", got)
	}
}
