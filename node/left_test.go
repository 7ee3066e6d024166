package node_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence/memory"
)

// A worker that leaves in order takes nothing with it: what was assigned to it
// and did not reach it any more goes to another.
func TestAWorkerThatLeavesTakesNothingWithIt(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		runs := r.must(settings{MS: 1000})
		r.reaches(runs, attune.Running, time.Second)
		r.hold(func(item any) bool { _, lost := item.(messages.Dispatch); return lost })
		late := r.must(settings{MS: 1})
		r.reaches(late, attune.Scheduled, time.Second)
		if err := r.workers["w"].Drain(r.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if x := r.row(runs); x.Status != attune.Completed {
			t.Errorf("what ran is %s", x.Status)
		}
		if x := r.row(late); x.Status != attune.Scheduling {
			t.Errorf("what did not reach it is %s: %v", x.Status, x.Failure)
		}
		r.lose.clear()
		r.work("other", 1)
		r.reaches(late, attune.Completed, time.Second)
		if got := r.workerNamed("w"); got.State != attune.WorkerLeft {
			t.Errorf("it is %s", got.State)
		}
		r.allOnce(time.Second)
	})
}

// That a worker leaves is said once. It counts also when its row is on its way to
// the store at that moment.
func TestAWorkerMayLeaveWhileItsRowIsStored(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		r.hold(func(item any) bool { _, lost := item.(messages.Dispatch); return lost })
		late := r.must(settings{MS: 1})
		r.reaches(late, attune.Scheduled, time.Second)
		r.fault.set(func(method string, _ int) memory.Fault {
			if method == "Flush" {
				return memory.Fault{Kind: memory.LostBefore}
			}
			return memory.Fault{}
		})
		answered := make(chan error, 1)
		r.Tree().Tell(r.Tree().Workers, &messages.DrainWorker{Worker: "w", On: true, Reply: func(_ *attune.Worker, err error) { answered <- err }})
		if err := r.workers["w"].Drain(r.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		r.fault.clear()
		if err := <-answered; err != nil {
			t.Error(err)
		}
		r.until("it has left", 5*time.Second, func() bool { return r.workerNamed("w").State == attune.WorkerLeft })
		r.lose.clear()
		r.work("other", 1)
		r.reaches(late, attune.Completed, 5*time.Second)
		r.allOnce(time.Second)
	})
}
