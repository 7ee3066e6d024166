package rabbitmq

import (
	"sync"
	"sync/atomic"
	"time"
)

// Stats are counts since [Open].
type Stats struct {
	// Published were written to a connection; Delivered were handed to
	// subscriptions, outside messages included.
	Published, Delivered uint64
	// Lost were refused by Send, or not written before a connection broke.
	// Written ones may be lost too, and nobody knows.
	Lost uint64
	// Returned had nobody to go to.
	Returned uint64
	// Unreadable arrived and could not be decoded.
	Unreadable uint64
	// Reconnects counts connections that stood and broke, Resubscribed the ends
	// of streams.
	Reconnects, Resubscribed uint64
	// Up is as [Broker.Up]; Since is when that last changed, Blocked whether the
	// server takes nothing for want of memory or disk.
	Up, Blocked bool
	Since       time.Time
	// Proven means that the last [Broker.Prove] succeeded.
	Proven bool
	// Waiting is what the buffers hold.
	Waiting, WaitingBytes int
}

type counters struct {
	published, delivered, lost, returned, unreadable, reconnects, resubscribed atomic.Uint64
	since                                                                      atomic.Pointer[time.Time]
	proven                                                                     atomic.Bool
}

// Stats is the present state.
func (b *Broker) Stats() Stats {
	c := &b.stats
	s := Stats{
		Published: c.published.Load(), Delivered: c.delivered.Load(), Lost: c.lost.Load(), Returned: c.returned.Load(),
		Unreadable: c.unreadable.Load(), Reconnects: c.reconnects.Load(), Resubscribed: c.resubscribed.Load(), Up: b.Up(), Proven: c.proven.Load(),
	}
	if since := c.since.Load(); since != nil {
		s.Since = *since
	}
	for _, sender := range []*sender{b.main, b.bulk} {
		sender.mu.Lock()
		s.Blocked = s.Blocked || sender.blocked
		s.Waiting += len(sender.queue)
		s.WaitingBytes += sender.bytes
		sender.mu.Unlock()
	}
	return s
}

// changed notes that a connection came or went.
func (b *Broker) changed() {
	now := b.config.Clock.Now()
	b.stats.since.Store(&now)
	b.bell.ring()
}

// bell wakes whoever waits for a change.
type bell struct {
	mu   sync.Mutex
	next chan struct{}
}

// heard is closed at the next ring.
func (b *bell) heard() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}
