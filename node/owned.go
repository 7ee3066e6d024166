package node

import (
	"sync/atomic"
	"time"

	"github.com/attune-automation/attune"
)

// owned is which partitions the node owns and at which epoch. It is safe for
// concurrent use.
type owned struct {
	epochs [attune.Partitions]atomic.Int64
	due    [attune.Partitions]atomic.Int64
	live   [attune.Partitions]atomic.Int64
	turn   atomic.Uint32
	// total is the sum of live, most what it may be at most.
	total atomic.Int64
	most  int64
}

// Claim implements partitions.Owned.
func (o *owned) Claim(partition int, epoch int64) { o.epochs[partition].Store(epoch) }

// Next implements partitions.Owned.
func (o *owned) Next(partition int, due int64) { o.due[partition].Store(due) }

// Live implements partitions.Owned.
func (o *owned) Live(partition, count int) {
	o.total.Add(int64(count) - o.live[partition].Swap(int64(count)))
}

// Room implements partitions.Owned. Of two partitions that ask at once for the
// last place, both may be refused, but never are both let in.
func (o *owned) Room(partition, count int) bool {
	more := int64(count) - o.live[partition].Load()
	if o.total.Add(more) > o.most {
		o.total.Add(-more)
		return false
	}
	o.live[partition].Add(more)
	return true
}

// overdue is how long ago the first due moment of all partitions was.
func (o *owned) overdue(now time.Time) time.Duration {
	first := int64(0)
	for i := range o.due {
		if due := o.due[i].Load(); due != 0 && (first == 0 || due < first) {
			first = due
		}
	}
	if first == 0 {
		return 0
	}
	return max(0, time.Duration(now.UnixNano()-first))
}

// Epoch is the epoch at which the node owns a partition, else 0.
func (o *owned) Epoch(partition int) int64 { return o.epochs[partition].Load() }

// count is how many partitions the node owns.
func (o *owned) count() (n int) {
	for i := range o.epochs {
		if o.epochs[i].Load() > 0 {
			n++
		}
	}
	return n
}

// pick is a partition for new work, each in turn, or -1 when none is owned.
func (o *owned) pick() int {
	for range attune.Partitions {
		i := int(o.turn.Add(1) / stay % attune.Partitions)
		if o.epochs[i].Load() > 0 {
			return i
		}
	}
	return -1
}

// stay is how many requests in a row go to one partition: their rows lie side by
// side then, which saves the store pages, while all partitions get their share
// within seconds of a load that matters.
const stay = 256
