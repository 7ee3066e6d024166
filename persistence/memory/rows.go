package memory

import (
	"cmp"
	"slices"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Rows is everything a store holds but definitions, access tokens and output,
// as copies: what a checker that shares no code with the engine judges.
type Rows struct {
	// Leases are by incarnation, Partitions by number.
	Leases     []persistence.Lease
	Partitions []persistence.Partition
	// Events, Enforcements, Executions are by id, the oldest first.
	Events       []*attune.Event
	Enforcements []*attune.Enforcement
	Executions   []*attune.Execution
	// Dedupe is by first id.
	Dedupe []DedupeRow
	// Workers are by name.
	Workers []*attune.Worker
}

// DedupeRow is a dedupe key with the id that had it first.
type DedupeRow struct {
	persistence.Dedupe
	First attune.ID
}

// Rows is a snapshot of the store, also of a closed one.
func (s *Store) Rows() Rows {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := Rows{Leases: s.leaseRows(), Partitions: s.partitionRows(), Workers: s.workerRows()}
	for _, id := range s.events.ids {
		r.Events = append(r.Events, copyEvent(s.events.rows[id].row))
	}
	for _, id := range s.enforcements.ids {
		r.Enforcements = append(r.Enforcements, copyEnforcement(s.enforcements.rows[id]))
	}
	for _, id := range s.executions.ids {
		r.Executions = append(r.Executions, copyExecution(s.executions.rows[id].row))
	}
	for key, first := range s.dedupe {
		r.Dedupe = append(r.Dedupe, DedupeRow{key, first})
	}
	slices.SortFunc(r.Dedupe, func(a, b DedupeRow) int { return cmp.Compare(a.First, b.First) })
	return r
}
