package actors

import (
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
)

// Actor is what every actor of the node implements beside Receive. The other
// methods are called on the actor's own turn.
type Actor interface {
	actor.Actor
	// Kind is the word for what it is: execution, partition, scheduler.
	Kind() string
	// State says in a word where it stands.
	State() string
	// Detail is its state for the inspection, as something encoding/json can
	// write; secrets are left out.
	Detail() any
}

// Config is what a [System] is built from.
type Config struct {
	// Clock gives the time and the timers.
	Clock attune.Clock
	// Lend runs blocking work off the actors' turns.
	Lend attune.Lend
	// Dispatcher runs the actors' turns; nil means a goroutine per turn. A
	// simulation hands in its seeded queue, with a throughput of 1.
	Dispatcher actor.Dispatcher
	// Log takes what actors say; nil discards it.
	Log *slog.Logger
	// Observe, if set, is called on the actor's turn before each message that
	// is not the engine's own. Whatever it does happens to the actor: a panic
	// is the actor's, and blocking blocks it. Tests find out with it what the
	// tree withstands.
	Observe func(path, kind string, message any)
	// Fatal is called when the tree cannot go on: the node must end. It must
	// not block.
	Fatal func(reason string)
}

// System is the actors of one node incarnation.
type System struct {
	Config
	inner  *actor.ActorSystem
	census *Census
	panics atomic.Int64
	closed atomic.Bool // timers may outlive the actors: what they say is dropped
}

// NewSystem is an empty system. It starts nothing.
func NewSystem(c Config) *System {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Dispatcher == nil {
		c.Dispatcher = actor.NewDefaultDispatcher(300)
	}
	if c.Fatal == nil {
		c.Fatal = func(string) {}
	}
	silent := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))
	inner := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return silent }),
		actor.WithDeadLetterRequestLogging(false), actor.WithDeadLetterThrottleInterval(time.Millisecond)) // a goroutine lives that long
	return &System{Config: c, inner: inner, census: newCensus()}
}

// Props are the properties of every actor: our mailbox, the node's dispatcher.
// One value serves all actors of a kind.
func (s *System) Props(produce func() Actor) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return produce() },
		actor.WithDispatcher(s.Dispatcher),
		actor.WithMailbox(func() actor.Mailbox { return &mailbox{system: s} }))
}

// SpawnRoot starts the root of the tree.
func (s *System) SpawnRoot(name string, props *actor.Props) (*actor.PID, error) {
	return s.inner.Root.SpawnNamed(props, name)
}

// PID is the address of the actor at a path. It may be made before the actor
// is, and stays good over restarts. Keep it: the first send through it looks
// the actor up, later ones do not.
func (s *System) PID(path string) *actor.PID { return s.inner.NewLocalPID(path) }

// Tell sends a message. A message to nobody is dropped.
func (s *System) Tell(to *actor.PID, message any) {
	if !s.closed.Load() {
		s.inner.Root.Send(to, message)
	}
}

// Stop stops an actor and its children, without waiting. Messages in its
// mailbox are dropped.
func (s *System) Stop(pid *actor.PID) { s.inner.Root.Stop(pid) }

// Census is the index of all living actors.
func (s *System) Census() *Census { return s.census }

// Panics counts the panics of all actors.
func (s *System) Panics() int64 { return s.panics.Load() }

// Shutdown releases what the system holds, after its actors have stopped. It may
// be called twice.
func (s *System) Shutdown() {
	if !s.closed.Swap(true) {
		s.inner.Shutdown()
	}
}

// Lives reports whether the actor is there: started and not yet stopped.
func (s *System) Lives(pid *actor.PID) bool {
	_, ok := s.inner.ProcessRegistry.GetLocal(pid.Id)
	return ok
}
