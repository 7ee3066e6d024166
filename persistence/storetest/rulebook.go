package storetest

import (
	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

var rulebookCases = map[string]func(f *fixture){
	"an applied rule is created or replaced, and listed by ref": func(f *fixture) {
		b := persistence.AppliedRule{Ref: "p.b", Body: []byte(`{"n": 2.0}`), Principal: "alice", Applied: at(1)}
		a := persistence.AppliedRule{Ref: "p.a", Body: []byte(`{}`), Principal: "bob", Applied: at(2)}
		f.ok(f.s.PutAppliedRule(f.ctx, b))
		f.ok(f.s.PutAppliedRule(f.ctx, a))
		b.Body, b.Principal, b.Applied = []byte(`{"n": 3}`), "carol", at(3)
		f.ok(f.s.PutAppliedRule(f.ctx, b))
		f.applied(a, b)
	},
	"an applied rule is deleted with its switch, and no other": func(f *fixture) {
		a, b := persistence.AppliedRule{Ref: "a", Body: []byte(`{}`)}, persistence.AppliedRule{Ref: "b", Body: []byte(`{}`)}
		f.ok(f.s.PutAppliedRule(f.ctx, a))
		f.ok(f.s.PutAppliedRule(f.ctx, b))
		kept := persistence.RuleSwitch{Rule: "b", Principal: "alice", Switched: at(1)}
		f.ok(f.s.PutRuleSwitch(f.ctx, persistence.RuleSwitch{Rule: "a"}))
		f.ok(f.s.PutRuleSwitch(f.ctx, kept))
		f.ok(f.s.DeleteAppliedRule(f.ctx, "a"))
		f.applied(b)
		f.switches(kept)
		f.kind(f.s.DeleteAppliedRule(f.ctx, "a"), attune.NotFound)
	},
	"to delete what is not applied deletes no switch": func(f *fixture) {
		of := persistence.RuleSwitch{Rule: "pack.rule", Enabled: true, Principal: "alice", Switched: at(1)}
		f.ok(f.s.PutRuleSwitch(f.ctx, of))
		f.kind(f.s.DeleteAppliedRule(f.ctx, "pack.rule"), attune.NotFound)
		f.switches(of)
	},
	"a switch is created or replaced, and listed by rule": func(f *fixture) {
		a := persistence.RuleSwitch{Rule: "a", Principal: "alice", Switched: at(1)}
		b := persistence.RuleSwitch{Rule: "b", Enabled: true, Principal: "alice", Switched: at(2)}
		f.ok(f.s.PutRuleSwitch(f.ctx, b))
		f.ok(f.s.PutRuleSwitch(f.ctx, a))
		a.Enabled, a.Principal, a.Switched = true, "bob", at(3)
		f.ok(f.s.PutRuleSwitch(f.ctx, a))
		f.switches(a, b)
	},
	"what no store can hold is invalid": func(f *fixture) {
		f.kind(f.s.PutAppliedRule(f.ctx, persistence.AppliedRule{Ref: "a", Body: []byte("{")}), attune.Invalid)
		f.kind(f.s.PutAppliedRule(f.ctx, persistence.AppliedRule{Ref: "\x00", Body: []byte("{}")}), attune.Invalid)
		f.kind(f.s.PutRuleSwitch(f.ctx, persistence.RuleSwitch{Rule: "\xff"}), attune.Invalid)
		f.applied()
		f.switches()
	},
}

func (f *fixture) applied(want ...persistence.AppliedRule) {
	f.Helper()
	got, err := f.s.AppliedRules(f.ctx)
	f.ok(err)
	same(f, "applied rules", got, want)
}

func (f *fixture) switches(want ...persistence.RuleSwitch) {
	f.Helper()
	got, err := f.s.RuleSwitches(f.ctx)
	f.ok(err)
	same(f, "switches", got, want)
}
