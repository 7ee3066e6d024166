package node_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
)

// Three workers of different size share all work: no slot is idle for any time
// while a run waits, no worker has more than its slots.
func TestNoSlotIsIdleWhileARunWaits(t *testing.T) {
	inBubble(t, func(r *rig) {
		slots := map[string]int{"w1": 1, "w4": 4, "w16": 16}
		for name, n := range slots {
			r.work(name, n)
		}
		rand := rand.New(rand.NewPCG(1, 2))
		accepted := map[attune.ExecutionID]time.Time{}
		for range 12 { // waves: bursts over all slots, then a pause
			for range 10 + rand.IntN(60) {
				accepted[r.must(settings{MS: 1 + rand.IntN(1+rand.IntN(900))})] = time.Now()
			}
			time.Sleep(time.Duration(rand.IntN(700)) * time.Millisecond)
		}
		r.allOnce(2 * time.Minute)
		r.noIdle(accepted, slots)
	})
}

// noIdle goes through all moments at which something changed.
func (r *rig) noIdle(accepted map[attune.ExecutionID]time.Time, slots map[string]int) {
	r.Helper()
	var moments []time.Time
	for _, run := range r.runs {
		moments = append(moments, accepted[run.token.Execution], run.began, run.ended)
	}
	slices.SortFunc(moments, time.Time.Compare)
	busiest := 0
	for i, at := range moments {
		if i+1 < len(moments) && at.Equal(moments[i+1]) {
			continue // no time passes
		}
		waiting, busy := 0, map[string]int{}
		for _, run := range r.runs {
			if !accepted[run.token.Execution].After(at) && run.began.After(at) {
				waiting++
			}
			if !run.began.After(at) && run.ended.After(at) {
				busy[run.worker]++
			}
		}
		for name, n := range slots {
			if busy[name] > n || waiting > 0 && busy[name] < n {
				r.Errorf("at %s %d runs wait and %s has %d of %d slots busy", at, waiting, name, busy[name], n)
			}
		}
		busiest = max(busiest, waiting)
	}
	if busiest < 20 || len(r.runs) != len(accepted) {
		r.Errorf("at most %d runs waited, %d of %d ran: this proves little", busiest, len(r.runs), len(accepted))
	}
}

// Workers with equally much to do take turns.
func TestEqualLoadsRotate(t *testing.T) {
	inBubble(t, func(r *rig) {
		for _, name := range []string{"a", "b", "c"} {
			r.work(name, 4)
		}
		for range 10 {
			turn := map[string]int{}
			for range 3 {
				id := r.must(settings{MS: 1})
				r.reaches(id, attune.Completed, time.Second)
				turn[r.of(id)[0].worker]++
			}
			if len(turn) != 3 {
				t.Fatalf("three runs in turn went to %v", turn)
			}
		}
		for range 12 { // together: as many on each
			r.must(settings{MS: 1000})
		}
		synctest.Wait()
		for _, name := range []string{"a", "b", "c"} {
			if n := len(r.on(name)); n != 4 {
				t.Errorf("%d runs on %s", n, name)
			}
		}
	})
}
