package rules_test

import (
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

func TestASetListsRulesByTriggerInOrder(t *testing.T) {
	make1 := func(ref, trigger string, p map[string]string) *rules.Rule {
		return compile(t, &attune.Rule{Ref: ref, Trigger: trigger, TriggerParameters: p}, nil)
	}
	url := map[string]string{"url": "x/y"}
	s := rules.NewSet(7, []*rules.Rule{make1("p.c", "t.a", nil), make1("p.a", "t.a", nil), make1("p.b", "t.a", url)})
	if s.Revision() != 7 || len(s.All()) != 3 || s.Rule("p.b") == nil || s.Rule("p.x") != nil || s.For("t.b") != nil {
		t.Errorf("got %+v", s)
	}
	if l := s.For("t.a"); len(l) != 2 || l[0].Ref() != "p.a" || l[1].Ref() != "p.c" {
		t.Errorf("got %v", l)
	}
	if l := s.For(attune.TriggerKey("t.a", url)); len(l) != 1 || l[0].Ref() != "p.b" {
		t.Errorf("got %v", l)
	}
}

// A backstop that is tried stands back as one in the set would; so does nothing
// stand back behind the rule whose place it takes.
func TestARuleIsTriedInItsPlace(t *testing.T) {
	backstop := []attune.Criterion{rules.Backstop(attune.Position{})}
	rule := func(ref string, criteria ...attune.Criterion) *rules.Rule {
		return compile(t, &attune.Rule{Ref: ref, Enabled: true, Trigger: "t.a", Criteria: criteria}, nil)
	}
	s := rules.NewSet(1, []*rules.Rule{rule("p.big", attune.Criterion{Path: "trigger.n", Type: "gt", Pattern: int64(5)}), rule("p.rest", backstop...)})
	for _, c := range []struct {
		name string
		rule *rules.Rule
		n    int64
		want bool
	}{
		{"a backstop behind a match", rule("p.new", backstop...), 9, false},
		{"a backstop behind no match, another backstop notwithstanding", rule("p.new", backstop...), 1, true},
		{"a backstop in the place of the rule that matches", rule("p.big", backstop...), 9, true},
		{"a standard rule beside a match", rule("p.new"), 9, true},
	} {
		m := s.Try(c.rule, &attune.Event{Trigger: "t.a"}, map[string]any{"n": c.n})
		if m.Matched != c.want || m.Evaluation.Rule != c.rule.Ref() {
			t.Errorf("%s: %+v", c.name, m.Evaluation)
		}
	}
}
