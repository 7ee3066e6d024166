package persistence

import (
	"context"
	"time"

	"github.com/attune-automation/attune"
)

// Store is everything a node asks of its store. All methods may block and are
// safe for concurrent use; all return errors of kind Unavailable when trying
// again can help. A store is closed by whoever opened it.
type Store interface {
	Leases
	Flusher
	Loader
	Reader
	Catalog
	Rulebook
	Output
	Audit
	Retention
	// Stats counts what this store has written since it was opened.
	Stats() Stats
	// Close releases the store. Calls under way end with an error.
	Close() error
}

// Fillable is what a [Store] also is that can tell whether it takes nothing for
// want of room: it reads on, and writes again by itself when there is some.
type Fillable interface {
	// Full goes by what became of the last write.
	Full() bool
}

// Leases prove which node incarnation may write. In a store that one process
// at a time can open (sqlite: its file lock), acquiring a lease expires all
// others.
type Leases interface {
	// Acquire writes the lease row of a new incarnation and returns database
	// time.
	Acquire(ctx context.Context, incarnation, name string, ttl time.Duration) (time.Time, error)
	// Renew extends a lease that is not dead, also one that had expired, and
	// returns database time. A dead one is Fenced: the node starts over.
	Renew(ctx context.Context, incarnation string, ttl time.Duration) (time.Time, error)
	// Resign expires the lease at once, so that others may take over. The last
	// call of a node that leaves.
	Resign(ctx context.Context, incarnation string) error
	// LeaseRows lists all leases.
	LeaseRows(ctx context.Context) ([]Lease, error)
	// PartitionRows lists all partitions, in order.
	PartitionRows(ctx context.Context) ([]Partition, error)
	// TakeOver makes by the owner of the partitions, each with its epoch
	// raised, in one transaction. from is the incarnation that owns them now,
	// or empty for partitions without owner; its lease is marked dead for ever
	// in the same transaction, and must have expired, else Conflict and nothing
	// changes; likewise where a partition is not from's. The lease of by must
	// not be dead, else Fenced.
	TakeOver(ctx context.Context, from, by string, partitions []int) error
}

// Lease is one incarnation's right to write.
type Lease struct {
	// Incarnation is the node's name and a random id per start.
	Incarnation string
	// Name is the node's.
	Name string
	// Expires is database time; an expired lease may be taken over.
	Expires time.Time
	// Dead leases never live again.
	Dead bool
}

// Partition is a share of all work, with one owner.
type Partition struct {
	// ID is below [attune.Partitions].
	ID int
	// Owner is an incarnation, or empty.
	Owner string
	// Epoch rises with each owner.
	Epoch int64
	// IDHigh is the mark below which ids may have been handed out, in
	// milliseconds since [attune.Epoch].
	IDHigh int64
	// FinishNumber is the highest that was stored with an execution's end.
	FinishNumber int64
	// AnnouncedTo is the finish number up to which ends are proven announced.
	AnnouncedTo int64
}

// Flusher writes.
type Flusher interface {
	// Flush applies the operations in one transaction that begins with the
	// proof that incarnation's lease is not dead. There is at most one
	// operation per row, and the caller has sorted them. The answers are in
	// the order of the operations.
	//
	// An error means that no answer is known:
	//   - kind Fenced: the lease is dead; nothing was written, ever again.
	//   - [ErrUnknown]: the commit's outcome is unknown; call Resolve until it
	//     answers, before anybody is told anything.
	//   - any other: nothing was written; flush again later.
	//
	// A row that the store cannot hold is Rejected alone, the others go on.
	Flush(ctx context.Context, incarnation string, ops []Op) ([]Answer, error)
	// Resolve makes sure that the transaction of a flush that ended in
	// [ErrUnknown] is over, then reads what became of each operation. An
	// answer with outcome [NotWritten] may be flushed again. "Committed" is
	// what bears this incarnation and this version, and of an execution this
	// history.
	Resolve(ctx context.Context, incarnation string, ops []Op) ([]Answer, error)
}

// Loader reads what a new owner needs. Pages are in order of id.
type Loader interface {
	// Live are up to limit executions of the partition that are not terminal,
	// with ids above after: whole, or of those that only wait what a new owner
	// needs of them, and no documents. It must stay cheap with a million of them.
	Live(ctx context.Context, partition int, after attune.ExecutionID, limit int) ([]Live, error)
	// UnevaluatedEvents are events of the partition whose evaluation is not
	// finished.
	UnevaluatedEvents(ctx context.Context, partition int, limit int) ([]*attune.Event, error)
	// Unannounced are executions of the partition with finish numbers above
	// after, in order of those.
	Unannounced(ctx context.Context, partition int, after int64, limit int) ([]*attune.Execution, error)
	// ExecutionsOn are the live executions whose newest attempt is on the
	// worker incarnation.
	ExecutionsOn(ctx context.Context, incarnation string) ([]*attune.Execution, error)
	// Workers are the newest incarnations of all workers, by name.
	Workers(ctx context.Context) ([]*attune.Worker, error)
}

