package memory

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/attune-automation/attune/persistence"
)

// PutAppliedRule implements [persistence.Rulebook].
func (s *Store) PutAppliedRule(ctx context.Context, r persistence.AppliedRule) error {
	if reason := persistence.CheckAppliedRule(r); reason != "" {
		return persistence.Unstorable(reason)
	}
	if err := s.begin(ctx, "put applied rule "+r.Ref); err != nil {
		return err
	}
	defer s.mu.Unlock()
	r.Body, r.Applied = bytes.Clone(document(r.Body)), stored(r.Applied)
	s.applied[r.Ref] = r
	s.wrote(1, len(r.Ref)+len(r.Body))
	return nil
}

// DeleteAppliedRule implements [persistence.Rulebook].
func (s *Store) DeleteAppliedRule(ctx context.Context, ref string) error {
	if err := s.begin(ctx, "delete applied rule "+ref); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, ok := s.applied[ref]; !ok {
		return persistence.Missing("applied rule " + ref)
	}
	rows := 1
	if _, ok := s.switches[ref]; ok {
		rows++
	}
	delete(s.applied, ref)
	delete(s.switches, ref)
	s.wrote(rows, 0)
	return nil
}

// AppliedRules implements [persistence.Rulebook].
func (s *Store) AppliedRules(ctx context.Context) ([]persistence.AppliedRule, error) {
	if err := s.begin(ctx, "read the applied rules"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return sorted(s.applied), nil
}

// PutRuleSwitch implements [persistence.Rulebook].
func (s *Store) PutRuleSwitch(ctx context.Context, w persistence.RuleSwitch) error {
	if reason := persistence.CheckRuleSwitch(w); reason != "" {
		return persistence.Unstorable(reason)
	}
	if err := s.begin(ctx, "put rule switch "+w.Rule); err != nil {
		return err
	}
	defer s.mu.Unlock()
	w.Switched = stored(w.Switched)
	s.switches[w.Rule] = w
	s.wrote(1, len(w.Rule))
	return nil
}

// RuleSwitches implements [persistence.Rulebook].
func (s *Store) RuleSwitches(ctx context.Context) ([]persistence.RuleSwitch, error) {
	if err := s.begin(ctx, "read the rule switches"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return sorted(s.switches), nil
}

// sorted are the values in the order of their keys.
func sorted[K cmp.Ordered, V any](m map[K]V) (all []V) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, m[k])
	}
	return all
}
