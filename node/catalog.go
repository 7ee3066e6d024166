package node

import (
	"context"
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
	return n.SetCatalog(ctx, packs.NewSnapshot(loaded))
}

// SetCatalog makes a snapshot the node's: its actions are stored first, so that
// what they start can always be told what it began with. Events offered before
// are judged by the rules they were offered to.
func (n *Node) SetCatalog(ctx context.Context, s *packs.Snapshot) error {
	if err := n.actions.keep(ctx, s.Actions()); err != nil {
		return err
	}
	if err := n.keepRevision(ctx, s); err != nil {
		return err
	}
	n.catalog.Store(s)
	changed := actorrules.Changed{Revision: s.Revision(), Judge: judge(s.Rules())}
	if n.pid == nil { // the tree is not started: nobody else reads it
		n.rules = changed
		return nil
	}
	n.tree.Tell(n.tree.Rules, &changed)
	return nil
}

// judge makes the pure judge of a set of rules.
func judge(set *rules.Set) actorrules.Judge {
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
				proposals = append(proposals, propose(m))
			} else {
				missed = append(missed, m.Evaluation)
			}
		}
		return proposals, missed
	}
}

// propose is what a match is to become: an enforcement, and its execution
// unless the parameters failed.
func propose(m rules.Match) messages.Proposal {
	def := m.Rule.Definition
	en := &attune.Enforcement{Rule: def.Ref, RuleHash: def.Hash, Action: def.Action, Status: attune.EnforcementCreated,
		Evaluation: rules.EncodeEvaluation(m.Evaluation)}
	if m.Failure != nil || m.Rule.Action == nil {
		en.Status, en.Failure = attune.EnforcementFailed, m.Failure
		return messages.Proposal{Enforcement: en}
	}
	x := prototype(m.Rule.Action, m.Parameters)
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

// prototype is an execution that has no id yet.
func prototype(a *attune.Action, parameters []byte) *attune.Execution {
	x := &attune.Execution{Action: a.Ref, ActionHash: a.Hash, Runner: a.Runner, Parameters: parameters, Status: attune.Requested,
		Limits: attune.Limits{Timeout: a.Timeout, Grace: grace}}
	if a.Retry != nil {
		x.Limits.Retry = *a.Retry
	}
	return x
}
