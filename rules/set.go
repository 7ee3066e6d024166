package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
)

// Set is an immutable set of compiled rules: what events are judged by.
type Set struct {
	revision int64
	all      []*Rule
	byKey    map[string][]*Rule
}

// NewSet makes a set. revision names its content.
func NewSet(revision int64, all []*Rule) *Set {
	s := &Set{revision: revision, all: slices.Clone(all), byKey: map[string][]*Rule{}}
	slices.SortStableFunc(s.all, func(a, b *Rule) int { return strings.Compare(a.Ref(), b.Ref()) })
	for _, r := range s.all {
		s.byKey[r.key] = append(s.byKey[r.key], r)
	}
	return s
}

// Revision names the content of the set.
func (s *Set) Revision() int64 { return s.revision }

// For lists the rules that wait for a trigger key, disabled ones included,
// sorted by ref. The caller must not change the list.
func (s *Set) For(triggerKey string) []*Rule { return s.byKey[triggerKey] }

// All lists the rules, sorted by ref. The caller must not change the list.
func (s *Set) All() []*Rule { return s.all }

// Sound lists those of [Set.All] that load.
func (s *Set) Sound() []*Rule {
	return slices.DeleteFunc(slices.Clone(s.all), func(r *Rule) bool { return len(r.Faults) > 0 })
}

// Judge judges an event by all rules that wait for its trigger, sorted by ref:
// the standard ones, and then those that are a backstop, which match only if no
// standard rule did, whatever became of its parameters. payload is as for
// [Rule.Judge]. A fault of the evaluator harms the one rule.
func (s *Set) Judge(event *attune.Event, payload any) []Match {
	candidates := s.byKey[event.Trigger]
	if len(candidates) == 0 {
		return nil
	}
	matches := make([]Match, len(candidates))
	var matched []string
	backstops := false
	for i, r := range candidates {
		if r.backstop {
			backstops = true
			continue
		}
		if matches[i] = r.judgeSafely(event, payload, nil); matches[i].Matched {
			matched = append(matched, r.Ref())
		}
	}
	if !backstops {
		return matches
	}
	for i, r := range candidates {
		if r.backstop {
			matches[i] = r.judgeSafely(event, payload, matched)
		}
	}
	return matches
}

// Try judges an event by a rule that need not be in the set, as if it stood there
// in the place of the rule with its ref: a backstop steps back behind the standard
// rules of its trigger. That the event is of this trigger is up to the caller.
func (s *Set) Try(r *Rule, event *attune.Event, payload any) Match {
	var matched []string
	if r.backstop {
		for _, other := range s.byKey[r.key] {
			if !other.backstop && other.Ref() != r.Ref() && other.judgeSafely(event, payload, nil).Matched {
				matched = append(matched, other.Ref())
			}
		}
	}
	return r.judgeSafely(event, payload, matched)
}

func (r *Rule) judgeSafely(event *attune.Event, payload any, matched []string) (m Match) {
	defer func() {
		if p := recover(); p != nil {
			m = Match{Rule: r, Evaluation: attune.Evaluation{Rule: r.Ref(), Event: event.ID, Error: fmt.Sprintf("the evaluator failed: %v", p)}}
		}
	}()
	return r.judge(event, payload, matched)
}

// Rule is the rule with the ref, or nil.
func (s *Set) Rule(ref string) *Rule {
	i, found := slices.BinarySearchFunc(s.all, ref, func(r *Rule, ref string) int { return strings.Compare(r.Ref(), ref) })
	if !found {
		return nil
	}
	return s.all[i]
}
