package rules_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

func read(t testing.TB, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// verdict is pass, no or error, also when the rule does not even compile.
func verdict(c attune.Criterion, payload any) string {
	r, faults := rules.Compile(&attune.Rule{Enabled: true, Criteria: []attune.Criterion{c}}, nil)
	if len(faults) > 0 {
		return "error"
	}
	switch result := r.Judge(event, payload).Evaluation.Criteria[0]; {
	case result.Error != "":
		return "error"
	case result.Passed:
		return "pass"
	}
	return "no"
}

// testdata/operators.json holds what Python makes of each operator on each pair
// of some values and patterns: a line for each value, a letter for each
// pattern, p for pass, n for no, e for an exception, - for not recorded.
func TestOperatorsJudgeAsPythonDoes(t *testing.T) {
	var recorded struct {
		Values, Patterns []json.RawMessage
		Verdicts         map[string][]string
	}
	read(t, "testdata/operators.json", &recorded)
	seen := map[byte]int{}
	for operator, lines := range recorded.Verdicts {
		for i, line := range lines {
			for j := range line {
				seen[line[j]]++
				if line[j] == '-' {
					continue
				}
				value, pattern := decode(t, string(recorded.Values[i])), decode(t, string(recorded.Patterns[j]))
				got := verdict(attune.Criterion{Path: "trigger.x", Type: operator, Pattern: pattern}, map[string]any{"x": value})
				if got[0] != line[j] {
					t.Errorf("%s %s %s: got %s, want %c", recorded.Values[i], operator, recorded.Patterns[j], got, line[j])
				}
				// Rendered for the event it must be the same as written in the rule.
				got = verdict(attune.Criterion{Path: "trigger.x", Type: operator, Pattern: "{{ trigger.p }}"}, map[string]any{"x": value, "p": pattern})
				if got[0] != line[j] {
					t.Errorf("%s %s {{ %s }}: got %s, want %c", recorded.Values[i], operator, recorded.Patterns[j], got, line[j])
				}
			}
		}
	}
	if len(recorded.Verdicts) != 19 || seen['p'] < 3000 || seen['n'] < 6000 || seen['e'] < 10000 {
		t.Errorf("the record has shrunk: %d operators, %v", len(recorded.Verdicts), seen)
	}
}

func TestWildcardsMatchAsInPython(t *testing.T) {
	var cases [][3]any
	read(t, "testdata/wildcards.json", &cases)
	for _, c := range cases {
		want := map[bool]string{true: "pass", false: "no"}[c[2].(bool)]
		if got := verdict(attune.Criterion{Path: "trigger.x", Type: "matchwildcard", Pattern: c[0]}, map[string]any{"x": c[1]}); got != want {
			t.Errorf("%q in %q: got %s, want %s", c[0], c[1], got, want)
		}
	}
}
