package persistence

import (
	"context"
	"time"

	"github.com/attune-automation/attune"
)

// Rulebook keeps what operators say about rules beside the packs: rules that lie
// in no pack's folder, and which rules are enabled. Who writes reads it again
// before; of two at once the last counts.
type Rulebook interface {
	// PutAppliedRule creates or replaces the rule of that ref.
	PutAppliedRule(ctx context.Context, r AppliedRule) error
	// DeleteAppliedRule removes the rule of that ref and its switch. What is not
	// there is NotFound, and nothing changes.
	DeleteAppliedRule(ctx context.Context, ref string) error
	// AppliedRules lists all, by ref.
	AppliedRules(ctx context.Context) ([]AppliedRule, error)
	// PutRuleSwitch creates or replaces the switch of that rule, which need not
	// be there.
	PutRuleSwitch(ctx context.Context, s RuleSwitch) error
	// RuleSwitches lists all, by rule.
	RuleSwitches(ctx context.Context) ([]RuleSwitch, error)
}

// AppliedRule is a rule that somebody put into the store.
type AppliedRule struct {
	// Ref is the rule's.
	Ref string
	// Body is the rule as JSON.
	Body []byte
	// Principal put it there as it is, at Applied.
	Principal string
	Applied   time.Time
}

// RuleSwitch is whether a rule is enabled, whatever its file says.
type RuleSwitch struct {
	// Rule is its ref.
	Rule    string
	Enabled bool
	// Principal said so, at Switched.
	Principal string
	Switched  time.Time
}

// Stamp is who switched it, and when.
func (s RuleSwitch) Stamp() *attune.Stamp { return &attune.Stamp{By: s.Principal, At: s.Switched} }

// CheckAppliedRule says why no store can hold the rule, or "".
func CheckAppliedRule(a AppliedRule) string {
	r := row{what: "applied rule"}
	r.key("ref", a.Ref)
	r.json("body", a.Body)
	r.text("principal", a.Principal)
	return r.end()
}

// CheckRuleSwitch says why no store can hold the switch, or "".
func CheckRuleSwitch(s RuleSwitch) string {
	r := row{what: "rule switch"}
	r.key("rule", s.Rule)
	r.text("principal", s.Principal)
	return r.end()
}
