package persistence

import (
	"context"
	"time"

	"github.com/attune-automation/attune"
)

// Retention deletes what is over its age, one slice at a time. It shares
// nothing with the flush but the fence.
//
// What may go never comes back to life, so a slice may be cut anywhere and be
// done again: an end is final, an event is judged once, a definition that was
// superseded before the oldest row was made is named by none.
type Retention interface {
	// Prune looks at one slice of a shelf, and deletes what of it may go in one
	// transaction that first finds the lease of incarnation not dead, else it
	// is Fenced and nothing is deleted; where there is nothing to delete, it may
	// not look at the lease. Called again with the same arguments it goes on
	// where it was.
	Prune(ctx context.Context, incarnation string, p Prune) (Pruned, error)
	// Supersede notes since when definitions of the kinds that are pruned are
	// not among the current ones; current are the hashes of those that are. A
	// pass begins with it: what else a store has to look after, it does then.
	Supersede(ctx context.Context, incarnation string, current []string) error
	// Oldest is when the oldest row of a table was made, for the tables whose
	// rows carry their time; a table without rows is left out.
	Oldest(ctx context.Context) (map[Table]time.Time, error)
}

// Shelf is what is kept for one age and looked through in one go.
type Shelf string

// The shelves, in the order in which a pass looks through them.
const (
	// Events are events with all that came of them: enforcements, executions
	// with those below them, their output. They go together, once the last of
	// the executions has ended before the age and its end is proven announced,
	// or, where there is none, once the event is older than the age. An event
	// that is not judged to its end stays.
	Events Shelf = "events"
	// Requests are executions that were asked for directly, with those below
	// them and their output, by the same rule.
	Requests Shelf = "requests"
	// Outputs are what attempts printed, of executions that ended before the
	// age, as did all above them. The executions stay.
	Outputs Shelf = "outputs"
	// DedupeKeys go by the time of the id that had the key first.
	DedupeKeys Shelf = "dedupe keys"
	// Definitions are actions and revisions of rules that have not been current
	// since before the age, and since a day before the oldest event or
	// execution that there is: nothing can refer to them.
	Definitions Shelf = "definitions"
	// LostWorkers are lost, or have left, since before the age.
	LostWorkers Shelf = "lost workers"
	// OldLeases are those that expired before the age and own nothing.
	OldLeases Shelf = "leases"
	// OldAudit is who did what by request, before the age.
	OldAudit Shelf = "audit"
)

// Shelves are all of them, in order.
func Shelves() []Shelf {
	return []Shelf{Events, Requests, Outputs, DedupeKeys, Definitions, LostWorkers, OldLeases, OldAudit}
}

// Table is a table of the store, by its name there.
type Table string

// The tables that rows are deleted from.
const (
	EventTable       Table = "event"
	EnforcementTable Table = "enforcement"
	ExecutionTable   Table = "execution"
	OutputTable      Table = "output"
	DedupeTable      Table = "dedupe"
	DefinitionTable  Table = "definition"
	WorkerTable      Table = "worker"
	LeaseTable       Table = "lease"
	AuditTable       Table = "audit"
)

// Tables are all of them, in order.
func Tables() []Table {
	return []Table{EventTable, EnforcementTable, ExecutionTable, OutputTable, DedupeTable, DefinitionTable, WorkerTable, LeaseTable, AuditTable}
}

// Prune is one slice of a pass over a shelf.
type Prune struct {
	Shelf Shelf
	// Before is the age as a moment of database time: what ended or was made
	// before it may go.
	Before time.Time
	// After is where the slice before it ended; empty is the beginning.
	After string
	// Rows is how many rows are deleted at most, 1 to [MaxFlushRows]. A slice
	// may end in the middle of a tree; then it has deleted from below.
	Rows int
	// Try only counts: whole trees, without their output, which is counted with
	// [Outputs].
	Try bool
}

// Check refuses what no slice can be.
func (p Prune) Check() error {
	if p.Rows < 1 || p.Rows > MaxFlushRows {
		return attune.NewError(attune.Invalid, "invalid_limit", "a slice has 1 to 1000 rows")
	}
	return nil
}

// Pruned is what became of a slice.
type Pruned struct {
	// Rows are how many rows were deleted, by table; with Try, how many would
	// have been.
	Rows map[Table]int64
	// Next is the After of the next slice; empty: the shelf is looked through.
	Next string
	// Workers are the names of the workers that were deleted.
	Workers []string
}

// Count adds rows of a table.
func (p *Pruned) Count(t Table, n int64) {
	if n == 0 {
		return
	}
	if p.Rows == nil {
		p.Rows = map[Table]int64{}
	}
	p.Rows[t] += n
}

// PrunedKinds are the kinds of definitions that [Definitions] means. Others are
// kept for ever.
var PrunedKinds = []string{"action", "rules", "rule-row", "action-row"}

// DefinitionMargin is how much older than the oldest row the end of a
// definition must be: a request may have begun under it and been stored later.
const DefinitionMargin = 24 * time.Hour

// FirstIDAt is the lowest id of a moment: rows made before it have ids below.
// After the last moment that an id can have, that is as late as it gets.
func FirstIDAt(t time.Time) attune.ID {
	const last = 1<<41 - 1
	return attune.MakeID(min(max(0, t.Sub(attune.Epoch).Milliseconds()), last), 0, 0)
}
