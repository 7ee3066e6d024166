package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/rules"
)

// book is what the store holds of what operators said about rules.
type book struct {
	applied  map[string]*attune.Rule
	switches map[string]packs.Switch
}

// openBook reads it anew: whoever changes it goes by what is stored.
func (n *Node) openBook(ctx context.Context) (book, error) {
	b := book{applied: map[string]*attune.Rule{}, switches: map[string]packs.Switch{}}
	applied, err := n.parts.Store.AppliedRules(ctx)
	if err != nil {
		return b, err
	}
	switches, err := n.parts.Store.RuleSwitches(ctx)
	if err != nil {
		return b, err
	}
	for _, row := range applied {
		body, err := n.openRow(appliedRow(row.Ref), row.Body)
		r := &attune.Rule{}
		if err == nil {
			r, _, err = decodeRule(body)
		}
		switch {
		case err != nil: // it is kept, and listed with its faults
			n.tree.Log.Error("an applied rule cannot be read", slog.String("rule", row.Ref), slog.String("error", err.Error()))
			r = &attune.Rule{Enabled: true, Description: "it cannot be read: " + err.Error()}
		case n.sealedBefore(row.Body):
			if _, row.Body, err = n.sealRow(appliedRow(row.Ref), body); err == nil {
				err = n.parts.Store.PutAppliedRule(ctx, row)
			}
			if err != nil {
				return b, err
			}
		}
		r.Ref, r.Applied = row.Ref, &attune.Stamp{By: row.Principal, At: row.Applied}
		b.applied[r.Ref] = r
	}
	for _, s := range switches {
		b.switches[s.Rule] = packs.Switch{Enabled: s.Enabled, Stamp: s.Stamp()}
	}
	return b, nil
}

// appliedRow is the name that a sealed applied rule is bound to.
func appliedRow(ref string) string { return "applied-" + ref }

func (b book) overlay() packs.Overlay {
	over := packs.Overlay{Switches: b.switches}
	for _, ref := range slices.Sorted(maps.Keys(b.applied)) {
		over.Rules = append(over.Rules, b.applied[ref])
	}
	return over
}

// turn makes the book the present one: what it judges by is kept first, then
// store is called, and only then anything is judged by it.
func (n *Node) turn(ctx context.Context, b book, store func() error) error {
	s := packs.Compose(n.loaded, b.overlay())
	names, err := n.keep(ctx, s)
	if err != nil {
		return err
	}
	if err := store(); err != nil {
		n.doubtful.Store(true) // it may be stored all the same: the answer was lost
		return err
	}
	if s.Revision() != n.catalog.Load().Revision() {
		n.adopt(s, names)
	}
	return nil
}

// stamp is who does something, and when, as it is stored.
func (n *Node) stamp(principal string) *attune.Stamp {
	return &attune.Stamp{By: principal, At: n.parts.Clock.Now().Truncate(time.Millisecond).UTC()}
}

// ApplyRule implements api.Engine.
func (n *Node) ApplyRule(ctx context.Context, r *attune.Rule, principal string, dry bool) (api.RuleChange, error) {
	n.composing.Lock()
	defer n.composing.Unlock()
	catalog := n.catalog.Load()
	if have := catalog.Rules().Rule(r.Ref); have != nil && have.Definition.Applied == nil {
		return api.RuleChange{}, ofPack(have.Definition, "change it there, or give the new rule another name")
	}
	compiled, faults := catalog.Compile(r)
	if len(faults) > 0 {
		return api.RuleChange{}, &attune.Error{Kind: attune.Invalid, Code: "invalid_rule", Message: "the rule " + r.Ref + " is wrong", Faults: faults}
	}
	b, err := n.openBook(ctx)
	if err != nil {
		return api.RuleChange{}, err
	}
	own := *r
	own.Applied, own.Switched = n.stamp(principal), nil
	if own.Hash, err = ruleHash(r); err != nil {
		return api.RuleChange{}, err
	}
	change := api.RuleChange{Change: api.RuleCreated, Before: b.applied[r.Ref], After: &own, Enabled: own.Enabled}
	if by, said := b.switches[r.Ref]; said {
		change.Enabled, change.Switched = by.Enabled, by.Stamp
	}
	switch {
	case change.Before == nil:
	case change.Before.Hash == own.Hash:
		change.Change, change.After = api.RuleUnchanged, change.Before
	default:
		change.Change = api.RuleChanged
	}
	if dry {
		return change, nil
	}
	store := func() error { return nil }
	if change.Change != api.RuleUnchanged {
		body, err := encodeRule(&own, nil)
		if err == nil && ruleHoldsSecrets(&own, compiled.Action) {
			_, body, err = n.sealRow(appliedRow(own.Ref), body)
		}
		if err != nil {
			return change, err
		}
		store = func() error {
			return n.parts.Store.PutAppliedRule(ctx, persistence.AppliedRule{Ref: own.Ref, Body: body, Principal: principal, Applied: own.Applied.At})
		}
	}
	b.applied[r.Ref] = change.After
	return change, n.turn(ctx, b, store)
}

