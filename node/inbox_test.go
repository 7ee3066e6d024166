package node_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/attune-automation/attune/messages"
)

// inbox is the server of a broker as far as clients outside see it, in memory.
// What is not settled when a subscription ends is delivered to the next.
type inbox struct {
	mu        sync.Mutex
	waiting   map[messages.Queue][]*letter
	consumers map[messages.Queue]*consumer
	// refuse, if set, is the error of Publish.
	refuse error
	// slow is how long the server takes to hear of a settlement.
	slow time.Duration
	// begins, if set, is called before a subscription begins.
	begins func()
}

type letter struct {
	messages.Outside
	exchange   messages.Exchange
	key        string
	deliveries int
}

type consumer struct {
	in        *inbox
	queue     messages.Queue
	prefetch  int
	take      func(*messages.Delivery)
	unsettled []*letter
	stopped   bool
}

func newInbox() *inbox {
	return &inbox{waiting: map[messages.Queue][]*letter{}, consumers: map[messages.Queue]*consumer{}}
}

// Consume implements messages.Inbox.
func (in *inbox) Consume(queue messages.Queue, prefetch int, take func(*messages.Delivery)) (messages.Subscription, error) {
	if in.begins != nil {
		in.begins()
	}
	c := &consumer{in: in, queue: queue, prefetch: prefetch, take: take}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.consumers[queue] = c
	in.pump(queue)
	return c, nil
}

// pump delivers what waits, as far as the prefetch goes.
func (in *inbox) pump(queue messages.Queue) {
	c := in.consumers[queue]
	for c != nil && len(in.waiting[queue]) > 0 && len(c.unsettled) < c.prefetch {
		l := in.waiting[queue][0]
		in.waiting[queue] = in.waiting[queue][1:]
		l.deliveries++
		c.unsettled = append(c.unsettled, l)
		settle := func(back bool) func() {
			heard := func() {
				in.mu.Lock()
				defer in.mu.Unlock()
				i := slices.Index(c.unsettled, l)
				if i < 0 || c.stopped {
					return
				}
				c.unsettled = slices.Delete(c.unsettled, i, i+1)
				if back {
					in.waiting[queue] = append([]*letter{l}, in.waiting[queue]...)
				}
				in.pump(queue)
			}
			return func() {
				if in.slow > 0 {
					time.AfterFunc(in.slow, heard)
				} else {
					heard()
				}
			}
		}
		c.take(&messages.Delivery{Outside: l.Outside, Exchange: l.exchange, Key: l.key, Deliveries: l.deliveries, Ack: settle(false), Return: settle(true)})
	}
}

// Stop implements messages.Subscription.
func (c *consumer) Stop() {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if c.stopped {
		return
	}
	c.stopped = true
	c.in.waiting[c.queue] = append(c.unsettled, c.in.waiting[c.queue]...)
	if c.in.consumers[c.queue] == c {
		delete(c.in.consumers, c.queue)
	}
	c.in.pump(c.queue)
}

// Publish implements messages.Inbox.
func (in *inbox) Publish(_ context.Context, exchange messages.Exchange, key string, m messages.Outside) error {
	in.mu.Lock()
	refuse := in.refuse
	in.mu.Unlock()
	if refuse != nil {
		return refuse
	}
	for queue, b := range messages.Queues {
		if b.Exchange == exchange && (slices.Contains(b.Keys, key) || slices.Contains(b.Keys, "#")) {
			in.put(queue, &letter{Outside: m, exchange: exchange, key: key})
			return nil
		}
	}
	return messages.ErrUnroutable
}

func (in *inbox) put(queue messages.Queue, l *letter) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.waiting[queue] = append(in.waiting[queue], l)
	in.pump(queue)
}

// left is how many messages of a queue are not settled.
func (in *inbox) left(queue messages.Queue) int {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := len(in.waiting[queue])
	if c := in.consumers[queue]; c != nil {
		n += len(c.unsettled)
	}
	return n
}

// dead is what was set aside.
func (in *inbox) dead() (all []messages.DeadLetter) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, l := range in.waiting[messages.DeadQueue] {
		all = append(all, messages.Unearth(&messages.Delivery{Outside: l.Outside, Exchange: l.exchange, Key: l.key, Deliveries: 1}))
	}
	return all
}

// say publishes a payload in an envelope, as a client would.
func (r *rig) say(id string, p messages.Payload) {
	r.Helper()
	e := &messages.Envelope{MessageID: id, MessageType: p.MessageType(), Version: 1, Timestamp: time.Now(), Headers: messages.Headers{Source: "test"}, Payload: p}
	m, err := e.Outside()
	if err != nil {
		r.Fatal(err)
	}
	r.publish(p.MessageType(), m)
}

func (r *rig) publish(key string, m messages.Outside) {
	r.Helper()
	exchange := messages.Executions
	if key == "event.created" {
		exchange = messages.Events
	}
	if err := r.inbox.Publish(r.Context(), exchange, key, m); err != nil {
		r.Fatal(err)
	}
}

// Sift implements messages.DeadLetters.
func (in *inbox) Sift(ctx context.Context, queue messages.Queue, most int, see func(*messages.Delivery) bool) error {
	in.mu.Lock()
	held := in.waiting[queue]
	in.waiting[queue] = nil
	in.mu.Unlock()
	var left []*letter
	for i, l := range held {
		if i == most || ctx.Err() != nil {
			left = append(left, held[i:]...)
			break
		}
		l.deliveries++
		gone := false
		more := see(&messages.Delivery{Outside: l.Outside, Exchange: l.exchange, Key: l.key, Deliveries: l.deliveries, Ack: func() { gone = true }, Return: func() {}})
		if !gone {
			left = append(left, l)
		}
		if !more {
			left = append(left, held[i+1:]...)
			break
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.waiting[queue] = append(left, in.waiting[queue]...)
	return ctx.Err()
}

// reconnect loses the connection of a queue's consumer, and finds it again.
func (in *inbox) reconnect(queue messages.Queue) {
	in.mu.Lock()
	defer in.mu.Unlock()
	c := in.consumers[queue]
	in.waiting[queue] = append(c.unsettled, in.waiting[queue]...)
	c.unsettled = nil
	in.pump(queue)
}
