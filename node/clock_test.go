package node_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune/node"
)

// The clock follows the database and never goes back.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := node.NewClock()
		began := time.Now()
		at := func(want time.Duration) {
			t.Helper()
			if got := c.Now().Sub(began); got != want {
				t.Errorf("it shows %s, want %s", got, want)
			}
		}
		at(0)
		c.Set(c.Now(), began.Add(time.Hour)) // the database is ahead
		at(time.Hour)
		time.Sleep(time.Second)
		at(time.Hour + time.Second)
		c.Set(c.Now(), c.Now().Add(-10*time.Second)) // it is behind: time stands still
		at(time.Hour + time.Second)
		time.Sleep(9 * time.Second)
		at(time.Hour + time.Second)
		time.Sleep(2 * time.Second)
		at(time.Hour + 2*time.Second)
		called := time.Time{}
		c.AfterFunc(time.Minute, func() { called = time.Now() })
		start := time.Now()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if called.Sub(start) != time.Minute {
			t.Errorf("called after %s", called.Sub(start))
		}
	})
}
