package rabbitmq

import (
	"context"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// outgoing is a message on its way to the server.
type outgoing struct {
	exchange messages.Exchange
	key      string
	sent     time.Time
	messages.Outside
}

// sender is what waits to be written to one connection, and the goroutine that
// writes it. While there is no connection, or the server takes nothing, it
// refuses: what would wait is said again anyway, and would be old.
type sender struct {
	broker *Broker
	wake   chan struct{} // of one

	mu       sync.Mutex
	conn     *amqp.Connection // that stands, or nil
	blocked  bool
	queue    []outgoing
	spare    []outgoing // the batch before, emptied
	bytes    int
	waiters  []chan error // who waits for a proof
	unproven bool         // something was written since the last proof
	lost     bool         // something was lost since the last proof
}

func newSender(b *Broker) *sender { return &sender{broker: b, wake: make(chan struct{}, 1)} }

var (
	errAway = attune.NewError(attune.Unavailable, "broker_away", "there is no connection to the broker")
	errFull = attune.NewError(attune.TooMuch, "broker_busy", "more is waiting for the broker than may")
)

// put takes a message, or says why not. What must be proven counts as lost when
// it is refused: its sender may not look.
func (s *sender) put(o outgoing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	config := &s.broker.config
	var err error
	switch {
	case s.conn == nil || s.blocked:
		err = errAway
	case len(s.queue) >= config.BufferCount || s.bytes+len(o.Body) > config.BufferBytes && len(s.queue) > 0:
		err = errFull
	}
	if err != nil {
		s.broker.stats.lost.Add(1)
		s.lost = s.lost || proven(o.exchange)
		return err
	}
	s.queue = append(s.queue, o)
	s.bytes += len(o.Body)
	s.wakeUp()
	return nil
}

// proven reports that somebody asks for a proof of what was sent there. What
// goes to workers and nodes is said again until it is answered.
func proven(exchange messages.Exchange) bool { return messages.Topology[exchange] == messages.Topic }

func (s *sender) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// up reports that it takes messages.
func (s *sender) up() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn != nil && !s.blocked
}

// connection is the one that stands, or nil.
func (s *sender) connection() *amqp.Connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

func (s *sender) block(blocked bool) {
	s.mu.Lock()
	was := s.blocked
	s.blocked = blocked
	s.mu.Unlock()
	if was != blocked {
		s.broker.changed()
	}
}

// prove waits until the server has taken all that was put before.
func (s *sender) prove(ctx context.Context) error {
	s.mu.Lock()
	switch {
	case s.conn == nil || s.blocked:
		s.mu.Unlock()
		return errAway
	case s.lost:
		s.lost = false
		s.mu.Unlock()
		return messages.ErrLost
	}
	w := make(chan error, 1)
	s.waiters = append(s.waiters, w)
	s.wakeUp()
	s.mu.Unlock()
	select {
	case err := <-w:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// proofEvery is the least time between two proofs: each is a round trip in which
// nothing else is written, and many ask at once.
const proofEvery = 20 * time.Millisecond

// serve writes to a connection until that is over.
func (s *sender) serve(ctx context.Context, conn *amqp.Connection, socket *socket) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	faults := ch.NotifyClose(make(chan *amqp.Error, 1))
	returns := ch.NotifyReturn(make(chan amqp.Return, 64))
	var counting sync.WaitGroup
	counting.Go(func() {
		for range returns {
			s.broker.stats.returned.Add(1)
		}
	})
	s.stand(conn)
	defer func() {
		s.stand(nil)
		if ctx.Err() == nil {
			socket.Close() // ends the channel, which ends the returns
		}
		counting.Wait()
	}()
	var last time.Time // of a proof
	var asked []chan error
	defer func() { answer(asked, errAway) }()
	for {
		select {
		case <-ctx.Done():
			if s.broker.connections.Err() == nil { // the connection is over
				return nil
			}
			if asked, err = s.write(ch, socket, asked); err == nil {
				err = s.finish(ch, asked)
				asked = nil
			}
			return err
		case fault := <-faults:
			if fault == nil {
				return amqp.ErrClosed
			}
			return fault
		case <-s.wake:
		}
		if asked, err = s.write(ch, socket, asked); err != nil {
			return err
		}
		if len(asked) == 0 {
			continue
		}
		if left := proofEvery - time.Since(last); left > 0 {
			time.AfterFunc(left, s.wakeUp)
			continue
		}
		last = time.Now()
		if err = s.proof(ch); err != nil {
			return err
		}
		answer(asked, s.proved())
		asked = asked[:0]
	}
}

// finish ends in order, when the broker closes: the server has all that was
// written.
func (s *sender) finish(ch *amqp.Channel, asked []chan error) error {
	if len(asked) > 0 {
		if err := s.proof(ch); err != nil {
			answer(asked, errAway)
			return err
		}
		answer(asked, s.proved())
	}
	return ch.Close()
}

// proof is a call that the server answers after it has routed all that was
// published on the channel before.
func (s *sender) proof(ch *amqp.Channel) error {
	err := ch.ExchangeDeclarePassive(string(messages.Executions), kinds[messages.Topic], true, false, false, false, nil)
	if err == nil {
		s.mu.Lock()
		s.unproven = false
		s.mu.Unlock()
	}
	return err
}

// proved is what a proof came to: the server took what was written, but what was
// dropped meanwhile, as too old, was not.
func (s *sender) proved() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.lost {
		return nil
	}
	s.lost = false
	return messages.ErrLost
}

