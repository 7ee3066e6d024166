package https

import (
	"slices"
	"sync"

	"github.com/attune-automation/attune/messages"
)

// ears are the subscriptions that messages of both ways are for.
type ears struct {
	mu  sync.Mutex
	all []*ear
}

// ear is one of them. The deliveries of both ways take turns.
type ear struct {
	inner    messages.Subscription // nil where there is no broker
	of       *ears
	exchange messages.Exchange
	key      string
	turn     sync.Mutex
	deliver  func(any)
}

// subscribe also subscribes at the broker, which may be nil.
func (x *ears) subscribe(broker messages.Broker, exchange messages.Exchange, key string, deliver func(any)) (messages.Subscription, error) {
	e := &ear{of: x, exchange: exchange, key: key, deliver: deliver}
	if broker != nil {
		inner, err := broker.Subscribe(exchange, key, e.hear)
		if err != nil {
			return nil, err
		}
		e.inner = inner
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all = append(x.all, e)
	return e, nil
}

// hand delivers a message to whom it is for; false is nobody.
func (x *ears) hand(p messages.Parcel) bool {
	x.mu.Lock()
	var to []*ear
	for _, e := range x.all {
		if e.exchange == p.Exchange && (messages.Topology[p.Exchange] == messages.FanOut || e.key == p.Key) {
			to = append(to, e)
		}
	}
	x.mu.Unlock()
	for _, e := range to {
		e.hear(p.Message)
	}
	return len(to) > 0
}

func (e *ear) hear(m any) {
	e.turn.Lock()
	defer e.turn.Unlock()
	e.deliver(m)
}

// Stop implements [messages.Subscription].
func (e *ear) Stop() {
	if e.inner != nil {
		e.inner.Stop()
	}
	e.of.mu.Lock()
	defer e.of.mu.Unlock()
	e.of.all = slices.DeleteFunc(e.of.all, func(o *ear) bool { return o == e })
}
