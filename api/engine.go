package api

import (
	"context"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence"
)

// Engine is what the API asks of the node. Methods are safe for concurrent use
// and return errors of the root package's kinds.
type Engine interface {
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
	// Evaluations are how the rules judged an event, as far as memory holds
	// them; matches are kept for ever with their enforcements.
	Evaluations(ctx context.Context, event attune.EventID) ([]attune.Evaluation, error)
	// Catalog is the present set of packs.
	Catalog() *packs.Snapshot
	// Workers are the workers with their load.
	Workers(ctx context.Context) ([]WorkerView, error)
	// Actors lists all actors of the node in the order of their paths.
	Actors() []messages.ActorView
	// Actor is one of them in full; NotFound when the path names none.
	Actor(ctx context.Context, path string) (messages.ActorDetail, error)
	// Ready is nil while the node takes work, else it says why not.
	Ready() error
	// Node describes the node.
	Node() NodeView
}

// Store is what the API reads by itself.
type Store interface {
	persistence.Reader
	ReadOutput(ctx context.Context, token attune.Token, stream persistence.Stream, offset int64, limit int) ([]byte, error)
	AccessTokens(ctx context.Context) ([]attune.AccessToken, error)
	// Definition is what an execution began with: it says which of its
	// parameters are secret.
	Definition(ctx context.Context, hash string) (persistence.Definition, error)
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
