package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/rules"
	"github.com/attune-automation/attune/secret"
)

// RerunEnforcement implements api.Engine.
func (n *Node) RerunEnforcement(ctx context.Context, id attune.EnforcementID, chain attune.Chain) (api.ExecutionReceipt, error) {
	en, err := n.parts.Store.Enforcement(ctx, id)
	if err != nil {
		return api.ExecutionReceipt{}, err
	}
	if en.Status != attune.EnforcementFailed {
		return api.ExecutionReceipt{ID: en.Execution, Duplicate: true}, nil
	}
	event, err := n.parts.Store.Event(ctx, en.Event)
	if err != nil {
		return api.ExecutionReceipt{}, err
	}
	p, err := n.proposeAgain(en, event)
	if err != nil {
		return api.ExecutionReceipt{}, err
	}
	changed, x := *en, p.Execution
	changed.Status, changed.Action, changed.RuleHash, changed.Evaluation = p.Enforcement.Status, p.Enforcement.Action, p.Enforcement.RuleHash, p.Enforcement.Evaluation
	x.Enforcement, x.Event, x.Trigger, x.Chain = en.ID, event.ID, event.Trigger, follows(en.Chain, chain)
	return n.startAgain(ctx, &messages.Admit{Rerun: &changed, Proposals: []messages.Proposal{{Execution: x, Within: p.Within}}}, en.ID.Partition())
}

// proposeAgain judges an event again, by the rule as it is today.
func (n *Node) proposeAgain(en *attune.Enforcement, event *attune.Event) (messages.Proposal, error) {
	set := n.catalog.Load().Rules()
	rule := set.Rule(en.Rule)
	if rule == nil {
		return messages.Proposal{}, &attune.Error{Kind: attune.Conflict, Code: "rule_gone", Message: fmt.Sprintf("the rule %s is not there any more", en.Rule),
			Where: en.ID.String(), Try: "bring it back, or start its action yourself: attune run " + en.Action}
	}
	payload, err := expression.DecodeJSON(event.Payload)
	if err != nil {
		return messages.Proposal{}, err
	}
	m := set.Try(rule, event, payload)
	if !m.Matched {
		return messages.Proposal{}, &attune.Error{Kind: attune.Conflict, Code: "rule_misses", Where: en.ID.String(), Try: "attune rule get " + en.Rule,
			Message: fmt.Sprintf("the rule %s does not match %s today: %s", en.Rule, event.ID, miss(m.Evaluation))}
	}
	if m.Failure != nil {
		return messages.Proposal{}, &attune.Error{Kind: attune.Invalid, Code: m.Failure.Code, Message: "it fails again: " + m.Failure.Message,
			Where: en.ID.String(), Try: "mend the rule " + en.Rule + ", and run it again"}
	}
	p := n.propose(m)
	if p.Execution == nil {
		return p, &attune.Error{Kind: attune.Unavailable, Code: p.Enforcement.Failure.Code, Message: "it fails again: " + p.Enforcement.Failure.Message, Where: en.ID.String()}
	}
	return p, nil
}

// miss is why an evaluation did not match, in one line.
func miss(e attune.Evaluation) string {
	switch n := len(e.Criteria); {
	case e.Disabled && e.Switched != nil:
		return "it is disabled (" + e.Switched.String() + ")"
	case e.Disabled:
		return "it is disabled"
	case e.Error != "" || n == 0:
		return e.Error
	default:
		c := e.Criteria[n-1]
		return fmt.Sprintf("%s %s %s, found %s", c.Path, c.Type, rules.AppendJSON(nil, c.Right), rules.AppendJSON(nil, c.Left))
	}
}

