package node_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// says is a bundle that comes by the broker, from whomever.
func (r *rig) says(item any) {
	r.Helper()
	if err := r.broker.Send(messages.Reports, "n-1", messages.Bundle{From: "x-1", Items: []any{item}}); err != nil {
		r.Error(err)
	}
	synctest.Wait()
}

// A chunk that no store can hold is dropped. The naive way, to write it again
// until it is stored, stores nothing of anybody any more.
func TestAChunkThatNoStoreCanHoldBlocksNobody(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		token := attune.Token{Execution: attune.ExecutionID(attune.MakeID(1, 0, 0)), Attempt: 1}
		r.says(messages.Output{Token: token, Worker: "w", Stream: 1, Offset: -1, Data: []byte("x")})
		r.says(messages.Output{Token: token, Worker: "w", Stream: 9, Data: []byte("x")})
		r.reaches(r.must(settings{MS: 5, Print: 3}), attune.Completed, 5*time.Second)
		r.allOnce(time.Second)
	})
}

// A report counts only from the worker that has the attempt, whatever it knows.
func TestNobodyReportsForAnother(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		long := r.must(settings{MS: 5000})
		x := r.reaches(long, attune.Running, time.Second)
		r.says(messages.Report{Token: x.Token(), Kind: messages.FailedRun, Worker: "v", Incarnation: "w-1"})
		time.Sleep(2 * time.Second)
		if x := r.row(long); x.Status != attune.Running {
			t.Errorf("it is %s: %v", x.Status, x.Failure)
		}
		for _, s := range r.steps(r.reaches(long, attune.Completed, 10*time.Second)) {
			if s.Refused {
				t.Errorf("the words of another are evidence: %+v", s)
			}
		}
		r.allOnce(time.Second)
	})
}

// What a worker cannot run it gives back, and why is told. It has the least to do
// then, and is not chosen again while another has a slot.
func TestWhatIsGivenBackGoesToAnother(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("a", 3)
		for range 2 {
			r.reaches(r.must(settings{MS: 10_000}), attune.Running, time.Second)
		}
		r.work("b", 3)
		r.hold(func(item any) bool { _, lost := item.(messages.Dispatch); return lost })
		id := r.must(settings{MS: 5})
		x := r.reaches(id, attune.Scheduled, time.Second)
		if x.Worker != "b" {
			t.Fatalf("it is on %s", x.Worker)
		}
		r.says(messages.Report{Token: x.Token(), Kind: messages.Returned, Worker: "b", Incarnation: "b-1", Reason: "its pack cannot be had now"})
		r.lose.clear()
		x = r.reaches(id, attune.Completed, 5*time.Second)
		if x.Worker != "a" || x.Attempt != 2 {
			t.Errorf("attempt %d was on %s", x.Attempt, x.Worker)
		}
		told := false
		for _, s := range r.steps(x) {
			told = told || s.Signal == attune.Return && strings.Contains(s.Note, "worker b") && strings.Contains(s.Note, "pack cannot be had")
		}
		if !told {
			t.Errorf("nobody says why: %+v", r.steps(x))
		}
		r.allOnce(20 * time.Second)
	})
}

// However much there is for a worker at once, no bundle is larger than servers
// take.
func TestBundlesAreBoundedInBytes(t *testing.T) {
	inBubble(t, func(r *rig) {
		var mu sync.Mutex
		most, largest := 0, 0
		if _, err := r.broker.Subscribe(messages.ToWorkers, "w", func(m any) {
			size := 0
			for _, item := range m.(messages.Bundle).Items {
				if d, ok := item.(messages.Dispatch); ok {
					size += len(d.Parameters)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			most, largest = max(most, len(m.(messages.Bundle).Items)), max(largest, size)
		}); err != nil {
			t.Fatal(err)
		}
		for range 50 {
			r.must(settings{MS: 5, Pad: strings.Repeat("x", 100_000)})
		}
		r.work("w", 50)
		r.allOnce(20 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if largest > 1<<20 || most < 3 {
			t.Errorf("the largest bundle has %d bytes, the fullest %d items", largest, most)
		}
	})
}
