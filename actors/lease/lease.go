// Package lease is the actor that keeps the node's lease alive. A node that
// cannot renew stops before its lease ends.
package lease

import (
	"context"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/cluster"
	"github.com/attune-automation/attune/persistence"
)

// Lease renews each second. Each success lets the node act for the life of the
// lease less the margin, counted from when the renewal was sent
// ([actors.Tree.Hold]); after that the node pauses, until a renewal succeeds. A
// dead lease ends the node, which starts over under a new incarnation.
type Lease struct {
	tree    *actors.Tree
	store   persistence.Leases
	renewed func(sent time.Time, database time.Time)
	last    time.Time // when the last successful renewal was sent
	failing bool
}

// New is a node's lease actor. renewed is told of every success: when it was
// sent, by the node's clock, and the database time it brought.
func New(tree *actors.Tree, store persistence.Leases, renewed func(sent, database time.Time)) *Lease {
	return &Lease{tree: tree, store: store, renewed: renewed}
}

// Kind implements actors.Actor.
func (l *Lease) Kind() string { return "lease" }

// State implements actors.Actor.
func (l *Lease) State() string {
	switch {
	case !l.tree.Holds():
		return "expired"
	case l.failing:
		return "failing"
	}
	return "held"
}

// Detail implements actors.Actor.
func (l *Lease) Detail() any { return map[string]any{"last_renewal": l.last} }

type (
	renew   struct{}
	renewed struct {
		sent, database time.Time
		mono           time.Duration // of sent
		err            error
	}
)

// Receive implements actor.Actor.
func (l *Lease) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		l.last = l.tree.Clock.Now()
		l.renew()
	case *renew:
		l.renew()
	case *renewed:
		l.settle(m)
	}
}

func (l *Lease) renew() {
	tree, store := l.tree, l.store
	sent, mono := tree.Clock.Now(), tree.Mono()
	tree.Lend(func() {
		database, err := store.Renew(context.Background(), tree.Incarnation, cluster.LeaseTTL)
		tree.Tell(tree.Lease, &renewed{sent, database, mono, err})
	})
}

func (l *Lease) settle(m *renewed) {
	switch {
	case attune.KindOf(m.err) == attune.Fenced && m.err != nil:
		l.tree.Fatal("the lease of this node is dead: another owns its partitions")
		return
	case m.err != nil:
		if !l.failing {
			l.tree.Log.Error("renewing the lease failed, trying again", slog.String("error", m.err.Error()))
		}
		l.failing = true
	default:
		l.last, l.failing = m.sent, false
		l.tree.Hold(m.mono + cluster.LeaseTTL - cluster.LeaseMargin)
		l.renewed(m.sent, m.database)
	}
	l.tree.Clock.AfterFunc(cluster.LeaseRenew, func() { l.tree.Tell(l.tree.Lease, &renew{}) })
}
