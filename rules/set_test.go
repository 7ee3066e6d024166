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
