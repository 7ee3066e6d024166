package node

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/actors/broker"
	"github.com/attune-automation/attune/actors/execution"
	"github.com/attune-automation/attune/actors/inspector"
	"github.com/attune-automation/attune/actors/intake"
	"github.com/attune-automation/attune/actors/lease"
	"github.com/attune-automation/attune/actors/output"
	"github.com/attune-automation/attune/actors/partitions"
	"github.com/attune-automation/attune/actors/retention"
	"github.com/attune-automation/attune/actors/rules"
	"github.com/attune-automation/attune/actors/scheduler"
	"github.com/attune-automation/attune/actors/workers"
	"github.com/attune-automation/attune/actors/writer"
)

// root is the top of the tree: it starts the others in order and ends the node
// when one of them cannot be kept alive.
type root struct {
	actors.Supervisor
	node *Node
}

// mustEnd are the actors whose failure ends the node at once: their waiters
// would hang for ever.
var mustEnd = map[string]bool{"node/writer": true, "node/lease": true}

func newRoot(n *Node) *root {
	r := &root{node: n}
	r.Supervisor = actors.Supervisor{Clock: n.parts.Clock, Limit: 5, Within: time.Minute, GaveUp: func(child *actor.PID, reason any) {
		n.tree.Fatal(fmt.Sprintf("%s failed 5 times within 60 s: %v", child.Id, reason))
	}}
	return r
}

// HandleFailure implements actor.SupervisorStrategy.
func (r *root) HandleFailure(s *actor.ActorSystem, parent actor.Supervisor, child *actor.PID, stats *actor.RestartStatistics, reason, message any) {
	if mustEnd[child.Id] {
		r.node.tree.Fatal(fmt.Sprintf("%s failed: %v", child.Id, reason))
		return
	}
	r.Supervisor.HandleFailure(s, parent, child, stats, reason, message)
}

// Kind implements actors.Actor.
func (r *root) Kind() string { return "node" }

// State implements actors.Actor.
func (r *root) State() string {
	if r.node.tree.Draining() {
		return "draining"
	}
	return "open"
}

// Detail implements actors.Actor.
func (r *root) Detail() any {
	return map[string]any{"incarnation": r.node.tree.Incarnation, "admissions": len(r.node.window)}
}

// Receive implements actor.Actor.
func (r *root) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*actor.Started); !ok {
		return
	}
	n, t := r.node, r.node.tree
	shared := &execution.Node{Tree: t, Definition: n.actions.find, Content: n.packContent, Changed: n.watchers.changed, Ended: n.executionEnded,
		Traceparent: n.traceparent, Secret: n.secret, Epoch: n.owned.Epoch}
	executions := partitions.Executions{
		Props:    t.Props(func() actors.Actor { return execution.New(shared) }),
		Panicked: func(reason string) any { return &execution.Panicked{Reason: reason} },
		Prepare:  n.actions.fetch,
		Place:    execution.PlaceOf,
		Warm:     n.config.Warm,
	}
	for _, child := range []struct {
		name    string
		produce func() actors.Actor
	}{
		{"lease", func() actors.Actor { return lease.New(t, n.parts.Store, n.renewed) }},
		{"writer", func() actors.Actor { return writer.New(t, n.toldStore()) }},
		{"inspector", func() actors.Actor { return inspector.New(t) }},
		{"broker", func() actors.Actor { return broker.New(t, n.desk) }},
		{"intake", func() actors.Actor { return intake.New(t, n.parts.Inbox, n.takeMessage) }},
		{"output", func() actors.Actor { return output.New(t, n.parts.Store, n.watchers.changed) }},
		{"workers", func() actors.Actor { return workers.New(t, n.parts.Store, n.desk) }},
		{"scheduler", func() actors.Actor { return scheduler.New(t) }},
		{"rules", func() actors.Actor { return rules.New(t, &n.rules, n.judgeAt, n.owned.pick) }},
		{"retention", func() actors.Actor {
			return retention.New(t, n.parts.Store, n.config.Keep, n.currentDefinitions, &n.asked, &n.kept)
		}},
		{"partitions", func() actors.Actor { return partitions.New(t, n.parts.Store, executions, &n.owned) }},
	} {
		if _, err := ctx.SpawnNamed(t.Props(child.produce), child.name); err != nil {
			panic(err) // the names are ours alone
		}
	}
}
