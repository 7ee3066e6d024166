package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// underWay are executions in every status that can outlive a node.
type underWay struct{ running, stopping, scheduled, scheduling attune.ExecutionID }

// underWay starts them on worker w, which has three slots.
func (r *rig) underWay() underWay {
	r.Helper()
	r.work("w", 3)
	u := underWay{running: r.must(settings{MS: 20_000}), stopping: r.must(settings{MS: 20_000, Stubborn: true})}
	r.reaches(u.running, attune.Running, time.Second)
	r.reaches(u.stopping, attune.Running, time.Second)
	if x := r.mustCancel(u.stopping); x.Status != attune.Stopping {
		r.Errorf("it is %s", x.Status)
	}
	r.hold(func(item any) bool { _, lost := item.(messages.Dispatch); return lost })
	u.scheduled = r.must(settings{MS: 30})
	u.scheduling = r.must(settings{MS: 30})
	for id, s := range map[attune.ExecutionID]attune.Status{u.running: attune.Running, u.stopping: attune.Stopping, u.scheduled: attune.Scheduled, u.scheduling: attune.Scheduling} {
		if x := r.row(id); x.Status != s {
			r.Errorf("%s is %s, want %s", id, x.Status, s)
		}
	}
	r.crash()
	r.lose.clear()
	return u
}

func (r *rig) ended(what string, id attune.ExecutionID, status attune.Status, attempts int) {
	r.Helper()
	x := r.row(id)
	if x.Status != status || x.Attempt != attempts {
		r.Errorf("%s is %s at attempt %d, want %s at %d: %v", what, x.Status, x.Attempt, status, attempts, r.steps(x))
	}
}

// The worker lives through it: nothing of what it runs is touched.
func TestTheNodeRestarts(t *testing.T) {
	inBubble(t, func(r *rig) {
		u := r.underWay()
		time.Sleep(3 * time.Second) // less than the lease of the worker
		r.start()
		r.allOnce(time.Minute)
		r.ended("running", u.running, attune.Completed, 1)
		r.ended("stopping", u.stopping, attune.Completed, 1) // it ran to its end, deaf to the stop
		r.ended("scheduled", u.scheduled, attune.Completed, 2)
		r.ended("scheduling", u.scheduling, attune.Completed, 1)
	})
}

// The worker dies too, and comes again with its journal: what it had started is
// lost, what it had not is returned and runs.
func TestTheNodeAndItsWorkerRestart(t *testing.T) {
	inBubble(t, func(r *rig) {
		u := r.underWay()
		r.kill("w")
		time.Sleep(time.Second)
		r.start()
		r.work("w", 3)
		r.allOnce(time.Minute)
		r.ended("running", u.running, attune.Abandoned, 1)
		r.ended("stopping", u.stopping, attune.Cancelled, 1)
		r.ended("scheduled", u.scheduled, attune.Completed, 2)
		r.ended("scheduling", u.scheduling, attune.Completed, 1)
	})
}

// The worker is gone for good: lost 12 s after the node came, and with it what
// was assigned to it. What waits goes to another.
func TestTheNodeRestartsWithoutItsWorker(t *testing.T) {
	inBubble(t, func(r *rig) {
		u := r.underWay()
		r.kill("w")
		r.start()
		began := time.Now()
		r.until("the worker is lost", 20*time.Second, func() bool { return r.rows.Rows().Workers[0].State == attune.WorkerLost })
		if took := time.Since(began); took < 11900*time.Millisecond {
			t.Errorf("it was declared lost %s after the start", took)
		}
		r.work("other", 1)
		r.allOnce(time.Minute)
		r.ended("running", u.running, attune.Abandoned, 1)
		r.ended("stopping", u.stopping, attune.Cancelled, 1)
		r.ended("scheduled", u.scheduled, attune.Abandoned, 1)
		r.ended("scheduling", u.scheduling, attune.Completed, 1)
	})
}

// An end that was stored, and not yet proven announced, is announced again.
func TestEndsAreAnnouncedAgain(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		id := r.must(settings{MS: 1})
		r.reaches(id, attune.Completed, time.Second)
		for restarts := 1; restarts <= 2; restarts++ {
			r.restart()
			time.Sleep(10 * time.Millisecond)
			if all, times := r.announcements(id); len(all) != 1 || times < 1+restarts {
				t.Errorf("announced as %v, %d times after %d restarts", all, times, restarts)
			}
		}
		time.Sleep(3 * time.Second) // long enough for the proof
		_, before := r.announcements(id)
		r.restart()
		time.Sleep(10 * time.Millisecond)
		if _, times := r.announcements(id); times != before {
			t.Errorf("proven, it is announced again: %d times, was %d", times, before)
		}
	})
}

// No id is handed out twice, and they rise within each partition, over restarts
// of the node and of the actors that make them.
func TestIDsNeverRepeat(t *testing.T) {
	inBubble(t, func(r *rig) {
		highest := map[int]attune.ExecutionID{}
		for round := range 6 {
			for range 300 {
				id := r.must(settings{})
				if p := id.Partition(); id <= highest[p] {
					t.Fatalf("round %d: %s comes after %s", round, id, highest[p])
				}
				highest[id.Partition()] = id
			}
			switch round % 3 {
			case 0:
				r.restart()
			case 1: // a partition's actor fails on its next message
				r.panicOn("partition", "*messages.Admit")
			case 2:
				r.panicOn("partitions", "*messages.SchedulerStarted")
			}
		}
		if n := len(r.rows.Rows().Executions); n < 1800 {
			t.Errorf("%d executions are stored", n)
		}
	})
}

// panicOn makes one actor of the kind panic on such a message, and waits until
// the node takes work again.
func (r *rig) panicOn(kind, message string) {
	r.Helper()
	s := &sabotage{}
	s.strikes = func(_, k, m string) bool { return k == kind && m == message && s.struck == 0 }
	r.observe.set(s.observe)
	if kind == "partitions" {
		r.Tree().Tell(r.Tree().Partitions, &messages.SchedulerStarted{})
	} else if _, err := r.request(settings{}); err == nil {
		r.Errorf("a request whose actor failed was acknowledged")
	}
	r.until(fmt.Sprintf("%s has failed", kind), time.Second, func() bool { return s.count() == 1 })
	r.observe.clear()
}
