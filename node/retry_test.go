package node_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// tries is a policy for every end.
func tries(n int, delay time.Duration) *attune.RetryPolicy {
	return &attune.RetryPolicy{MaxAttempts: n, On: []attune.Status{attune.Failed, attune.TimedOut, attune.Abandoned}, Delay: attune.Span(delay), MaxDelay: attune.Span(time.Hour)}
}

// asked is a request that has to succeed.
func (r *rig) asked(s settings, more api.ExecutionRequest) attune.ExecutionID {
	r.Helper()
	id, err := r.requestOf("t.run", s, more)
	if err != nil {
		r.Fatal(err)
	}
	return id
}

// actors counts the executions that have one.
func (r *rig) actors() int {
	synctest.Wait()
	return r.Tree().Census().Kinds()["execution"]
}

func TestWhatFailsIsTriedAgainWhileTriesRemain(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		id := r.asked(settings{MS: 20, Fail: true, Print: 1}, api.ExecutionRequest{Retry: tries(3, 10*time.Second)})
		x := r.reaches(id, attune.Delayed, time.Second)
		if !strings.HasPrefix(x.Reason, "attempt 1 of 3 failed (exit_code): trying again at 20") || x.Until.Sub((database{}).Now()) < 9*time.Second {
			t.Errorf("it is delayed until %s: %s", x.Until, x.Reason)
		}
		if r.actors() != 0 || r.workerNamed("w").Running != 0 {
			t.Errorf("delayed, it has %d actors and %d slots", r.actors(), r.workerNamed("w").Running)
		}
		x = r.reaches(id, attune.Failed, 25*time.Second)
		runs := r.of(id)
		if x.Attempt != 3 || len(runs) != 3 || x.Failure == nil || x.Failure.Code != "exit_code" {
			t.Fatalf("it failed as %v after %d attempts, %d runs", x.Failure, x.Attempt, len(runs))
		}
		for i := range 2 {
			if pause := runs[i+1].began.Sub(runs[i].ended); pause < 10*time.Second || pause > 10100*time.Millisecond {
				t.Errorf("the pause after attempt %d was %s", i+1, pause)
			}
		}
		for attempt := 1; attempt <= 3; attempt++ {
			out, err := r.rows.ReadOutput(r.Context(), attune.Token{Execution: id, Attempt: attempt}, persistence.Stdout, 0, 100)
			if string(out) != "chunk\n" || err != nil {
				t.Errorf("attempt %d printed %q, %v", attempt, out, err)
			}
		}
		r.allOnce(time.Second)
	})
}

func TestAnAttemptThatTimedOutIsTriedAgain(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		worker := r.asked(settings{MS: -1}, api.ExecutionRequest{Timeout: time.Second, Retry: tries(2, time.Second)})
		owner := r.asked(settings{MS: -1, Stubborn: true}, api.ExecutionRequest{Timeout: time.Second, Retry: tries(2, time.Second)})
		x := r.reaches(worker, attune.TimedOut, 10*time.Second)
		if x.Attempt != 2 || x.Failure == nil || x.Failure.Code != "timeout" {
			t.Errorf("it ended at attempt %d as %v", x.Attempt, x.Failure)
		}
		r.reaches(owner, attune.Stopping, 30*time.Second)
		r.of(owner)[0].stop(messages.StoppedRun, true)
		if x = r.reaches(owner, attune.Delayed, time.Second); !strings.HasPrefix(x.Reason, "attempt 1 of 2 timed out (timeout)") {
			t.Errorf("after a stop by its limit it waits because: %s", x.Reason)
		}
		r.until("the next attempt runs", 5*time.Second, func() bool { return len(r.of(owner)) == 2 })
		r.of(owner)[1].stop(messages.Finished, true)
		r.reaches(owner, attune.Completed, time.Second)
		r.allOnce(time.Second)
	})
}

func TestALostWorkerIsMadeUpForByAnother(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		id := r.asked(settings{MS: 3000}, api.ExecutionRequest{Retry: tries(2, time.Second)})
		once := r.asked(settings{MS: 3000}, api.ExecutionRequest{Retry: &attune.RetryPolicy{MaxAttempts: 5, On: []attune.Status{attune.Failed}}})
		r.reaches(id, attune.Running, time.Second)
		r.kill("w")
		r.work("other", 1)
		x := r.reaches(id, attune.Completed, time.Minute)
		if x.Attempt != 2 || x.Worker != "other" {
			t.Errorf("it completed at attempt %d on %s", x.Attempt, x.Worker)
		}
		r.allOnce(time.Minute)
		if x := r.row(once); x.Status != attune.Completed {
			t.Errorf("what waited is %s", x.Status)
		}
	})
}

// A cancel ends what waits for its next attempt at once, and for good.
func TestCancelBetweenTwoAttempts(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		id := r.asked(settings{MS: 5, Fail: true}, api.ExecutionRequest{Retry: tries(3, time.Minute)})
		r.reaches(id, attune.Delayed, time.Second)
		if x := r.mustCancel(id); x.Status != attune.Cancelled {
			t.Errorf("it is %s", x.Status)
		}
		time.Sleep(2 * time.Minute)
		if n := len(r.of(id)); n != 1 {
			t.Errorf("it ran %d times", n)
		}
		r.allOnce(time.Second)
	})
}

// Naively a node that starts takes what is delayed for due.
func TestADelayOutlivesTheNode(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 3)
		began := (database{}).Now()
		later := r.asked(settings{MS: 5}, api.ExecutionRequest{After: 20 * time.Second})
		again := r.asked(settings{MS: 5, Fail: true}, api.ExecutionRequest{Retry: tries(2, 30*time.Second)})
		missed := r.asked(settings{MS: 5}, api.ExecutionRequest{NotBefore: began.Add(3 * time.Second)})
		r.reaches(again, attune.Delayed, time.Second)
		r.crash()
		time.Sleep(5 * time.Second)
		r.start()
		r.reaches(missed, attune.Completed, time.Second)
		if n := r.actors(); n != 0 {
			t.Errorf("what waits has %d actors", n)
		}
		for id, at := range map[attune.ExecutionID]time.Duration{later: 20 * time.Second, again: 30 * time.Second} {
			r.until("it runs at its moment", 40*time.Second, func() bool { return r.row(id).Status.Terminal() })
			all := r.of(id)
			if took := all[len(all)-1].began.AddDate(26, 0, 0).Sub(began); took < at || took > at+300*time.Millisecond {
				t.Errorf("it began after %s, want %s", took, at)
			}
		}
		r.allOnce(time.Second)
	})
}