func answer(waiters []chan error, err error) {
	for _, w := range waiters {
		w <- err
	}
}

// write publishes all that waits, and adds those who asked for a proof of it.
func (s *sender) write(ch *amqp.Channel, socket *socket, asked []chan error) ([]chan error, error) {
	s.mu.Lock()
	batch := s.queue
	s.queue, s.spare, s.bytes = s.spare[:0], nil, 0
	asked = append(asked, s.waiters...)
	s.waiters = s.waiters[:0]
	s.unproven = s.unproven || len(batch) > 0
	s.mu.Unlock()
	if len(batch) == 0 {
		return asked, nil
	}
	socket.cork()
	now := s.broker.config.Clock.Now()
	for i := range batch {
		o := &batch[i]
		if now.Sub(o.sent) > queuedAtMost {
			s.lose(1, proven(o.exchange))
			continue
		}
		mandatory := messages.Topology[o.exchange] == messages.Direct // counted when returned
		if err := ch.Publish(string(o.exchange), o.key, mandatory, false, publishing(&o.Outside, amqp.Transient)); err != nil {
			s.lose(len(batch)-i, true)
			return asked, err
		}
		s.broker.stats.published.Add(1)
	}
	if err := socket.uncork(); err != nil {
		return asked, err
	}
	clear(batch)
	s.mu.Lock()
	if cap(batch) <= mostSpare {
		s.spare = batch
	}
	s.mu.Unlock()
	return asked, nil
}

// mostSpare is the longest emptied batch that is kept for use again.
const mostSpare = 4096

func (s *sender) lose(n int, mark bool) {
	s.broker.stats.lost.Add(uint64(n))
	s.mu.Lock()
	s.lost = s.lost || mark
	s.mu.Unlock()
}

// stand notes that there is a connection, or that it is over, with what was not
// written or not proven.
func (s *sender) stand(conn *amqp.Connection) {
	defer s.broker.changed()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
	s.broker.stats.lost.Add(uint64(len(s.queue)))
	s.lost = s.lost || s.unproven || len(s.queue) > 0
	s.queue, s.bytes, s.unproven = nil, 0, false
	answer(s.waiters, errAway)
	s.waiters = nil
}

// publishing is a message as the library wants it.
func publishing(o *messages.Outside, mode uint8) amqp.Publishing {
	p := amqp.Publishing{ContentType: o.ContentType, MessageId: o.ID, DeliveryMode: mode, Body: o.Body}
	if p.ContentType == "" {
		p.ContentType = "application/json"
	}
	if len(o.Headers) > 0 {
		p.Headers = make(amqp.Table, len(o.Headers))
		for k, v := range o.Headers {
			p.Headers[k] = v
		}
	}
	return p
}
