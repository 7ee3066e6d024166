package node_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence/memory"
)

// shop is a pack with one action for each name, the trigger shop.sold, and a rule
// with the parameter ms for each pair of name and text.
func shop(actions []string, texts map[string]string) *attune.Pack {
	p := &attune.Pack{Ref: "shop", Dir: "/shop", Triggers: []*attune.Trigger{{Ref: "shop.sold", Pack: "shop", Hash: "sold"}}}
	for _, name := range actions {
		p.Actions = append(p.Actions, &attune.Action{Ref: "shop." + name, Pack: "shop", Name: name, Runner: "timed", Enabled: true, Hash: "action " + name,
			Parameters: map[string]*attune.Parameter{"ms": {Type: "integer"}}})
	}
	for name, text := range texts {
		p.Rules = append(p.Rules, &attune.Rule{Ref: "shop." + name, Pack: "shop", Enabled: true, Trigger: "shop.sold", Action: "shop." + actions[0], Hash: name + text,
			At: attune.Position{File: "shop/rules/" + name + ".yaml"}, Parameters: map[string]any{"ms": text}})
	}
	return p
}

// written is the rule of a text.
func written(t *testing.T, text string) *attune.Rule {
	t.Helper()
	r, faults := packs.ParseRule("-", []byte(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return r
}

const mine = "name: mine\ntrigger: {type: shop.sold}\ncriteria: {trigger.n: {type: equals, pattern: 2.0}}\naction: {ref: shop.pack, parameters: {ms: 1}}\n"

// sold offers an event and returns the rules that started something.
func (r *rig) sold(payload string) []string {
	r.Helper()
	receipt, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: "shop.sold", Payload: []byte(payload)})
	if err != nil {
		r.Fatal(err)
	}
	var started []string
	for _, e := range r.rows.Rows().Enforcements {
		if e.Event == receipt.ID {
			started = append(started, e.Rule)
		}
	}
	return started
}

func (r *rig) wants(payload, rules string) {
	r.Helper()
	if got := strings.Join(r.sold(payload), " "); got != rules {
		r.Errorf("%s was matched by %q, not by %q", payload, got, rules)
	}
}

func (r *rig) apply(text, want string) {
	r.Helper()
	change, err := r.ApplyRule(r.Context(), written(r.T, text), "alice", false)
	if err != nil || change.Change != want {
		r.Fatalf("applied: %+v, %v", change, err)
	}
}

func (r *rig) setPacks(p ...*attune.Pack) {
	r.Helper()
	if err := r.SetPacks(r.Context(), p); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) flip(ref string, enabled bool, by string) {
	r.Helper()
	rule, err := r.SwitchRule(r.Context(), ref, enabled, by)
	if err != nil || rule.Definition.Enabled != enabled {
		r.Fatalf("%+v, %v", rule, err)
	}
}

