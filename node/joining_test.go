package node_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune/messages"
)

// sluggish is a broker, and an inbox, whose server takes its time for every
// subscription.
type sluggish struct {
	messages.Broker
	takes time.Duration
	stand atomic.Int64 // subscriptions of the node that stand
	sent  atomic.Int64 // bundles to workers
}

func (s *sluggish) Subscribe(x messages.Exchange, key string, deliver func(any)) (messages.Subscription, error) {
	if x != messages.Reports && x != messages.Heartbeats {
		return s.Broker.Subscribe(x, key, deliver)
	}
	time.Sleep(s.takes)
	return s.counted(s.Broker.Subscribe(x, key, deliver))
}

func (s *sluggish) counted(of messages.Subscription, err error) (messages.Subscription, error) {
	s.stand.Add(1)
	return standing{of, s}, err
}

func (s *sluggish) Send(x messages.Exchange, key string, m any) error {
	if x == messages.ToWorkers {
		s.sent.Add(1)
	}
	return s.Broker.Send(x, key, m)
}

type standing struct {
	messages.Subscription
	of *sluggish
}

func (s standing) Stop() {
	s.of.stand.Add(-1)
	s.Subscription.Stop()
}

// A server that is slow to subscribe holds nothing up: neither what goes to
// workers, nor the end of the node, which leaves no subscription behind.
func TestASlowSubscriptionHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.end()
		s := &sluggish{Broker: r.broker, takes: 2 * time.Second}
		r.broker, r.inbox.begins = s, func() { time.Sleep(2 * time.Second) }
		r.boot()
		time.Sleep(100 * time.Millisecond)
		r.Tree().Tell(r.Tree().Broker, &messages.ToWorker{Worker: "w", Item: messages.HeartbeatAck{Worker: "w"}})
		synctest.Wait()
		if n := s.sent.Load(); n != 1 {
			t.Errorf("while it subscribes %d bundles were sent", n)
		}
		states := map[string]string{}
		for _, a := range r.Tree().Census().List(database{}.Now()) {
			states[a.Kind] = a.State
			if a.Mailbox > 0 {
				t.Errorf("%s has %d messages before it", a.Path, a.Mailbox)
			}
		}
		if states["broker"] != "connecting" || states["intake"] != "connecting" {
			t.Errorf("they are %s and %s", states["broker"], states["intake"])
		}
		time.Sleep(5 * time.Second)
		if n := s.stand.Load(); n != 2 {
			t.Errorf("%d subscriptions stand", n)
		}
		r.crash()
		r.boot()
		time.Sleep(3 * time.Second) // the second is on its way
		r.crash()
		if n := s.stand.Load(); n != 0 {
			t.Errorf("%d subscriptions stand after the end of the node", n)
		}
	})
}
