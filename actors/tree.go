package actors

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
)

// Tree is where the actors of a node are. Their places are fixed, so that
// addresses exist before the actors do, and outlive their restarts. It is never
// changed after [NewTree].
type Tree struct {
	*System
	// Incarnation is the node's.
	Incarnation string
	// The addresses, by kind.
	Node, Lease, Writer, Rules, Scheduler, Workers, Broker, Output, Inspector, Partitions *actor.PID

	partitions [attune.Partitions]*actor.PID
}

// NewTree lays out the tree of a node incarnation.
func NewTree(s *System, incarnation string) *Tree {
	t := &Tree{System: s, Incarnation: incarnation, Node: s.PID("node"), Lease: s.PID("node/lease"), Writer: s.PID("node/writer"),
		Rules: s.PID("node/rules"), Scheduler: s.PID("node/scheduler"), Workers: s.PID("node/workers"), Broker: s.PID("node/broker"),
		Output: s.PID("node/output"), Inspector: s.PID("node/inspector"), Partitions: s.PID("node/partitions")}
	for i := range t.partitions {
		t.partitions[i] = s.PID("node/partitions/" + PartitionName(i))
	}
	return t
}

// PartitionName is the name of a partition's actor.
func PartitionName(id int) string { return fmt.Sprintf("p-%03d", id) }

// Partition is the address of a partition's actor.
func (t *Tree) Partition(id int) *actor.PID { return t.partitions[id] }
