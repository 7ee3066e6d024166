package memory

import (
	"context"
	"slices"
	"sync"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// box is one queue of messages from outside. It lives as long as the process.
type box struct {
	broker *Broker
	name   messages.Queue

	mu     sync.Mutex
	closed bool
	ready  []*held
	takers []*taker // the one that is next in turn first
}

// held is a message that is not acknowledged.
type held struct {
	messages.Outside
	exchange   messages.Exchange
	key        string
	deliveries int // so far
}

// taker is a subscription of [Broker.Consume] and whoever drains it: its
// goroutine, or one lent step per delivery. The box's lock guards it.
type taker struct {
	box      *box
	prefetch int
	take     func(*messages.Delivery)
	filled   sync.Cond
	assigned []*held // to be delivered
	given    []*held // delivered and not settled
	stepped  bool    // a lent step is under way or to come
	stopped  bool
}

func newBoxes(b *Broker) map[messages.Queue]*box {
	boxes := map[messages.Queue]*box{}
	for name := range messages.Queues {
		boxes[name] = &box{broker: b, name: name}
	}
	return boxes
}

// Publish implements [messages.Inbox]: the queue has the message when it
// returns. A full one takes no more.
func (b *Broker) Publish(ctx context.Context, exchange messages.Exchange, key string, m messages.Outside) error {
	b.mu.RLock()
	_, err := b.route(exchange)
	b.mu.RUnlock()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	if m.ContentType == "" {
		m.ContentType = "application/json"
	}
	reached := false
	for name, binding := range messages.Queues {
		if binding.Exchange != exchange || !slices.ContainsFunc(binding.Keys, func(pattern string) bool { return matches(pattern, key) }) {
			continue
		}
		reached = true
		if err := b.boxes[name].put(&held{Outside: m, exchange: exchange, key: key}); err != nil {
			return err
		}
	}
	if !reached {
		return messages.ErrUnroutable
	}
	return nil
}

// Consume implements [messages.Inbox].
func (b *Broker) Consume(queue messages.Queue, prefetch int, take func(*messages.Delivery)) (messages.Subscription, error) {
	box := b.boxes[queue]
	switch {
	case box == nil:
		return nil, attune.NewError(attune.Invalid, "unknown_queue", string(queue)+" is not a queue")
	case prefetch < 1:
		return nil, attune.NewError(attune.Invalid, "invalid_prefetch", "a prefetch is at least 1")
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	if box.closed {
		return nil, errClosed
	}
	t := &taker{box: box, prefetch: prefetch, take: take}
	t.filled.L = &box.mu
	box.takers = append(box.takers, t)
	if b.config.Lend == nil {
		b.drains.Add(1)
		go t.drain()
	}
	box.assign()
	return t, nil
}

func (x *box) put(h *held) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.closed:
		return errClosed
	case len(x.ready) >= x.broker.config.Capacity:
		return attune.NewError(attune.TooMuch, "queue_full", "the queue "+string(x.name)+" is full")
	}
	x.ready = append(x.ready, h)
	x.assign()
	return nil
}

// assign gives what is ready to the takers with room, in turn.
func (x *box) assign() {
	for len(x.ready) > 0 {
		i := slices.IndexFunc(x.takers, func(t *taker) bool { return len(t.assigned)+len(t.given) < t.prefetch })
		if i < 0 {
			return
		}
		t := x.takers[i]
		x.takers = append(slices.Delete(x.takers, i, i+1), t)
		t.assigned = append(t.assigned, x.ready[0])
		x.ready = slices.Delete(x.ready, 0, 1)
		t.wake()
	}
}

func (t *taker) wake() {
	lend := t.box.broker.config.Lend
	switch {
	case lend == nil:
		t.filled.Signal()
	case !t.stepped:
		t.stepped = true
		lend(t.step)
	}
}

// drain is the goroutine of a taker.
func (t *taker) drain() {
	defer t.box.broker.drains.Done()
	for {
		t.box.mu.Lock()
		for len(t.assigned) == 0 && !t.stopped {
			t.filled.Wait()
		}
		d := t.next()
		t.box.mu.Unlock()
		if d == nil {
			return
		}
		t.take(d)
	}
}

// step delivers one message and asks for the next step.
func (t *taker) step() {
	t.box.mu.Lock()
	d := t.next()
	if d != nil {
		t.box.broker.drains.Add(1)
	}
	t.box.mu.Unlock()
	if d != nil {
		t.take(d)
		t.box.broker.drains.Done()
	}
	t.box.mu.Lock()
	defer t.box.mu.Unlock()
	t.stepped = false
	if len(t.assigned) > 0 {
		t.wake()
	}
}

// next is the delivery of the first that is assigned, nil when there is none.
func (t *taker) next() *messages.Delivery {
	if len(t.assigned) == 0 {
		return nil
	}
	h := t.assigned[0]
	t.assigned = slices.Delete(t.assigned, 0, 1)
	t.given = append(t.given, h)
	h.deliveries++
	number := h.deliveries
	return &messages.Delivery{
		Outside: h.Outside, Exchange: h.exchange, Key: h.key, Deliveries: number,
		Ack:    func() { t.settle(h, number, false) },
		Return: func() { t.settle(h, number, true) },
	}
}

// settle ends a delivery, unless it was ended before.
func (t *taker) settle(h *held, number int, again bool) {
	x := t.box
	x.mu.Lock()
	i := slices.Index(t.given, h)
	if i < 0 || h.deliveries != number {
		x.mu.Unlock()
		return
	}
	t.given = slices.Delete(t.given, i, i+1)
	var dead []*held
	if again {
		dead = x.back(h)
	}
	x.assign()
	x.mu.Unlock()
	x.broker.bury(dead)
}

// back puts messages where they were, except those that were delivered too
// often, which are returned.
func (x *box) back(all ...*held) (dead []*held) {
	var again []*held
	for _, h := range all {
		if x.name != messages.DeadQueue && h.deliveries > messages.DeliveryLimit {
			dead = append(dead, h)
			continue
		}
		again = append(again, h)
	}
	x.ready = append(again, x.ready...)
	return dead
}

// bury puts messages with the dead letters.
func (b *Broker) bury(dead []*held) {
	for _, h := range dead {
		if b.boxes[messages.DeadQueue].put(&held{Outside: h.Outside, exchange: messages.Dead, key: h.key}) != nil {
			b.dropped.Add(1)
		}
	}
}

// Stop ends the subscription; what it has not settled goes to others.
func (t *taker) Stop() {
	x := t.box
	x.mu.Lock()
	var dead []*held
	if !t.stopped {
		t.stopped = true
		x.takers = slices.DeleteFunc(x.takers, func(o *taker) bool { return o == t })
		dead = x.back(append(t.given, t.assigned...)...)
		t.given, t.assigned = nil, nil
		x.assign()
	}
	t.filled.Signal()
	x.mu.Unlock()
	x.broker.bury(dead)
}

// close ends all subscriptions and forgets what the queue holds.
func (x *box) close() {
	x.mu.Lock()
	takers := slices.Clone(x.takers)
	x.closed, x.ready = true, nil
	x.mu.Unlock()
	for _, t := range takers {
		t.Stop()
	}
}
