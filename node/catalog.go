package node

import (
	"context"
	"log/slog"
	"time"

	"github.com/attune-automation/attune"
	actorrules "github.com/attune-automation/attune/actors/rules"
	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/rules"
)

// SetPacks makes the packs the node's, joined and held against each other. It
// may be called at any time, and by one caller at a time takes effect.
func (n *Node) SetPacks(ctx context.Context, loaded []*attune.Pack) error {
	n.composing.Lock()
	defer n.composing.Unlock()
	n.doubtful.Store(false)
	book, err := n.openBook(ctx)
	if err != nil {
		return err
	}
	if err := n.SetCatalog(ctx, packs.Compose(loaded, book.overlay())); err != nil {
		return err
	}
	n.loaded = loaded
	return nil
}

// SetCatalog makes a snapshot the node's, whatever operators said about rules.
// Events offered before are judged by the rules they were offered to.
func (n *Node) SetCatalog(ctx context.Context, s *packs.Snapshot) error {
	names, err := n.keep(ctx, s)
	if err != nil {
		return err
	}
	n.adopt(s, names)
	return nil
}

// keep stores what a snapshot holds before anything is judged by it: what starts
// can always be told what it began with, and an event by what it was judged.
func (n *Node) keep(ctx context.Context, s *packs.Snapshot) (names []string, err error) {
	if err := n.actions.keep(ctx, s.Actions(), n.catalog.Load()); err != nil {
		return nil, err
	}
	return n.keepRevision(ctx, s)
}

// adopt judges by a snapshot that is kept under those names.
func (n *Node) adopt(s *packs.Snapshot, names []string) {
	n.revisionRows.Store(&names)
	for _, r := range s.Rules().All() {
		if len(r.Faults) > 0 && r.Definition.Applied != nil {
			n.tree.Log.Warn("an applied rule does not load", slog.String("rule", r.Ref()), slog.String("fault", r.Faults[0].String()))
		}
	}
	n.catalog.Store(s)
	changed := actorrules.Changed{Revision: s.Revision(), Judge: n.judge(s.Rules())}
	if n.pid == nil { // the tree is not started: nobody else reads it
		n.rules = changed
		return
	}
	n.tree.Tell(n.tree.Rules, &changed)
}

// judge makes the pure judge of a set of rules.
func (n *Node) judge(set *rules.Set) actorrules.Judge {
	return func(event *attune.Event) (proposals []messages.Proposal, missed []attune.Evaluation) {
		candidates := set.For(event.Trigger)
		if len(candidates) == 0 {
			return nil, nil
		}
		payload, err := expression.DecodeJSON(event.Payload)
		if err != nil {
			for _, r := range candidates {
				missed = append(missed, attune.Evaluation{Rule: r.Ref(), Error: "the payload is not JSON: " + err.Error()})
			}
			return nil, missed
		}
		for _, m := range set.Judge(event, payload) {
			if m.Matched {
				proposals = append(proposals, n.propose(m))
			} else {
				missed = append(missed, m.Evaluation)
			}
		}
		return proposals, missed
	}
}

// propose is what a match is to become: an enforcement, and its execution
// unless the parameters failed or cannot be sealed.
func (n *Node) propose(m rules.Match) messages.Proposal {
	def := m.Rule.Definition
	en := &attune.Enforcement{Rule: def.Ref, RuleHash: def.Hash, Action: def.Action, Status: attune.EnforcementCreated,
		Evaluation: rules.EncodeEvaluation(m.Evaluation)}
	if m.Failure != nil || m.Rule.Action == nil {
		en.Status, en.Failure = attune.EnforcementFailed, m.Failure
		return messages.Proposal{Enforcement: en}
	}
	parameters, err := n.parts.Secrets.Seal(m.Rule.Action.Ref, m.Parameters, m.Hidden)
	if err != nil {
		en.Status, en.Failure = attune.EnforcementFailed, &attune.Failure{Code: "unsealed", Message: "its parameters cannot be sealed: " + err.Error()}
		return messages.Proposal{Enforcement: en}
	}
	x := prototype(m.Rule.Action, parameters)
	x.Rule, x.Limits.Timeout = def.Ref, m.Timeout
	within := m.Rule.Action.Deadline
	if def.Deadline > 0 {
		within = def.Deadline
	}
	if def.Retry != nil {
		x.Limits.Retry = *def.Retry
	}
	return messages.Proposal{Enforcement: en, Execution: x, Within: time.Duration(within)}
}

// prototype is an execution that has no id yet. Its parameters are sealed.
func prototype(a *attune.Action, parameters []byte) *attune.Execution {
	x := &attune.Execution{Action: a.Ref, ActionHash: a.Hash, Runner: a.Runner, Parameters: parameters, Status: attune.Requested,
		Limits: attune.Limits{Timeout: a.Timeout, Grace: grace}}
	if a.Retry != nil {
		x.Limits.Retry = *a.Retry
	}
	return x
}
