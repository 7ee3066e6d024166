package node

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/actors/retention"
	"github.com/attune-automation/attune/actors/rules"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/cluster"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/https"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/secret"
)

// Config says who the node is.
type Config struct {
	// Name is the node's; Incarnation is unique to this start of it.
	Name, Incarnation string
	// Version is the program's; Data the data folder, or empty. Both are for
	// display.
	Version, Data string
	// Keep says how long what is kept; its zero value is the default.
	Keep retention.Ages
	// MaxLive is how many executions may live on the node, in every status but
	// the terminal ones; default 1,000,000. A request beyond it is answered
	// TooMuch. Fewer refuse work that could wait; each that waits costs about 300
	// bytes of memory.
	MaxLive int
	// Warm is how many executions of a partition that wait for a slot keep their
	// actors; default 256. Fewer make those that come next wait for the store,
	// more cost 2 kB each.
	Warm int
	// AnnounceStatuses announces every stored change of an execution's status,
	// best effort, and not only its end. It costs a message for each: two or three
	// times as many as the ends.
	AnnounceStatuses bool
}

func (c Config) withDefaults() Config {
	if c.MaxLive == 0 {
		c.MaxLive = 1_000_000
	}
	if c.Warm == 0 {
		c.Warm = 256
	}
	return c
}

// Parts are what the node is built from: everything impure.
type Parts struct {
	// Clock is the node's time. If it is a [*Clock], the node keeps it on
	// database time.
	Clock attune.Clock
	// Lend runs blocking work.
	Lend attune.Lend
	// Dispatcher runs the actors' turns; nil means goroutines.
	Dispatcher actor.Dispatcher
	// Store and Broker are opened and closed by the caller.
	Store  persistence.Store
	Broker messages.Broker
	// Inbox is what clients outside can reach of the broker; nil is the broker
	// itself, if it is one.
	Inbox messages.Inbox
	// Secrets seals the values of secret parameters. Without it requests that
	// have some are refused.
	Secrets *secret.Box
	// Tokens are those that actions are given to call the API with; nil gives
	// none.
	Tokens *api.ExecutionTokens
	// Log takes what the node says; nil discards it.
	Log *slog.Logger
	// Traces records events and executions as spans; nil records none.
	Traces Traces
	// Observe is [actors.Config.Observe].
	Observe func(path, kind string, message any)
}

// Node is one node of Attune, of one incarnation.
type Node struct {
	config   Config
	parts    Parts
	tree     *actors.Tree
	pid      *actor.PID
	desk     *https.Desk // the broker, and the workers' second way
	owned    owned
	watchers watchers
	feed     *feed
	actions  actions
	catalog  atomic.Pointer[packs.Snapshot]
	// revisionRows are the names under which the present revision of the rules
	// is stored: its own, and those of its rows.
	revisionRows atomic.Pointer[[]string]
	// composing makes one catalogue follow the other.
	composing sync.Mutex
	loaded    []*attune.Pack // guarded by composing
	past      past
	library   library
	rules     rules.Changed
	// doubtful tells that what is stored of rules may be other than what is judged
	// by: it is read again with the packs.
	doubtful atomic.Bool
	started  time.Time
	// window holds a token per request that is not yet durable.
	window chan struct{}
	// sifting is held by whoever looks through the dead letters.
	sifting chan struct{}
	drain   sync.Mutex
	taken   int // places in the window that Drain took; guarded by drain
	ended   [attune.Abandoned + 1]atomic.Int64
	// requests times the answers of the API.
	requests *prometheus.HistogramVec
	asked    retention.Asked
	kept     kept

	fatalOnce sync.Once
	fatal     chan struct{}
	reason    string
}

// maxAdmissions is the admission window: requests not yet durable.
const maxAdmissions = 500

// New builds a node. It starts nothing.
func New(config Config, parts Parts) *Node {
	config = config.withDefaults()
	if parts.Inbox == nil {
		parts.Inbox, _ = parts.Broker.(messages.Inbox)
	}
	n := &Node{config: config, parts: parts, fatal: make(chan struct{}), window: make(chan struct{}, maxAdmissions), sifting: make(chan struct{}, 1), requests: newRequests(), feed: newFeed(parts.Clock)}
	n.catalog.Store(packs.NewSnapshot(nil))
	n.actions.store = parts.Store
	n.owned.most = int64(config.MaxLive)
	system := actors.NewSystem(actors.Config{Clock: parts.Clock, Lend: parts.Lend, Dispatcher: parts.Dispatcher, Log: parts.Log,
		Observe: parts.Observe, Fatal: n.fail})
	n.tree = actors.NewTree(system, config.Incarnation)
	n.desk = https.NewDesk(parts.Broker, n.tree.Mono)
	return n
}

// Start acquires the lease and starts the tree. The catalogue should be set
// before.
func (n *Node) Start(ctx context.Context) error {
	sent, mono := n.parts.Clock.Now(), n.tree.Mono()
	now, err := n.parts.Store.Acquire(ctx, n.config.Incarnation, n.config.Name, cluster.LeaseTTL)
	if err != nil {
		return fmt.Errorf("acquire the lease of %s: %w", n.config.Incarnation, err)
	}
	n.renewed(sent, now)
	n.started = n.parts.Clock.Now()
	n.tree.Hold(mono + cluster.LeaseTTL - cluster.LeaseMargin)
	n.pid, err = n.tree.SpawnRoot("node", n.tree.Props(func() actors.Actor { return newRoot(n) }))
	return err
}

func (n *Node) renewed(sent, database time.Time) {
	if c, ok := n.parts.Clock.(*Clock); ok {
		c.Set(sent, database)
	}
}

func (n *Node) fail(reason string) {
	n.fatalOnce.Do(func() {
		n.tree.Log.Error("the node cannot go on", slog.String("reason", reason))
		n.reason = reason
		close(n.fatal)
	})
}

// Failed is closed when the node cannot go on and must be ended; Reason says
// why.
func (n *Node) Failed() <-chan struct{} { return n.fatal }

// Reason is why the node failed. Call it after Failed is closed.
func (n *Node) Reason() string { return n.reason }

// Drain takes no more requests and returns when those under way are durable, or
// ctx ends; then it may be called again. What runs goes on; what waits is stored
// and waits for the next start.
func (n *Node) Drain(ctx context.Context) error {
	n.tree.Drain()
	n.drain.Lock()
	defer n.drain.Unlock()
	if err := n.closeIntake(ctx); err != nil {
		return err
	}
	for n.taken < maxAdmissions { // and keep them: nothing gets in any more
		select {
		case n.window <- struct{}{}:
			n.taken++
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Stop ends the tree and waits until no actor lives, or ctx ends. Nothing that
// was acknowledged is lost by it.
func (n *Node) Stop(ctx context.Context) error {
	if n.pid == nil {
		return nil
	}
	n.tree.Drain()
	n.tree.Stop(n.pid)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n.tree.Lives(n.pid) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	n.tree.Shutdown()
	return n.parts.Store.Resign(ctx, n.config.Incarnation)
}

// Tree is where the node's actors are, for tests and tools of this program.
func (n *Node) Tree() *actors.Tree { return n.tree }

// ExecutionTokens are those of [Parts].
func (n *Node) ExecutionTokens() *api.ExecutionTokens { return n.parts.Tokens }

// secret is what an attempt calls the API with, or empty.
func (n *Node) secret(t attune.Token) messages.Secret {
	if n.parts.Tokens == nil {
		return ""
	}
	return messages.Secret(n.parts.Tokens.Mint(t))
}
