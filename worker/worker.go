package worker

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Worker is one worker, over all its incarnations. Its methods are safe for
// concurrent use.
type Worker struct {
	config  Config
	runners []string // sorted
	lend    attune.Lend
	lent    sync.WaitGroup // where lend is our own
	inbox   inbox

	stopping     sync.Mutex
	subscription messages.Subscription // guarded by stopping
	// hold is that of the packs, until abandon is called.
	hold    func(ref, hash string) (dir string, release func(), err error)
	abandon context.CancelCauseFunc

	// All below belongs to the turn.

	state       state
	generation  int // counts incarnations: what older ones still say is ignored
	incarnation string
	begun       time.Duration            // when the incarnation began to prepare
	leaseUntil  time.Duration            // zero before the first answer
	answering   string                   // the node incarnation that answered last
	earlier     map[string]time.Duration // journals held of incarnations, and since when
	epochs      [attune.Partitions]int64 // the highest heard of

	attempts map[attune.Token]*attempt // all that are not acknowledged
	past     past                      // those that are
	busy     int                       // attempts that hold a slot
	unacked  []*attempt                // ended ones, the longest unsaid first

	entries  []Entry    // for the journal, at the end of the turn
	starting []*attempt // whose start is among entries
	broken   bool       // the journal cannot be written

	outbox   outbox
	speaking []*attempt // with output that is not acknowledged
	writing  bool       // a timer is set to send what they hold back

	draining bool
	left     bool
	leaving  []func() // called when it has left
	drained  bool     // the operator's word, as the nodes told it
	last     []func() // called when the turn has sent what it had to say
}

// state is where an incarnation stands.
type state uint8

const (
	preparing   state = iota // the runs of earlier ones are being ended
	registering              // asks to be taken
	serving                  // was answered, and has a lease
)

// New is a worker that does nothing before [Worker.Start].
func New(config Config) (*Worker, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	config.setDefaults()
	w := &Worker{
		config:   config,
		runners:  slices.Sorted(maps.Keys(config.Runners)),
		lend:     config.Lend,
		earlier:  map[string]time.Duration{},
		attempts: map[attune.Token]*attempt{},
		past:     past{limit: rememberAtMost, known: map[attune.ExecutionID]known{}},
	}
	if w.lend == nil {
		w.lend = func(f func()) { w.lent.Go(f) }
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	w.abandon = cancel
	w.hold = func(ref, hash string) (string, func(), error) { return config.Packs.Hold(ctx, ref, hash) }
	return w, nil
}

// Start subscribes to the worker's queue and begins the first incarnation. It
// is called once.
func (w *Worker) Start() error {
	s, err := w.config.Broker.Subscribe(messages.ToWorkers, w.config.Name, w.hear)
	if err != nil {
		return err
	}
	w.stopping.Lock()
	w.subscription = s
	w.stopping.Unlock()
	w.post(func() {
		w.begin()
		w.config.Clock.AfterFunc(beat, w.beats)
	})
	return nil
}

// Stop ends the state machine where it stands, as a crash would, but in order:
// its own goroutines have ended when it returns, and lent ones change nothing
// any more. It kills nothing: what runs is ended by the keeper with the lease,
// or by the next start. It may be called twice, or before Start. It waits for a
// begin of keeper or journal that is under way.
func (w *Worker) Stop() {
	w.inbox.close()
	w.stopping.Lock()
	if w.subscription != nil {
		w.subscription.Stop()
	}
	w.stopping.Unlock()
	w.abandon(errStopped)
	w.lent.Wait()
}

var errStopped = attune.NewError(attune.Unavailable, "worker_stopped", "the worker was stopped")

// Drain takes no more attempts, waits until all that runs has ended and was
// acknowledged, and leaves. An error is that of the context: then something is
// left, and the worker goes on draining until Stop.
func (w *Worker) Drain(ctx context.Context) error {
	done := make(chan struct{})
	w.BeginDrain(func() { close(done) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// BeginDrain is [Worker.Drain] without waiting: done is called once, in a turn,
// when the worker has left; never, if it is stopped before.
func (w *Worker) BeginDrain(done func()) {
	w.post(func() {
		w.leaving = append(w.leaving, done)
		if !w.draining {
			w.draining = true
			w.announce(messages.Draining{Worker: w.config.Name, Incarnation: w.incarnation})
		}
		w.leave()
	})
}

// leave ends a drain when nothing is left to wait for.
func (w *Worker) leave() {
	if !w.draining || w.state == preparing || w.busy > 0 || w.open() {
		return
	}
	if !w.left {
		w.left = true
		w.config.Log.Info("worker has drained", "worker", w.config.Name, "incarnation", w.incarnation)
		w.announce(messages.Draining{Worker: w.config.Name, Incarnation: w.incarnation, Left: true})
	}
	w.last = append(w.last, w.leaving...)
	w.leaving = nil
}

// open reports whether an end was not yet acknowledged.
func (w *Worker) open() bool {
	for len(w.unacked) > 0 && w.unacked[0].phase == acknowledged {
		w.unacked = w.unacked[1:]
	}
	return len(w.unacked) > 0
}
