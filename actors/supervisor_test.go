package actors_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune/actors"
)

// guarded is a rig whose root stops a child at its third failure in a minute.
func guarded(t *testing.T, test func(t *testing.T, r *rig, root *branch, gaveUp *[]string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var gaveUp []string
		root := &branch{leaf: leaf{kind: "root"}}
		root.Supervisor = actors.Supervisor{Limit: 3, Within: time.Minute, GaveUp: func(child *actor.PID, reason any) {
			gaveUp = append(gaveUp, fmt.Sprintf("%s: %v", child.Id, reason))
		}}
		clock := &clock{}
		root.Clock = clock
		r := newRig(t, actors.Config{}, root)
		root.Clock = r.clock
		test(t, r, root, &gaveUp)
	})
}

func (r *rig) failAfter(pid *actor.PID, after time.Duration) {
	r.clock.forward(after)
	r.Tell(pid, do(fail))
	synctest.Wait()
}

func TestSupervisorGivesUpAtTheLimit(t *testing.T) {
	guarded(t, func(t *testing.T, r *rig, _ *branch, gaveUp *[]string) {
		a, b := r.spawn("a", &leaf{kind: "c"}), r.spawn("b", &leaf{kind: "c"})
		for range 2 {
			r.failAfter(a, time.Second)
			r.failAfter(b, time.Second)
		}
		if !r.Lives(a) || !r.Lives(b) || len(*gaveUp) != 0 {
			t.Fatalf("given up below the limit: %v", *gaveUp)
		}
		r.failAfter(a, time.Second)
		if r.Lives(a) || !r.Lives(b) || !slices.Equal(*gaveUp, []string{"root/a: made to fail"}) {
			t.Errorf("at the limit a lives %v, b lives %v, given up %v", r.Lives(a), r.Lives(b), *gaveUp)
		}
		again := r.spawn("a", &leaf{kind: "c"})
		r.failAfter(again, time.Second)
		r.failAfter(again, time.Second)
		if !r.Lives(again) {
			t.Error("a child inherits the failures of the one that was stopped")
		}
	})
}

func TestFailuresDecay(t *testing.T) {
	guarded(t, func(t *testing.T, r *rig, _ *branch, gaveUp *[]string) {
		pid := r.spawn("c", &leaf{kind: "c"})
		for i, after := range []time.Duration{0, 59 * time.Second, time.Second, 59 * time.Second, time.Second, time.Hour, time.Second} {
			r.failAfter(pid, after)
			if !r.Lives(pid) {
				t.Fatalf("given up at failure %d, though there were never three within a minute", i)
			}
		}
		r.failAfter(pid, 58*time.Second)
		if r.Lives(pid) || len(*gaveUp) != 1 {
			t.Errorf("three failures within 59 s, and it lives: %v", *gaveUp)
		}
	})
}

func TestSupervisorForgets(t *testing.T) {
	guarded(t, func(t *testing.T, r *rig, root *branch, gaveUp *[]string) {
		for range 5 {
			pid := r.spawn("c", &leaf{kind: "c"})
			r.failAfter(pid, time.Second)
			r.failAfter(pid, time.Second)
			r.Tell(r.root, do(func(actor.Context) { root.Forget("root/c") }))
			r.Stop(pid)
			synctest.Wait()
		}
		if len(*gaveUp) != 0 {
			t.Errorf("given up: %v", *gaveUp)
		}
	})
}

func TestGivingUpWithoutAnybodyToTell(t *testing.T) {
	guarded(t, func(t *testing.T, r *rig, root *branch, _ *[]string) {
		root.GaveUp = nil
		pid := r.spawn("c", &leaf{kind: "c"})
		for range 3 {
			r.failAfter(pid, 0)
		}
		if r.Lives(pid) || len(r.fatal) != 0 {
			t.Errorf("the child lives %v, the node had to end: %v", r.Lives(pid), r.fatal)
		}
	})
}
