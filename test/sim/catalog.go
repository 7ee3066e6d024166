package sim

import (
	"fmt"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/test/sim/check"
)

// The triggers and runners of the simulation.
const (
	alarm  = "sim.alarm"
	other  = "sim.other"
	flood  = "sim.flood"
	effect = "effect" // a runner that journals and changes the world
	pure   = "pure"
	rare   = "rare" // like effect, on one worker only
)

// floodRules is more than fits into one slice of an admission.
const floodRules = 205

// ruleTable is every rule, for the engine and for the checker.
var ruleTable = func() []check.Rule {
	all := []check.Rule{
		{Name: "sim.always", Trigger: alarm, Action: "sim.effect"},
		{Name: "sim.critical", Trigger: alarm, Action: "sim.pure", Field: "level", Equals: "critical"},
		{Name: "sim.tagged", Trigger: alarm, Action: "sim.rare", Tag: "db"},
		{Name: "sim.critical-tagged", Trigger: alarm, Action: "sim.limited", Field: "level", Equals: "critical", Tag: "web"},
		{Name: "sim.broken", Trigger: alarm, Action: "sim.effect", Field: "level", Equals: "warning", Breaks: true},
		{Name: "sim.hosts", Trigger: alarm, Action: "sim.named", BreaksWithout: "host"},
		{Name: "sim.never", Trigger: alarm, Action: "sim.effect", Field: "level", Equals: "nosuch"},
		{Name: "sim.disabled", Trigger: alarm, Action: "sim.effect", Disabled: true},
		{Name: "sim.elsewhere", Trigger: other, Action: "sim.effect"},
		{Name: "sim.third", Trigger: alarm, Action: "sim.third", Field: "level", Equals: "info", Tag: "web"},
		{Name: "sim.hopeless", Trigger: other, Action: "sim.hopeless"},
		{Name: "sim.tired", Trigger: alarm, Action: "sim.tired", Field: "level", Equals: "info", Tag: "db"},
		{Name: "sim.hurried", Trigger: other, Action: "sim.hurried"},
		{Name: "sim.rushed", Trigger: alarm, Action: "sim.third", Field: "level", Equals: "warning", Tag: "db",
			Limits: &check.Limits{Within: 3 * time.Second, MaxAttempts: 5, On: anyEnd, Delay: 400 * time.Millisecond, Backoff: "linear", MaxDelay: time.Second}},
	}
	for i := range floodRules {
		all = append(all, check.Rule{Name: fmt.Sprintf("sim.flood-%03d", i), Trigger: flood, Action: "sim.pure"})
	}
	return all
}()

var anyEnd = []string{"failed", "timeout", "abandoned"}

// limitTable are the limits of every action, for the engine and for the checker.
var limitTable = map[string]check.Limits{
	"sim.limited":  {Timeout: 2 * time.Second},
	"sim.named":    {Timeout: 20 * time.Second},
	"sim.third":    {MaxAttempts: 4, On: anyEnd, Delay: 500 * time.Millisecond, Backoff: "constant", MaxDelay: time.Minute, Jitter: 0.5},
	"sim.hopeless": {MaxAttempts: 3, On: []string{"failed"}, Delay: time.Second, Backoff: "exponential", MaxDelay: time.Minute},
	"sim.tired":    {Timeout: 2 * time.Second, MaxAttempts: 3, On: []string{"timeout", "abandoned"}, Delay: 3 * time.Second, Backoff: "linear", MaxDelay: time.Minute},
	"sim.hurried":  {Within: 7 * time.Second, MaxAttempts: 20, On: anyEnd, Delay: time.Second, Backoff: "exponential", MaxDelay: 2 * time.Second},
}

// retryOf is the engine's form of a retry, or nil.
func retryOf(l check.Limits) *attune.RetryPolicy {
	if l.MaxAttempts == 0 {
		return nil
	}
	on := make([]any, len(l.On))
	for i, end := range l.On {
		on[i] = end
	}
	policy, faults := attune.ParseRetry(map[string]any{"max_attempts": l.MaxAttempts, "on": on, "delay": l.Delay.String(), "backoff": l.Backoff,
		"max_delay": l.MaxDelay.String(), "jitter": l.Jitter})
	for _, fault := range faults {
		panic("the simulation's pack: " + fault.String())
	}
	return &policy
}

// actions are what the rules start.
func actions() []*attune.Action {
	var all []*attune.Action
	for _, a := range []struct{ name, runner string }{{"effect", effect}, {"pure", pure}, {"rare", rare}, {"limited", effect}, {"named", effect},
		{"third", effect}, {"hopeless", effect}, {"tired", effect}, {"hurried", effect}} {
		l := limitTable["sim."+a.name]
		action := &attune.Action{Ref: "sim." + a.name, Pack: "sim", Name: a.name, Runner: a.runner, Enabled: true, Hash: "action-" + a.name,
			Timeout: l.Timeout, Deadline: attune.Span(l.Within), Retry: retryOf(l),
			Parameters: map[string]*attune.Parameter{"n": {Type: "integer", Required: true}, "try": {Type: "integer"}}}
		if a.name == "named" {
			action.Parameters["host"] = &attune.Parameter{Type: "integer", Required: true}
		}
		all = append(all, action)
	}
	return all
}

// catalog is the pack, compiled once for all worlds: it never changes.
var catalog = sync.OnceValue(func() *packs.Snapshot {
	pack := &attune.Pack{Ref: "sim", Actions: actions()}
	for _, ref := range []string{alarm, other, flood} {
		pack.Triggers = append(pack.Triggers, &attune.Trigger{Ref: ref, Pack: "sim", Hash: "trigger-" + ref})
	}
	for _, r := range ruleTable {
		rule := &attune.Rule{Ref: r.Name, Pack: "sim", Enabled: !r.Disabled, Trigger: r.Trigger, Action: r.Action, Hash: "rule-" + r.Name,
			Parameters: map[string]any{"n": "{{ trigger.n }}"}}
		if r.Limits != nil {
			rule.Deadline, rule.Retry = attune.Span(r.Limits.Within), retryOf(*r.Limits)
		}
		if r.Field != "" {
			rule.Criteria = append(rule.Criteria, attune.Criterion{Path: "trigger." + r.Field, Type: "equals", Pattern: r.Equals})
		}
		if r.Tag != "" {
			rule.Criteria = append(rule.Criteria, attune.Criterion{Path: "trigger.tags", Type: "contains", Pattern: r.Tag})
		}
		if r.Breaks {
			rule.Parameters["try"] = "{{ trigger.level }} is no number"
		}
		if r.BreaksWithout != "" {
			rule.Parameters[r.BreaksWithout] = "{{ trigger." + r.BreaksWithout + " }}"
		}
		pack.Rules = append(pack.Rules, rule)
	}
	snapshot := packs.NewSnapshot([]*attune.Pack{pack})
	for _, p := range snapshot.Packs() {
		for _, fault := range p.Faults {
			panic("the simulation's pack: " + fault.String())
		}
	}
	return snapshot
})