// It judges the next event, and still after a restart and another set of packs.
func TestAnAppliedRuleIsLiveAtOnceAndStays(t *testing.T) {
	inBubble(t, func(r *rig) {
		p := shop([]string{"pack", "ship"}, map[string]string{"all": "1"})
		r.setPacks(p)
		r.wants(`{"n":2}`, "shop.all")
		if change, err := r.ApplyRule(r.Context(), written(t, mine), "alice", true); err != nil || change.Change != api.RuleCreated {
			t.Errorf("dry: %+v, %v", change, err)
		}
		r.wants(`{"n":2}`, "shop.all")
		r.apply(mine, api.RuleCreated)
		r.wants(`{"n":2}`, "default.mine shop.all")
		r.wants(`{"n":3}`, "shop.all")
		r.apply("# the same\n"+mine, api.RuleUnchanged)
		r.apply(strings.Replace(mine, "2.0", "3", 1), api.RuleChanged)
		r.wants(`{"n":3}`, "default.mine shop.all")
		r.restart()
		r.setPacks(p)
		r.wants(`{"n":3}`, "default.mine shop.all")
		by := r.Catalog().Rules().Rule("default.mine").Definition.Applied
		if by == nil || by.By != "alice" || (database{}).Now().Sub(by.At) > time.Minute {
			t.Errorf("applied %v", by)
		}
		if err := r.DeleteRule(r.Context(), "default.mine"); err != nil {
			t.Fatal(err)
		}
		r.wants(`{"n":3}`, "shop.all")
		for what, err := range map[string]error{"deleted again": r.DeleteRule(r.Context(), "default.mine"), "unheard of": r.DeleteRule(r.Context(), "shop.al")} {
			if attune.KindOf(err) != attune.NotFound {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := r.DeleteRule(r.Context(), "shop.all"); attune.KindOf(err) != attune.Conflict {
			t.Errorf("a pack's rule is deleted: %v", err)
		}
		r.work("w", 10)
		r.allOnce(time.Minute)
	})
}

// A rule is refused as a whole, with everything that is wrong, and changes
// nothing.
func TestARuleThatCannotBeAppliedChangesNothing(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.setPacks(shop([]string{"pack"}, map[string]string{"all": "1"}))
		_, err := r.ApplyRule(r.Context(), written(t, "name: x\ntrigger: {type: shop.sol}\ncriteria: {trigger.n: {type: equal, pattern: 1}}\naction: {ref: shop.pac}\n"), "alice", false)
		var e *attune.Error
		if !errors.As(err, &e) || e.Code != "invalid_rule" || len(e.Faults) != 3 || e.Faults[2].Where != "-:3:12" {
			t.Errorf("%+v", err)
		}
		_, err = r.ApplyRule(r.Context(), written(t, "pack: shop\nname: all\ntrigger: {type: shop.sold}\naction: {ref: shop.pack}\n"), "alice", false)
		if !errors.As(err, &e) || e.Code != "rule_of_pack" || e.Where != "shop/rules/all.yaml" {
			t.Errorf("%+v", err)
		}
		if all, err := r.rows.AppliedRules(r.Context()); err != nil || len(all) > 0 {
			t.Errorf("stored: %v, %v", all, err)
		}
		r.wants(`{}`, "shop.all")
	})
}

// A switch goes before the file, also of a pack that comes again, and its rule
// says by whom.
func TestASwitchStays(t *testing.T) {
	inBubble(t, func(r *rig) {
		p := shop([]string{"pack"}, map[string]string{"all": "1", "two": "1"})
		r.setPacks(p)
		r.apply(mine, api.RuleCreated)
		r.flip("shop.all", false, "bob")
		r.flip("default.mine", false, "carol")
		r.flip("shop.two", true, "nobody") // it is
		r.wants(`{"n":2}`, "shop.two")
		at := r.Catalog().Rules().Rule("shop.all").Definition.Switched
		time.Sleep(time.Hour)
		r.flip("shop.all", false, "dave") // it is already, and bob's word stays
		r.restart()
		r.setPacks(p)
		r.wants(`{"n":2}`, "shop.two")
		if by := r.Catalog().Rules().Rule("shop.all").Definition.Switched; by == nil || by.By != "bob" || !by.At.Equal(at.At) {
			t.Errorf("switched %v, then %v", at, by)
		}
		r.setPacks(shop([]string{"pack"}, nil))
		r.setPacks(p)
		r.apply(strings.Replace(mine, "ms: 1", "ms: 2", 1), api.RuleChanged)
		r.wants(`{"n":2}`, "shop.two")
		r.flip("shop.all", true, "erin")
		r.wants(`{"n":2}`, "shop.all shop.two")
		if err := r.DeleteRule(r.Context(), "default.mine"); err != nil {
			t.Fatal(err)
		}
		r.apply(mine, api.RuleCreated)
		r.wants(`{"n":2}`, "default.mine shop.all shop.two")
		if _, err := r.SwitchRule(r.Context(), "shop.al", true, "x"); attune.KindOf(err) != attune.NotFound {
			t.Errorf("%v", err)
		}
	})
}

