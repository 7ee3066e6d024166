package memory

import (
	"sync"

	"github.com/attune-automation/attune/messages"
)

// subscription is one queue and whoever drains it: its goroutine, which takes
// all that waits with one lock, or one lent step per message.
type subscription struct {
	broker   *Broker
	exchange messages.Exchange
	key      string
	deliver  func(m any)

	mu      sync.Mutex
	filled  sync.Cond // of mu: the goroutine sleeps on it
	waiting []any
	spare   []any // the batch before, emptied, to fill next
	asleep  bool
	stepped bool // a lent step is under way or to come
	stopped bool
}

// put queues m, and wakes the drain only if it sleeps.
func (s *subscription) put(m any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	if len(s.waiting) >= s.broker.config.Capacity {
		s.broker.dropped.Add(1)
		return
	}
	s.waiting = append(s.waiting, m)
	switch {
	case s.broker.config.Lend != nil:
		if !s.stepped {
			s.stepped = true
			s.broker.config.Lend(s.step)
		}
	case s.asleep:
		s.asleep = false
		s.filled.Signal()
	}
}

// drain is the goroutine of a subscription.
func (s *subscription) drain() {
	defer s.broker.drains.Done()
	for {
		s.mu.Lock()
		for len(s.waiting) == 0 && !s.stopped {
			s.asleep = true
			s.filled.Wait()
		}
		batch := s.waiting
		s.waiting, s.spare = s.spare[:0], nil
		s.mu.Unlock()
		for i, m := range batch {
			if s.ended() {
				return
			}
			batch[i] = nil
			s.deliver(m)
		}
		if s.ended() {
			return
		}
		if cap(batch) <= maxSpare {
			s.spare = batch
		}
	}
}

// maxSpare is the longest emptied batch that is kept for use again.
const maxSpare = 4096

// step delivers one message and asks for the next step.
func (s *subscription) step() {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return
	}
	m := s.waiting[0]
	s.waiting[0] = nil
	s.waiting = s.waiting[1:]
	s.broker.drains.Add(1)
	s.mu.Unlock()

	s.deliver(m)

	s.broker.drains.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stepped = len(s.waiting) > 0 && !s.stopped
	if s.stepped {
		s.broker.config.Lend(s.step)
	}
}

func (s *subscription) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// Stop ends the subscription and drops what waits in it.
func (s *subscription) Stop() {
	s.mu.Lock()
	again := s.stopped
	s.stopped, s.waiting = true, nil
	s.filled.Signal()
	s.mu.Unlock()
	if !again {
		s.broker.forget(s)
	}
}
