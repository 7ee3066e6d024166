package node

import (
	"sync/atomic"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/worker/keeper"
)

// Clock is database time, carried forward on this process's monotonic clock.
// It is safe for concurrent use and never goes backwards: when a renewal shows
// that the database is behind, it slows down to nothing until the database has
// caught up.
type Clock struct {
	// BootTime is the clock of leases; [NewClock] sets CLOCK_BOOTTIME. Set it, if
	// at all, before anybody uses the clock.
	BootTime func() time.Duration

	start  time.Time    // with its monotonic reading
	offset atomic.Int64 // database time at start, in unix nanoseconds
	last   atomic.Int64
}

// NewClock begins with the time of this machine, until [Clock.Set].
func NewClock() *Clock {
	c := &Clock{start: time.Now(), BootTime: func() time.Duration { return time.Duration(keeper.BoottimeNow()) }}
	c.offset.Store(c.start.UnixNano())
	return c
}

// Set takes over database time as it was read at some moment after sent, a time
// this clock gave.
func (c *Clock) Set(sent, database time.Time) {
	c.offset.Add(database.UnixNano() - sent.UnixNano())
}

// Now implements attune.Clock.
func (c *Clock) Now() time.Time {
	now := c.offset.Load() + int64(time.Since(c.start))
	for {
		last := c.last.Load()
		if now <= last {
			return time.Unix(0, last).UTC()
		}
		if c.last.CompareAndSwap(last, now) {
			return time.Unix(0, now).UTC()
		}
	}
}

// Mono implements attune.Monotonic.
func (c *Clock) Mono() time.Duration { return c.BootTime() }

// AfterFunc implements attune.Clock.
func (c *Clock) AfterFunc(d time.Duration, f func()) attune.Timer { return time.AfterFunc(d, f) }
