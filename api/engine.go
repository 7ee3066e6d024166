package api

import (
	"context"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/rules"
)

// Engine is what the API asks of the node. Methods are safe for concurrent use
// and return errors of the root package's kinds.
type Engine interface {
	PackKeeper
	// OfferEvent returns when the event is durable. Sent again with the same
	// dedupe key it answers the first id, with Duplicate set.
	OfferEvent(ctx context.Context, offer EventOffer) (EventReceipt, error)
	// RequestExecution checks the parameters and returns when the execution is
	// durable.
	RequestExecution(ctx context.Context, request ExecutionRequest) (ExecutionReceipt, error)
	// Cancel asks for the end of an execution and returns its stored state. It
	// is idempotent; a terminal execution is left as it is.
	Cancel(ctx context.Context, id attune.ExecutionID, reason, principal string) (*attune.Execution, error)
	// Watch wakes its channel (capacity one) after every stored change of the
	// execution and after new output, until stop is called.
	Watch(id attune.ExecutionID) (changed <-chan struct{}, stop func())
	Rules
	Reruns
	WorkerKeeper
	// Catalog is the present set of packs.
	Catalog() *packs.Snapshot
	Inspection
	Changes
	DeadLetters
}

// Inspection looks inside the node.
type Inspection interface {
	// Workers are the workers with their load.
	Workers(ctx context.Context) ([]WorkerView, error)
	// Actors lists all actors of the node in the order of their paths.
	Actors() []messages.ActorView
	// Actor is one of them in full; NotFound when the path names none.
	Actor(ctx context.Context, path string) (messages.ActorDetail, error)
	// Ready is nil while the node takes work, else it says why not.
	Ready() error
	// Parts are what the node stands on: its store, its broker, its partitions.
	Parts() []PartHealth
	// Node describes the node.
	Node() NodeView
}

// Rules is what the API asks of the node about rules.
type Rules interface {
	// Evaluations are how the rules judged an event, as far as memory holds
	// them; matches are kept for ever with their enforcements.
	Evaluations(ctx context.Context, event attune.EventID) ([]attune.Evaluation, error)
	// RulesAt are the rules of a revision as they were, with the actions they
	// called; NotFound where it is not kept. An event judged by them is judged
	// as it was then.
	RulesAt(ctx context.Context, revision int64) (*rules.Set, error)
	// ApplyRule creates or changes a rule that lies in no pack's folder; it
	// judges the next event. A dry one changes nothing. A rule that a pack has
	// is a Conflict, one that cannot be compiled Invalid with all its faults.
	ApplyRule(ctx context.Context, r *attune.Rule, principal string, dry bool) (RuleChange, error)
	// DeleteRule deletes an applied rule with its switch; of a pack's it is a
	// Conflict.
	DeleteRule(ctx context.Context, ref string) error
	// SwitchRule enables or disables a rule, whatever its file says, and
	// returns it. One that is as wanted is left as it is.
	SwitchRule(ctx context.Context, ref string, enabled bool, principal string) (*rules.Rule, error)
}

// Reruns starts again what was started before, or should have been. The chain
// says by whom; its correlation is that of the first.
type Reruns interface {
	// RerunEnforcement judges the event of a failed enforcement again by its
	// rule as it is today, and starts what it could not start. Done before, it
	// answers the first execution, with Duplicate set.
	RerunEnforcement(ctx context.Context, id attune.EnforcementID, chain attune.Chain) (ExecutionReceipt, error)
	// RerunExecution starts an execution that has ended once more: the action as
	// it is today, with the parameters of then. Sent again with the same dedupe
	// key it answers the first repetition.
	RerunExecution(ctx context.Context, id attune.ExecutionID, dedupe string, chain attune.Chain) (ExecutionReceipt, error)
}

// What became, or would become, of an applied rule.
const (
	RuleCreated   = "created"
	RuleChanged   = "changed"
	RuleUnchanged = "unchanged"
)

// RuleChange is what applying a rule did, or would do.
type RuleChange struct {
	// Change is one of the words above.
	Change string
	// Before is nil for a new rule. Neither is switched.
	Before, After *attune.Rule
	// Enabled is whether it is enabled in the end, Switched who said so, if
	// somebody did.
	Enabled  bool
	Switched *attune.Stamp
}

// Store is what the API reads, and the little it writes, by itself.
type Store interface {
	persistence.Reader
	TokenStore
	AuditStore
	ReadOutput(ctx context.Context, token attune.Token, stream persistence.Stream, offset int64, limit int) ([]byte, error)
	NextOutput(ctx context.Context, token attune.Token, stream persistence.Stream, offset int64, limit int) (persistence.OutputChunk, error)
	// Definition is what an execution began with: it says which of its
	// parameters are secret.
	Definition(ctx context.Context, hash string) (persistence.Definition, error)
}

// TokenStore is what the API keeps of tokens, see [persistence.Catalog].
type TokenStore interface {
	AccessTokens(ctx context.Context) ([]attune.AccessToken, error)
	AddAccessToken(ctx context.Context, t attune.AccessToken) error
	DeleteAccessToken(ctx context.Context, name string) error
}

// AuditStore is what the API keeps of requests, see [persistence.Audit].
type AuditStore interface {
	AppendAudit(ctx context.Context, e persistence.AuditEntry) error
	AuditEntries(ctx context.Context, q persistence.AuditQuery) ([]persistence.AuditEntry, error)
}

// EventOffer is an event that somebody hands in.
type EventOffer struct {
	// Trigger is a trigger key that the catalogue knows, else NotFound.
	Trigger string
	// Payload is a JSON document, at most 1 MiB.
	Payload []byte
	// Dedupe makes repetitions one event; empty: none.
	Dedupe string
	// OccurredAt may be zero.
	OccurredAt time.Time
	// Chain is who caused it; an empty Correlation is set to the event's id.
	Chain attune.Chain
}

// EventReceipt is the answer to an offer.
type EventReceipt struct {
	ID        attune.EventID
	Duplicate bool
}

// ExecutionRequest asks for one execution.
type ExecutionRequest struct {
	// Action is a ref; unknown ones are NotFound.
	Action string
	// Parameters are literal values, never templates.
	Parameters map[string]any
	// Timeout limits one attempt; zero takes the action's.
	Timeout time.Duration
	// Deadline limits the execution, or Within from its request on; both zero
	// take the action's.
	Deadline time.Time
	Within   time.Duration
	// Retry takes the place of the action's; nil does not.
	Retry *attune.RetryPolicy
	// NotBefore, or After from its request on, delay its start; both zero do
	// not.
	NotBefore time.Time
	After     time.Duration
	// Dedupe makes repetitions one execution; empty: none.
	Dedupe string
	Chain  attune.Chain
	// Root and Parent are set where an execution asks for it: it becomes part of
	// that one's tree, in the same partition.
	Root, Parent attune.ExecutionID
}

// ExecutionReceipt is the answer to a request.
type ExecutionReceipt struct {
	ID        attune.ExecutionID
	Duplicate bool
}

// WorkerView is a worker with its load.
type WorkerView struct {
	attune.Worker
	// Running is how many slots are taken.
	Running int
	// LastHeard is when its newest heartbeat was answered.
	LastHeard time.Time
}

// NodeView describes the node.
type NodeView struct {
	Name        string    `json:"name"`
	Incarnation string    `json:"incarnation"`
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	// Data is the data folder; empty where there is none.
	Data string `json:"data,omitempty"`
}
