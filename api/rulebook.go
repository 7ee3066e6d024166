package api

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/secret"
)

// AppliedRule says what applying a rule did, or would do.
type AppliedRule struct {
	Ref string `json:"ref"`
	// Change is created, changed or unchanged.
	Change string `json:"change"`
	// DryRun means that nothing was changed.
	DryRun bool `json:"dry_run"`
	// Before and After are the rule as it was and as it is written, secrets
	// masked.
	Before *RuleDocument `json:"before,omitempty"`
	After  RuleDocument  `json:"after"`
	// Enabled is whether it matches anything; Switched is who said so, where it
	// is not the rule itself.
	Enabled  bool          `json:"enabled"`
	Switched *attune.Stamp `json:"switched,omitempty"`
}

type applyRuleInput struct {
	Ref    string `path:"ref" maxLength:"1024"`
	DryRun bool   `query:"dry_run" doc:"Say what would change, and change nothing"`
	Body   RuleDocument
}

type appliedRuleOutput struct{ Body AppliedRule }

// applyRule is idempotent: the same rule again is unchanged.
func (s *server) applyRule(ctx context.Context, in *applyRuleInput) (*appliedRuleOutput, error) {
	r, err := in.rule()
	if err != nil {
		return nil, err
	}
	action, _ := s.Engine.Catalog().Action(r.Action) // a fault of the rule, where there is none
	if faults := maskedFaults(r); faults != nil {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_rule", Message: "the rule " + r.Ref + " is wrong", Faults: faults}
	}
	tries(ctx, in.DryRun)
	change, err := s.Engine.ApplyRule(ctx, r, principalOf(ctx), in.DryRun)
	if err != nil {
		return nil, err
	}
	out := AppliedRule{Ref: r.Ref, Change: change.Change, DryRun: in.DryRun, After: NewRuleDocument(maskRule(change.After, action)),
		Enabled: change.Enabled, Switched: change.Switched}
	if change.Before != nil {
		before, _ := s.Engine.Catalog().Action(change.Before.Action)
		d := NewRuleDocument(maskRule(change.Before, before))
		out.Before = &d
	}
	return &appliedRuleOutput{out}, nil
}

// rule is the rule of the body, which must be the one of the path.
func (in *applyRuleInput) rule() (*attune.Rule, error) {
	r, err := in.Body.rule()
	if err != nil {
		return nil, err
	}
	invalid := func(where, message, try string) error {
		return &attune.Error{Kind: attune.Invalid, Code: "invalid_rule", Message: message, Where: where, Try: try}
	}
	if r.Pack == "" {
		r.Pack, _, _ = strings.Cut(r.Ref, ".")
	}
	name, inPack := strings.CutPrefix(r.Ref, r.Pack+".")
	switch {
	case r.Ref != in.Ref:
		return nil, invalid("rule.ref", fmt.Sprintf("the rule is called %q, and the route %q", r.Ref, in.Ref), "PUT /api/v1/rules/"+r.Ref)
	case !inPack || !packs.IsName(r.Pack) || !packs.IsName(name):
		return nil, invalid("rule.ref", fmt.Sprintf("%q is no ref of a rule in the pack %q", r.Ref, r.Pack), "pack.name, of letters, digits, _, - and .")
	}
	return r, nil
}

// maskedFaults are the parameters that hold what we show in place of a secret.
// Of a rule that does not load all are shown so.
func maskedFaults(r *attune.Rule) (faults []attune.Fault) {
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		if r.Parameters[name] == secret.Stars {
			faults = append(faults, attune.Fault{Where: r.At.String(), Message: "action.parameters." + name + " is what is shown in place of a secret", Try: "write the secret"})
		}
	}
	return faults
}

type noContent struct{}

func (s *server) deleteRule(ctx context.Context, in *refInput) (*noContent, error) {
	return nil, s.Engine.DeleteRule(ctx, in.Ref)
}

func (s *server) enableRule(ctx context.Context, in *refInput) (*ruleOutput, error) {
	return s.switchRule(ctx, in.Ref, true)
}

func (s *server) disableRule(ctx context.Context, in *refInput) (*ruleOutput, error) {
	return s.switchRule(ctx, in.Ref, false)
}

// switchRule is idempotent: who said it first is kept.
func (s *server) switchRule(ctx context.Context, ref string, enabled bool) (*ruleOutput, error) {
	r, err := s.Engine.SwitchRule(ctx, ref, enabled, principalOf(ctx))
	if err != nil {
		return nil, err
	}
	return &ruleOutput{viewRule(r)}, nil
}
