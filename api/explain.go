package api

import (
	"context"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

// Explanation is what every rule of an event's trigger says to it.
type Explanation struct {
	// Event is what is explained, without its payload.
	Event EventView `json:"event"`
	// SameRules says that rules and actions are today what they were when the
	// event came: then what is judged now is what was judged then.
	SameRules bool `json:"same_rules"`
	// Items are sorted by rule; rules that judged and are gone are among them.
	Items []Verdict `json:"items"`
}

type explainOutput struct{ Body Explanation }

// explain takes the verdict of each rule from its enforcement, else from the
// engine's memory, and judges again where neither has it.
func (s *server) explain(ctx context.Context, in *ByID) (*explainOutput, error) {
	e, err := s.event(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	catalog := s.Engine.Catalog()
	known, err := s.knownVerdicts(ctx, e.ID, catalog.Rules())
	if err != nil {
		return nil, err
	}
	out := Explanation{Event: viewEvent(e, false), SameRules: e.RulesRevision == catalog.Revision(), Items: []Verdict{}}
	for _, v := range known {
		out.Items = append(out.Items, v)
	}
	missing := slices.ContainsFunc(catalog.Rules().For(e.Trigger), func(r *rules.Rule) bool {
		_, has := known[r.Ref()]
		return !has
	})
	if missing {
		payload, err := payloadOf(e.Payload)
		if err != nil {
			return nil, err
		}
		for _, m := range catalog.Rules().Judge(e, payload) {
			if _, has := known[m.Rule.Ref()]; !has {
				out.Items = append(out.Items, verdictNow(m))
			}
		}
	}
	slices.SortFunc(out.Items, func(a, b Verdict) int { return strings.Compare(a.Rule, b.Rule) })
	return &explainOutput{out}, nil
}

// knownVerdicts are those that need no judging again, by rule.
func (s *server) knownVerdicts(ctx context.Context, event attune.EventID, present *rules.Set) (map[string]Verdict, error) {
	known := map[string]Verdict{}
	recent, err := s.Engine.Evaluations(ctx, event)
	if err != nil {
		return nil, err
	}
	for _, e := range recent {
		v := verdictOf(e.Rule, SourceMemory, rules.EncodeEvaluation(e))
		v.Removed = present.Rule(e.Rule) == nil
		known[e.Rule] = v
	}
	kept, err := s.enforcementsOf(ctx, event)
	if err != nil {
		return nil, err
	}
	for _, k := range kept {
		v := verdictOf(k.Rule, SourceStored, k.Evaluation)
		v.Matched = true // that it is there says so
		v.Event, v.Action, v.Failure = event.String(), k.Action, k.Failure
		v.Enforcement, v.Execution = k.ID.String(), k.Execution.String()
		if r := present.Rule(k.Rule); r == nil {
			v.Removed = true
		} else {
			v.Changed = r.Definition.Hash != k.RuleHash
		}
		known[k.Rule] = v
	}
	return known, nil
}
