package node_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence/memory"
)

// expired checks an end by the deadline, that long after began.
func (r *rig) expired(id attune.ExecutionID, began time.Time, after time.Duration) *attune.Execution {
	r.Helper()
	x := r.reaches(id, attune.TimedOut, time.Minute)
	if took := x.Finished.Sub(began); took < after-time.Millisecond || took > after+200*time.Millisecond {
		r.Errorf("it ended after %s, want %s", took, after)
	}
	if x.Failure == nil || x.Failure.Code != "deadline" {
		r.Errorf("it failed as %v", x.Failure)
	}
	return x
}

func TestADeadlineEndsWhatWaitsForASlot(t *testing.T) {
	inBubble(t, func(r *rig) {
		began := (database{}).Now()
		id := r.asked(settings{MS: 5}, api.ExecutionRequest{Within: 90 * time.Second})
		r.until("it has waited for long", 2*time.Minute, func() bool { return (database{}).Now().Sub(began) > 80*time.Second })
		if n := r.actors(); n != 0 {
			t.Errorf("after a minute it has %d actors", n)
		}
		r.expired(id, began, 90*time.Second)
		r.work("w", 1)
		time.Sleep(time.Minute)
		r.allOnce(time.Second)
		if len(r.of(id)) != 0 {
			t.Error("it ran after its deadline")
		}
	})
}

func TestADeadlineStopsWhatRuns(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		began := (database{}).Now()
		id := r.asked(settings{MS: -1}, api.ExecutionRequest{Deadline: began.Add(4 * time.Second), Timeout: time.Minute, Retry: tries(3, time.Second)})
		deaf := r.asked(settings{MS: -1, Stubborn: true}, api.ExecutionRequest{Within: 4 * time.Second, Retry: tries(3, time.Second)})
		r.expired(id, began, 4*time.Second)
		if x := r.reaches(deaf, attune.Stopping, time.Second); x.Cause != attune.CauseTimeout {
			t.Errorf("it is stopped because of %s", x.Cause)
		}
		time.Sleep(10 * time.Second) // no evidence, no end
		r.of(deaf)[0].stop(messages.FailedRun, true)
		if x := r.reaches(deaf, attune.TimedOut, time.Second); x.Failure.Code != "deadline" || x.Attempt != 1 {
			t.Errorf("with evidence it is %v at attempt %d", x.Failure, x.Attempt)
		}
		r.allOnce(time.Second)
	})
}

// There is no retry that would begin after the deadline: the failure at hand is
// the end.
func TestNoTryComesAfterTheDeadline(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		id := r.asked(settings{MS: 5, Fail: true}, api.ExecutionRequest{Within: 25 * time.Second, Retry: tries(9, 10*time.Second)})
		x := r.reaches(id, attune.Failed, time.Minute)
		steps := r.steps(x)
		if x.Attempt != 3 || !strings.HasSuffix(steps[len(steps)-1].Note, "another would come after the deadline") {
			t.Errorf("it failed at attempt %d: %+v", x.Attempt, steps[len(steps)-1])
		}
		r.allOnce(time.Second)
	})
}

func TestADeadlineThatPassedWhileTheNodeWasDown(t *testing.T) {
	inBubble(t, func(r *rig) {
		began := (database{}).Now()
		waits := r.asked(settings{MS: 5}, api.ExecutionRequest{Within: 10 * time.Second})
		put := r.asked(settings{MS: 5}, api.ExecutionRequest{Within: 12 * time.Second, After: 11 * time.Second})
		r.crash()
		time.Sleep(30 * time.Second)
		r.start()
		for _, id := range []attune.ExecutionID{waits, put} {
			if x := r.expired(id, began, 30*time.Second); x.Attempt != 0 {
				t.Errorf("it had %d attempts", x.Attempt)
			}
		}
		r.allOnce(time.Second)
	})
}

// A rule's deadline and retry take the place of its action's, also where the
// event is judged later by the stored rules.
func TestARuleHasDeadlineAndRetryOfItsOwn(t *testing.T) {
	inBubble(t, func(r *rig) {
		check := func(trigger string, within time.Duration, tries int) {
			t.Helper()
			if _, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: trigger, Payload: []byte(`{"ms": 1}`)}); err != nil {
				t.Fatal(err)
			}
			r.until("all its executions are there", 30*time.Second, func() bool {
				events := r.rows.Rows().Events
				return !events[len(events)-1].Evaluated.IsZero()
			})
			rows := r.rows.Rows().Executions
			x := rows[len(rows)-1]
			if got := x.Limits.Deadline.Sub(x.Requested); got < within-time.Millisecond || got > within+time.Millisecond || x.Limits.Retry.MaxAttempts != tries {
				t.Errorf("%s has %s until its deadline and %d tries", x.Rule, got, x.Limits.Retry.MaxAttempts)
			}
		}
		check(one, 20*time.Minute, 2) // the action's
		broken := 0
		r.fault.set(func(method string, _ int) memory.Fault { // the second slice is judged again, by the stored rules
			if method == "Flush" {
				if broken++; broken == 3 {
					r.fault.clear()
					return memory.Fault{Kind: memory.Contradicted}
				}
			}
			return memory.Fault{}
		})
		check(many, time.Hour, 4) // the rule's
	})
}

func TestAnImpossibleDeadlineIsRefused(t *testing.T) {
	inBubble(t, func(r *rig) {
		now := (database{}).Now()
		for where, more := range map[string]api.ExecutionRequest{
			"deadline": {Deadline: now.Add(-time.Second)},
			"at":       {Within: time.Minute, After: 2 * time.Minute},
		} {
			_, err := r.requestOf("t.run", settings{}, more)
			var e *attune.Error
			if !errors.As(err, &e) || e.Kind != attune.Invalid || e.Code != "deadline_too_early" || e.Where != where {
				t.Errorf("%s: %v", where, err)
			}
		}
		if n := len(r.rows.Rows().Executions); n != 0 {
			t.Errorf("%d executions are stored", n)
		}
	})
}
