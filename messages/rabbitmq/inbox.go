package rabbitmq

import (
	"context"
	"errors"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// unlimited is for the dead letters, which have nowhere to go: newer servers
// have a limit by default.
const unlimited = 1 << 30

// outsideQueue are the properties of a queue of messages from outside.
func outsideQueue(queue messages.Queue) amqp.Table {
	if queue == messages.DeadQueue {
		return amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": unlimited}
	}
	return amqp.Table{
		"x-queue-type": "quorum", "x-delivery-limit": messages.DeliveryLimit,
		"x-dead-letter-exchange": string(messages.Dead), "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
	}
}

// declareQueue makes a queue of messages from outside with its bindings, or
// finds it as it should be.
func declareQueue(ch *amqp.Channel, queue messages.Queue) error {
	binding := messages.Queues[queue]
	if err := declareExchange(ch, binding.Exchange); err != nil {
		return err
	}
	if _, err := ch.QueueDeclare(string(queue), true, false, false, false, outsideQueue(queue)); err != nil {
		return err
	}
	for _, key := range binding.Keys {
		if err := ch.QueueBind(string(queue), key, string(binding.Exchange), false, nil); err != nil {
			return err
		}
	}
	return nil
}

// Consume implements [messages.Inbox]. Like Subscribe it waits up to 2 s for the
// server, if there is a connection.
func (b *Broker) Consume(queue messages.Queue, prefetch int, take func(*messages.Delivery)) (messages.Subscription, error) {
	if _, ok := messages.Queues[queue]; !ok {
		return nil, attune.NewError(attune.Invalid, "unknown_queue", string(queue)+" is not a queue")
	}
	if prefetch < 1 || prefetch > 1<<16-1 {
		return nil, attune.NewError(attune.Invalid, "invalid_prefetch", "a prefetch is from 1 to 65535")
	}
	s := &outside{queue: queue, prefetch: prefetch, deliver: take}
	s.consumer = &consumer{name: string(queue), attach: s.attach, take: s.take}
	if err := b.begin(s.consumer); err != nil {
		return nil, err
	}
	return s, nil
}

// outside is a subscription of [Broker.Consume].
type outside struct {
	*consumer
	queue    messages.Queue
	prefetch int
	deliver  func(*messages.Delivery)
}

func (s *outside) attach(ch *amqp.Channel) (<-chan amqp.Delivery, error) {
	if err := declareQueue(ch, s.queue); err != nil {
		return nil, err
	}
	if err := ch.Qos(s.prefetch, 0, false); err != nil {
		return nil, err
	}
	return ch.Consume(string(s.queue), "", false, false, false, false, nil)
}

// settlement is what became of a delivery.
type settlement struct {
	tag   uint64
	again bool
}

// take delivers, and passes on what becomes of deliveries. Whoever settles does
// not wait: there is room for as many as can be unsettled.
func (s *outside) take(ch *amqp.Channel, stream <-chan amqp.Delivery) error {
	settled := make(chan settlement, s.prefetch)
	for {
		var err error
		select {
		case <-s.ctx.Done(): // what was settled before the stop is
			for len(settled) > 0 && err == nil {
				err = (<-settled).tell(ch)
			}
			return errors.Join(s.ctx.Err(), err)
		case x := <-settled:
			err = x.tell(ch)
		case d, ok := <-stream:
			switch {
			case !ok:
				return errStreamEnded
			case s.ctx.Err() != nil: // it comes again
			case d.ContentType == probeType:
				err = ch.Ack(d.DeliveryTag, false)
			default:
				s.broker.stats.delivered.Add(1)
				s.deliver(delivery(&d, settled))
			}
		}
		if err != nil {
			return err
		}
	}
}

// tell tells the server.
func (x settlement) tell(ch *amqp.Channel) error {
	if x.again {
		return ch.Nack(x.tag, false, true)
	}
	return ch.Ack(x.tag, false)
}

// delivery is a delivery as its receiver knows it.
func delivery(d *amqp.Delivery, settled chan<- settlement) *messages.Delivery {
	out := &messages.Delivery{
		Outside:  messages.Outside{ID: d.MessageId, ContentType: d.ContentType, Body: d.Body},
		Exchange: messages.Exchange(d.Exchange), Key: d.RoutingKey, Deliveries: 1,
	}
	switch before := d.Headers["x-delivery-count"].(type) {
	case int64:
		out.Deliveries = int(min(max(before, 0), unlimited)) + 1
	case int32:
		out.Deliveries = int(min(max(before, 0), unlimited)) + 1
	default:
		if d.Redelivered {
			out.Deliveries = 2
		}
	}
	for key, value := range d.Headers {
		if text, ok := value.(string); ok {
			if out.Headers == nil {
				out.Headers = map[string]string{}
			}
			out.Headers[key] = text
		}
	}
	var once atomic.Bool
	settle := func(again bool) func() {
		return func() {
			if once.CompareAndSwap(false, true) {
				settled <- settlement{d.DeliveryTag, again}
			}
		}
	}
	out.Ack, out.Return = settle(false), settle(true)
	return out
}

// Publish implements [messages.Inbox]. An error other than
// [messages.ErrUnroutable] leaves open whether the server has the message. One
// is published at a time.
func (b *Broker) Publish(ctx context.Context, exchange messages.Exchange, key string, m messages.Outside) error {
	if _, ok := messages.Topology[exchange]; !ok {
		return attune.NewError(attune.Invalid, "unknown_exchange", string(exchange)+" is not an exchange")
	}
	p := publishing(&m, amqp.Persistent)
	err := b.confirmed.publish(ctx, b, exchange, key, &p)
	if errors.Is(err, messages.ErrUnroutable) { // the queue may have been deleted
		for queue, binding := range messages.Queues {
			if binding.Exchange != exchange {
				continue
			}
			if derr := b.confirmed.declare(ctx, b, queue); derr != nil {
				return derr
			}
		}
		err = b.confirmed.publish(ctx, b, exchange, key, &p)
	}
	return err
}

// confirmed publishes on a channel of its own and waits for the server's word.
type confirmed struct {
	turn    chan struct{} // of one: who holds what is below
	conn    *amqp.Connection
	ch      *amqp.Channel
	returns chan amqp.Return
}

// take waits for the turn and for an open channel; leave must follow where there
// is no error.
func (c *confirmed) take(ctx context.Context, b *Broker) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-b.connections.Done():
		return errClosed
	}
	conn := b.main.connection()
	if conn == nil {
		c.leave()
		return errAway
	}
	if c.conn == conn && c.ch != nil && !c.ch.IsClosed() {
		return nil
	}
	ch, err := conn.Channel()
	if err == nil {
		if err = ch.Confirm(false); err == nil {
			c.conn, c.ch, c.returns = conn, ch, ch.NotifyReturn(make(chan amqp.Return, 1))
			return nil
		}
	}
	c.leave()
	return away(err)
}

