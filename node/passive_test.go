package node_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/persistence/memory"
)

// beforeStart runs a test in virtual time on a rig whose node is not started.
func beforeStart(t *testing.T, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.end()
		test(r)
	})
}

// Behind a few that wait for a slot, the others have no actors. They keep their
// turn, can be cancelled, and outlive the scheduler's failure and the node.
func TestWhatWaitsBehindManyIsPassive(t *testing.T) {
	beforeStart(t, func(r *rig) {
		r.warm = 3
		r.start()
		var ids []attune.ExecutionID
		for range 100 {
			ids = append(ids, r.must(settings{MS: 10}))
		}
		if n := r.actors(); n != 3 {
			t.Errorf("of 100 that wait %d have actors", n)
		}
		if x := r.mustCancel(ids[50]); x.Status != attune.Cancelled {
			t.Errorf("a passive one that is cancelled is %s", x.Status)
		}
		struck := false
		s := &sabotage{strikes: func(_, kind, _ string) bool {
			strikes := kind == "scheduler" && !struck
			struck = struck || strikes
			return strikes
		}}
		r.observe.set(s.observe)
		r.must(settings{MS: 10}) // the scheduler fails on it
		if r.observe.clear(); s.count() != 1 {
			t.Errorf("the scheduler failed %d times", s.count())
		}
		r.crash()
		r.start()
		if n := r.actors(); n != 0 {
			t.Errorf("after a start %d of what waits have actors", n)
		}
		r.work("w", 2)
		r.allOnce(time.Minute)
		began := map[attune.ExecutionID]time.Time{}
		for i, id := range ids {
			if i == 50 {
				continue
			}
			began[id] = r.of(id)[0].began
			if i > 0 && i != 51 && began[id].Before(began[ids[i-1]]) {
				t.Errorf("%s began before the one that waited longer", id)
			}
		}
	})
}

// Parameters that are large are not kept in memory for a slot that is not there.
func TestALargeExecutionIsPassiveAtOnce(t *testing.T) {
	inBubble(t, func(r *rig) {
		id := r.must(settings{MS: 5, Pad: strings.Repeat("x", 5000)})
		if n := r.actors(); n != 0 {
			t.Errorf("it has %d actors", n)
		}
		r.work("w", 1)
		r.reaches(id, attune.Completed, time.Second)
		r.allOnce(time.Second)
	})
}

// A moment that comes while the store is away is not lost, nor is what the
// worker says meanwhile.
func TestAMomentComesWhileTheStoreIsAway(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 10)
		var ids []attune.ExecutionID
		for range 300 {
			ids = append(ids, r.asked(settings{MS: 5}, api.ExecutionRequest{After: 5 * time.Second}))
		}
		time.Sleep(4 * time.Second)
		away := time.Now().Add(3 * time.Second)
		r.fault.set(func(method string, call int) memory.Fault {
			if method == "Execution" && (time.Now().Before(away) || call%50 == 0) {
				return memory.Fault{Kind: memory.LostBefore}
			}
			return memory.Fault{}
		})
		if _, err := r.Node.Cancel(r.Context(), ids[0], "enough", "me"); err != nil {
			t.Error(err)
		}
		r.allOnce(time.Minute)
		if x := r.row(ids[0]); x.Status != attune.Cancelled {
			t.Errorf("what was cancelled is %s", x.Status)
		}
	})
}

func TestMaxLive(t *testing.T) {
	beforeStart(t, func(r *rig) {
		r.maxLive = 5
		r.start()
		full := func(what string, err error) {
			t.Helper()
			var e *attune.Error
			if !errors.As(err, &e) || e.Kind != attune.TooMuch || e.Code != "too_many_live" || e.RetryAfter != 5*time.Second {
				t.Errorf("%s at the bound: %v", what, err)
			}
		}
		for i := range 5 {
			r.asked(settings{MS: 5}, api.ExecutionRequest{After: time.Duration(i) * time.Minute})
		}
		for range 2 {
			_, err := r.request(settings{MS: 5})
			full("a request", err)
			_, err = r.OfferEvent(r.Context(), api.EventOffer{Trigger: one, Payload: []byte(`{"ms": 5}`), Dedupe: "k"})
			full("an event", err)
			_, err = r.OfferEvent(r.Context(), api.EventOffer{Trigger: many, Payload: []byte(`{"ms": 5}`)})
			full("an event of many", err)
			if n := len(r.rows.Rows().Events); n != 0 {
				t.Errorf("%d events are stored", n)
			}
			r.restart() // what lives is counted again
		}
		if _, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: none, Payload: []byte(`{}`)}); err != nil {
			t.Errorf("an event without executions: %v", err)
		}
		r.work("w", 1)
		r.until("one has ended", time.Minute, func() bool { return len(r.on("w")) == 0 && r.rows.Rows().Partitions[0].ID == 0 && r.endedCount() == 1 })
		receipt, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: one, Payload: []byte(`{"ms": 5}`), Dedupe: "k"})
		if err != nil || receipt.Duplicate {
			t.Errorf("offered again where there is room: %+v, %v", receipt, err)
		}
		r.allOnce(10 * time.Minute)
		for range 20 { // no place is lost
			r.must(settings{MS: 5})
			r.allOnce(time.Minute)
		}
	})
}

func (r *rig) endedCount() (n int) {
	for _, x := range r.rows.Rows().Executions {
		if x.Status.Terminal() {
			n++
		}
	}
	return n
}

// An execution whose row cannot be read holds up nothing but itself.
func TestARowThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 300)
		var ids []attune.ExecutionID
		for range 300 {
			ids = append(ids, r.asked(settings{MS: 5}, api.ExecutionRequest{After: 5 * time.Second}))
		}
		r.writes.tear(ids[0])
		time.Sleep(6 * time.Second)
		for _, id := range ids[1:] {
			if x := r.row(id); x.Status != attune.Completed {
				t.Fatalf("%s is %s", id, x.Status)
			}
		}
		r.writes.tear(0)
		r.allOnce(time.Second)
	})
}
