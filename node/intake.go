package node

import (
	"context"
	"fmt"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors/intake"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/rules"
)

const (
	// brokerPrincipal is who causes what messages from outside cause, followed by
	// what they say of their source.
	brokerPrincipal = "@broker"
	// lookWait bounds one look into the store for a message.
	lookWait = 10 * time.Second
	// closeAgain is when the intake is asked again to close: it may have failed
	// on the question.
	closeAgain = time.Second
)

// takeMessage offers what a message from outside says, as the API would. It is
// an [intake.Offer].
func (n *Node) takeMessage(e *messages.Envelope, answer func(error)) {
	var err error
	switch p := e.Payload.(type) {
	case *messages.EventCreated:
		err = n.takeEvent(e, p, answer)
	case *messages.EnforcementCreated:
		err = n.takeEnforcement(e, p, answer)
	case *messages.ExecutionRequested:
		err = n.takeRequest(e, p, answer)
	case *messages.ExecutionCancelRequested:
		err = n.takeCancel(e, p, answer)
	default:
		err = &attune.Error{Kind: attune.Invalid, Code: messages.CodeMalformed, Message: e.MessageType + " is for nodes to announce, not to be told", Where: "message_type"}
	}
	if err != nil {
		answer(err)
	}
}

// causeOf is who caused what a message causes. The principal is a name that no
// token can have.
func causeOf(e *messages.Envelope) attune.Chain {
	chain := attune.Chain{Correlation: e.CorrelationID, Traceparent: e.Headers.TraceID, Principal: brokerPrincipal}
	if e.Headers.Source != "" {
		chain.Principal += "/" + e.Headers.Source
	}
	return chain
}

// keyOf makes repetitions of a message one: its dedupe key, else its id.
func keyOf(dedupe string, e *messages.Envelope) string {
	if dedupe != "" {
		return dedupe
	}
	return e.MessageID
}

// enter offers inside the admission window. Where that is full nobody waits
// here: the message does.
func (n *Node) enter(offer func(reply func(messages.Admitted)), answer func(error)) error {
	if err := n.Ready(); err != nil {
		return err
	}
	select {
	case n.window <- struct{}{}:
	default:
		return errFull
	}
	n.inside(offer, func(a messages.Admitted) { answer(a.Err) })
	return nil
}

func (n *Node) takeEvent(e *messages.Envelope, p *messages.EventCreated, answer func(error)) error {
	event := &attune.Event{Trigger: p.Trigger, Payload: p.Payload, Dedupe: keyOf(p.Dedupe, e), OccurredAt: p.OccurredAt, Chain: causeOf(e)}
	if len(event.Payload) == 0 {
		event.Payload = []byte("{}")
	}
	if err := n.catalog.Load().CheckPayload(event.Trigger, event.Payload); err != nil {
		return err
	}
	return n.enter(func(reply func(messages.Admitted)) { n.Offer(event, reply) }, answer)
}

func (n *Node) takeRequest(e *messages.Envelope, p *messages.ExecutionRequested, answer func(error)) error {
	request := api.RunRequest{Action: p.Action, Parameters: p.Parameters, Timeout: p.Timeout, Deadline: p.Deadline, Retry: p.Retry, At: p.At}
	r, err := request.Request()
	if err != nil {
		return err
	}
	r.Chain = causeOf(e)
	proposal, err := n.requested(r)
	if err != nil {
		return err
	}
	return n.enter(func(reply func(messages.Admitted)) { n.Propose(proposal, keyOf(p.Dedupe, e), reply) }, answer)
}

// takeEnforcement adds what a rule engine elsewhere has decided to an event: as
// with our own rules, there is one enforcement for the event and the rule.
func (n *Node) takeEnforcement(e *messages.Envelope, p *messages.EnforcementCreated, answer func(error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), lookWait)
	defer cancel()
	event, err := n.parts.Store.Event(ctx, p.Event)
	if err != nil {
		return readFailed(err)
	}
	catalog := n.catalog.Load()
	en := &attune.Enforcement{Event: event.ID, Rule: p.Rule, Action: p.Action, Status: attune.EnforcementCreated, Chain: follows(event.Chain, causeOf(e))}
	known := catalog.Rules().Rule(p.Rule)
	if known != nil {
		en.RuleHash = known.Definition.Hash
		if en.Action == "" {
			en.Action = known.Definition.Action
		}
	}
	if en.Action == "" {
		return unknownRule(catalog.Rules(), p.Rule)
	}
	if en.Rule == "" {
		en.Rule = en.Action
	}
	en.Evaluation = rules.EncodeEvaluation(attune.Evaluation{Rule: en.Rule, Event: event.ID, Matched: true})
	request := api.RunRequest{Action: en.Action, Parameters: p.Parameters}
	r, err := request.Request()
	if err != nil {
		return err
	}
	if known != nil {
		r.Within, r.Retry = time.Duration(known.Definition.Deadline), known.Definition.Retry
	}
	proposal, err := n.requested(r)
	if err != nil {
		return err
	}
	proposal.Enforcement, proposal.Execution.Rule = en, en.Rule
	partition := event.ID.Partition()
	if err := n.mustOwn(partition); err != nil {
		return err
	}
	began := n.parts.Clock.Now()
	return n.enter(func(reply func(messages.Admitted)) {
		n.tree.Tell(n.tree.Partition(partition), &messages.Admit{Of: event, DedupeKind: "execution", DedupeSource: en.Action, DedupeKey: p.Dedupe,
			Proposals: []messages.Proposal{proposal}, Reply: func(a messages.Admitted) {
				n.tree.Meters.Admission.Since(began, n.parts.Clock.Now())
				reply(a)
			}})
	}, answer)
}

// takeCancel is answered when the wish is stored. One for an execution that has
// ended is without meaning, and done.
func (n *Node) takeCancel(e *messages.Envelope, p *messages.ExecutionCancelRequested, answer func(error)) error {
	if err := n.Ready(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookWait)
	defer cancel()
	// Only one that is stored is asked for: else its owner would say "not live" of
	// what never was.
	if _, err := n.parts.Store.Execution(ctx, p.Execution); err != nil {
		return readFailed(err)
	}
	return n.cancel(ctx, p.Execution, p.Reason, causeOf(e).Principal, func(_ *attune.Execution, err error) {
		if notLive(err) {
			err = nil
		}
		answer(err)
	})
}

// readFailed is what a look into the store came to: not found, or not now.
func readFailed(err error) error {
	if attune.KindOf(err) == attune.NotFound {
		return err
	}
	return &attune.Error{Kind: attune.Unavailable, Code: "store_away", Message: "the store cannot be read", Cause: err}
}

// closeIntake ends the taking of messages from outside, and returns when those
// under way are settled.
func (n *Node) closeIntake(ctx context.Context) error {
	if n.pid == nil || n.parts.Inbox == nil {
		return nil
	}
	closed := make(chan struct{}, 1)
	ask := &intake.Close{Reply: func() {
		select {
		case closed <- struct{}{}:
		default:
		}
	}}
	tick := time.NewTicker(closeAgain)
	defer tick.Stop()
	for {
		n.tree.Tell(n.tree.Intake, ask)
		select {
		case <-closed:
			return nil
		case <-n.fatal:
			return fmt.Errorf("the node is ending: %s", n.reason)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
