package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/secret"
)

// Config of a [Worker]. What has no default must be given.
type Config struct {
	// Name is the operator's name for the worker; its queue is named by it.
	Name string
	// NewIncarnation makes a random id, anew for every incarnation.
	NewIncarnation func() string
	// Slots is how many attempts run at a time; at least 1.
	Slots int
	// Labels and Zone are for placement; may be empty.
	Labels map[string]string
	Zone   string
	// Broker carries all messages. The worker does not close it.
	Broker messages.Broker
	// Clock is for timers only.
	Clock attune.Clock
	// Mono is the clock of leases and repetitions: it never goes back, and it
	// runs while the machine is suspended (CLOCK_BOOTTIME).
	Mono func() time.Duration
	// Lend runs turns, and what blocks at the begin of an incarnation. Nil
	// gives the worker goroutines of its own, which Stop waits for.
	Lend attune.Lend
	// Journal outlives the process. Whoever made it closes it, after Stop.
	Journal Journal
	// Keeper enforces the lease on runs; nil where all runners are pure.
	Keeper Keeper
	// Runners run the actions, by runner type.
	Runners map[string]Runner
	// Open opens the parameters of an action that were sealed, and gives the mask
	// for what is secret in them: see [secret.Box.Open]. Nil can open none.
	Open func(action string, parameters []byte) ([]byte, *secret.Mask, error)
	// Packs finds packs on this machine. Nil takes the folders that dispatches
	// name, which is right on the machine of the node alone.
	Packs Packs
	// Lease is how long an answer of the worker's actor allows to run things;
	// 10 s by default. The worker tells it to the nodes. Too short, and a pause of the
	// store ends running actions; too long, and the loss of a worker is
	// noticed late.
	Lease time.Duration
	// Log may be nil.
	Log *slog.Logger
}

func (c *Config) check() error {
	fault := ""
	switch {
	case c.Name == "":
		fault = "a worker needs a name"
	case c.Slots < 1:
		fault = "a worker needs at least one slot"
	case len(c.Runners) == 0:
		fault = "a worker needs a runner"
	case c.NewIncarnation == nil || c.Broker == nil || c.Clock == nil || c.Mono == nil || c.Journal == nil:
		fault = "a worker needs incarnations, a broker, clocks and a journal"
	default:
		return nil
	}
	return attune.NewError(attune.Invalid, "invalid_worker", fault)
}

func (c *Config) setDefaults() {
	if c.Lease <= 0 {
		c.Lease = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Open == nil {
		c.Open = (*secret.Box)(nil).Open
	}
	if c.Keeper == nil {
		c.Keeper = nothingKept{}
	}
}

// The rhythm and the bounds of a worker.
const (
	beat           = 2 * time.Second  // between heartbeats, and until something unanswered is said again
	remember       = 15 * time.Minute // for how long acknowledged tokens are known
	rememberAtMost = 2_000_000        // of them, about 40 bytes each: beyond, the oldest are forgotten early
	repeatAtMost   = 1000             // reports said again in one beat
	inboxAtMost    = 100_000          // things waiting for a turn; messages beyond are dropped
	turnAtMost     = 4096             // things handled before what they say is sent
	bundleBytes    = 1 << 20          // of payload in one bundle, unless a single item is larger
)

// Keeper holds the processes that runners start, and ends them with the lease.
type Keeper interface {
	// Begin ends every run of earlier incarnations, waits until nothing of
	// them is left, and makes ready for a new one, whose lease is not yet
	// given. It may block; an error means that something may still run, and it
	// is called again.
	Begin(incarnation string) error
	// Extend sets the end of the lease, on the clock of Config.Mono. When it
	// comes, every run is killed and none is started. It does not block.
	Extend(until time.Duration)
}

// Describer is a [Keeper] that knows the machine.
type Describer interface {
	// Labels tell what the machine can do, such as which limits hold. They are
	// asked for after each Begin; the operator's own labels count before them. It
	// does not block.
	Labels() map[string]string
}

// Packs finds what packs hold on this machine, for the entry points of actions.
type Packs interface {
	// Hold finds the folder of a pack with that content, and fetches it if need
	// be. It stays as it is until release is called, which does not block. An
	// error of kind Invalid, TooLarge or NotFound means that it can never be had
	// here; after any other it may be had later. It blocks, at most until ctx
	// ends.
	Hold(ctx context.Context, ref, hash string) (dir string, release func(), err error)
}

// nothingKept is the keeper of runs that are no processes.
type nothingKept struct{}

func (nothingKept) Begin(string) error   { return nil }
func (nothingKept) Extend(time.Duration) {}
