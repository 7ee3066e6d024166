package node_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

func (r *rig) mustCancel(id attune.ExecutionID) *attune.Execution {
	r.Helper()
	began := time.Now()
	x, err := r.Node.Cancel(r.Context(), id, "enough", "me")
	if err != nil || x.ID != id {
		r.Fatalf("cancel %s: %v, %v", id, x, err)
	}
	if took := time.Since(began); took > time.Second {
		r.Errorf("a cancel took %s", took)
	}
	return x
}

// hold loses the messages that sends is true for.
func (r *rig) hold(sends func(item any) bool) {
	r.lose.set(func(_ messages.Exchange, _ string, m any) bool {
		b, ok := m.(messages.Bundle)
		return ok && len(b.Items) == 1 && sends(b.Items[0])
	})
}

func TestCancelInEveryLiveStatus(t *testing.T) {
	for name, c := range map[string]struct {
		before attune.Status // what the cancel finds
		after  attune.Status // what it answers
		begin  func(r *rig) attune.ExecutionID
		finish func(r *rig, id attune.ExecutionID)
	}{
		"scheduling": {attune.Scheduling, attune.Cancelled, func(r *rig) attune.ExecutionID { return r.must(settings{MS: 5}) }, nil},
		"scheduled": {attune.Scheduled, attune.Stopping, func(r *rig) attune.ExecutionID {
			r.work("w", 1)
			r.hold(func(item any) bool { _, lost := item.(messages.Dispatch); return lost })
			return r.must(settings{MS: 5})
		}, nil},
		"running": {attune.Running, attune.Stopping, func(r *rig) attune.ExecutionID {
			r.work("w", 1)
			return r.must(settings{MS: -1})
		}, nil},
		"stopping, by a run that does not listen": {attune.Running, attune.Stopping, func(r *rig) attune.ExecutionID {
			r.work("w", 1)
			return r.must(settings{MS: -1, Stubborn: true})
		}, func(r *rig, id attune.ExecutionID) { r.on("w")[0].stop(messages.FailedRun, true) }},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				id := c.begin(r)
				r.reaches(id, c.before, 2*time.Second)
				first := r.mustCancel(id)
				if first.Status != c.after && first.Status != attune.Cancelled {
					t.Errorf("the first cancel answers %s", first.Status)
				}
				synctest.Wait()
				if c.finish != nil {
					time.Sleep(time.Minute)
					second := r.mustCancel(id)
					if second.Status != attune.Stopping || second.Version != first.Version {
						t.Errorf("cancelled again it is %s at version %d, was %d", second.Status, second.Version, first.Version)
					}
					c.finish(r, id)
				}
				x := r.reaches(id, attune.Cancelled, 5*time.Second)
				if x.Failure == nil || x.Failure.Code != "cancelled" {
					t.Errorf("it failed as %v", x.Failure)
				}
				if again := r.mustCancel(id); again.Status != attune.Cancelled || again.Version != x.Version {
					t.Errorf("cancelled after its end it is %s at version %d, was %d", again.Status, again.Version, x.Version)
				}
				r.allOnce(time.Second)
			})
		})
	}
}

// A thousand cancels meet ends in the same instant, and just before and after:
// each execution has one terminal status and one completion.
func TestCancelAgainstFinish(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 250)
		ended := map[attune.Status]int{}
		var group sync.WaitGroup
		for range 4 {
			for i := range 250 {
				id := r.must(settings{MS: 20})
				group.Go(func() {
					time.Sleep([]time.Duration{19, 20, 20, 20, 20, 21}[i%6] * time.Millisecond)
					r.mustCancel(id)
				})
			}
			group.Wait()
			r.allOnce(time.Minute)
		}
		for _, x := range r.rows.Rows().Executions {
			ended[x.Status]++
			if x.FinishNumber == 0 {
				t.Errorf("%s has no finish number", x.ID)
			}
			ends := 0
			for _, s := range r.steps(x) {
				if s.To.Terminal() && !s.Refused {
					ends++
				}
			}
			if all, _ := r.announcements(x.ID); ends != 1 || len(all) != 1 {
				t.Errorf("%s has %d ends and the announcements %v", x.ID, ends, all)
			}
		}
		if ended[attune.Completed]+ended[attune.Cancelled] != 1000 || ended[attune.Completed] < 150 || ended[attune.Cancelled] < 150 {
			t.Errorf("they ended as %v", ended)
		}
	})
}

// A reason that no store can hold does not keep an execution from its end.
func TestCancelForAnUnstorableReason(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		id := r.must(settings{MS: -1})
		r.reaches(id, attune.Running, time.Second)
		if _, err := r.Node.Cancel(r.Context(), id, "no\x00reason", "me"); err != nil {
			t.Error(err)
		}
		r.reaches(id, attune.Cancelled, 5*time.Second)
		r.allOnce(time.Second)
	})
}
