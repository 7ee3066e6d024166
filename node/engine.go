package node

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors/inspector"
	actorrules "github.com/attune-automation/attune/actors/rules"
	"github.com/attune-automation/attune/actors/workers"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/rules"
)

var _ api.Engine = (*Node)(nil)

const (
	// admissionWait is how long a request waits for the admission window.
	admissionWait = time.Second
	// answerWait is how long a caller waits for an actor that may be stuck.
	answerWait = 30 * time.Second
	// detailWait is how long the inspection waits for one actor's detail.
	detailWait = time.Second
	// grace is how long a stopped attempt has between SIGTERM and SIGKILL.
	grace = 10 * time.Second
)

// admitted runs offer inside the admission window and waits for its answer.
func (n *Node) admitted(ctx context.Context, offer func(reply func(messages.Admitted))) (messages.Admitted, error) {
	if err := n.Ready(); err != nil {
		return messages.Admitted{}, err
	}
	answers := make(chan messages.Admitted, 1)
	wait := time.NewTimer(admissionWait)
	defer wait.Stop()
	select {
	case n.window <- struct{}{}:
	default:
		select {
		case n.window <- struct{}{}:
		case <-wait.C:
			return messages.Admitted{}, errFull
		case <-ctx.Done():
			return messages.Admitted{}, context.Cause(ctx)
		}
	}
	n.inside(offer, func(a messages.Admitted) { answers <- a })
	return await(ctx, n, answers)
}

var errFull = &attune.Error{Kind: attune.TooMuch, Code: "admission_full", RetryAfter: time.Second,
	Message: fmt.Sprintf("%d requests are being stored already", maxAdmissions), Try: "again after the time in Retry-After"}

// inside runs offer with a place in the window, which is given back with the
// answer, and in the end also without one: an actor may have failed on the
// request.
func (n *Node) inside(offer func(reply func(messages.Admitted)), answer func(messages.Admitted)) {
	leave := sync.OnceFunc(func() { <-n.window })
	late := n.leaveLate(leave)
	offer(func(a messages.Admitted) {
		late.Stop()
		leave()
		answer(a)
	})
}

// leaveLate gives a place in the window back after a while, unless the store is
// away: then the request is still pending, and so many others that the next must
// wait.
func (n *Node) leaveLate(leave func()) *time.Timer {
	var late *time.Timer
	armed := make(chan struct{})
	late = time.AfterFunc(answerWait, func() {
		<-armed
		if n.tree.StoreAway() {
			late.Reset(answerWait)
			return
		}
		leave()
	})
	close(armed)
	return late
}

// await returns what comes, or says that the node does not answer.
func await[T any](ctx context.Context, n *Node, answers <-chan T) (T, error) {
	var none T
	wait := time.NewTimer(answerWait)
	defer wait.Stop()
	select {
	case a := <-answers:
		return a, nil
	case <-ctx.Done():
		return none, context.Cause(ctx)
	case <-n.fatal:
		return none, &attune.Error{Kind: attune.Unavailable, Code: "node_failed", Message: "the node is ending: " + n.reason, Try: "again, on another node or after its restart"}
	case <-wait.C:
		return none, &attune.Error{Kind: attune.Unavailable, Code: "no_answer", Message: "the node did not answer within " + answerWait.String(),
			Try: "attune actor list shows which actor is stuck; sent again with its dedupe key a request stays one"}
	}
}

// OfferEvent implements api.Engine.
func (n *Node) OfferEvent(ctx context.Context, offer api.EventOffer) (api.EventReceipt, error) {
	if err := n.catalog.Load().CheckPayload(offer.Trigger, offer.Payload); err != nil {
		return api.EventReceipt{}, err
	}
	a, err := n.admitted(ctx, func(reply func(messages.Admitted)) {
		n.Offer(&attune.Event{Trigger: offer.Trigger, Payload: offer.Payload, Dedupe: offer.Dedupe, OccurredAt: offer.OccurredAt, Chain: offer.Chain}, reply)
	})
	if err == nil {
		err = a.Err
	}
	return api.EventReceipt{ID: attune.EventID(a.ID), Duplicate: a.Duplicate}, err
}

// Offer hands an event in without waiting; reply is called on some actor's turn
// and must not block.
func (n *Node) Offer(event *attune.Event, reply func(messages.Admitted)) {
	began := n.parts.Clock.Now()
	n.tree.Tell(n.tree.Rules, &messages.OfferEvent{Event: event, Reply: func(a messages.Admitted) {
		n.eventOffered(event, a, began)
		reply(a)
	}})
}

