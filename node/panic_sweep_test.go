package node_test

import (
	"maps"
	"slices"
	"testing"
	"time"
)

// Every kind of actor panics under load on every kind of message it handles, at
// the first such message and at a later one. Nothing that was acknowledged is
// lost, nothing runs twice, no slot stays taken.
func TestAPanicOnAnyMessageLosesNothing(t *testing.T) {
	probe := &sabotage{}
	inBubble(t, func(r *rig) { underPanic(r, probe) })
	pairs := slices.Collect(maps.Keys(probe.seen))
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	if len(pairs) < 40 {
		t.Errorf("only %d pairs of actor and message were seen: %v", len(pairs), pairs)
	}
	for _, pair := range pairs {
		at := []int{1}
		if n := probe.seen[pair]; n > 60 {
			at = append(at, n/2)
		}
		for _, nth := range at {
			t.Run(pair[0]+" on "+pair[1]+" number "+string(rune('0'+min(nth, 9))), func(t *testing.T) {
				inBubble(t, func(r *rig) {
					s := &sabotage{}
					s.strikes = func(_, kind, message string) bool {
						return kind == pair[0] && message == pair[1] && s.seen[pair] == nth
					}
					underPanic(r, s)
				})
			})
		}
	}
}

// underPanic is a load on two workers under sabotage; when it ends the node,
// the next incarnation goes on.
func underPanic(r *rig, s *sabotage) {
	r.Helper()
	r.observe.set(s.observe)
	all := orders(24)
	r.revive()
	r.startWorker("a", 3)
	r.startWorker("b", 2)
	for _, part := range [][]*order{all[:12], all[12:]} {
		r.drive(part)
		time.Sleep(100 * time.Millisecond)
		r.restart() // with work under way
		for r.drive(part); r.revive(); {
			r.drive(part)
		}
	}
	time.Sleep(3 * time.Second)
	for r.revive(); r.revive(); {
	}
	r.fulfilled(all, nil)
}

func (r *rig) hasFailed() bool {
	select {
	case <-r.Failed():
		return true
	default:
		return false
	}
}

// revive starts the next incarnation of a node that has failed, and reports
// whether it had.
func (r *rig) revive() bool {
	r.Helper()
	if !r.hasFailed() {
		return false
	}
	if r.Ready() == nil {
		r.Errorf("a node that has failed says it is ready")
	}
	r.restart()
	return true
}

// restart ends the node as a crash would and starts its next incarnation.
func (r *rig) restart() {
	r.Helper()
	for {
		r.crash()
		r.boot()
		for range 1000 {
			if time.Sleep(5 * time.Millisecond); r.Ready() == nil {
				return
			}
		}
	}
}
