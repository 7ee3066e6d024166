package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/attune-automation/attune/messages"
)

// Letters is what [RunDeadLetters] tests.
type Letters interface {
	messages.Inbox
	messages.DeadLetters
}

// RunDeadLetters runs the contract of [messages.DeadLetters]. open gives one
// whose queues are empty.
func RunDeadLetters(t *testing.T, open func(t testing.TB) Letters) {
	for _, c := range []struct {
		name string
		test func(*sifting)
	}{
		{"an empty queue shows nothing", siftsNothing},
		{"looking takes nothing away", siftsAgain},
		{"what is acknowledged is gone, all else stays", siftsOut},
		{"a look ends when it is told to, and at its most", siftsSome},
		{"a message is seen as it was published", siftsWhole},
		{"within a look messages are published", siftsAndPublishes},
		{"a look whose time is over gives everything back", siftsTooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(&sifting{t, open(t)})
		})
	}
}

type sifting struct {
	*testing.T
	Letters
}

func (s *sifting) bury(bodies ...string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, body := range bodies {
		if err := s.Publish(ctx, messages.Dead, "event.created", messages.Outside{ID: "id of " + body, Headers: map[string]string{messages.HeaderReason: "because"}, Body: []byte(body)}); err != nil {
			s.Fatalf("publish %s: %v", body, err)
		}
	}
}

// sift looks through all, and returns the bodies in order; see may be nil.
func (s *sifting) sift(most int, see func(d *messages.Delivery) bool) (seen []string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := s.Sift(ctx, messages.DeadQueue, most, func(d *messages.Delivery) bool {
		seen = append(seen, string(d.Body))
		return see == nil || see(d)
	})
	if err != nil {
		s.Fatalf("sift: %v", err)
	}
	return seen
}

// holds compares what is in the queue, in any order: a server may give back in
// another one.
func (s *sifting) holds(want ...string) {
	s.Helper()
	got := s.sift(1000, nil)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.Errorf("the queue has %v, want %v", got, want)
	}
}

func siftsNothing(s *sifting) { s.holds() }

func siftsAgain(s *sifting) {
	s.bury("a", "b", "c")
	if first := s.sift(1000, nil); !slices.Equal(first, []string{"a", "b", "c"}) {
		s.Errorf("the first look sees %v", first)
	}
	for range 30 { // beyond what a server tries with an ordinary queue
		s.holds("a", "b", "c")
	}
}

func siftsOut(s *sifting) {
	s.bury("a", "b", "c", "d")
	s.sift(1000, func(d *messages.Delivery) bool {
		if string(d.Body) == "b" || string(d.Body) == "d" {
			d.Ack()
		}
		return true
	})
	s.holds("a", "c")
	s.sift(1000, func(d *messages.Delivery) bool { d.Ack(); return true })
	s.holds()
}

func siftsSome(s *sifting) {
	s.bury("a", "b", "c")
	if got := s.sift(2, nil); len(got) != 2 {
		s.Errorf("a look of at most 2 sees %v", got)
	}
	if got := s.sift(1000, func(*messages.Delivery) bool { return false }); len(got) != 1 {
		s.Errorf("a look that was ended at once sees %v", got)
	}
	s.sift(1000, func(d *messages.Delivery) bool { d.Ack(); return false })
	if got := s.sift(1000, nil); len(got) != 2 {
		s.Errorf("the queue has %v", got)
	}
}

func siftsWhole(s *sifting) {
	s.bury("a")
	s.sift(1, func(d *messages.Delivery) bool {
		if d.ID != "id of a" || d.Key != "event.created" || d.Exchange != messages.Dead || d.Headers[messages.HeaderReason] != "because" || d.Deliveries < 1 {
			s.Errorf("%+v", d)
		}
		return true
	})
}

func siftsAndPublishes(s *sifting) {
	s.bury("a")
	s.sift(1, func(d *messages.Delivery) bool {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for i := range 3 {
			if err := s.Publish(ctx, messages.Dead, d.Key, messages.Outside{Body: fmt.Append(nil, "copy ", i)}); err != nil {
				s.Error(err)
			}
		}
		d.Ack()
		return false
	})
	s.holds("copy 0", "copy 1", "copy 2")
}

func siftsTooLong(s *sifting) {
	s.bury("a", "b", "c")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	err := s.Sift(ctx, messages.DeadQueue, 1000, func(*messages.Delivery) bool { n++; cancel(); return true })
	if n > 2 || err != nil && !errors.Is(err, context.Canceled) {
		s.Errorf("%d were seen, %v", n, err)
	}
	for deadline, cancel := context.WithTimeout(context.Background(), patience); ; { // the server gives them back in its own time
		if len(s.sift(1000, nil)) == 3 || deadline.Err() != nil {
			cancel()
			break
		}
	}
	s.holds("a", "b", "c")
}