func (c *confirmed) leave() { <-c.turn }

// away is an error of the connection.
func away(err error) error {
	return &attune.Error{Kind: attune.Unavailable, Code: "broker_away", Message: "the broker did not confirm", Cause: err}
}

func (c *confirmed) publish(ctx context.Context, b *Broker, exchange messages.Exchange, key string, p *amqp.Publishing) error {
	if err := c.take(ctx, b); err != nil {
		return err
	}
	defer c.leave()
	wait, err := c.ch.PublishWithDeferredConfirm(string(exchange), key, true, false, *p)
	if err != nil {
		return away(err)
	}
	acked, err := wait.WaitContext(ctx)
	switch {
	case err != nil: // its answer may come yet: not to the next one
		b.giveUp(c.ch)
		c.ch = nil
		return err
	case !acked:
		return away(errors.New("refused, or the connection was lost"))
	}
	b.stats.published.Add(1)
	select {
	case _, returned := <-c.returns: // comes before the confirmation
		if returned {
			b.stats.returned.Add(1)
			return messages.ErrUnroutable
		}
	default:
	}
	return nil
}

// declare makes a queue with its bindings.
func (c *confirmed) declare(ctx context.Context, b *Broker, queue messages.Queue) error {
	if err := c.take(ctx, b); err != nil {
		return err
	}
	defer c.leave()
	if err := declareQueue(c.ch, queue); err != nil {
		return away(err)
	}
	return nil
}

// giveUp closes a channel without waiting for it.
func (b *Broker) giveUp(ch *amqp.Channel) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.links.Go(func() { _ = ch.Close() })
	}
}
