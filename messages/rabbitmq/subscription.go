package rabbitmq

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/attune-automation/attune/messages"
)

// consumer is one subscription: a goroutine that attaches to every connection
// that stands, and takes what it delivers. The end of the deliveries is a fault,
// whatever ended them (the library says nothing of a deleted queue): it attaches
// again.
type consumer struct {
	broker *Broker
	name   string // for the log
	// attach opens the stream on a channel of its own.
	attach func(ch *amqp.Channel) (<-chan amqp.Delivery, error)
	// take handles the stream until it ends or ctx is done, and says why it ended.
	take func(ch *amqp.Channel, stream <-chan amqp.Delivery) error
	// leave cleans up behind a subscription that was stopped. May be nil.
	leave func(ch *amqp.Channel)

	bundles *bundles // that it is of, or nil

	ctx  context.Context
	stop context.CancelFunc

	once  sync.Once
	tried chan struct{} // closed once it has attached, or failed to
}

// Stop implements [messages.Subscription].
func (c *consumer) Stop() { c.stop() }

// begin starts a consumer; while there is a connection it waits for the first
// attachment, so that what is sent afterwards arrives.
func (b *Broker) begin(c *consumer) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return errClosed
	}
	c.broker, c.tried = b, make(chan struct{})
	c.ctx, c.stop = context.WithCancel(b.subscriptions)
	b.consumers.Add(1)
	if c.bundles != nil {
		b.own[c] = c.bundles
	}
	b.mu.Unlock()
	go c.run()
	if !b.arrivals.up() {
		return nil
	}
	patience := time.NewTimer(attachTime)
	defer patience.Stop()
	select {
	case <-c.tried:
	case <-patience.C:
	}
	return nil
}

// attachTime is how long Subscribe waits for the server at most. It comes later
// then.
const attachTime = 2 * time.Second

// run is the goroutine of a consumer.
func (c *consumer) run() {
	defer c.broker.ended(c)
	wait := c.broker.config.LeastWait
	for {
		conn := c.broker.arrivals.wait(c.ctx)
		if conn == nil {
			return
		}
		began := time.Now()
		err := c.consume(conn)
		c.once.Do(func() { close(c.tried) })
		if c.ctx.Err() != nil {
			return
		}
		if !conn.IsClosed() {
			c.broker.config.Log.Warn("broker ended a subscription, subscribing again", slog.String("subscription", c.name), slog.String("error", err.Error()))
		}
		c.broker.stats.resubscribed.Add(1)
		if time.Since(began) > c.broker.config.MostWait {
			wait = c.broker.config.LeastWait
		}
		pause(c.ctx, wait)
		wait = min(2*wait, c.broker.config.MostWait)
	}
}

// ended is called by a consumer's goroutine at its end.
func (b *Broker) ended(c *consumer) {
	c.stop()
	b.mu.Lock()
	delete(b.own, c)
	b.mu.Unlock()
	b.consumers.Done()
}

var errStreamEnded = errors.New("the stream of deliveries ended")

// consume attaches to a connection and returns when the stream is over.
func (c *consumer) consume(conn *amqp.Connection) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	stream, err := c.attach(ch)
	if err != nil {
		return err
	}
	c.once.Do(func() { close(c.tried) })
	if err = c.take(ch, stream); c.ctx.Err() != nil && c.leave != nil {
		c.leave(ch)
	}
	return err
}

// bundles is a subscription of [Broker.Subscribe].
type bundles struct {
	*consumer
	exchange messages.Exchange
	key      string
	queue    string
	deliver  func(m any)
}

func (b *Broker) subscribe(exchange messages.Exchange, key string, deliver func(m any)) *bundles {
	s := &bundles{exchange: exchange, key: key, queue: ownQueueName(exchange, key), deliver: deliver}
	s.consumer = &consumer{name: s.queue, attach: s.attach, take: s.take, leave: s.leave, bundles: s}
	return s
}

func (s *bundles) attach(ch *amqp.Channel) (<-chan amqp.Delivery, error) {
	if err := declareExchange(ch, s.exchange); err != nil {
		return nil, err
	}
	if _, err := ch.QueueDeclare(s.queue, true, false, false, false, ownQueue()); err != nil {
		return nil, err
	}
	if err := ch.QueueBind(s.queue, bindingKey(s.exchange, s.key), string(s.exchange), false, nil); err != nil {
		return nil, err
	}
	if err := ch.Qos(s.broker.config.Backlog, 0, false); err != nil {
		return nil, err
	}
	return ch.Consume(s.queue, "", false, false, false, false, nil)
}

// settleEvery is how long a taken message may stay unacknowledged. Few
// acknowledgements, each for many messages, cost next to nothing.
const settleEvery = 100 * time.Millisecond

// take delivers, and acknowledges what it has delivered: in groups, so what was
// taken just before a connection broke comes again.
func (s *bundles) take(ch *amqp.Channel, stream <-chan amqp.Delivery) error {
	var last uint64 // the last taken
	taken := 0      // since the last acknowledgement
	settle := time.NewTimer(settleEvery)
	defer settle.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return s.ctx.Err()
		case d, ok := <-stream:
			if !ok {
				return errStreamEnded
			}
			if s.ctx.Err() != nil {
				return s.ctx.Err()
			}
			s.hand(&d)
			if taken == 0 {
				settle.Reset(settleEvery)
			}
			if last, taken = d.DeliveryTag, taken+1; taken < max(1, s.broker.config.Backlog/4) {
				continue
			}
		case <-settle.C:
			if taken == 0 {
				continue
			}
		}
		if err := ch.Ack(last, true); err != nil {
			return err
		}
		taken = 0
	}
}

// hand decodes a message and delivers it.
func (s *bundles) hand(d *amqp.Delivery) {
	stats := &s.broker.stats
	if d.ContentType == probeType {
		s.broker.probes.arrived(string(d.Body), s.queue)
		return
	}
	m, err := messages.Decode(d.ContentType, d.Body)
	if err != nil {
		stats.unreadable.Add(1)
		s.broker.config.Log.Debug("unreadable message", slog.String("queue", s.queue), slog.String("error", err.Error()))
		return
	}
	stats.delivered.Add(1)
	s.deliver(m)
}

// leave deletes the queue, which would expire later.
func (s *bundles) leave(ch *amqp.Channel) { _, _ = ch.QueueDelete(s.queue, false, false, true) }