// RerunExecution implements api.Engine. While the action is the same, the
// parameters go on as they are stored: nobody has to read them.
func (n *Node) RerunExecution(ctx context.Context, id attune.ExecutionID, dedupe string, chain attune.Chain) (api.ExecutionReceipt, error) {
	first, err := n.parts.Store.Execution(ctx, id)
	if err != nil {
		return api.ExecutionReceipt{}, err
	}
	if !first.Status.Terminal() {
		return api.ExecutionReceipt{}, &attune.Error{Kind: attune.Conflict, Code: "not_ended", Message: fmt.Sprintf("%s is still %s", id, first.Status),
			Try: "attune execution wait " + id.String() + ", or cancel it before"}
	}
	action, parameters, err := n.requestToday(first)
	if err != nil {
		return api.ExecutionReceipt{}, err
	}
	x := prototype(action, parameters)
	x.RerunOf, x.Rule, x.Event, x.Trigger, x.Chain = id, first.Rule, first.Event, first.Trigger, follows(first.Chain, chain)
	x.Limits.Timeout, x.Limits.Retry = first.Limits.Timeout, first.Limits.Retry
	if !first.Limits.Deadline.IsZero() {
		x.Limits.Deadline = n.parts.Clock.Now().Add(first.Limits.Deadline.Sub(first.Requested))
	}
	partition := n.owned.pick()
	if partition < 0 {
		return api.ExecutionReceipt{}, errStarting
	}
	return n.startAgain(ctx, &messages.Admit{DedupeKind: "execution", DedupeSource: id.String(), DedupeKey: dedupe,
		Proposals: []messages.Proposal{{Execution: x}}}, partition)
}

// follows is the cause of what somebody starts again: of the same chain, by
// another.
func follows(first, by attune.Chain) attune.Chain {
	by.Correlation = first.Correlation
	if by.Traceparent == "" {
		by.Traceparent = first.Traceparent
	}
	return by
}

// requestToday is the action of an execution as it is today, and the parameters
// for it: the values of then, with the defaults of today for what has none,
// checked and sealed anew. What was sealed then stays so.
func (n *Node) requestToday(x *attune.Execution) (*attune.Action, []byte, error) {
	catalog := n.catalog.Load()
	action, err := catalog.Startable(x.Action)
	if err != nil {
		return nil, nil, err
	}
	if action.Hash == x.ActionHash {
		return action, x.Parameters, nil
	}
	opened, mask, err := n.parts.Secrets.Open(x.Action, x.Parameters)
	if err != nil {
		return nil, nil, err
	}
	given, err := object(opened)
	if err != nil {
		return nil, nil, err
	}
	stored, err := object(x.Parameters)
	if err != nil {
		return nil, nil, err
	}
	maps.DeleteFunc(given, func(name string, _ any) bool {
		p := action.Parameters[name]
		return p != nil && p.Immutable
	})
	_, checked, err := catalog.Request(action.Ref, given)
	var wrong *attune.Error
	if errors.As(err, &wrong) {
		faults := slices.Clone(wrong.Faults)
		for i := range faults {
			faults[i].Message = mask.Text(faults[i].Message)
		}
		return nil, nil, &attune.Error{Kind: attune.Conflict, Code: "action_changed", Message: action.Ref + " has changed since, and does not take the parameters of then",
			Faults: faults, Try: "attune run " + action.Ref}
	}
	if err != nil {
		return nil, nil, err
	}
	hidden := catalog.Hidden(action.Ref, given, checked)
	if hidden == nil {
		hidden = &secret.Hidden{}
	}
	for name := range given {
		if stored[name] == secret.Stars && !slices.Contains(hidden.Names, name) {
			hidden.Names = append(hidden.Names, name)
		}
	}
	slices.Sort(hidden.Names)
	parameters, err := n.parts.Secrets.Seal(action.Ref, rules.AppendJSON(nil, checked), hidden)
	return action, parameters, err
}

func object(text []byte) (map[string]any, error) {
	v, err := expression.DecodeJSON(text)
	members, _ := v.(map[string]any)
	return members, err
}

// startAgain has a partition admit one execution.
func (n *Node) startAgain(ctx context.Context, m *messages.Admit, partition int) (api.ExecutionReceipt, error) {
	began := n.parts.Clock.Now()
	a, err := n.admitted(ctx, func(reply func(messages.Admitted)) {
		m.Reply = func(a messages.Admitted) {
			n.tree.Meters.Admission.Since(began, n.parts.Clock.Now())
			reply(a)
		}
		n.tree.Tell(n.tree.Partition(partition), m)
	})
	if err == nil {
		err = a.Err
	}
	return api.ExecutionReceipt{ID: attune.ExecutionID(a.ID), Duplicate: a.Duplicate}, err
}
