package node_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence/memory"
)

// A worker that is silent is lost 12 s after the last answer it got, not
// before; that is stored, and what it ran is abandoned.
func TestASilentWorkerIsLost(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		long, stopped := r.must(settings{MS: -1}), r.must(settings{MS: -1, Stubborn: true})
		r.reaches(long, attune.Running, time.Second)
		r.mustCancel(stopped)
		time.Sleep(2500 * time.Millisecond)
		r.kill("w")
		heard := r.workerNamed("w").LastHeard
		time.Sleep(heard.Add(12 * time.Second).Add(-time.Millisecond).Sub(database{}.Now()))
		synctest.Wait()
		if r.rows.Rows().Workers[0].State != attune.WorkerAlive || r.row(long).Status != attune.Running {
			t.Errorf("before 12 s are over it is %s", r.rows.Rows().Workers[0].State)
		}
		r.until("it is lost", 2*time.Second, func() bool { return r.rows.Rows().Workers[0].State == attune.WorkerLost })
		if x := r.reaches(long, attune.Abandoned, time.Second); x.Failure == nil || x.Failure.Code != "worker_lost" {
			t.Errorf("its run failed as %v", x.Failure)
		}
		r.reaches(stopped, attune.Cancelled, time.Second)
		waits := r.must(settings{MS: 1})
		if x := r.row(waits); x.Status != attune.Scheduling || x.Reason == "" || x.Until.IsZero() {
			t.Errorf("without a worker it is %s, because %q, until %s", x.Status, x.Reason, x.Until)
		}
		r.work("w", 2)
		r.reaches(waits, attune.Completed, 5*time.Second)
		r.allOnce(time.Second)
	})
}

// Two processes under one name: the second is refused while the first lives. An
// incarnation that is lost is told so.
func TestOneLiveIncarnationPerName(t *testing.T) {
	inBubble(t, func(r *rig) {
		var mu sync.Mutex
		var heard []any
		if _, err := r.broker.Subscribe(messages.ToWorkers, "w", func(m any) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, m.(messages.Bundle).Items...)
		}); err != nil {
			t.Fatal(err)
		}
		say := func(item any) {
			if err := r.broker.Send(messages.Heartbeats, "", messages.Bundle{From: "w-x", Items: []any{item}}); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		r.work("w", 1)
		say(messages.Registered{Worker: "w", Incarnation: "w-x", Slots: 1, Runners: []string{"timed"}})
		refused := func() (last messages.RegisterAck) {
			mu.Lock()
			defer mu.Unlock()
			for _, item := range heard {
				if a, ok := item.(messages.RegisterAck); ok && a.Incarnation == "w-x" {
					last = a
				}
			}
			return last
		}
		if a := refused(); a.Refused == "" {
			t.Errorf("the second is answered %+v", a)
		}
		r.kill("w")
		r.until("the first is lost", 15*time.Second, func() bool { return r.rows.Rows().Workers[0].State == attune.WorkerLost })
		say(messages.Heartbeat{Worker: "w", Incarnation: "w-1"})
		mu.Lock()
		told := false
		for _, item := range heard {
			a, ok := item.(messages.HeartbeatAck)
			told = told || ok && a.Incarnation == "w-1" && a.Lost
		}
		mu.Unlock()
		if !told {
			t.Error("a heartbeat of the lost incarnation is not answered: lost")
		}
		say(messages.Registered{Worker: "w", Incarnation: "w-x", Slots: 1, Runners: []string{"timed"}})
		if a := refused(); a.Refused != "" || a.Lost || r.workerNamed("w").Incarnation != "w-x" {
			t.Errorf("after the loss of the first the second is answered %+v", a)
		}
	})
}

// A worker that cannot be heard ends its runs with its lease. When it is heard
// again it registers anew, and what had ended before is evidence.
func TestALateReportIsEvidence(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		id := r.must(settings{MS: 3000})
		r.reaches(id, attune.Running, time.Second)
		r.lose.set(func(x messages.Exchange, _ string, _ any) bool { return x != messages.Executions })
		x := r.reaches(id, attune.Abandoned, 20*time.Second)
		runs := r.of(id)
		if len(runs) != 1 || runs[0].how != messages.Finished {
			t.Fatalf("it ran as %+v", runs)
		}
		r.lose.clear()
		r.until("the late report is in the history", 30*time.Second, func() bool { return r.row(id).Version > x.Version })
		time.Sleep(10 * time.Second) // repeated, it is not kept again
		late := r.row(id)
		steps := r.steps(late)
		if last := steps[len(steps)-1]; late.Status != attune.Abandoned || late.Version != x.Version+1 || !last.Refused || last.Signal != attune.Finish || last.Attempt != 1 {
			t.Errorf("it is %s at version %d, was %d; the last step is %+v", late.Status, late.Version, x.Version, last)
		}
		if all, times := r.announcements(id); len(all) != 1 || times != 1 {
			t.Errorf("announced as %v, %d times", all, times)
		}
		r.until("the worker is back", 10*time.Second, func() bool { return r.workerNamed("w").State == attune.WorkerAlive })
		r.reaches(r.must(settings{MS: 1}), attune.Completed, 5*time.Second)
	})
}

// A worker that is being declared lost is not taken for registered: the answer
// would be a lease, and what runs under it would have a successor elsewhere.
func TestAWorkerThatIsBeingDeclaredLostGetsNoLease(t *testing.T) {
	inBubble(t, func(r *rig) {
		acks := make(chan messages.RegisterAck, 10)
		if _, err := r.broker.Subscribe(messages.ToWorkers, "w", func(m any) {
			for _, item := range m.(messages.Bundle).Items {
				if a, ok := item.(messages.RegisterAck); ok {
					acks <- a
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
		register := func() (answers []messages.RegisterAck) {
			if err := r.broker.Send(messages.Heartbeats, "", messages.Bundle{From: "w-x", Items: []any{messages.Registered{Worker: "w", Incarnation: "w-x", Slots: 1, Runners: []string{"timed"}}}}); err != nil {
				t.Error(err)
			}
			for time.Sleep(500 * time.Millisecond); len(acks) > 0; {
				answers = append(answers, <-acks)
			}
			return answers
		}
		if got := register(); len(got) != 1 || got[0].Lost {
			t.Fatalf("it is answered %+v", got)
		}
		r.fault.set(func(method string, _ int) memory.Fault {
			if method == "Flush" {
				return memory.Fault{Kind: memory.LostBefore}
			}
			return memory.Fault{}
		})
		time.Sleep(14 * time.Second)
		if got := register(); len(got) != 0 {
			t.Errorf("while its loss is on its way to the store it is answered %+v", got)
		}
		r.fault.clear()
		r.until("it is lost", 10*time.Second, func() bool { return r.rows.Rows().Workers[0].State == attune.WorkerLost })
		time.Sleep(time.Second)
		if got := register(); len(got) != 1 || !got[0].Lost {
			t.Errorf("afterwards it is answered %+v", got)
		}
	})
}
