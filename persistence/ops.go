package persistence

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/attune-automation/attune"
)

// Op is one operation of a flush: [Admit], [Extend], [Rerun], [Save],
// [SaveWorker], [RemoveWorker], [RaiseIDHigh] or [Announced].
type Op interface {
	// Key orders the operations of a flush and is unique within one.
	Key() OpKey
	// Size is the number of rows and about how many bytes it writes; a flush
	// takes at most [MaxFlushRows] and [MaxFlushBytes].
	Size() (rows, bytes int)
}

// Bounds of one flush. One operation alone may pass them.
const (
	MaxFlushRows  = 1000
	MaxFlushBytes = 1 << 20
)

// OpKey is what an operation is about. Class comes first in the order.
type OpKey struct {
	Class byte
	ID    int64
	Name  string
}

// Less is the one order of all flushes, so that two never lock rows crosswise.
func (k OpKey) Less(o OpKey) bool {
	if k.Class != o.Class {
		return k.Class < o.Class
	}
	if k.ID != o.ID {
		return k.ID < o.ID
	}
	return k.Name < o.Name
}

// Admit is one admission: an event with what its rules yield, or directly
// requested executions. It is one group: when the dedupe key was there before,
// nothing of it is written and the answer is Duplicate with the first id.
// Enforcements whose (event, rule) is there before, and their executions, are
// left out.
type Admit struct {
	// Dedupe decides the group, or is nil.
	Dedupe *Dedupe
	// Event is the event, or nil for a direct request. Its Evaluated is set
	// when the group holds all its enforcements.
	Event *attune.Event
	// Enforcements are inserted after the event.
	Enforcements []*attune.Enforcement
	// Executions are inserted after the enforcements; one whose Enforcement is
	// set only where that one was, in this group, and Rejected where it names
	// another event than that one.
	Executions []*attune.Execution
}

// Dedupe makes one request of many. It is kept for the dedupe window.
type Dedupe struct {
	// Kind is "event", "execution" or "timer".
	Kind string
	// Source is the key of the trigger, or the ref of the action: never the
	// way it came.
	Source string
	// Key is the caller's.
	Key string
}

