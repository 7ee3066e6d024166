package node_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/persistence/memory"
)

// While the store hangs, 500 requests wait; the next waits a second and is told
// to come again. Requests whose caller is gone keep their places until they are
// durable, and give them back then.
func TestTheAdmissionWindow(t *testing.T) {
	inBubble(t, func(r *rig) {
		hangs := make(chan struct{})
		r.fault.set(func(method string, _ int) memory.Fault {
			if method == "Flush" {
				return memory.Fault{Stall: func() { <-hangs }}
			}
			return memory.Fault{}
		})
		ctx, cancel := context.WithCancelCause(r.Context())
		var group sync.WaitGroup
		var gone atomic.Int64
		left := errors.New("the caller went away")
		for range 500 {
			group.Go(func() {
				_, err := r.OfferEvent(ctx, api.EventOffer{Trigger: none, Payload: []byte(`{}`)})
				if !errors.Is(err, left) && attune.KindOf(err) != attune.Unavailable {
					t.Errorf("a cancelled offer answers %v", err)
				}
				gone.Add(1)
			})
		}
		synctest.Wait()
		r.tooMuch()
		time.Sleep(time.Minute)
		r.tooMuch() // naively, places come back after a while, and what is pending grows without bound
		cancel(left)
		group.Wait()
		if gone.Load() != 500 {
			t.Errorf("%d offers came back", gone.Load())
		}
		r.tooMuch() // none is durable
		close(hangs)
		synctest.Wait()
		if n := len(r.rows.Rows().Events); n != 500 {
			t.Errorf("%d events are stored", n)
		}
		for range 1000 { // all places are free again
			if _, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: none, Payload: []byte(`{}`)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Drain(r.Context()); err != nil {
			t.Error(err)
		}
	})
}

func (r *rig) tooMuch() {
	r.Helper()
	began := time.Now()
	_, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: none, Payload: []byte(`{}`)})
	var e *attune.Error
	if !errors.As(err, &e) || e.Kind != attune.TooMuch || e.RetryAfter != time.Second || time.Since(began) != time.Second {
		r.Errorf("beyond the window, after %s: %v", time.Since(began), err)
	}
}

// A request that an actor failed on has no answer; its place is free again in
// the end.
func TestALostRequestGivesItsPlaceBack(t *testing.T) {
	inBubble(t, func(r *rig) {
		s := &sabotage{strikes: func(_, kind, message string) bool { return kind == "rules" && message == "*messages.OfferEvent" }}
		r.observe.set(s.observe)
		began := time.Now()
		_, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: none, Payload: []byte(`{}`)})
		if attune.KindOf(err) != attune.Unavailable || time.Since(began) != 30*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		r.observe.clear()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if err := r.Drain(ctx); err != nil {
			t.Error(err)
		}
	})
}
