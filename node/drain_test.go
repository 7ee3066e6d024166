package node_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/persistence/memory"
)

// A drain returns when all requests under way are durable. From then on nothing
// starts and requests are refused; what runs goes on to its end, what waits is
// there for the next start.
func TestDrain(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		first, second := r.must(settings{MS: 100}), r.must(settings{MS: 2000})
		waits := r.must(settings{MS: 1})
		hangs := make(chan struct{})
		r.fault.set(func(method string, _ int) memory.Fault {
			if method == "Flush" {
				return memory.Fault{Stall: func() { <-hangs }}
			}
			return memory.Fault{}
		})
		var group sync.WaitGroup
		acknowledged := make(chan attune.ExecutionID, 50)
		for range 50 {
			group.Go(func() {
				id, err := r.request(settings{MS: 1})
				if err != nil {
					t.Error(err)
				}
				acknowledged <- id
			})
		}
		synctest.Wait()
		drained := make(chan error, 1)
		go func() { drained <- r.Drain(r.Context()) }()
		synctest.Wait()
		r.refusesAsDraining()
		select {
		case err := <-drained:
			t.Errorf("drained with requests under way: %v", err)
		default:
		}
		close(hangs)
		if err := <-drained; err != nil {
			t.Error(err)
		}
		group.Wait()
		close(acknowledged)
		for id := range acknowledged {
			r.row(id) // it is stored
		}
		r.refusesAsDraining()
		before := len(r.runs)
		r.reaches(first, attune.Completed, time.Second)
		r.reaches(second, attune.Completed, 5*time.Second)
		time.Sleep(2 * time.Minute)
		if len(r.runs) != before || r.row(waits).Status != attune.Scheduling {
			t.Errorf("%d runs started while it drained; what waits is %s", len(r.runs)-before, r.row(waits).Status)
		}
		r.fault.clear()
		r.restart()
		r.allOnce(time.Minute)
	})
}

func (r *rig) refusesAsDraining() {
	r.Helper()
	_, err := r.request(settings{MS: 1})
	_, errEvent := r.OfferEvent(r.Context(), api.EventOffer{Trigger: one, Payload: []byte(`{"ms":1}`)})
	for _, err := range []error{err, errEvent, r.Ready()} {
		var e *attune.Error
		if !errors.As(err, &e) || e.Kind != attune.Unavailable || e.Code != "draining" {
			r.Errorf("while it drains: %v", err)
		}
	}
}

// A drain that cannot end says so, and can be tried again.
func TestADrainThatTakesTooLong(t *testing.T) {
	inBubble(t, func(r *rig) {
		hangs := make(chan struct{})
		r.fault.set(func(method string, _ int) memory.Fault {
			if method == "Flush" {
				return memory.Fault{Stall: func() { <-hangs }}
			}
			return memory.Fault{}
		})
		go func() { _, _ = r.request(settings{MS: 1}) }()
		synctest.Wait()
		late := errors.New("no more patience")
		ctx, cancel := context.WithTimeoutCause(r.Context(), time.Second, late)
		defer cancel()
		if err := r.Drain(ctx); !errors.Is(err, late) {
			t.Error(err)
		}
		close(hangs)
		ctx, cancel = context.WithTimeoutCause(r.Context(), 5*time.Second, late)
		defer cancel()
		if err := r.Drain(ctx); err != nil {
			t.Errorf("drained again: %v", err)
		}
	})
}

// After Stop no actor is left; goleak and the bubble see to the goroutines.
func TestStopLeavesNothing(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 3)
		r.drive(orders(30))
		n := r.Node
		r.crash()
		if left := n.Tree().Census().List((database{}).Now()); len(left) != 0 {
			t.Errorf("%d actors are left: %v", len(left), left)
		}
		if err := n.Stop(r.Context()); err != nil {
			t.Errorf("stopped again: %v", err)
		}
		for _, l := range r.rows.Rows().Leases {
			if l.Expires.After((database{}).Now()) {
				t.Errorf("the lease lives on: %+v", l)
			}
		}
	})
}
