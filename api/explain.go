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
// engine's memory, else it judges again by the rules of then, as of then. Rules
// that came later are said to, with what they would say.
func (s *server) explain(ctx context.Context, in *ByID) (*explainOutput, error) {
	e, err := s.event(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	present := s.Engine.Catalog().Rules()
	out := Explanation{Event: viewEvent(e, false), SameRules: e.RulesRevision == present.Revision(), Items: []Verdict{}}
	known, err := s.verdicts(ctx, e, present)
	if err != nil {
		return nil, err
	}
	for _, v := range known {
		out.Items = append(out.Items, v)
	}
	slices.SortFunc(out.Items, func(a, b Verdict) int { return strings.Compare(a.Rule, b.Rule) })
	return &explainOutput{out}, nil
}

// verdicts are those of all rules of the event's trigger, by rule: of the rules
// of then, and of those of today.
func (s *server) verdicts(ctx context.Context, e *attune.Event, present *rules.Set) (map[string]Verdict, error) {
	known, err := s.knownVerdicts(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	then, err := s.Engine.RulesAt(ctx, e.RulesRevision)
	if err != nil && attune.KindOf(err) != attune.NotFound {
		return nil, err
	}
	kept := err == nil
	payload, err := payloadOf(e.Payload)
	if err != nil {
		return nil, err
	}
	if kept {
		for _, m := range unanswered(then, e, payload, known) {
			known[m.Rule.Ref()] = verdictNow(SourceAgain, m)
		}
	}
	for rule, v := range known {
		var was *rules.Rule
		if kept && v.Source != SourceStored { // an enforcement knows the rule that it is of
			was = then.Rule(rule)
		}
		is := present.Rule(rule)
		v.Removed = is == nil
		v.Changed = v.Changed || is != nil && was != nil && is.Definition.Hash != was.Definition.Hash
		known[rule] = v
	}
	for _, m := range unanswered(present, e, payload, known) {
		v := verdictNow(SourcePresent, m)
		v.Later = kept
		known[v.Rule] = v
	}
	return known, nil
}

// unanswered judges an event by the rules of which there is no verdict.
func unanswered(set *rules.Set, e *attune.Event, payload any, known map[string]Verdict) (matches []rules.Match) {
	has := func(r *rules.Rule) bool { _, has := known[r.Ref()]; return has }
	if !slices.ContainsFunc(set.For(e.Trigger), func(r *rules.Rule) bool { return !has(r) }) {
		return nil
	}
	for _, m := range set.Judge(e, payload) {
		if !has(m.Rule) {
			matches = append(matches, m)
		}
	}
	return matches
}

// knownVerdicts are those that need no judging again, by rule.
func (s *server) knownVerdicts(ctx context.Context, event attune.EventID) (map[string]Verdict, error) {
	known := map[string]Verdict{}
	recent, err := s.Engine.Evaluations(ctx, event)
	if err != nil {
		return nil, err
	}
	for _, e := range recent {
		known[e.Rule] = verdictOf(e.Rule, SourceMemory, rules.EncodeEvaluation(e))
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
		if r := s.Engine.Catalog().Rules().Rule(k.Rule); r != nil {
			v.Changed = r.Definition.Hash != k.RuleHash
		}
		known[k.Rule] = v
	}
	return known, nil
}
