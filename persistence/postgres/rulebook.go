package postgres

import (
	"context"

	"github.com/attune-automation/attune/persistence"
)

// PutAppliedRule implements [persistence.Rulebook].
func (s *Store) PutAppliedRule(ctx context.Context, a persistence.AppliedRule) error {
	if reason := persistence.CheckAppliedRule(a); reason != "" {
		return persistence.Unstorable(reason)
	}
	var n int64
	err := s.write(ctx, "put applied rule "+a.Ref, func(b *batch) {
		b.count("INSERT INTO applied_rule (ref, body, principal, applied) VALUES ($1, $2, $3, $4) "+
			"ON CONFLICT (ref) DO UPDATE SET body = excluded.body, principal = excluded.principal, applied = excluded.applied", &n,
			text(a.Ref), document(a.Body), text(a.Principal), number(persistence.Millis(a.Applied)))
	})
	s.wrote(n, int64(len(a.Ref)+len(a.Body)))
	return err
}

// DeleteAppliedRule implements [persistence.Rulebook].
func (s *Store) DeleteAppliedRule(ctx context.Context, ref string) error {
	var rules, switches int64
	err := s.write(ctx, "delete applied rule "+ref, func(b *batch) {
		b.add("WITH gone AS (DELETE FROM applied_rule WHERE ref = $1 RETURNING ref), "+
			"off AS (DELETE FROM rule_switch WHERE rule IN (SELECT ref FROM gone) RETURNING rule) SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM off)", func(r row) error {
			rules, switches = r.number(0), r.number(1)
			return nil
		}, text(ref))
	})
	if err == nil && rules == 0 {
		err = persistence.Missing("applied rule " + ref)
	}
	s.wrote(rules+switches, 0)
	return err
}

// AppliedRules implements [persistence.Rulebook].
func (s *Store) AppliedRules(ctx context.Context) (all []persistence.AppliedRule, err error) {
	err = s.read(ctx, "read the applied rules", `SELECT ref, body, principal, applied FROM applied_rule ORDER BY ref COLLATE "C"`, func(r row) error {
		all = append(all, persistence.AppliedRule{Ref: r.text(0), Body: r.blob(1), Principal: r.text(2), Applied: persistence.FromMillis(r.number(3))})
		return nil
	})
	return all, err
}

// PutRuleSwitch implements [persistence.Rulebook].
func (s *Store) PutRuleSwitch(ctx context.Context, w persistence.RuleSwitch) error {
	if reason := persistence.CheckRuleSwitch(w); reason != "" {
		return persistence.Unstorable(reason)
	}
	var n int64
	err := s.write(ctx, "put rule switch "+w.Rule, func(b *batch) {
		b.count("INSERT INTO rule_switch (rule, enabled, principal, switched) VALUES ($1, $2, $3, $4) "+
			"ON CONFLICT (rule) DO UPDATE SET enabled = excluded.enabled, principal = excluded.principal, switched = excluded.switched", &n,
			text(w.Rule), truth(w.Enabled), text(w.Principal), number(persistence.Millis(w.Switched)))
	})
	s.wrote(n, int64(len(w.Rule)))
	return err
}

// RuleSwitches implements [persistence.Rulebook].
func (s *Store) RuleSwitches(ctx context.Context) (all []persistence.RuleSwitch, err error) {
	err = s.read(ctx, "read the rule switches", `SELECT rule, enabled, principal, switched FROM rule_switch ORDER BY rule COLLATE "C"`, func(r row) error {
		all = append(all, persistence.RuleSwitch{Rule: r.text(0), Enabled: r.truth(1), Principal: r.text(2), Switched: persistence.FromMillis(r.number(3))})
		return nil
	})
	return all, err
}