// RequestExecution implements api.Engine.
func (n *Node) RequestExecution(ctx context.Context, r api.ExecutionRequest) (api.ExecutionReceipt, error) {
	p, err := n.requested(r)
	if err != nil {
		return api.ExecutionReceipt{}, err
	}
	a, err := n.admitted(ctx, func(reply func(messages.Admitted)) { n.Propose(p, r.Dedupe, reply) })
	if err == nil {
		err = a.Err
	}
	return api.ExecutionReceipt{ID: attune.ExecutionID(a.ID), Duplicate: a.Duplicate}, err
}

// requested checks a request, seals its secrets and makes a proposal of it.
func (n *Node) requested(r api.ExecutionRequest) (messages.Proposal, error) {
	catalog := n.catalog.Load()
	action, parameters, err := catalog.Request(r.Action, r.Parameters)
	if err != nil {
		return messages.Proposal{}, err
	}
	sealed, err := n.sealed(catalog, r.Action, r.Parameters, parameters)
	if err != nil {
		return messages.Proposal{}, err
	}
	x := prototype(action, sealed)
	x.Limits.Timeout = rules.Timeout(action, parameters)
	if r.Timeout > 0 {
		x.Limits.Timeout = r.Timeout
	}
	x.Chain, x.Root, x.Parent = r.Chain, r.Root, r.Parent
	return n.proposal(x, time.Duration(action.Deadline), r)
}

// proposal is a request with its times, as far as they can be met.
func (n *Node) proposal(x *attune.Execution, within time.Duration, r api.ExecutionRequest) (messages.Proposal, error) {
	now := n.parts.Clock.Now()
	p := messages.Proposal{Execution: x, Within: within, NotBefore: r.NotBefore}
	if r.After > 0 {
		p.NotBefore = now.Add(r.After)
	}
	if r.Retry != nil {
		x.Limits.Retry = *r.Retry
	}
	end := now.Add(within)
	switch {
	case r.Within > 0:
		p.Within, end = r.Within, now.Add(r.Within)
	case !r.Deadline.IsZero():
		p.Within, x.Limits.Deadline, end = 0, r.Deadline, r.Deadline
	case within == 0:
		return p, nil
	}
	where, message := "deadline", "the deadline has passed"
	if p.NotBefore.After(now) {
		where, message = "at", "it is to start at its deadline or after it"
	}
	if !end.After(now) || !p.NotBefore.IsZero() && !p.NotBefore.Before(end) {
		return p, &attune.Error{Kind: attune.Invalid, Code: "deadline_too_early", Message: message, Where: where, Try: "a later deadline, such as 10m"}
	}
	return p, nil
}

// Request hands a checked execution, its secrets sealed, in without waiting;
// reply is called on some actor's turn and must not block.
func (n *Node) Request(x *attune.Execution, dedupe string, reply func(messages.Admitted)) {
	n.Propose(messages.Proposal{Execution: x}, dedupe, reply)
}

// Propose is [Node.Request] with what else a proposal may say.
func (n *Node) Propose(p messages.Proposal, dedupe string, reply func(messages.Admitted)) {
	partition := n.owned.pick()
	if root := p.Execution.Root; root != 0 { // a tree lives in one partition
		partition = root.Partition()
	}
	if partition < 0 || n.owned.Epoch(partition) == 0 {
		reply(messages.Admitted{Err: errStarting})
		return
	}
	began := n.parts.Clock.Now()
	n.tree.Tell(n.tree.Partition(partition), &messages.Admit{DedupeKind: "execution", DedupeSource: p.Execution.Action, DedupeKey: dedupe,
		Proposals: []messages.Proposal{p}, Reply: func(a messages.Admitted) {
			n.tree.Meters.Admission.Since(began, n.parts.Clock.Now())
			reply(a)
		}})
}

var errStarting = &attune.Error{Kind: attune.Unavailable, Code: "starting", Message: "the node owns no partition yet", Try: "again in a moment"}

