package sqlite

import (
	"context"

	"github.com/attune-automation/attune/persistence"
)

// PutAppliedRule implements [persistence.Rulebook].
func (s *Store) PutAppliedRule(ctx context.Context, r persistence.AppliedRule) error {
	if reason := persistence.CheckAppliedRule(r); reason != "" {
		return persistence.Unstorable(reason)
	}
	return s.write(ctx, "put applied rule "+r.Ref, func(t *tx) error {
		t.text(r.Ref)
		t.json(r.Body)
		t.text(r.Principal)
		t.int(persistence.Millis(r.Applied))
		n, err := t.exec("INSERT OR REPLACE INTO applied_rule (ref, body, principal, applied) VALUES (?, ?, ?, ?)")
		t.rows += n
		t.bytes += int64(len(r.Ref) + len(r.Body))
		return err
	})
}

// DeleteAppliedRule implements [persistence.Rulebook].
func (s *Store) DeleteAppliedRule(ctx context.Context, ref string) error {
	return s.write(ctx, "delete applied rule "+ref, func(t *tx) error {
		t.text(ref)
		n, err := t.exec("DELETE FROM applied_rule WHERE ref = ?")
		if err != nil {
			return err
		}
		if n == 0 {
			return persistence.Missing("applied rule " + ref)
		}
		t.rows += n
		t.text(ref)
		n, err = t.exec("DELETE FROM rule_switch WHERE rule = ?")
		t.rows += n
		return err
	})
}

// AppliedRules implements [persistence.Rulebook].
func (s *Store) AppliedRules(ctx context.Context) (all []persistence.AppliedRule, err error) {
	err = s.read(ctx, "read the applied rules", "SELECT ref, body, principal, applied FROM applied_rule ORDER BY ref", nil, func(scan func(...any) error) error {
		var r persistence.AppliedRule
		var applied int64
		if err := scan(&r.Ref, &r.Body, &r.Principal, &applied); err != nil {
			return err
		}
		r.Applied = persistence.FromMillis(applied)
		all = append(all, r)
		return nil
	})
	return all, err
}

// PutRuleSwitch implements [persistence.Rulebook].
func (s *Store) PutRuleSwitch(ctx context.Context, w persistence.RuleSwitch) error {
	if reason := persistence.CheckRuleSwitch(w); reason != "" {
		return persistence.Unstorable(reason)
	}
	return s.write(ctx, "put rule switch "+w.Rule, func(t *tx) error {
		enabled := int64(0)
		if w.Enabled {
			enabled = 1
		}
		t.text(w.Rule)
		t.int(enabled)
		t.text(w.Principal)
		t.int(persistence.Millis(w.Switched))
		n, err := t.exec("INSERT OR REPLACE INTO rule_switch (rule, enabled, principal, switched) VALUES (?, ?, ?, ?)")
		t.rows += n
		t.bytes += int64(len(w.Rule))
		return err
	})
}

// RuleSwitches implements [persistence.Rulebook].
func (s *Store) RuleSwitches(ctx context.Context) (all []persistence.RuleSwitch, err error) {
	err = s.read(ctx, "read the rule switches", "SELECT rule, enabled, principal, switched FROM rule_switch ORDER BY rule", nil, func(scan func(...any) error) error {
		var w persistence.RuleSwitch
		var switched int64
		if err := scan(&w.Rule, &w.Enabled, &w.Principal, &switched); err != nil {
			return err
		}
		w.Switched = persistence.FromMillis(switched)
		all = append(all, w)
		return nil
	})
	return all, err
}
