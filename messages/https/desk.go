package https

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

const (
	// openFor is how long after its last call a worker is still sent to by this
	// way: a bit longer than it takes to call again.
	openFor = 5 * time.Second
	// maxSessions bounds the processes that call under one name, maxCalls the
	// requests under way of one of them (it needs two); maxWaiting the parcels
	// that wait for one. What is beyond is lost.
	maxSessions = 8
	maxCalls    = 16
	maxWaiting  = 1000
	// answerBytes is about how much one answer carries, unless a single parcel is
	// larger.
	answerBytes = 4 << 20
)

// Desk is the node's side: a broker whose messages to workers go also to those
// that call, and whose subscriptions also get what those bring. It is safe for
// concurrent use.
type Desk struct {
	messages.Broker
	mono func() time.Duration

	mu     sync.Mutex
	called map[string]time.Duration // by worker: its last call
	open   map[string][]*session    // by worker

	ears ears
}

// session is one process that calls.
type session struct {
	name    string
	last    time.Duration
	calls   int // under way
	waiting []messages.Parcel
	filled  chan struct{} // capacity one
}

// NewDesk stands beside the broker, which its owner closes. mono never goes
// back.
func NewDesk(broker messages.Broker, mono func() time.Duration) *Desk {
	return &Desk{Broker: broker, mono: mono, called: map[string]time.Duration{}, open: map[string][]*session{}}
}

// Up reports whether the link to the broker stands.
func (d *Desk) Up() bool {
	linked, ok := d.Broker.(messages.Linked)
	return !ok || linked.Up()
}

// Called is when the worker last called; zero is never.
func (d *Desk) Called(worker string) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.called[worker]
}

// Send implements [messages.Broker].
func (d *Desk) Send(exchange messages.Exchange, key string, m any) error {
	err := d.Broker.Send(exchange, key, m)
	if exchange == messages.ToWorkers && d.put(key, messages.Parcel{Exchange: exchange, Key: key, Message: m}) {
		return nil
	}
	return err
}

// put lays a parcel down for the processes of a worker that call.
func (d *Desk) put(worker string, p messages.Parcel) (taken bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.mono()
	for _, s := range d.open[worker] {
		if s.calls == 0 && now-s.last >= openFor || len(s.waiting) >= maxWaiting {
			continue
		}
		taken = true
		s.waiting = append(s.waiting, p)
		s.wake()
	}
	return taken
}

func (s *session) wake() {
	select {
	case s.filled <- struct{}{}:
	default:
	}
}

// Subscribe implements [messages.Broker].
func (d *Desk) Subscribe(exchange messages.Exchange, key string, deliver func(any)) (messages.Subscription, error) {
	if exchange != messages.Reports && exchange != messages.Heartbeats {
		return d.Broker.Subscribe(exchange, key, deliver)
	}
	return d.ears.subscribe(d.Broker, exchange, key, deliver)
}

// Call takes what a worker brings and returns what there is for it; where there
// is nothing it waits, up to wait. name tells the processes apart that call
// under the worker's name. What the worker may not say is Invalid or Denied, and
// then nothing of it is taken.
func (d *Desk) Call(ctx context.Context, worker, name string, brought []messages.Parcel, wait time.Duration) ([]messages.Parcel, error) {
	for _, p := range brought {
		if err := mayBring(worker, p); err != nil {
			return nil, err
		}
	}
	s, err := d.enter(worker, name)
	if err != nil {
		return nil, err
	}
	defer d.leave(s)
	for _, p := range brought {
		d.hand(p)
	}
	var timer <-chan time.Time
	for {
		if all := d.take(s); len(all) > 0 || wait <= 0 {
			return all, nil
		}
		if timer == nil {
			t := time.NewTimer(wait)
			defer t.Stop()
			timer = t.C
		}
		select {
		case <-s.filled:
		case <-timer:
			return d.take(s), nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// enter notes a call, and makes room for it.
func (d *Desk) enter(worker, name string) (*session, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.mono()
	d.called[worker] = now
	all := slices.DeleteFunc(d.open[worker], func(s *session) bool { return s.calls == 0 && now-s.last >= openFor })
	i := slices.IndexFunc(all, func(s *session) bool { return s.name == name })
	if i < 0 {
		if len(all) >= maxSessions {
			return nil, &attune.Error{Kind: attune.TooMuch, Code: "too_many_links", RetryAfter: openFor,
				Message: fmt.Sprintf("%d processes call already as the worker %s", len(all), worker), Try: "give each worker a name of its own"}
		}
		i, all = len(all), append(all, &session{name: name, filled: make(chan struct{}, 1)})
	}
	d.open[worker] = all
	if all[i].calls >= maxCalls {
		return nil, &attune.Error{Kind: attune.TooMuch, Code: "too_many_calls", RetryAfter: time.Second,
			Message: fmt.Sprintf("%d requests of this process of the worker %s are under way already", maxCalls, worker), Try: "again when one is answered"}
	}
	all[i].calls++
	return all[i], nil
}

func (d *Desk) leave(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.calls--
	s.last = d.mono()
}

// take is what waits, as much as one answer carries.
func (d *Desk) take(s *session) []messages.Parcel {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, size := 0, 0
	for n < len(s.waiting) && n < messages.MaxParcels && (n == 0 || size+weight(s.waiting[n]) <= answerBytes) {
		size += weight(s.waiting[n])
		n++
	}
	all := s.waiting[:n:n]
	if s.waiting = s.waiting[n:]; len(s.waiting) > 0 {
		s.wake()
	} else {
		s.waiting = nil
	}
	return all
}

// hand gives a parcel to the subscriptions here that it is for. Reports for
// another node go on by the broker.
func (d *Desk) hand(p messages.Parcel) {
	if !d.ears.hand(p) {
		_ = d.Broker.Send(p.Exchange, p.Key, p.Message) // it may be lost
	}
}

// mayBring says why a worker may not say something: it speaks for itself only.
func mayBring(worker string, p messages.Parcel) error {
	bundle, ok := p.Message.(messages.Bundle)
	if !ok || p.Exchange != messages.Reports && p.Exchange != messages.Heartbeats {
		return attune.NewError(attune.Invalid, "not_for_workers", "workers send bundles to "+string(messages.Reports)+" and "+string(messages.Heartbeats))
	}
	for _, item := range bundle.Items {
		name := ""
		switch item := item.(type) {
		case messages.Registered:
			name = item.Worker
		case messages.Heartbeat:
			name = item.Worker
		case messages.Draining:
			name = item.Worker
		case messages.Report:
			name = item.Worker
		case messages.Output:
			name = item.Worker
		default:
			return attune.NewError(attune.Invalid, "not_for_workers", fmt.Sprintf("workers do not say %T", item))
		}
		if name != worker {
			return attune.NewError(attune.Denied, "foreign_worker", "the worker "+worker+" cannot speak for "+name)
		}
	}
	return nil
}

// weight is about how many bytes a parcel has.
func weight(p messages.Parcel) int {
	bundle, _ := p.Message.(messages.Bundle)
	size := 100
	for _, item := range bundle.Items {
		size += 300
		switch item := item.(type) {
		case messages.Dispatch:
			size += len(item.Parameters)
		case messages.Report:
			size += len(item.Result)
		case messages.Output:
			size += len(item.Data)
		}
	}
	return size
}
