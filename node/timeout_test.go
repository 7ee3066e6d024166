package node_test

import (
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
)

func (r *rig) limited(s settings, timeout time.Duration) attune.ExecutionID {
	r.Helper()
	id, err := r.requestOf("t.run", s, api.ExecutionRequest{Timeout: timeout})
	if err != nil {
		r.Fatal(err)
	}
	return id
}

func TestTheWorkerEndsARunAtItsLimit(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		began := time.Now()
		x := r.reaches(r.limited(settings{MS: -1}, time.Second), attune.TimedOut, 5*time.Second)
		if took := time.Since(began); took < time.Second || took > 1100*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		if got := r.steps(x); got[len(got)-1].Signal != attune.TimeOut {
			t.Errorf("the last step is %+v", got[len(got)-1])
		}
		r.allOnce(time.Second)
	})
}

// A worker that never ends a run is overruled by the owner's clock: limit, 10 s
// of grace and 5 s for the kill.
func TestTheOwnerExpiresARunThatNobodyEnds(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		began := time.Now()
		id := r.limited(settings{MS: -1, Stubborn: true}, 2*time.Second)
		x := r.reaches(id, attune.Stopping, 30*time.Second)
		if took := time.Since(began); took < 17*time.Second || took > 17100*time.Millisecond {
			t.Errorf("it expired after %s, want 17 s", took)
		}
		if x.Cause != attune.CauseTimeout {
			t.Errorf("it is stopped because of %s", x.Cause)
		}
		time.Sleep(time.Minute) // no evidence, no end
		if x := r.row(id); x.Status != attune.Stopping || r.workerNamed("w").Running != 1 {
			t.Errorf("without evidence it is %s", x.Status)
		}
		r.on("w")[0].stop(messages.StoppedRun, true)
		if x = r.reaches(id, attune.TimedOut, time.Second); x.Failure == nil || x.Failure.Code != "timeout" {
			t.Errorf("it failed as %v", x.Failure)
		}
		r.allOnce(time.Second)
	})
}
