package rabbitmq

import (
	"context"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Broker implements [messages.Broker], [messages.Linked] and [messages.Inbox] on
// a RabbitMQ server. It is safe for concurrent use.
type Broker struct {
	config    Config
	stats     counters
	arrivals  arrivals // the connection that consumers use
	main      *sender
	bulk      *sender // output, on a connection of its own
	probes    probes
	bell      bell // rung when a connection comes or goes
	confirmed confirmed

	links     sync.WaitGroup
	consumers sync.WaitGroup
	// A context each, as they end in this order.
	subscriptions context.Context
	endConsumers  context.CancelFunc
	connections   context.Context
	endLinks      context.CancelFunc

	mu      sync.Mutex
	closed  bool
	bulking bool                   // the link of bulk is started
	own     map[*consumer]*bundles // to be probed
}

// Open returns at once, also when the server is away: it is tried for ever. An
// error is a fault of the configuration.
func Open(config Config) (*Broker, error) {
	config = config.withDefaults()
	if err := config.check(); err != nil {
		return nil, err
	}
	b := &Broker{config: config, own: map[*consumer]*bundles{}}
	b.confirmed.turn = make(chan struct{}, 1)
	b.subscriptions, b.endConsumers = context.WithCancel(context.Background())
	b.connections, b.endLinks = context.WithCancel(context.Background())
	b.main, b.bulk = newSender(b), newSender(b)
	b.link(&link{name: "in", serve: func(ctx context.Context, conn *amqp.Connection, _ *socket) error {
		b.arrivals.set(conn)
		b.changed()
		<-ctx.Done()
		b.arrivals.set(nil)
		b.changed()
		return nil
	}})
	b.link(&link{name: "out", serve: b.main.serve, block: b.main.block})
	if config.Prove {
		b.links.Go(func() { b.keepProving(b.connections) })
	}
	return b, nil
}

func (b *Broker) link(l *link) {
	l.broker = b
	b.links.Go(func() { l.keep(b.connections) })
}

var errClosed = attune.NewError(attune.Unavailable, "broker_closed", "the broker is closed")

// Send encodes a message and hands it to the sender. It does not wait for the
// network. [attune.Unavailable] means that there is no connection,
// [attune.TooMuch] that too much waits already; m is lost then, as it would be
// later.
func (b *Broker) Send(exchange messages.Exchange, key string, m any) error {
	if _, ok := messages.Topology[exchange]; !ok {
		return attune.NewError(attune.Invalid, "unknown_exchange", string(exchange)+" is not an exchange")
	}
	o := outgoing{exchange: exchange, key: key, sent: b.config.Clock.Now()}
	if outside, ok := m.(messages.Outside); ok {
		o.Outside = outside
	} else {
		var err error
		if o.ContentType, o.Body, err = messages.Encode(m); err != nil {
			return err
		}
	}
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		return errClosed
	}
	if isOutput(m) && b.bulkUp() {
		return b.bulk.put(o)
	}
	return b.main.put(o)
}

// isOutput reports that a message carries output, which may be much: it has a
// connection of its own, so that reports do not stand behind it.
func isOutput(m any) bool {
	bundle, ok := m.(messages.Bundle)
	if !ok {
		return false
	}
	for _, item := range bundle.Items {
		if _, ok := item.(messages.Output); ok {
			return true
		}
	}
	return false
}

// bulkUp reports that the connection for output stands; the first call begins
// it.
func (b *Broker) bulkUp() bool {
	b.mu.Lock()
	if !b.bulking && !b.closed {
		b.bulking = true
		b.link(&link{name: "output", serve: b.bulk.serve, block: b.bulk.block})
	}
	b.mu.Unlock()
	return b.bulk.up()
}

// Subscribe begins a subscription with a queue of its own, which comes back
// after every fault. Without a connection it returns at once; else it waits up
// to 2 s for the server.
func (b *Broker) Subscribe(exchange messages.Exchange, key string, deliver func(m any)) (messages.Subscription, error) {
	if _, ok := messages.Topology[exchange]; !ok {
		return nil, attune.NewError(attune.Invalid, "unknown_exchange", string(exchange)+" is not an exchange")
	}
	s := b.subscribe(exchange, key, deliver)
	if err := b.begin(s.consumer); err != nil {
		return nil, err
	}
	return s, nil
}

// Sync returns when the server has routed all that was sent before. Without a
// connection it fails at once.
func (b *Broker) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	closed, bulking := b.closed, b.bulking
	b.mu.Unlock()
	if closed {
		return errClosed
	}
	if bulking && b.bulk.up() {
		if err := b.bulk.prove(ctx); err != nil {
			return err
		}
	}
	return b.main.prove(ctx)
}

// Up reports whether both connections stand and the server takes messages.
func (b *Broker) Up() bool { return b.arrivals.up() && b.main.up() }

// Close ends all subscriptions, waits until no deliver is under way, and writes
// what was sent before. A server that does not answer delays it by a few seconds
// at most. It may be called twice, but not from within deliver.
func (b *Broker) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.endConsumers()
	hurry := time.AfterFunc(closeTime, b.endLinks)
	b.consumers.Wait()
	hurry.Stop()
	b.endLinks()
	b.links.Wait()
	return nil
}

// arrivals is the connection that consumers use, nil while there is none.
type arrivals struct {
	bell bell
	mu   sync.Mutex
	conn *amqp.Connection
}

func (a *arrivals) set(conn *amqp.Connection) {
	a.mu.Lock()
	a.conn = conn
	a.mu.Unlock()
	a.bell.ring()
}

func (a *arrivals) up() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conn != nil
}

// wait is the connection that stands, or nil when ctx is done.
func (a *arrivals) wait(ctx context.Context) *amqp.Connection {
	for ctx.Err() == nil {
		changed := a.bell.heard()
		a.mu.Lock()
		conn := a.conn
		a.mu.Unlock()
		if conn != nil && !conn.IsClosed() {
			return conn
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	return nil
}
