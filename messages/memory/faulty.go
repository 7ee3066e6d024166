package memory

import (
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Fate is what becomes of one message: one entry for each copy that arrives,
// with its delay. Nil loses the message, two entries double it, a delay lets
// others overtake it.
type Fate []time.Duration

// Passes is the fate of a message that nothing happens to.
var Passes = Fate{0}

// Faulty wraps a broker with faults. They are decided by a function, so that a
// seed decides them all.
type Faulty struct {
	messages.Broker
	clock  attune.Clock
	decide func(exchange messages.Exchange, key string, m any) Fate
}

// NewFaulty wraps inner. decide is called once for each Send, by the sender; it
// must be safe for concurrent use if senders are.
func NewFaulty(inner messages.Broker, clock attune.Clock, decide func(exchange messages.Exchange, key string, m any) Fate) *Faulty {
	return &Faulty{inner, clock, decide}
}

// Send meets the message's fate. The sender learns nothing of it: a message
// that is lost or late was taken.
func (f *Faulty) Send(exchange messages.Exchange, key string, m any) error {
	var err error
	for _, delay := range f.decide(exchange, key, m) {
		if delay <= 0 {
			err = f.Broker.Send(exchange, key, m)
			continue
		}
		// A late copy that finds nobody, or a closed broker, is lost.
		f.clock.AfterFunc(delay, func() { _ = f.Broker.Send(exchange, key, m) })
	}
	return err
}
