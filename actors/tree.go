package actors

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
)

// Tree is where the actors of a node are. Their places are fixed, so that
// addresses exist before the actors do, and outlive their restarts. It is never
// changed after [NewTree], but for the lease.
type Tree struct {
	*System
	// Incarnation is the node's.
	Incarnation string
	// The addresses, by kind.
	Node, Lease, Writer, Rules, Scheduler, Workers, Broker, Intake, Output, Inspector, Partitions, Retention *actor.PID

	// Meters are shared by all actors.
	Meters *Meters

	partitions [attune.Partitions]*actor.PID
	lease      *atomic.Int64
	draining   *atomic.Bool
	flushing   *atomic.Int64 // since when the flush under way is, by Mono; 0 is none
}

// NewTree lays out the tree of a node incarnation.
func NewTree(s *System, incarnation string) *Tree {
	t := &Tree{System: s, Incarnation: incarnation, Node: s.PID("node"), Lease: s.PID("node/lease"), Writer: s.PID("node/writer"),
		Rules: s.PID("node/rules"), Scheduler: s.PID("node/scheduler"), Workers: s.PID("node/workers"), Broker: s.PID("node/broker"), Intake: s.PID("node/intake"),
		Output: s.PID("node/output"), Inspector: s.PID("node/inspector"), Partitions: s.PID("node/partitions"),
		Retention: s.PID("node/retention"), lease: &atomic.Int64{},
		draining: &atomic.Bool{}, flushing: &atomic.Int64{}, Meters: &Meters{}}
	for i := range t.partitions {
		t.partitions[i] = s.PID("node/partitions/" + PartitionName(i))
	}
	return t
}

// Mono is the clock of the lease: it never jumps, as database time may.
func (t *Tree) Mono() time.Duration {
	if m, ok := t.Clock.(attune.Monotonic); ok {
		return m.Mono()
	}
	return t.Clock.Now().Sub(attune.Epoch)
}

// Hold lets the node act until that moment of [Tree.Mono]: its lease was
// renewed.
func (t *Tree) Hold(until time.Duration) { t.lease.Store(int64(until)) }

// Holds reports whether the node may act: write and dispatch. When it may not,
// it waits; its lease may yet be renewed.
func (t *Tree) Holds() bool { return int64(t.Mono()) < t.lease.Load() }

// Drain says that the node takes no more work; it is never taken back.
func (t *Tree) Drain() { t.draining.Store(true) }

// Draining reports that the node takes no more work, and that nothing more is
// given a slot. It outlives restarts of the actors that ask.
func (t *Tree) Draining() bool { return t.draining.Load() }

// Flushing is told by the writer when a flush begins, and Flushed when it is
// answered, however often it was tried.
func (t *Tree) Flushing() { t.flushing.Store(max(1, int64(t.Mono()))) }

// Flushed ends what [Tree.Flushing] began.
func (t *Tree) Flushed() { t.flushing.Store(0) }

// StoreAway reports that the store has refused a flush, or kept it waiting, for
// five seconds: what is pending stays pending.
func (t *Tree) StoreAway() bool {
	since := t.flushing.Load()
	return since != 0 && t.Mono()-time.Duration(since) >= 5*time.Second
}

// PartitionName is the name of a partition's actor.
func PartitionName(id int) string { return fmt.Sprintf("p-%03d", id) }

// Partition is the address of a partition's actor.
func (t *Tree) Partition(id int) *actor.PID { return t.partitions[id] }
