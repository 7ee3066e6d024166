package node_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// A drained worker ends what it has and is given nothing more, whatever is
// started again meanwhile; resumed, it goes on.
func TestADrainOutlivesWorkerAndNode(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		long := r.must(settings{MS: 1500})
		r.reaches(long, attune.Running, time.Second)
		v, err := r.DrainWorker(r.Context(), "w", true)
		if err != nil || !v.Drained || v.State != attune.WorkerDraining || v.Running != 1 {
			t.Fatalf("%+v, %v", v, err)
		}
		if again, err := r.DrainWorker(r.Context(), "w", true); err != nil || again.Version != v.Version {
			t.Errorf("drained again it has version %d, not %d, and %v", again.Version, v.Version, err)
		}
		waits := r.must(settings{MS: 5})
		r.reaches(long, attune.Completed, 3*time.Second)
		idle := func(when string) {
			t.Helper()
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if x := r.row(waits); x.Status != attune.Scheduling {
				t.Errorf("%s: it is %s on %s", when, x.Status, x.Incarnation)
			}
		}
		idle("drained")
		r.kill("w")
		r.startWorker("w", 2)
		idle("after a new start of the worker")
		if v := r.workerNamed("w"); v.Incarnation != "w-2" || !v.Drained {
			t.Errorf("%s is drained: %v", v.Incarnation, v.Drained)
		}
		r.crash()
		r.start()
		idle("after a new start of the node")
		if v, err := r.DrainWorker(r.Context(), "w", false); err != nil || v.Drained || v.State != attune.WorkerAlive {
			t.Fatalf("resumed it is %+v, %v", v, err)
		}
		r.reaches(waits, attune.Completed, 5*time.Second)
		r.allOnce(time.Second)
	})
}

// A worker that lives cannot be removed; one that is lost can, once its
// executions went on without it. It is a new one when it comes again.
func TestOnlyWorkersThatAreGoneAreRemoved(t *testing.T) {
	inBubble(t, func(r *rig) {
		remove := func(kind attune.ErrorKind, code string) {
			t.Helper()
			_, err := r.RemoveWorker(r.Context(), "w")
			if e, ok := err.(*attune.Error); !ok || e.Kind != kind || e.Code != code || e.Try == "" { //nolint:errorlint // the very value
				t.Errorf("removed with %v, want %s", err, code)
			}
		}
		remove(attune.NotFound, "unknown_worker")
		r.work("w", 2)
		remove(attune.Conflict, "worker_alive")
		long := r.must(settings{MS: -1})
		r.reaches(long, attune.Running, time.Second)
		r.kill("w")
		time.Sleep(13 * time.Second)
		r.reaches(long, attune.Abandoned, time.Second)
		v, err := r.RemoveWorker(r.Context(), "w")
		if err != nil || v.Incarnation != "w-1" || v.State != attune.WorkerLost {
			t.Fatalf("%+v, %v", v, err)
		}
		synctest.Wait()
		if rows := r.rows.Rows().Workers; len(rows) != 0 {
			t.Errorf("the store has %+v", rows[0])
		}
		remove(attune.NotFound, "unknown_worker")
		r.work("w", 2)
		if row := r.rows.Rows().Workers[0]; row.Version != 1 || row.Incarnation != "w-2" {
			t.Errorf("it came again as %+v", row)
		}
		r.must(settings{MS: 5})
		r.allOnce(5 * time.Second)
	})
}

// An order that comes while the worker's row is being stored waits for that.
func TestOrdersFollowOneAnother(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		answers := make(chan error, 40)
		for i := range cap(answers) {
			r.Tree().Tell(r.Tree().Workers, &messages.DrainWorker{Worker: "w", On: i%2 == 0, Reply: func(_ *attune.Worker, err error) { answers <- err }})
		}
		for range cap(answers) {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		if v := r.workerNamed("w"); v.Drained || v.Version != 41 {
			t.Errorf("drained is %v, version %d", v.Drained, v.Version)
		}
		r.must(settings{MS: 5})
		r.allOnce(5 * time.Second)
	})
}

// An execution may bear an incarnation that had a successor before it was
// declared lost. It learns of its end also when the worker is removed meanwhile,
// whether or not the node has an actor of that name.
func TestARemovedWorkerLeavesNoExecutionBehind(t *testing.T) {
	for name, restart := range map[string]bool{"while the node runs": false, "and the node starts again": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.work("w", 2)
				long := r.must(settings{MS: -1})
				r.reaches(long, attune.Running, time.Second)
				time.Sleep(2 * time.Second) // that it runs is stored
				r.kill("w")
				r.lose.set(func(x messages.Exchange, _ string, _ any) bool { return x == messages.Reports })
				r.work("w", 2) // it could say that the run is lost, and cannot be heard
				r.kill("w")
				r.until("the second is lost", 15*time.Second, func() bool { return r.workerNamed("w").State == attune.WorkerLost })
				r.lose.clear()
				if x := r.row(long); x.Status != attune.Running || x.Incarnation != "w-1" {
					t.Fatalf("before the removal it is %s on %s", x.Status, x.Incarnation)
				}
				if _, err := r.RemoveWorker(r.Context(), "w"); err != nil {
					t.Fatal(err)
				}
				if restart {
					r.crash()
					r.start()
				}
				r.reaches(long, attune.Abandoned, 2*time.Minute)
			})
		})
	}
}
