package node_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Naively, silence is counted in database time: when that jumps, a worker that
// was heard a second ago is declared lost, and its runs with it.
func TestAJumpOfTheClockLosesNoWorker(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		id := r.must(settings{MS: 8000})
		time.Sleep(2500 * time.Millisecond)
		now := r.clock.Now()
		r.clock.Set(now, now.Add(time.Hour))
		r.reaches(id, attune.Completed, 10*time.Second)
		if s := r.rows.Rows().Workers[0].State; s != attune.WorkerAlive {
			t.Errorf("the worker is %s", s)
		}
	})
}

// After a clock that was set back, stored marks for ids may be far ahead. A
// request is told so at once; naively it waits, and is carried out long after
// its caller gave up.
func TestARequestIsRefusedWhileIdsAreAhead(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.crash()
		if _, err := r.rows.Acquire(r.Context(), "before", "n", time.Second); err != nil {
			t.Fatal(err)
		}
		var ops []persistence.Op
		for i := range attune.Partitions {
			ops = append(ops, &persistence.RaiseIDHigh{Partition: i, High: database{}.Now().Add(time.Hour).Sub(attune.Epoch).Milliseconds()})
		}
		if _, err := r.rows.Flush(r.Context(), "before", ops); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		r.start()
		synctest.Wait()
		began := time.Now()
		_, err := r.request(settings{MS: 1})
		var e *attune.Error
		if !errors.As(err, &e) || e.Code != "ids_ahead" || e.RetryAfter < 50*time.Minute || time.Since(began) > time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}
