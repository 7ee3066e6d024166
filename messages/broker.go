package messages

import (
	"context"
	"errors"
)

// Broker carries messages between processes. Implementations stand one folder
// below. It is a fast hint, never the truth.
type Broker interface {
	// Send hands a message over. It does not block for the network and keeps
	// no promise: nil means that the message was taken, not that it arrives. A
	// key that nobody is bound to is [ErrUnroutable] where the broker can
	// tell. m must not be changed afterwards.
	Send(exchange Exchange, key string, m any) error
	// Subscribe calls deliver for every message with that key, one at a time,
	// in the order of arrival, until the subscription ends. deliver must not
	// block for long: it hands over. An empty key takes everything of a
	// fan-out exchange; a topic exchange takes AMQP patterns (* one word, #
	// any number).
	Subscribe(exchange Exchange, key string, deliver func(m any)) (Subscription, error)
	// Sync returns nil when the broker has proven that it took everything sent
	// before. After [ErrLost], which is said once, whoever must not lose what
	// it sent to a topic exchange sends it again; any other error says nothing,
	// and is for later.
	Sync(ctx context.Context) error
	// Close ends all subscriptions and waits until no deliver is under way.
	Close() error
}

// Linked is what a [Broker] also is whose server may be away.
type Linked interface {
	// Up reports whether the connection stands now. What is sent while it does
	// not is lost; subscriptions come back by themselves.
	Up() bool
}

// Subscription is one binding of [Broker.Subscribe].
type Subscription interface {
	// Stop ends it and does not wait: it may be called twice, and from within
	// deliver. A call of deliver that is under way, or about to be, still
	// runs; no other follows. [Broker.Close] waits.
	Stop()
}

// Exchange is where messages are sent to.
type Exchange string

// The exchanges. Their kinds are those of AMQP.
const (
	// Executions (topic) carries announcements to whoever binds:
	// execution.completed and execution.status.<status>.
	Executions Exchange = "attune.executions"
	// ToWorkers (direct, by worker name) carries bundles from nodes to one
	// worker.
	ToWorkers Exchange = "attune.workers"
	// Reports (direct, by node incarnation) carries bundles from workers to
	// the node that dispatched.
	Reports Exchange = "attune.reports"
	// Heartbeats (fan-out) carries bundles from workers to all nodes.
	Heartbeats Exchange = "attune.heartbeats"
	// Events (topic) carries what anybody outside publishes under event.created.
	Events Exchange = "attune.events"
	// Dead (topic, under the original key) carries messages that nobody could
	// handle, with the reason.
	Dead Exchange = "attune.dead"
)

// ExchangeKind is how an exchange chooses who gets a message.
type ExchangeKind uint8

// The kinds of exchanges.
const (
	Direct ExchangeKind = iota
	FanOut
	Topic
)

// Topology is every exchange with its kind: one table for all transports.
var Topology = map[Exchange]ExchangeKind{Executions: Topic, ToWorkers: Direct, Reports: Direct, Heartbeats: FanOut, Events: Topic, Dead: Topic}

// ErrUnroutable means that nobody is bound to the key.
var ErrUnroutable = errors.New("nobody is bound to this key")

// Bundle is what travels between our own processes: up to [MaxBundle] items
// that happened to be pending. It is acknowledged on receipt.
type Bundle struct {
	// From is the sender's incarnation.
	From string
	// Items are messages of the worker protocol (protocol.go), by value.
	Items []any
}

// MaxBundle is the most items in a bundle.
const MaxBundle = 50

// ErrLost is the answer of [Broker.Sync] when something was sent that did not
// arrive.
var ErrLost = errors.New("something that was sent before is lost")