// Live is the part of a live execution that is kept in memory while it waits.
type Live struct {
	ID     attune.ExecutionID
	Status attune.Status
	// Attempt is the number of the newest attempt.
	Attempt int
	// Runner and Limits are what it needs, to be given a slot.
	Runner string
	Limits attune.Limits
	// Until is the moment at which its owner looks again.
	Until time.Time
	// Whole is the execution itself where it does not only wait; else nil.
	Whole *attune.Execution
}

// OnlyWaits reports that an execution needs nobody until its moment comes, or a
// slot.
func (l Live) OnlyWaits() bool { return l.Status == attune.Delayed || l.Status == attune.Scheduling }

// LiveOf is the part of an execution, without Whole.
func LiveOf(x *attune.Execution) Live {
	return Live{ID: x.ID, Status: x.Status, Attempt: x.Attempt, Runner: x.Runner, Limits: x.Limits, Until: x.Until}
}

// Reader answers users. What is not there is kind NotFound.
type Reader interface {
	Event(ctx context.Context, id attune.EventID) (*attune.Event, error)
	Enforcement(ctx context.Context, id attune.EnforcementID) (*attune.Enforcement, error)
	Execution(ctx context.Context, id attune.ExecutionID) (*attune.Execution, error)
	// Events, Enforcements and Executions list the newest first.
	Events(ctx context.Context, q Query) ([]*attune.Event, error)
	Enforcements(ctx context.Context, q Query) ([]*attune.Enforcement, error)
	Executions(ctx context.Context, q Query) ([]*attune.Execution, error)
}

// Query narrows a list. Zero fields do not narrow; one that rows of the kind do
// not have is refused, see [Query.Check].
type Query struct {
	// Before is the cursor: only ids below it.
	Before attune.ID
	// Limit is the page size, 1 to 1000.
	Limit int
	// Trigger, Rule, Action, Worker are exact.
	Trigger, Rule, Action, Worker string
	// Status is exact; it means executions.
	Status attune.Status
	// Event, Enforcement, Parent narrow to a chain.
	Event       attune.EventID
	Enforcement attune.EnforcementID
	Parent      attune.ExecutionID
	// Since narrows to ids made at or after it.
	Since time.Time
}

// Catalog keeps definitions by content, so that what is under way keeps what it
// began with, and access tokens.
type Catalog interface {
	// PutDefinitions keeps definitions; one that is there already is left, and
	// is current again.
	PutDefinitions(ctx context.Context, defs []Definition) error
	// Definition is the body for a hash.
	Definition(ctx context.Context, hash string) (Definition, error)
	// PutAccessToken creates or replaces the token of that name.
	PutAccessToken(ctx context.Context, t attune.AccessToken) error
	// AddAccessToken creates a token; where there is one of that name it is a
	// Conflict and nothing changes.
	AddAccessToken(ctx context.Context, t attune.AccessToken) error
	// DeleteAccessToken forgets the token of that name, else NotFound.
	DeleteAccessToken(ctx context.Context, name string) error
	// AccessTokens lists all, by name.
	AccessTokens(ctx context.Context) ([]attune.AccessToken, error)
}

// Definition is a pack's, action's, trigger's or rule's content.
type Definition struct {
	// Hash is the hash of Body.
	Hash string
	// Kind is action, trigger, rule; Ref what it was called.
	Kind, Ref string
	// Body is JSON.
	Body []byte
}

// Output keeps what attempts print. It is not fenced, and writing a chunk again
// changes nothing.
type Output interface {
	// AppendOutput stores chunks durably. Of two chunks at one offset the
	// longer stays; an empty one is nothing.
	AppendOutput(ctx context.Context, chunks []OutputChunk) error
	// ReadOutput returns up to limit bytes of one stream from offset; fewer
	// than limit, possibly none, when there is no more yet.
	ReadOutput(ctx context.Context, token attune.Token, stream Stream, offset int64, limit int) ([]byte, error)
	// NextOutput is the chunk of one stream that holds the byte at offset, from
	// that byte on and cut at limit bytes; Data is empty when there is no more
	// yet. By Order whoever reads both streams tells which came first.
	NextOutput(ctx context.Context, token attune.Token, stream Stream, offset int64, limit int) (OutputChunk, error)
}

// Stream is stdout or stderr. The numbers are stored.
type Stream uint8

// The streams.
const (
	Stdout Stream = 1
	Stderr Stream = 2
)

func (s Stream) String() string { return [...]string{"none", "stdout", "stderr"}[s] }

// OutputChunk is a piece of one stream of one attempt.
type OutputChunk struct {
	Token  attune.Token
	Stream Stream
	// Offset is where Data begins, in bytes.
	Offset int64
	Data   []byte
	// Order rises with each chunk that is new, of whatever stream and attempt.
	// The store sets it; appending pays no heed to it.
	Order int64
}

// Stats are counts since the store was opened. They are what performance is
// gated on: they do not depend on the machine.
type Stats struct {
	// Commits counts transactions that wrote.
	Commits int64
	// Rows counts rows inserted or updated.
	Rows int64
	// Bytes counts the bytes of the values in those rows.
	Bytes int64
	// FileBytes counts bytes the store wrote to its files, where it can tell;
	// else zero.
	FileBytes int64
}
