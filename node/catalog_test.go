package node_test

import (
	"fmt"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
)

// The triggers of these tests: the one rule of one matches always, the one of
// none where the payload says so, that of fresh within a minute of what the
// payload says, and many has manyRules.
const (
	one       = "t.one"
	none      = "t.none"
	many      = "t.many"
	fresh     = "t.fresh"
	manyRules = 450
)

// catalog is compiled once: it never changes.
var catalog = sync.OnceValue(func() *packs.Snapshot {
	pack := &attune.Pack{Ref: "t"}
	for _, ref := range []string{one, none, many, fresh} {
		pack.Triggers = append(pack.Triggers, &attune.Trigger{Ref: ref, Pack: "t", Hash: ref})
	}
	for _, name := range []string{"run", "pure"} {
		runner := "timed"
		if name == "pure" {
			runner = "pure"
		}
		pack.Actions = append(pack.Actions, &attune.Action{Ref: "t." + name, Pack: "t", Name: name, Runner: runner, Enabled: true, Hash: "action " + name,
			Parameters: map[string]*attune.Parameter{"ms": {Type: "integer"}, "stubborn": {Type: "boolean"}, "fail": {Type: "boolean"}, "print": {Type: "integer"}, "pad": {Type: "string"}}})
	}
	rule := func(name, trigger string, criteria ...attune.Criterion) {
		pack.Rules = append(pack.Rules, &attune.Rule{Ref: "t." + name, Pack: "t", Enabled: true, Trigger: trigger, Action: "t.run", Hash: name, Criteria: criteria,
			Parameters: map[string]any{"ms": "{{ trigger.ms }}"}})
	}
	// The action of one rule, and the rules of many, have limits of their own.
	limited := *pack.Actions[0]
	limited.Ref, limited.Name, limited.Hash = "t.limited", "limited", "action limited"
	limited.Deadline, limited.Retry = attune.Span(20*time.Minute), &attune.RetryPolicy{MaxAttempts: 2, On: []attune.Status{attune.Failed}}
	pack.Actions = append(pack.Actions, &limited)
	rule("one", one)
	pack.Rules[0].Action = limited.Ref
	rule("wants", none, attune.Criterion{Path: "trigger.level", Type: "equals", Pattern: "high"})
	rule("young", fresh, attune.Criterion{Path: "trigger.since", Type: "timediff_lt", Pattern: int64(60)})
	for i := range manyRules {
		rule(fmt.Sprintf("many-%03d", i), many)
		r := pack.Rules[len(pack.Rules)-1]
		r.Deadline, r.Retry = attune.Span(time.Hour), &attune.RetryPolicy{MaxAttempts: 4, On: []attune.Status{attune.Failed}, Delay: attune.Span(time.Second), MaxDelay: attune.Span(time.Hour)}
	}
	s := packs.NewSnapshot([]*attune.Pack{pack})
	for _, p := range s.Packs() {
		for _, f := range p.Faults {
			panic(f.String())
		}
	}
	return s
})
