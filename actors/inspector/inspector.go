// Package inspector is the actor that answers questions about the tree.
package inspector

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
)

// Inspector lists the living. It reads the live index, which the mailboxes
// feed, and so sees an actor that is stuck.
type Inspector struct{ tree *actors.Tree }

// New is a node's inspector.
func New(tree *actors.Tree) *Inspector { return &Inspector{tree: tree} }

// List asks for all actors; Reply must not block.
type List struct{ Reply func([]messages.ActorView) }

// Kind implements actors.Actor.
func (i *Inspector) Kind() string { return "inspector" }

// State implements actors.Actor.
func (i *Inspector) State() string { return "open" }

// Detail implements actors.Actor.
func (i *Inspector) Detail() any {
	return map[string]any{"actors": i.tree.Census().Kinds(), "panics": i.tree.Panics()}
}

// Receive implements actor.Actor.
func (i *Inspector) Receive(ctx actor.Context) {
	if m, ok := ctx.Message().(*List); ok {
		m.Reply(i.tree.Census().List(i.tree.Clock.Now()))
	}
}
