package memory

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// FaultKind is a way in which a real store fails.
type FaultKind uint8

// The faults of a store.
const (
	// NoFault lets the call through.
	NoFault FaultKind = iota
	// Contradicted answers Conflict to one operation of a flush, which is not
	// written; the others are. Other methods know no such fault.
	Contradicted
	// LostBefore is a connection lost before anything was sent: an error of
	// kind Unavailable, and nothing is written.
	LostBefore
	// LostAfter applies the call and loses the answer: ErrUnknown from Flush,
	// Unavailable from others.
	LostAfter
	// LostCommit is the other half of not knowing: ErrUnknown from Flush,
	// Unavailable from others, and nothing is written.
	LostCommit
)

// Fault is what befalls one call.
type Fault struct {
	Kind FaultKind
	// Op is the operation that is Contradicted, modulo their number.
	Op int
	// Stall, unless nil, is called before everything else; it blocks as long
	// as the store is to hang.
	Stall func()
}

// Faulty is a store with the faults that a function decides. It may wrap any
// store.
type Faulty struct {
	store  persistence.Store
	decide func(method string, call int) Fault

	mu    sync.Mutex
	calls map[string]int // by method; guarded by mu
}

var _ persistence.Store = (*Faulty)(nil)

// NewFaulty wraps a store. decide is told the method's name and how often it
// was called, counted from 1; it is never called twice at a time. Stats and
// Close have no faults.
func NewFaulty(store persistence.Store, decide func(method string, call int) Fault) *Faulty {
	return &Faulty{store: store, decide: decide, calls: map[string]int{}}
}

// errLost is the cause of what Faulty makes up.
var errLost = errors.New("the connection was lost")

func (f *Faulty) fault(method string) Fault {
	f.mu.Lock()
	f.calls[method]++
	fault := f.decide(method, f.calls[method])
	f.mu.Unlock()
	if fault.Stall != nil {
		fault.Stall()
	}
	return fault
}

// through is any call but Flush.
func through[T any](f *Faulty, method string, call func() (T, error)) (none T, err error) {
	switch f.fault(method).Kind {
	case LostBefore, LostCommit:
		return none, persistence.Away(method, errLost)
	case LostAfter:
		if _, err := call(); err != nil {
			return none, err
		}
		return none, persistence.Away(method, errLost)
	}
	return call()
}

