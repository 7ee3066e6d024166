package node_test

import (
	"testing"
	"time"

	"github.com/attune-automation/attune"
)

// Running is stored only if it lasts 250 ms: a short run costs two writes.
func TestRunningIsStoredLazily(t *testing.T) {
	for _, c := range []struct {
		ms, saves int
	}{{0, 1}, {10, 1}, {240, 1}, {260, 2}, {1000, 2}, {200_000, 2}} {
		inBubble(t, func(r *rig) {
			r.work("w", 1)
			id := r.must(settings{MS: c.ms})
			if x := r.row(id); x.Status != attune.Scheduled || x.Attempt != 1 {
				t.Errorf("its first row is %s, attempt %d", x.Status, x.Attempt)
			}
			x := r.reaches(id, attune.Completed, time.Duration(c.ms)*time.Millisecond+time.Second)
			if puts, saves := r.writes.of(id); puts != 1 || saves != c.saves {
				t.Errorf("a run of %d ms took %d admissions and %d saves, want 1 and %d", c.ms, puts, saves, c.saves)
			}
			steps := r.steps(x) // no gap, whatever was stored
			signals := []attune.Signal{attune.Admit, attune.Assign, attune.Start, attune.Finish}
			if len(steps) != len(signals) {
				t.Fatalf("a run of %d ms has the history %v", c.ms, steps)
			}
			for i, s := range steps {
				if s.Signal != signals[i] {
					t.Errorf("step %d is %s", i, s.Signal)
				}
			}
			if took := steps[3].At.Sub(steps[2].At); took != time.Duration(c.ms)*time.Millisecond {
				t.Errorf("a run of %d ms took %s by its history", c.ms, took)
			}
			r.allOnce(time.Second)
		})
	}
}