// Cancel implements api.Engine.
func (n *Node) Cancel(ctx context.Context, id attune.ExecutionID, reason, principal string) (*attune.Execution, error) {
	type answer struct {
		row *attune.Execution
		err error
	}
	answers := make(chan answer, 1)
	if err := n.cancel(ctx, id, reason, principal, func(row *attune.Execution, err error) { answers <- answer{row, err} }); err != nil {
		return nil, err
	}
	a, err := await(ctx, n, answers)
	if err != nil {
		return nil, err
	}
	if notLive(a.err) {
		return n.parts.Store.Execution(ctx, id)
	}
	return a.row, a.err
}

// cancel asks the owner of an execution for its end. Where that is not live, the
// answer is so; an error means that nobody was asked.
func (n *Node) cancel(ctx context.Context, id attune.ExecutionID, reason, principal string, reply func(*attune.Execution, error)) error {
	reason, err := n.masked(ctx, id, reason)
	if err != nil {
		return err
	}
	if reason == "" {
		reason = "cancelled by " + principal
	}
	if err := n.mustOwn(id.Partition()); err != nil {
		return err
	}
	n.tree.Tell(n.tree.Partition(id.Partition()), &messages.Cancel{ID: id, Reason: reason, Reply: reply})
	return nil
}

func notLive(err error) bool {
	var e *attune.Error
	return errors.As(err, &e) && e.Code == "not_live"
}

// Watch implements api.Engine.
func (n *Node) Watch(id attune.ExecutionID) (<-chan struct{}, func()) { return n.watchers.watch(id) }

// Evaluations implements api.Engine.
func (n *Node) Evaluations(ctx context.Context, event attune.EventID) ([]attune.Evaluation, error) {
	answers := make(chan []attune.Evaluation, 1)
	n.tree.Tell(n.tree.Rules, &actorrules.Ask{Event: event, Reply: func(e []attune.Evaluation) { answers <- e }})
	found, err := await(ctx, n, answers)
	sort.Slice(found, func(i, j int) bool { return found[i].Rule < found[j].Rule })
	return found, err
}

// Catalog implements api.Engine.
func (n *Node) Catalog() *packs.Snapshot { return n.catalog.Load() }

// Workers implements api.Engine.
func (n *Node) Workers(ctx context.Context) ([]api.WorkerView, error) {
	counts, views := make(chan int, 1), make(chan workers.View, 10_000)
	n.tree.Tell(n.tree.Workers, &workers.List{Count: func(c int) { counts <- c }, Reply: func(v workers.View) { views <- v }})
	count, err := await(ctx, n, counts)
	all := []api.WorkerView{}
	for range count {
		var v workers.View
		if v, err = await(ctx, n, views); err != nil {
			return nil, err
		}
		if v.Worker.Incarnation != "" { // else it is not stored yet, or no more
			all = append(all, api.WorkerView{Worker: v.Worker, Running: v.Running, LastHeard: v.LastHeard})
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all, err
}

// Actors implements api.Engine. It answers also when the inspector does not.
func (n *Node) Actors() []messages.ActorView {
	answers := make(chan []messages.ActorView, 1)
	n.tree.Tell(n.tree.Inspector, &inspector.List{Reply: func(v []messages.ActorView) { answers <- v }})
	wait := time.NewTimer(detailWait)
	defer wait.Stop()
	select {
	case v := <-answers:
		return v
	case <-wait.C:
		return n.tree.Census().List(n.parts.Clock.Now())
	}
}

// Actor implements api.Engine.
func (n *Node) Actor(ctx context.Context, path string) (messages.ActorDetail, error) {
	ctx, cancel := context.WithTimeout(ctx, detailWait)
	defer cancel()
	return n.tree.Census().Find(ctx, path, n.parts.Clock.Now())
}

// Ready implements api.Engine.
func (n *Node) Ready() error {
	select {
	case <-n.fatal:
		return &attune.Error{Kind: attune.Unavailable, Code: "node_failed", Message: "the node is ending: " + n.reason}
	default:
	}
	switch {
	case n.tree.Draining():
		return &attune.Error{Kind: attune.Unavailable, Code: "draining", Message: "the node is draining and takes no more work", Try: "another node, or after its restart"}
	case n.owned.Epoch(0) == 0 && n.owned.pick() < 0:
		return errStarting
	}
	return nil
}

// Node implements api.Engine.
func (n *Node) Node() api.NodeView {
	return api.NodeView{Name: n.config.Name, Incarnation: n.config.Incarnation, Version: n.config.Version, Started: n.started, Data: n.config.Data}
}
