package messages

import (
	"log/slog"
	"time"

	"github.com/attune-automation/attune"
)

// The worker protocol. From worker to node: Registered, Heartbeat, Report,
// Output, Draining. From node to worker: Dispatch, Stop, HeartbeatAck,
// RegisterAck, ReportAck, OutputAck, StateQuery.

// Registered presents a worker's incarnation to all nodes. It is repeated until
// a [RegisterAck] comes.
type Registered struct {
	Worker, Incarnation string
	Slots               int
	Runners             []string // sorted
	Labels              map[string]string
	Zone                string
	// Earlier are incarnations whose every run is proven ended and whose
	// journal this incarnation holds: it speaks for their tokens.
	Earlier []string
	// Lease is how long an answer lets it run things; zero is the nodes' default.
	Lease time.Duration
	// Sent is the worker's own clock, echoed in the answer.
	Sent time.Duration
}

// RegisterAck accepts or refuses an incarnation. The lease counts from Sent.
type RegisterAck struct {
	Worker, Incarnation string
	Sent                time.Duration
	// Refused says why, when another incarnation of that name is alive; the
	// worker tries again later.
	Refused string
	// Lost tells an incarnation that it was declared lost: it must end and
	// register as a new one.
	Lost bool
	// Node is the answering node's incarnation.
	Node string
}

// Heartbeat is sent every 2 s to all nodes.
type Heartbeat struct {
	Worker, Incarnation string
	Sent                time.Duration
	// Running is how many attempts hold a slot.
	Running int
	// Draining means that it takes no more.
	Draining bool
}

// HeartbeatAck is the answer of the worker's actor. Only it extends the lease,
// counted from Sent.
type HeartbeatAck struct {
	Worker, Incarnation string
	Sent                time.Duration
	// Lost tells the incarnation to end and register as a new one.
	Lost bool
	// Drained tells it that its operator wants it to be given nothing more. It is
	// for people: what it is given nevertheless it runs.
	Drained bool
	Node    string
}

// Draining says that the worker takes no more attempts and ends what it has.
type Draining struct {
	Worker, Incarnation string
	// Left is set when it has ended all and goes.
	Left bool
}

// Dispatch gives an attempt to a worker's incarnation. It may be sent again at
// will.
type Dispatch struct {
	Token attune.Token
	// Worker and Incarnation are whom it is addressed to: no other starts it.
	Worker, Incarnation string
	// Node is the incarnation to report to; Epoch that of the execution's
	// partition: a worker refuses what is below the highest it has seen.
	Node  string
	Epoch int64
	// Action is what to run, resolved.
	Action, Pack, Runner string
	// EntryPoint is relative to Dir, the pack's actions folder on the node's
	// machine.
	EntryPoint, Dir string
	// PackHash names what the pack held when this was said, so that a worker on
	// another machine can fetch it; empty where the pack cannot be sent.
	PackHash string
	// Parameters is the JSON object.
	Parameters []byte
	// Positional are the parameters with a place on a command line, in order,
	// whether they have a value or not. Most runners have no use for it.
	Positional []string
	// Timeout limits the attempt from its start, zero for none; Grace lies
	// between SIGTERM and SIGKILL.
	Timeout, Grace time.Duration
	// Limits are what its processes may use; the worker may have smaller ones.
	Limits attune.Resources
	// Rule, Trigger, Traceparent are told to the action.
	Rule, Trigger, Traceparent string
	// APIToken is what the action may call the API with while the attempt
	// lives, or empty. It is in no journal and in no log.
	APIToken Secret
}

// Secret is text that travels readable and is never shown: printed by anything
// but a conversion it is masked.
type Secret string

func (Secret) String() string { return "********" }

// GoString masks it too, as does LogValue.
func (s Secret) GoString() string { return s.String() }

// LogValue is what a log shows.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Stop asks a worker to end an attempt: cancel or timeout. A token it has not
// seen enters its seen set first, and is then answered Returned.
type Stop struct {
	Token               attune.Token
	Worker, Incarnation string
	Node                string
	Epoch               int64
	Grace               time.Duration
}

// StateQuery asks what a worker knows of tokens; each is answered by a Report.
// A token it never saw enters the seen set before it is answered Returned.
type StateQuery struct {
	Worker string
	Node   string
	Asked  []TokenAt
}

// TokenAt is a token and the incarnation it was dispatched to.
type TokenAt struct {
	Token       attune.Token
	Incarnation string
	Epoch       int64
}

// ReportKind is what a report says of a token.
type ReportKind uint8

// The kinds of reports. All but Started and NotMine are repeated until
// acknowledged.
const (
	// Started: it runs.
	Started ReportKind = iota + 1
	// Finished: it ended with success.
	Finished
	// FailedRun: it ended otherwise.
	FailedRun
	// TimedOutRun: the worker killed it at its limit.
	TimedOutRun
	// StoppedRun: it was ended because a Stop asked for it.
	StoppedRun
	// Returned: it was never started and never will be.
	Returned
	// RefusedRun: it can never run here (unknown runner, missing file).
	RefusedRun
	// LostRun: it was started by an earlier incarnation, nothing of it runs
	// any more, and its end is not known.
	LostRun
	// NotMine: the worker holds no journal of the incarnation the token was
	// addressed to, and says nothing of it.
	NotMine
)

func (k ReportKind) String() string {
	return [...]string{"none", "started", "finished", "failed", "timed out", "stopped", "returned", "refused", "lost", "not mine"}[k]
}

// Report is a worker's word on one token.
type Report struct {
	Token attune.Token
	Kind  ReportKind
	// Worker is the name; Incarnation the one the token was addressed to.
	Worker, Incarnation string
	// Elapsed is how long it ran, where it ended.
	Elapsed time.Duration
	// Result is JSON, Failure why it did not succeed.
	Result  []byte
	Failure *attune.Failure
	// Reason says why, for people, with Returned and RefusedRun.
	Reason string
}

// ReportAck says that the reports of these tokens are stored, or refused and
// kept as evidence: the worker forgets them 15 minutes later.
type ReportAck struct {
	Worker string
	Tokens []attune.Token
}

// Output carries one chunk of an attempt's output, before its end is reported.
// It is repeated until [OutputAck].
type Output struct {
	Token  attune.Token
	Worker string
	// Stream is 1 for stdout, 2 for stderr.
	Stream uint8
	Offset int64
	Data   []byte
}

// OutputAck says that the chunk of a stream that ends at Through is stored. It
// says nothing of chunks before it: one of those may be lost.
type OutputAck struct {
	Token   attune.Token
	Worker  string
	Stream  uint8
	Through int64
}
