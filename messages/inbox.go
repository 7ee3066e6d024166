package messages

import "context"

// Queue is a queue of messages from outside: a quorum queue, which outlives the
// broker's server.
type Queue string

// The queues of messages from outside.
const (
	// EventQueue holds event.created.
	EventQueue Queue = "attune.events"
	// RequestQueue holds enforcement.created, execution.requested and
	// execution.cancel.requested.
	RequestQueue Queue = "attune.requests"
	// DeadQueue holds what was set aside, until somebody replays or drops it.
	DeadQueue Queue = "attune.dead"
)

// DeliveryLimit is how often a message comes again at most, before the broker's
// server itself puts it with the dead letters: the last fence. Dead letters
// themselves come again as often as they are returned.
const DeliveryLimit = 20

// Binding is how messages get into a queue.
type Binding struct {
	Exchange Exchange
	// Keys are AMQP patterns.
	Keys []string
}

// Queues are the queues of messages from outside, with what is bound to them:
// one table for all transports.
var Queues = map[Queue]Binding{
	EventQueue:   {Events, []string{"event.created"}},
	RequestQueue: {Executions, []string{"enforcement.created", "execution.requested", "execution.cancel.requested"}},
	DeadQueue:    {Dead, []string{"#"}},
}

// Inbox takes what clients outside publish. A [Broker] that outside clients can
// reach is one, too. A message stays in its queue until it is settled.
type Inbox interface {
	// Consume calls take for every message of the queue, one at a time, until
	// the subscription ends; take must not block: it hands over. At most
	// prefetch deliveries are unsettled at a time. What is unsettled when the
	// connection or the subscription ends comes again.
	Consume(queue Queue, prefetch int, take func(*Delivery)) (Subscription, error)
	// Publish hands a message to the broker's server and returns when that has
	// confirmed it and routed it to a queue; [ErrUnroutable] where no queue is
	// bound.
	Publish(ctx context.Context, exchange Exchange, key string, m Outside) error
}

// Outside is a message in the form in which it crosses the border: as bytes,
// with the properties of AMQP that count.
type Outside struct {
	// ID is the property message_id, may be empty.
	ID string
	// ContentType is the property; empty means application/json.
	ContentType string
	// Headers are texts; others are dropped at the border.
	Headers map[string]string
	Body    []byte
}

// Delivery is one delivery of a message. Either Ack or Return is called, once,
// from anywhere; neither blocks. What is called after the connection was lost
// does nothing: the message comes again.
type Delivery struct {
	Outside
	// Exchange and Key are where it was published.
	Exchange Exchange
	Key      string
	// Deliveries is how often it was delivered, this time included, as far as
	// the broker's server counts: from 1.
	Deliveries int
	// Ack takes it off the queue: what it asked for is stored.
	Ack func()
	// Return puts it back, to be delivered again.
	Return func()
}
