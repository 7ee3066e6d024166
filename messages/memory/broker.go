// Package memory is the broker inside one process: the transport of the embedded
// mode, of tests and of the simulation. It encodes nothing: receivers share the
// sender's memory, which is why a message is never changed after it is sent.
//
// Every subscription is a queue with a bound; what does not fit is dropped and
// counted, since a message may always be lost. [Faulty] wraps any broker with
// losses, doubles and delays that a test decides.
package memory

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Config of a [Broker]. The zero value is ready for use.
type Config struct {
	// Lend runs each delivery as one step, so that a simulation decides their
	// order; messages of one subscription still arrive in order. Nil gives
	// every subscription a goroutine of its own, which Close waits for.
	Lend attune.Lend
	// Capacity is how many messages wait in one subscription, or one queue, at
	// most, besides the batch being delivered; 100,000 by default. Too small loses messages
	// under load, which costs a repetition each; too big costs memory only.
	Capacity int
}

// Broker implements [messages.Broker] and [messages.Inbox] within one process. It
// is safe for concurrent use.
type Broker struct {
	config  Config
	dropped atomic.Uint64
	drains  sync.WaitGroup // goroutines, and lent steps inside deliver

	mu     sync.RWMutex
	closed bool
	routes map[messages.Exchange]*route
	boxes  map[messages.Queue]*box // not changed
}

// route is who listens to one exchange. Slices, not sets: a simulation needs
// the order of subscribing.
type route struct {
	kind  messages.ExchangeKind
	byKey map[string][]*subscription // direct
	all   []*subscription            // fan-out and topic
}

// New is an open broker with the exchanges of [messages.Topology].
func New(config Config) *Broker {
	if config.Capacity <= 0 {
		config.Capacity = 100_000
	}
	b := &Broker{config: config, routes: map[messages.Exchange]*route{}}
	for x, kind := range messages.Topology {
		b.routes[x] = &route{kind: kind, byKey: map[string][]*subscription{}}
	}
	b.boxes = newBoxes(b)
	return b
}

// Dropped is how many messages found a full queue.
func (b *Broker) Dropped() uint64 { return b.dropped.Load() }

// Send queues m at every subscription that matches. It never blocks.
func (b *Broker) Send(exchange messages.Exchange, key string, m any) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	r, err := b.route(exchange)
	if err != nil {
		return err
	}
	subscribed := r.all
	if r.kind == messages.Direct {
		subscribed = r.byKey[key]
	}
	reached := false
	for _, s := range subscribed {
		if r.kind == messages.Topic && !matches(s.key, key) {
			continue
		}
		reached = true
		s.put(m)
	}
	if !reached {
		return messages.ErrUnroutable
	}
	return nil
}

// Subscribe begins a subscription with a queue of its own: two with the same
// key both get every message.
func (b *Broker) Subscribe(exchange messages.Exchange, key string, deliver func(m any)) (messages.Subscription, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := b.route(exchange)
	if err != nil {
		return nil, err
	}
	s := &subscription{broker: b, exchange: exchange, key: key, deliver: deliver}
	s.filled.L = &s.mu
	if r.kind == messages.Direct {
		r.byKey[key] = append(slices.Clip(r.byKey[key]), s)
	} else {
		r.all = append(slices.Clip(r.all), s)
	}
	if b.config.Lend == nil {
		b.drains.Add(1)
		go s.drain()
	}
	return s, nil
}

// Sync returns at once: what was sent was taken.
func (b *Broker) Sync(ctx context.Context) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return errClosed
	}
	return ctx.Err()
}

// Close ends all subscriptions and waits until no deliver is under way. It may
// be called twice, but not from within deliver.
func (b *Broker) Close() error {
	b.mu.Lock()
	b.closed = true
	var open []*subscription
	for _, r := range b.routes {
		open = append(open, r.all...)
		for _, s := range r.byKey {
			open = append(open, s...)
		}
	}
	b.mu.Unlock()
	for _, s := range open {
		s.Stop()
	}
	for _, x := range b.boxes {
		x.close()
	}
	b.drains.Wait()
	return nil
}

var errClosed = attune.NewError(attune.Unavailable, "broker_closed", "the broker is closed")

// route is called with the lock held.
func (b *Broker) route(exchange messages.Exchange) (*route, error) {
	r := b.routes[exchange]
	switch {
	case b.closed:
		return nil, errClosed
	case r == nil:
		return nil, attune.NewError(attune.Invalid, "unknown_exchange", string(exchange)+" is not an exchange")
	}
	return r, nil
}

// forget takes a stopped subscription out of its route.
func (b *Broker) forget(s *subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.routes[s.exchange]
	without := func(all []*subscription) []*subscription {
		return slices.DeleteFunc(slices.Clone(all), func(o *subscription) bool { return o == s })
	}
	if r.kind != messages.Direct {
		r.all = without(r.all)
	} else if left := without(r.byKey[s.key]); len(left) > 0 {
		r.byKey[s.key] = left
	} else {
		delete(r.byKey, s.key)
	}
}