// An applied rule that a pack's of the same name hides can be deleted: the pack's
// stays as it was switched.
func TestASwitchStaysWithoutTheHiddenRule(t *testing.T) {
	inBubble(t, func(r *rig) {
		p := shop([]string{"pack"}, map[string]string{"all": "1", "two": "1"})
		r.setPacks(shop([]string{"pack"}, map[string]string{"all": "1"}))
		r.apply(strings.Replace(mine, "name: mine", "name: two\npack: shop", 1), api.RuleCreated)
		r.setPacks(p)
		r.flip("shop.two", false, "bob")
		if err := r.DeleteRule(r.Context(), "shop.two"); err != nil {
			t.Fatal(err)
		}
		r.wants(`{"n":2}`, "shop.all")
		r.restart()
		r.setPacks(p)
		r.wants(`{"n":2}`, "shop.all")
		r.work("w", 10)
		r.allOnce(time.Minute)
	})
}

// Without its action an applied rule is broken and says so; it works again with
// the action, and harms nobody meanwhile.
func TestAnAppliedRuleWithoutItsActionIsFaulty(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.setPacks(shop([]string{"pack", "ship"}, map[string]string{"all": "1"}))
		r.apply(strings.Replace(mine, "shop.pack", "shop.ship", 1), api.RuleCreated)
		r.setPacks(shop([]string{"pack"}, map[string]string{"all": "1"}))
		r.wants(`{"n":2}`, "shop.all")
		rule := r.Catalog().Rules().Rule("default.mine")
		if rule == nil || len(rule.Faults) != 1 || rule.Faults[0].String() != "-:1:1: the rule default.mine starts the unknown action shop.ship" {
			t.Errorf("%+v", rule)
		}
		all, err := r.Evaluations(r.Context(), r.rows.Rows().Events[0].ID)
		if err != nil || len(all) != 1 || all[0].Error != "the rule does not load: -:1:1: the rule default.mine starts the unknown action shop.ship" {
			t.Errorf("%+v, %v", all, err)
		}
		r.flip("default.mine", false, "bob") // also of one that is broken
		r.flip("default.mine", true, "bob")
		r.setPacks(shop([]string{"pack", "ship"}, map[string]string{"all": "1"}))
		r.wants(`{"n":2}`, "default.mine shop.all")
	})
}

// The store fails in the middle: nothing was stored, or all of it. Said again it
// is so, and what is judged by is what is stored.
func TestAChangeOfRulesThatTheStoreLoses(t *testing.T) {
	for name, kind := range map[string]memory.FaultKind{"before": memory.LostBefore, "after": memory.LostAfter} {
		for _, method := range []string{"AppliedRules", "PutDefinitions", "PutAppliedRule"} {
			t.Run(method+" is lost "+name, func(t *testing.T) {
				inBubble(t, func(r *rig) {
					r.setPacks(shop([]string{"pack"}, map[string]string{"all": "1"}))
					fails := 1
					r.fault.set(func(m string, _ int) memory.Fault {
						if m == method && fails > 0 {
							fails--
							return memory.Fault{Kind: kind}
						}
						return memory.Fault{}
					})
					if _, err := r.ApplyRule(r.Context(), written(t, mine), "alice", false); attune.KindOf(err) != attune.Unavailable {
						t.Errorf("%v", err)
					}
					r.wants(`{"n":2}`, "shop.all")
					change, err := r.ApplyRule(r.Context(), written(t, mine), "alice", false)
					want := api.RuleCreated
					if method == "PutAppliedRule" && kind == memory.LostAfter {
						want = api.RuleUnchanged
					}
					if err != nil || change.Change != want {
						t.Errorf("%+v, %v", change, err)
					}
					r.wants(`{"n":2}`, "default.mine shop.all")
				})
			})
		}
	}
}
