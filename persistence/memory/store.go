package memory

import (
	"context"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Config says how a store behaves.
type Config struct {
	// Clock is database time. It must not be nil.
	Clock attune.Clock
	// Exclusive makes it a store that one process at a time can open:
	// acquiring a lease expires all others.
	Exclusive bool
}

// Store is a [persistence.Store] in memory. It lives as long as the process:
// hand the same one to the next incarnation to simulate a restart. What it
// returns is a copy, but for documents and histories, which nobody changes in
// place.
type Store struct {
	cfg Config

	mu sync.Mutex
	// All that follows is guarded by mu.
	closed       bool
	leases       map[string]*persistence.Lease
	partitions   [attune.Partitions]partition
	dedupe       map[persistence.Dedupe]attune.ID
	events       table[attune.EventID, *event]
	enforcements table[attune.EnforcementID, *attune.Enforcement]
	pairs        map[pair]attune.EnforcementID
	executions   table[attune.ExecutionID, *execution]
	workers      map[string]*worker
	definitions  map[string]persistence.Definition
	superseded   map[string]time.Time // definitions by hash, since when
	tokens       map[string]attune.AccessToken
	applied      map[string]persistence.AppliedRule
	switches     map[string]persistence.RuleSwitch
	output       map[stream][]chunk
	audit        []persistence.AuditEntry // rising by number
	audited      int64                    // the highest number given
	came         int64                    // counts the chunks of output
	stats        persistence.Stats
}

var _ persistence.Store = (*Store)(nil)

// partition is a row and the indexes of what lies in it.
type partition struct {
	row         persistence.Partition
	live        []attune.ExecutionID // rising
	unevaluated []attune.EventID     // rising
	ends        []end                // rising by number
}

// end is an execution's finish number.
type end struct {
	number    int64
	execution attune.ExecutionID
}

// pair is what there is one enforcement for.
type pair struct {
	event attune.EventID
	rule  string
}

// event, execution and worker are rows with the incarnation that wrote them
// last, which Resolve asks for.
type (
	event struct {
		row    *attune.Event
		writer string
	}
	execution struct {
		row    *attune.Execution
		writer string
	}
	worker struct {
		row    *attune.Worker
		writer string
	}
)

// New is an empty store.
func New(cfg Config) *Store {
	s := &Store{
		cfg:          cfg,
		leases:       map[string]*persistence.Lease{},
		dedupe:       map[persistence.Dedupe]attune.ID{},
		events:       newTable[attune.EventID, *event](),
		enforcements: newTable[attune.EnforcementID, *attune.Enforcement](),
		pairs:        map[pair]attune.EnforcementID{},
		executions:   newTable[attune.ExecutionID, *execution](),
		workers:      map[string]*worker{},
		definitions:  map[string]persistence.Definition{},
		superseded:   map[string]time.Time{},
		tokens:       map[string]attune.AccessToken{},
		applied:      map[string]persistence.AppliedRule{},
		switches:     map[string]persistence.RuleSwitch{},
		output:       map[stream][]chunk{},
	}
	for i := range s.partitions {
		s.partitions[i].row.ID = i
	}
	return s
}

// begin locks the store for an operation, or says why it cannot be done. The
// caller unlocks only where begin returned nil.
func (s *Store) begin(ctx context.Context, operation string) error {
	if err := ctx.Err(); err != nil {
		return persistence.Away(operation, err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return persistence.Away(operation, errClosed)
	}
	return nil
}

// wrote counts a transaction.
func (s *Store) wrote(rows, bytes int) {
	if rows > 0 {
		s.stats.Commits++
		s.stats.Rows += int64(rows)
		s.stats.Bytes += int64(bytes)
	}
}

// Stats implements [persistence.Store].
func (s *Store) Stats() persistence.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// Close makes all later calls fail. The rows stay readable by [Store.Rows].
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}
