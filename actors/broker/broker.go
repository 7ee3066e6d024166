// Package broker is the actor between a node and its message broker: it sends
// to workers in bundles of whatever is pending, publishes announcements, and
// hands what workers say to the actors it is meant for.
package broker

import (
	"log/slog"
	"sort"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
)

// Broker is the actor. What it cannot send it drops: whoever needs an answer
// sends again.
type Broker struct {
	tree      *actors.Tree
	transport messages.Broker
	joining   *actors.Joining // the subscriptions, which stand when joined
	joined    bool
	pending   map[string]*pending
	order     []string // workers with something pending, in order
	sending   bool     // a send message is on its way to ourselves
	// asked want the proof that follows; proving are answered by the one that is
	// under way, nil if none is.
	asked, proving []*messages.SyncBroker
	lossSaid       bool // in the log, since the last proof
	sent, lost     int64
}

// bundleBytes is about how much a bundle carries, unless a single item is larger:
// what is over a server's bound takes the connection down, with all that waits.
const bundleBytes = 1 << 20

// pending is what waits for one worker.
type pending struct {
	messages.Bundle
	bytes int
}

// subscribeRetry is how long after a failed subscription the next is tried.
const subscribeRetry = time.Second

// syncWait bounds one proof: a broker that keeps it waiting longer has proven
// nothing.
const syncWait = 10 * time.Second

// New is a node's broker actor.
func New(tree *actors.Tree, transport messages.Broker) *Broker {
	return &Broker{tree: tree, transport: transport, pending: map[string]*pending{}}
}

// Kind implements actors.Actor.
func (b *Broker) Kind() string { return "broker" }

// State implements actors.Actor.
func (b *Broker) State() string {
	if !b.joined {
		return "connecting"
	}
	if link, ok := b.transport.(messages.Linked); ok && !link.Up() {
		return "away"
	}
	return "connected"
}

// Detail implements actors.Actor.
func (b *Broker) Detail() any {
	return map[string]any{"bundles_sent": b.sent, "bundles_lost": b.lost, "pending_workers": len(b.order)}
}

type (
	send      struct{}
	subscribe struct{}
	// proved is what a proof came to.
	proved struct {
		by  *Broker
		err error
	}
)

// Receive implements actor.Actor.
func (b *Broker) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		b.tree.Tell(b.tree.Partitions, &actors.BrokerStarted{})
		b.subscribe()
	case *subscribe:
		b.subscribe()
	case *actors.Joined:
		b.join(m)
	case *actor.Stopping, *actor.Restarting:
		b.unsubscribe()
	case *messages.ToWorker:
		b.add(m)
	case *send:
		b.send()
	case *messages.Announce:
		b.announce(m.End)
	case *messages.AnnounceStatus:
		b.announceStatus(m.Status)
	case *messages.SyncBroker:
		b.asked = append(b.asked, m)
		b.prove()
	case *proved:
		b.proved(m)
	}
}

func (b *Broker) subscribe() {
	if b.joining != nil {
		return // the retry of a life before
	}
	b.joining = b.tree.Join(b.tree.Broker,
		func() (messages.Subscription, error) {
			return b.transport.Subscribe(messages.Reports, b.tree.Incarnation, b.deliver)
		},
		func() (messages.Subscription, error) {
			return b.transport.Subscribe(messages.Heartbeats, "", b.deliver)
		})
}

func (b *Broker) join(m *actors.Joined) {
	if m.Joining != b.joining {
		return
	}
	if b.joined = m.Err == nil; b.joined {
		return
	}
	b.joining = nil
	b.tree.Log.Error("subscribing failed, trying again", slog.String("error", m.Err.Error()))
	b.tree.Clock.AfterFunc(subscribeRetry, func() { b.tree.Tell(b.tree.Broker, &subscribe{}) })
}

func (b *Broker) unsubscribe() {
	if b.joining != nil {
		b.joining.Stop()
	}
	b.joining, b.joined = nil, false
}

// deliver hands the items of a bundle to their actors. It runs on the
// transport's turn.
func (b *Broker) deliver(m any) {
	bundle, ok := m.(messages.Bundle)
	if !ok {
		return
	}
	for _, item := range bundle.Items {
		switch item := item.(type) {
		case messages.Report:
			if id := item.Token.Execution.Partition(); id < attune.Partitions {
				b.tree.Tell(b.tree.Partition(id), &item)
			}
		case messages.Output:
			b.tree.Tell(b.tree.Output, &item)
		case messages.Registered:
			b.tree.Tell(b.tree.Workers, &item)
		case messages.Heartbeat:
			b.tree.Tell(b.tree.Workers, &item)
		case messages.Draining:
			b.tree.Tell(b.tree.Workers, &item)
		}
	}
}

// add puts an item with whatever else is pending for its worker. The send that
// follows stands behind all messages that are in the mailbox now: so a bundle
// holds what happened to be there, and nothing waits for more.
func (b *Broker) add(m *messages.ToWorker) {
	p := b.pending[m.Worker]
	if p == nil {
		p = &pending{Bundle: messages.Bundle{From: b.tree.Incarnation}}
		b.pending[m.Worker] = p
		b.order = append(b.order, m.Worker)
	}
	size := 0
	if d, ok := m.Item.(messages.Dispatch); ok {
		size = len(d.Parameters)
	}
	if len(p.Items) == messages.MaxBundle || len(p.Items) > 0 && p.bytes+size > bundleBytes {
		b.dispatch(m.Worker, &p.Bundle)
		p.Bundle, p.bytes = messages.Bundle{From: b.tree.Incarnation}, 0
	}
	p.Items = append(p.Items, m.Item)
	p.bytes += size
	if !b.sending {
		b.sending = true
		b.tree.Tell(b.tree.Broker, &send{})
	}
}

func (b *Broker) send() {
	b.sending = false
	sort.Strings(b.order)
	for _, worker := range b.order {
		b.dispatch(worker, &b.pending[worker].Bundle)
		delete(b.pending, worker)
	}
	b.order = b.order[:0]
}

// dispatch sends a bundle. A node whose lease may have ended sends nothing:
// another may own what it speaks of.
func (b *Broker) dispatch(worker string, bundle *messages.Bundle) {
	meters := b.tree.Meters
	if !b.tree.Holds() {
		b.lost++
		meters.Bundles.Lost.Add(1)
		return
	}
	b.sent++
	meters.Bundles.Sent.Add(1)
	if err := b.transport.Send(messages.ToWorkers, worker, *bundle); err != nil {
		b.lost++
		meters.Bundles.Lost.Add(1)
		b.tree.Log.Debug("bundle lost", slog.String("worker", worker), slog.String("error", err.Error()))
	}
}
