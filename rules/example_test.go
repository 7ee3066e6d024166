package rules_test

import (
	"fmt"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/rules"
)

// An order that no rule takes is what the backstop is for.
func ExampleSet_Judge() {
	load := func(name string, criteria ...attune.Criterion) *rules.Rule {
		r, faults := rules.Compile(&attune.Rule{Ref: "shop." + name, Enabled: true, Trigger: "shop.order", Criteria: criteria}, nil)
		for _, f := range faults {
			fmt.Println(f)
		}
		return r
	}
	set := rules.NewSet(1, []*rules.Rule{
		load("large", attune.Criterion{Path: "trigger.total", Type: "gt", Pattern: int64(1000)}),
		load("urgent", rules.When("trigger.days < 2 and 'fragile' not in trigger.tags", attune.Position{})),
		load("other", rules.Backstop(attune.Position{})),
	})
	for i, order := range []string{
		`{"total": 2000, "days": 1, "tags": []}`,
		`{"total": 20, "days": 1, "tags": ["fragile"]}`,
	} {
		payload, err := expression.DecodeJSON([]byte(order))
		if err != nil {
			fmt.Println(err)
		}
		for _, m := range set.Judge(&attune.Event{Trigger: "shop.order"}, payload) {
			fmt.Println(i, m.Rule.Ref(), m.Matched)
		}
	}
	// Output:
	// 0 shop.large true
	// 0 shop.other false
	// 0 shop.urgent true
	// 1 shop.large false
	// 1 shop.other true
	// 1 shop.urgent false
}
