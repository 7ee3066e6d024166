package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/rules"
)

// keepRules has the world keep applied rules and switches as the engine does.
func keepRules(w *apitest.World) {
	loaded, over := w.Engine.Snapshot.Packs(), packs.Overlay{Switches: map[string]packs.Switch{}}
	compose := func() { w.Engine.Snapshot = packs.Compose(loaded, over) }
	find := func(ref string) int {
		return slices.IndexFunc(over.Rules, func(r *attune.Rule) bool { return r.Ref == ref })
	}
	w.Engine.Apply = func(r *attune.Rule, principal string, dry bool) (api.RuleChange, error) {
		if have := w.Engine.Snapshot.Rules().Rule(r.Ref); have != nil && have.Definition.Applied == nil {
			return api.RuleChange{}, &attune.Error{Kind: attune.Conflict, Code: "rule_of_pack", Message: "the rule " + r.Ref + " comes from a pack"}
		}
		by := over.Switches[r.Ref]
		change := api.RuleChange{Change: api.RuleCreated, After: r, Enabled: r.Enabled && by.Stamp == nil, Switched: by.Stamp}
		i := find(r.Ref)
		if i >= 0 {
			change.Change, change.Before = api.RuleChanged, over.Rules[i]
			before, after := *change.Before, *r
			before.Applied = nil
			one, _ := json.Marshal(before)
			if other, _ := json.Marshal(after); string(one) == string(other) {
				change.Change = api.RuleUnchanged
			}
		}
		if !dry && change.Change != api.RuleUnchanged {
			own := *r
			own.Applied = &attune.Stamp{By: principal, At: apitest.Noon}
			if i >= 0 {
				over.Rules[i] = &own
			} else {
				over.Rules = append(over.Rules, &own)
			}
			compose()
		}
		return change, nil
	}
	w.Engine.Delete = func(ref string) error {
		i := find(ref)
		if i < 0 {
			return &attune.Error{Kind: attune.NotFound, Code: "unknown_rule", Message: "there is no applied rule " + ref}
		}
		over.Rules = slices.Delete(over.Rules, i, i+1)
		compose()
		return nil
	}
	w.Engine.Switch = func(ref string, enabled bool, principal string) (*rules.Rule, error) {
		over.Switches[ref] = packs.Switch{Enabled: enabled, Stamp: &attune.Stamp{By: principal, At: apitest.Noon}}
		compose()
		return w.Engine.Snapshot.Rules().Rule(ref), nil
	}
}

func TestADifferenceNamesTheLinesThatChange(t *testing.T) {
	for name, c := range map[string]struct{ a, b, want string }{
		"nothing":                    {"a b c", "a b c", ""},
		"a line is added":            {"a c", "a b c", "+b"},
		"a line is taken":            {"a b c", "a c", "-b"},
		"a line is another":          {"a b c", "a x c", "-b +x"},
		"what stays between is kept": {"a b c d e", "a x c y e", "-b +x -d +y"},
		"all is new":                 {"", "a b", "+a +b"},
		"all goes":                   {"a b", "", "-a -b"},
		"a line moves":               {"a b c d", "b c d a", "-a +a"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.ReplaceAll(strings.Join(difference(strings.Fields(c.a), strings.Fields(c.b)), ","), " ", "")
			if got != strings.ReplaceAll(c.want, " ", ",") {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	long := func(word string) []string { return slices.Repeat([]string{word}, 2000) }
	if got := difference(long("a"), long("b")); len(got) != 4000 || got[0] != "- a" || got[3999] != "+ b" {
		t.Errorf("of many lines: %d", len(got))
	}
}