func throughErr(f *Faulty, method string, call func() error) error {
	_, err := through(f, method, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// Flush implements [persistence.Flusher].
func (f *Faulty) Flush(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	fault := f.fault("Flush")
	switch fault.Kind {
	case LostBefore:
		return nil, persistence.Away("flush", errLost)
	case LostCommit:
		return nil, persistence.ErrUnknown
	case LostAfter:
		if _, err := f.store.Flush(ctx, incarnation, ops); err != nil {
			return nil, err
		}
		return nil, persistence.ErrUnknown
	case Contradicted:
		if len(ops) == 0 {
			break
		}
		i := fault.Op % len(ops)
		answers, err := f.store.Flush(ctx, incarnation, slices.Delete(slices.Clone(ops), i, i+1))
		if err != nil {
			return nil, err
		}
		return slices.Insert(answers, i, conflict("made up")), nil
	}
	return f.store.Flush(ctx, incarnation, ops)
}

// Resolve implements [persistence.Flusher].
func (f *Faulty) Resolve(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	return through(f, "Resolve", func() ([]persistence.Answer, error) { return f.store.Resolve(ctx, incarnation, ops) })
}

// Acquire implements [persistence.Leases].
func (f *Faulty) Acquire(ctx context.Context, incarnation, name string, ttl time.Duration) (time.Time, error) {
	return through(f, "Acquire", func() (time.Time, error) { return f.store.Acquire(ctx, incarnation, name, ttl) })
}

// Renew implements [persistence.Leases].
func (f *Faulty) Renew(ctx context.Context, incarnation string, ttl time.Duration) (time.Time, error) {
	return through(f, "Renew", func() (time.Time, error) { return f.store.Renew(ctx, incarnation, ttl) })
}

// Resign implements [persistence.Leases].
func (f *Faulty) Resign(ctx context.Context, incarnation string) error {
	return throughErr(f, "Resign", func() error { return f.store.Resign(ctx, incarnation) })
}

// LeaseRows implements [persistence.Leases].
func (f *Faulty) LeaseRows(ctx context.Context) ([]persistence.Lease, error) {
	return through(f, "LeaseRows", func() ([]persistence.Lease, error) { return f.store.LeaseRows(ctx) })
}

// PartitionRows implements [persistence.Leases].
func (f *Faulty) PartitionRows(ctx context.Context) ([]persistence.Partition, error) {
	return through(f, "PartitionRows", func() ([]persistence.Partition, error) { return f.store.PartitionRows(ctx) })
}

// TakeOver implements [persistence.Leases].
func (f *Faulty) TakeOver(ctx context.Context, from, by string, partitions []int) error {
	return throughErr(f, "TakeOver", func() error { return f.store.TakeOver(ctx, from, by, partitions) })
}

// Live implements [persistence.Loader].
func (f *Faulty) Live(ctx context.Context, partition int, after attune.ExecutionID, limit int) ([]persistence.Live, error) {
	return through(f, "Live", func() ([]persistence.Live, error) { return f.store.Live(ctx, partition, after, limit) })
}

// UnevaluatedEvents implements [persistence.Loader].
func (f *Faulty) UnevaluatedEvents(ctx context.Context, partition, limit int) ([]*attune.Event, error) {
	return through(f, "UnevaluatedEvents", func() ([]*attune.Event, error) { return f.store.UnevaluatedEvents(ctx, partition, limit) })
}

// Unannounced implements [persistence.Loader].
func (f *Faulty) Unannounced(ctx context.Context, partition int, after int64, limit int) ([]*attune.Execution, error) {
	return through(f, "Unannounced", func() ([]*attune.Execution, error) { return f.store.Unannounced(ctx, partition, after, limit) })
}

// ExecutionsOn implements [persistence.Loader].
func (f *Faulty) ExecutionsOn(ctx context.Context, incarnation string) ([]*attune.Execution, error) {
	return through(f, "ExecutionsOn", func() ([]*attune.Execution, error) { return f.store.ExecutionsOn(ctx, incarnation) })
}

// Workers implements [persistence.Loader].
func (f *Faulty) Workers(ctx context.Context) ([]*attune.Worker, error) {
	return through(f, "Workers", func() ([]*attune.Worker, error) { return f.store.Workers(ctx) })
}

// Event implements [persistence.Reader].
func (f *Faulty) Event(ctx context.Context, id attune.EventID) (*attune.Event, error) {
	return through(f, "Event", func() (*attune.Event, error) { return f.store.Event(ctx, id) })
}

// Enforcement implements [persistence.Reader].
func (f *Faulty) Enforcement(ctx context.Context, id attune.EnforcementID) (*attune.Enforcement, error) {
	return through(f, "Enforcement", func() (*attune.Enforcement, error) { return f.store.Enforcement(ctx, id) })
}

// Execution implements [persistence.Reader].
func (f *Faulty) Execution(ctx context.Context, id attune.ExecutionID) (*attune.Execution, error) {
	return through(f, "Execution", func() (*attune.Execution, error) { return f.store.Execution(ctx, id) })
}

// Events implements [persistence.Reader].
func (f *Faulty) Events(ctx context.Context, q persistence.Query) ([]*attune.Event, error) {
	return through(f, "Events", func() ([]*attune.Event, error) { return f.store.Events(ctx, q) })
}

// Enforcements implements [persistence.Reader].
func (f *Faulty) Enforcements(ctx context.Context, q persistence.Query) ([]*attune.Enforcement, error) {
	return through(f, "Enforcements", func() ([]*attune.Enforcement, error) { return f.store.Enforcements(ctx, q) })
}

// Executions implements [persistence.Reader].
func (f *Faulty) Executions(ctx context.Context, q persistence.Query) ([]*attune.Execution, error) {
	return through(f, "Executions", func() ([]*attune.Execution, error) { return f.store.Executions(ctx, q) })
}

// PutDefinitions implements [persistence.Catalog].
func (f *Faulty) PutDefinitions(ctx context.Context, defs []persistence.Definition) error {
	return throughErr(f, "PutDefinitions", func() error { return f.store.PutDefinitions(ctx, defs) })
}

// Definition implements [persistence.Catalog].
func (f *Faulty) Definition(ctx context.Context, hash string) (persistence.Definition, error) {
	return through(f, "Definition", func() (persistence.Definition, error) { return f.store.Definition(ctx, hash) })
}

// PutAccessToken implements [persistence.Catalog].
func (f *Faulty) PutAccessToken(ctx context.Context, t attune.AccessToken) error {
	return throughErr(f, "PutAccessToken", func() error { return f.store.PutAccessToken(ctx, t) })
}

// AddAccessToken implements [persistence.Catalog].
func (f *Faulty) AddAccessToken(ctx context.Context, t attune.AccessToken) error {
	return throughErr(f, "AddAccessToken", func() error { return f.store.AddAccessToken(ctx, t) })
}

// DeleteAccessToken implements [persistence.Catalog].
func (f *Faulty) DeleteAccessToken(ctx context.Context, name string) error {
	return throughErr(f, "DeleteAccessToken", func() error { return f.store.DeleteAccessToken(ctx, name) })
}

// AppendAudit implements [persistence.Audit].
func (f *Faulty) AppendAudit(ctx context.Context, e persistence.AuditEntry) error {
	return throughErr(f, "AppendAudit", func() error { return f.store.AppendAudit(ctx, e) })
}

// AuditEntries implements [persistence.Audit].
func (f *Faulty) AuditEntries(ctx context.Context, q persistence.AuditQuery) ([]persistence.AuditEntry, error) {
	return through(f, "AuditEntries", func() ([]persistence.AuditEntry, error) { return f.store.AuditEntries(ctx, q) })
}

// AccessTokens implements [persistence.Catalog].
func (f *Faulty) AccessTokens(ctx context.Context) ([]attune.AccessToken, error) {
	return through(f, "AccessTokens", func() ([]attune.AccessToken, error) { return f.store.AccessTokens(ctx) })
}

// PutAppliedRule implements [persistence.Rulebook].
func (f *Faulty) PutAppliedRule(ctx context.Context, r persistence.AppliedRule) error {
	return throughErr(f, "PutAppliedRule", func() error { return f.store.PutAppliedRule(ctx, r) })
}

// DeleteAppliedRule implements [persistence.Rulebook].
func (f *Faulty) DeleteAppliedRule(ctx context.Context, ref string) error {
	return throughErr(f, "DeleteAppliedRule", func() error { return f.store.DeleteAppliedRule(ctx, ref) })
}

// AppliedRules implements [persistence.Rulebook].
func (f *Faulty) AppliedRules(ctx context.Context) ([]persistence.AppliedRule, error) {
	return through(f, "AppliedRules", func() ([]persistence.AppliedRule, error) { return f.store.AppliedRules(ctx) })
}

// PutRuleSwitch implements [persistence.Rulebook].
func (f *Faulty) PutRuleSwitch(ctx context.Context, s persistence.RuleSwitch) error {
	return throughErr(f, "PutRuleSwitch", func() error { return f.store.PutRuleSwitch(ctx, s) })
}

// RuleSwitches implements [persistence.Rulebook].
func (f *Faulty) RuleSwitches(ctx context.Context) ([]persistence.RuleSwitch, error) {
	return through(f, "RuleSwitches", func() ([]persistence.RuleSwitch, error) { return f.store.RuleSwitches(ctx) })
}

// AppendOutput implements [persistence.Output].
func (f *Faulty) AppendOutput(ctx context.Context, chunks []persistence.OutputChunk) error {
	return throughErr(f, "AppendOutput", func() error { return f.store.AppendOutput(ctx, chunks) })
}

// ReadOutput implements [persistence.Output].
func (f *Faulty) ReadOutput(ctx context.Context, token attune.Token, stream persistence.Stream, offset int64, limit int) ([]byte, error) {
	return through(f, "ReadOutput", func() ([]byte, error) { return f.store.ReadOutput(ctx, token, stream, offset, limit) })
}

// Prune implements [persistence.Retention].
func (f *Faulty) Prune(ctx context.Context, incarnation string, p persistence.Prune) (persistence.Pruned, error) {
	return through(f, "Prune", func() (persistence.Pruned, error) { return f.store.Prune(ctx, incarnation, p) })
}

// Supersede implements [persistence.Retention].
func (f *Faulty) Supersede(ctx context.Context, incarnation string, current []string) error {
	return throughErr(f, "Supersede", func() error { return f.store.Supersede(ctx, incarnation, current) })
}

// Oldest implements [persistence.Retention].
func (f *Faulty) Oldest(ctx context.Context) (map[persistence.Table]time.Time, error) {
	return through(f, "Oldest", func() (map[persistence.Table]time.Time, error) { return f.store.Oldest(ctx) })
}

// NextOutput implements [persistence.Output].
func (f *Faulty) NextOutput(ctx context.Context, token attune.Token, stream persistence.Stream, offset int64, limit int) (persistence.OutputChunk, error) {
	return through(f, "NextOutput", func() (persistence.OutputChunk, error) { return f.store.NextOutput(ctx, token, stream, offset, limit) })
}

// Stats implements [persistence.Store].
func (f *Faulty) Stats() persistence.Stats { return f.store.Stats() }

// Close implements [persistence.Store].
func (f *Faulty) Close() error { return f.store.Close() }
