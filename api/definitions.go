package api

import (
	"context"
	"fmt"
	"maps"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
	"github.com/attune-automation/attune/secret"
)

// ActionView is an action as the API shows it.
type ActionView struct {
	*attune.Action
	// Timeout limits one attempt; empty is the runner's default.
	Timeout string `json:"timeout,omitempty"`
}

type definitionsInput struct {
	Page
	Pack string `query:"pack"`
}

type refInput struct {
	Ref string `path:"ref"`
}

type (
	actionList    struct{ Body List[ActionView] }
	actionOutput  struct{ Body ActionView }
	ruleList      struct{ Body List[RuleView] }
	ruleOutput    struct{ Body RuleView }
	triggerList   struct{ Body List[*attune.Trigger] }
	triggerOutput struct{ Body *attune.Trigger }
)

// viewAction shows an action, the defaults of its secret parameters masked.
func viewAction(a *attune.Action) ActionView {
	return ActionView{secret.WithoutDefaults(a), span(a.Timeout)}
}

// RuleView is a rule as the API shows it.
type RuleView struct {
	*attune.Rule
	// From is pack, or applied.
	From string `json:"from"`
	// Faults are why it does not load: it matches nothing.
	Faults []attune.Fault `json:"faults,omitempty"`
}

// viewRule shows a rule, what it gives to secret parameters masked.
func viewRule(r *rules.Rule) RuleView {
	v := RuleView{Rule: maskRule(r.Definition, r.Action), From: "pack", Faults: r.Faults}
	if r.Definition.Applied != nil {
		v.From = "applied"
	}
	return v
}

// maskRule is a copy without what it gives to secret parameters. Without its
// action nobody knows which those are, and none is shown.
func maskRule(r *attune.Rule, a *attune.Action) *attune.Rule {
	shown := *r
	shown.Parameters = maps.Clone(shown.Parameters)
	hide := secrets{unknown: true}
	if a != nil {
		hide = secretParameters(a)
	}
	for name := range shown.Parameters {
		if hide.hides(name) || a.Parameters[name] == nil && a.Refusal != "" { // of a runner that we do not know
			shown.Parameters[name] = secret.Stars
		}
	}
	return &shown
}

func refs[T any](all []T, ref func(T) string) []string {
	names := make([]string, 0, len(all))
	for _, one := range all {
		names = append(names, ref(one))
	}
	return names
}

func same[T any](v T) T { return v }

// ofPack keeps what belongs to the pack; an empty pack keeps all.
func ofPack[T any](all []T, want string, pack func(T) string) []T {
	var kept []T
	for _, one := range all {
		if want == "" || pack(one) == want {
			kept = append(kept, one)
		}
	}
	return kept
}

func (s *server) listActions(_ context.Context, in *definitionsInput) (*actionList, error) {
	all := ofPack(s.Engine.Catalog().Actions(), in.Pack, func(a *attune.Action) string { return a.Pack })
	return &actionList{after(in.Page, all, func(a *attune.Action) string { return a.Ref }, viewAction)}, nil
}

func (s *server) getAction(_ context.Context, in *refInput) (*actionOutput, error) {
	a, err := s.Engine.Catalog().Action(in.Ref)
	if err != nil {
		return nil, err
	}
	return &actionOutput{viewAction(a)}, nil
}

// listRules lists all rules, those that do not load with their faults.
func (s *server) listRules(_ context.Context, in *definitionsInput) (*ruleList, error) {
	all := ofPack(s.Engine.Catalog().Rules().All(), in.Pack, func(r *rules.Rule) string { return r.Definition.Pack })
	return &ruleList{after(in.Page, all, (*rules.Rule).Ref, viewRule)}, nil
}

func (s *server) getRule(_ context.Context, in *refInput) (*ruleOutput, error) {
	set := s.Engine.Catalog().Rules()
	if r := set.Rule(in.Ref); r != nil {
		return &ruleOutput{viewRule(r)}, nil
	}
	return nil, unknown("rule", in.Ref, refs(set.All(), (*rules.Rule).Ref))
}

func (s *server) listTriggers(_ context.Context, in *definitionsInput) (*triggerList, error) {
	all := ofPack(s.Engine.Catalog().Triggers(), in.Pack, func(t *attune.Trigger) string { return t.Pack })
	return &triggerList{after(in.Page, all, func(t *attune.Trigger) string { return t.Ref }, same)}, nil
}

func (s *server) getTrigger(_ context.Context, in *refInput) (*triggerOutput, error) {
	t, err := s.Engine.Catalog().Trigger(in.Ref)
	if err != nil {
		return nil, err
	}
	return &triggerOutput{t}, nil
}

// unknown is the error for a ref that nothing has.
func unknown(noun, ref string, known []string) error {
	e := &attune.Error{Kind: attune.NotFound, Code: "unknown_" + noun, Message: fmt.Sprintf("there is no %s %q", noun, ref), Try: "attune " + noun + " list"}
	if near := rules.Nearest(ref, known); near != "" {
		e.Try = "did you mean " + near + "?"
	}
	return e
}