// Hash is what stores keep a key by: of the three parts, each with its length.
// Half of a SHA-256 is enough to tell any two keys apart.
func (d *Dedupe) Hash() [16]byte {
	b := make([]byte, 0, 128)
	for _, part := range [...]string{d.Kind, d.Source, d.Key} {
		n := len(part)
		b = append(b, byte(n>>8), byte(n))
		b = append(b, part...)
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

// ID is what the admission is known by: the event's id, else the first
// execution's.
func (a *Admit) ID() attune.ID {
	if a.Event != nil {
		return attune.ID(a.Event.ID)
	}
	return attune.ID(a.Executions[0].ID)
}

// Key implements Op.
func (a *Admit) Key() OpKey { return OpKey{Class: 1, ID: int64(a.ID())} }

// Size implements Op.
func (a *Admit) Size() (rows, bytes int) {
	if a.Dedupe != nil {
		rows++
		bytes += len(a.Dedupe.Key) + len(a.Dedupe.Source)
	}
	if a.Event != nil {
		rows++
		bytes += len(a.Event.Payload) + 100
	}
	r, b := groupSize(a.Enforcements, a.Executions)
	return rows + r, bytes + b
}

// Extend adds a slice of enforcements and executions to an event that was
// admitted unevaluated. What is there before is left out.
type Extend struct {
	// Event is the row as it is to be: Evaluated is set with the last slice.
	// Only Evaluated is written.
	Event        *attune.Event
	Enforcements []*attune.Enforcement
	Executions   []*attune.Execution
}

// Key implements Op.
func (e *Extend) Key() OpKey { return OpKey{Class: 2, ID: int64(e.Event.ID)} }

// Size implements Op.
func (e *Extend) Size() (rows, bytes int) {
	r, b := groupSize(e.Enforcements, e.Executions)
	return r + 1, b
}

// Save writes the new state of an execution whose stored version is one below
// Execution.Version; else Conflict. Only the fields from Version on are
// written: what the execution began with stays.
type Save struct {
	Execution *attune.Execution
}

// Key implements Op.
func (s *Save) Key() OpKey { return OpKey{Class: 3, ID: int64(s.Execution.ID)} }

// Size implements Op.
func (s *Save) Size() (rows, bytes int) {
	return 1, len(s.Execution.Result) + len(s.Execution.History) + 100
}

// SaveWorker writes a worker whose stored version is one below Worker.Version
// (not stored at all where that is 1); else Conflict.
type SaveWorker struct {
	Worker *attune.Worker
}

// Key implements Op.
func (s *SaveWorker) Key() OpKey { return OpKey{Class: 4, Name: s.Worker.Name} }

// Size implements Op.
func (s *SaveWorker) Size() (rows, bytes int) { return 1, 300 }

// RemoveWorker deletes a worker whose stored version is Version; another is a
// Conflict, and one that is not there is Committed.
type RemoveWorker struct {
	Name    string
	Version int64
}

// Key implements Op: it is that of [SaveWorker], since it is about the same row.
func (r *RemoveWorker) Key() OpKey { return OpKey{Class: 4, Name: r.Name} }

// Size implements Op.
func (r *RemoveWorker) Size() (rows, bytes int) { return 1, len(r.Name) }

// RaiseIDHigh raises a partition's mark. A mark that is there already is
// Committed.
type RaiseIDHigh struct {
	Partition int
	High      int64
}

// Key implements Op.
func (r *RaiseIDHigh) Key() OpKey { return OpKey{Class: 5, ID: int64(r.Partition)} }

// Size implements Op.
func (r *RaiseIDHigh) Size() (rows, bytes int) { return 1, 16 }

// Announced raises the finish number up to which a partition's ends are proven
// announced.
type Announced struct {
	Partition int
	Through   int64
}

// Key implements Op.
func (a *Announced) Key() OpKey { return OpKey{Class: 6, ID: int64(a.Partition)} }

// Size implements Op.
func (a *Announced) Size() (rows, bytes int) { return 1, 16 }

func groupSize(ens []*attune.Enforcement, exs []*attune.Execution) (rows, bytes int) {
	for _, e := range ens {
		bytes += len(e.Evaluation) + 150
	}
	for _, x := range exs {
		bytes += len(x.Parameters) + len(x.History) + 250
	}
	return len(ens) + len(exs), bytes
}

// Outcome is what became of an operation.
type Outcome uint8

// The five answers, and NotWritten, which only Resolve gives and nobody
// outside the writer sees.
const (
	NotWritten Outcome = iota
	Committed
	Duplicate
	Fenced
	Conflict
	Rejected
)

func (o Outcome) String() string {
	return [...]string{"not written", "committed", "duplicate", "fenced", "conflict", "rejected"}[o]
}

// Answer is one operation's outcome.
type Answer struct {
	Outcome Outcome
	// First is the id that had the dedupe key first, with Duplicate; of a Rerun
	// the execution that the enforcement has.
	First attune.ID
	// Skipped are the rules of an Admit or Extend whose enforcement was there
	// before, so that their executions were left out.
	Skipped []string
	// Reason says why, with Rejected and Conflict.
	Reason string
}

// ErrUnknown means that a commit was sent and its outcome is not known.
var ErrUnknown = errors.New("the outcome of the commit is unknown")

// ErrNewer is what opening a store returns whose schema is newer than this
// program.
type ErrNewer struct {
	// Have is the schema's version, Know the newest this program can use.
	Have, Know int
}

func (e *ErrNewer) Error() string {
	return fmt.Sprintf("the database has schema version %d and this program knows only %d: use the newer program, or restore a backup made before the upgrade", e.Have, e.Know)
}
