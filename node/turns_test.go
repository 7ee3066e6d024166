package node_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune/node"
)

// Turns that block against all rules do not keep others from running.
func TestTurnsGoOnBesideOnesThatBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := node.NewTurns()
		free := make(chan struct{})
		var ran atomic.Int64
		blocked := runtime.GOMAXPROCS(0) + 3
		for range blocked {
			turns.Schedule(func() { <-free })
		}
		for range 5000 {
			turns.Schedule(func() { ran.Add(1) })
		}
		time.Sleep(time.Second)
		if n := ran.Load(); n != 5000 {
			t.Errorf("%d of 5000 turns ran beside %d that block", n, blocked)
		}
		close(free)
		turns.Schedule(func() { ran.Add(1) })
		synctest.Wait()
		turns.Stop()
		turns.Schedule(func() { t.Error("a turn after Stop") })
		turns.Stop() // may be called twice
		if n := ran.Load(); n != 5001 {
			t.Errorf("%d turns ran", n)
		}
	})
}

// Stop waits for the turns under way and drops what is queued.
func TestTurnsStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := node.NewTurns()
		var began, ended atomic.Int64
		for range 1000 {
			turns.Schedule(func() {
				began.Add(1)
				time.Sleep(time.Second)
				ended.Add(1)
			})
		}
		time.Sleep(500 * time.Millisecond)
		turns.Stop()
		if b, e := began.Load(), ended.Load(); b == 0 || b == 1000 || b != e {
			t.Errorf("%d turns began and %d ended", b, e)
		}
	})
}

// What was lent has ended when Wait returns, and nothing is lent after.
func TestLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lent := &node.Lent{}
		var ended atomic.Int64
		for range 10 {
			lent.Lend(func() {
				time.Sleep(time.Second)
				ended.Add(1)
			})
		}
		lent.Wait()
		if ended.Load() != 10 {
			t.Errorf("%d ended", ended.Load())
		}
		lent.Lend(func() { t.Error("lent after Wait") })
		lent.Wait()
	})
}