// ruleHash names the content of a rule, wherever it is written.
func ruleHash(r *attune.Rule) (string, error) {
	bare := *r
	bare.At, bare.Hash, bare.Applied, bare.Switched = attune.Position{}, "", nil, nil
	bare.Criteria = slices.Clone(r.Criteria)
	for i := range bare.Criteria {
		bare.Criteria[i].At = attune.Position{}
	}
	body, err := encodeRule(&bare, nil)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:16]), nil
}

// DeleteRule implements api.Engine.
func (n *Node) DeleteRule(ctx context.Context, ref string) error {
	n.composing.Lock()
	defer n.composing.Unlock()
	b, err := n.openBook(ctx)
	if err != nil {
		return err
	}
	if b.applied[ref] == nil {
		set := n.catalog.Load().Rules()
		if have := set.Rule(ref); have != nil && have.Definition.Applied == nil {
			return ofPack(have.Definition, "attune rule disable "+ref)
		}
		if set.Rule(ref) == nil {
			return unknownRule(set, ref)
		}
	}
	was := b.applied[ref] != nil
	delete(b.applied, ref)
	// The switch goes with it, unless it is that of a pack's rule of this name.
	have := n.catalog.Load().Rules().Rule(ref)
	by, stays := b.switches[ref]
	if stays = stays && have != nil && have.Definition.Applied == nil; was && !stays {
		delete(b.switches, ref)
	}
	return n.turn(ctx, b, func() error {
		if !was { // deleted before, and still judged by
			return nil
		}
		if err := n.parts.Store.DeleteAppliedRule(ctx, ref); err != nil || !stays {
			return err
		}
		return n.parts.Store.PutRuleSwitch(ctx, persistence.RuleSwitch{Rule: ref, Enabled: by.Enabled, Principal: by.Stamp.By, Switched: by.Stamp.At})
	})
}

// SwitchRule implements api.Engine.
func (n *Node) SwitchRule(ctx context.Context, ref string, enabled bool, principal string) (*rules.Rule, error) {
	n.composing.Lock()
	defer n.composing.Unlock()
	set := n.catalog.Load().Rules()
	r := set.Rule(ref)
	if r == nil {
		return nil, unknownRule(set, ref)
	}
	if r.Definition.Enabled == enabled {
		return r, nil
	}
	b, err := n.openBook(ctx)
	if err != nil {
		return nil, err
	}
	by := n.stamp(principal)
	b.switches[ref] = packs.Switch{Enabled: enabled, Stamp: by}
	err = n.turn(ctx, b, func() error {
		return n.parts.Store.PutRuleSwitch(ctx, persistence.RuleSwitch{Rule: ref, Enabled: enabled, Principal: by.By, Switched: by.At})
	})
	if err != nil {
		return nil, err
	}
	return n.catalog.Load().Rules().Rule(ref), nil
}

// ofPack refuses to change a rule that stands in a pack's folder.
func ofPack(r *attune.Rule, try string) error {
	return &attune.Error{Kind: attune.Conflict, Code: "rule_of_pack", Message: fmt.Sprintf("the rule %s comes from the pack %s", r.Ref, r.Pack), Where: r.At.String(), Try: try}
}

func unknownRule(set *rules.Set, ref string) error {
	e := &attune.Error{Kind: attune.NotFound, Code: "unknown_rule", Message: fmt.Sprintf("there is no rule %q", ref), Try: "attune rule list"}
	var known []string
	for _, r := range set.All() {
		known = append(known, r.Ref())
	}
	if near := rules.Nearest(ref, known); near != "" {
		e.Try = "did you mean " + near + "?"
	}
	return e
}
