package packs

import (
	"fmt"
	"maps"
	"slices"

	"github.com/attune-automation/attune"
)

// Change is what became of one pack.
type Change struct {
	// Ref is the pack's.
	Ref string `json:"ref"`
	// Change is added, changed, removed or unchanged.
	Change string `json:"change"`
	// Details are what is different, a line each: added action shop.pack.
	Details []string `json:"details,omitempty"`
}

// What may become of a pack.
const (
	Added     = "added"
	Changed   = "changed"
	Removed   = "removed"
	Unchanged = "unchanged"
)

// changeOf compares two states of a pack; nil is none.
func changeOf(before, after *attune.Pack) Change {
	c := Change{Change: Changed}
	switch {
	case before == nil:
		c.Ref, c.Change, before = after.Ref, Added, &attune.Pack{}
	case after == nil:
		c.Ref, c.Change, after = before.Ref, Removed, &attune.Pack{}
	default:
		c.Ref = after.Ref
	}
	old, now := definitions(before), definitions(after)
	for _, name := range slices.Sorted(maps.Keys(now)) {
		switch hash, had := old[name]; {
		case !had:
			c.Details = append(c.Details, "added "+name)
		case hash != now[name]:
			c.Details = append(c.Details, "changed "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if _, has := now[name]; !has {
			c.Details = append(c.Details, "removed "+name)
		}
	}
	if c.Change == Changed && len(c.Details) == 0 && fmt.Sprint(before.Faults) == fmt.Sprint(after.Faults) && fmt.Sprint(before.Config) == fmt.Sprint(after.Config) {
		c.Change = Unchanged
	}
	return c
}

// definitions are the hashes of what a pack defines, by kind and ref.
func definitions(p *attune.Pack) map[string]string {
	all := map[string]string{}
	for _, a := range p.Actions {
		all["action "+a.Ref] = a.Hash
	}
	for _, t := range p.Triggers {
		all["trigger "+t.Ref] = t.Hash
	}
	for _, r := range p.Rules {
		all["rule "+r.Ref] = r.Hash
	}
	return all
}
