package actors

import (
	"math"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Meters are what the actors of a node count for its operator. They outlive
// restarts of the actors, cost a few nanoseconds each, and are read at a scrape
// only. The zero value counts.
type Meters struct {
	// Events counts offered events by what became of them.
	Events struct{ Accepted, Duplicate, Refused atomic.Int64 }
	// Enforcements counts matches by what became of them.
	Enforcements struct{ Created, Failed atomic.Int64 }
	// Evaluations counts rules that were held against events.
	Evaluations struct{ Matched, Missed atomic.Int64 }
	// Flush is how long flushes of the writer took, in seconds, all tries of one
	// together.
	Flush Distribution
	// Pending is how many operations wait for the next flush.
	Pending atomic.Int64
	// StoreFailures counts flushes that the store refused and that were tried
	// again.
	StoreFailures atomic.Int64
	// Bundles counts what was sent to workers.
	Bundles struct{ Sent, Lost atomic.Int64 }
	// Announced counts ends that were given to the broker.
	Announced atomic.Int64
	// AnnounceLosses counts the times the broker may have lost some of them: all
	// that was not proven by then is announced again.
	AnnounceLosses atomic.Int64
	// Messages counts messages from outside by how they were settled: stored, or
	// found to be so; given back; set aside as dead letters. MessagesHeld is how
	// many wait for the node.
	Messages     struct{ Stored, Returned, Dead atomic.Int64 }
	MessagesHeld atomic.Int64
	// OutputPending is how many bytes of output wait to be stored; OutputStored
	// and OutputDropped count bytes. What is dropped comes again.
	OutputPending, OutputStored, OutputDropped atomic.Int64
	// WorkersLost counts incarnations that were declared lost.
	WorkersLost atomic.Int64
	// Waiting is how many runs wait for a slot.
	Waiting atomic.Int64
	// Slots and Taken are those of the workers, by name.
	Slots, Taken Gauges
	// Queued is how long executions waited from their request to the start of
	// their newest attempt; Ran how long that ran; both in seconds, of
	// executions that ended.
	Queued, Ran Distribution
	// Admission is how long a request took to become durable, in seconds.
	Admission Distribution
}

// Gauges are numbers by the name of what they are about: few names, which stay
// until the node ends.
type Gauges struct {
	mu sync.Mutex
	by map[string]*atomic.Int64 // guarded by mu; the numbers are not
}

// Of is the number of a name. Keep it: finding it takes a lock.
func (g *Gauges) Of(name string) *atomic.Int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.by == nil {
		g.by = map[string]*atomic.Int64{}
	}
	n := g.by[name]
	if n == nil {
		n = &atomic.Int64{}
		g.by[name] = n
	}
	return n
}

// Each calls f for all names in order.
func (g *Gauges) Each(f func(name string, value int64)) {
	g.mu.Lock()
	names := make([]string, 0, len(g.by))
	for name := range g.by {
		names = append(names, name)
	}
	g.mu.Unlock()
	sort.Strings(names)
	for _, name := range names {
		f(name, g.Of(name).Load())
	}
}

// buckets are the number of buckets of a distribution: the first ends at
// smallest, each further one at twice the bound before, the last has no end.
const (
	buckets  = 24
	smallest = 1.0 / 4096 // of a second
)

// Distribution counts values in buckets whose bounds double, from a quarter of
// a millisecond to about half an hour.
type Distribution struct {
	counts [buckets]atomic.Int64
	sum    atomic.Uint64 // the bits of a float64
}

// Observe counts a value; one below zero is zero.
func (d *Distribution) Observe(v float64) {
	v = max(v, 0)
	i := 0
	if v > smallest {
		i = min(int(math.Ceil(math.Log2(v/smallest))), buckets-1)
	}
	d.counts[i].Add(1)
	for {
		old := d.sum.Load()
		if d.sum.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

// Since counts the time from a moment to another.
func (d *Distribution) Since(from, to time.Time) { d.Observe(to.Sub(from).Seconds()) }

// Read is the number and sum of all values, and how many were at most each
// bound.
func (d *Distribution) Read() (count uint64, sum float64, below map[float64]uint64) {
	below = make(map[float64]uint64, buckets-1)
	bound := smallest
	for i := range d.counts {
		count += uint64(d.counts[i].Load()) //nolint:gosec // counters only rise from zero
		if i < buckets-1 {
			below[bound] = count
			bound *= 2
		}
	}
	return count, math.Float64frombits(d.sum.Load()), below
}
