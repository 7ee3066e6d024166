package node

import (
	"runtime"
	"sync"
	"time"
)

// Turns are the goroutines a node runs its actors on. The naive way, a
// goroutine per turn, spends a fifth of all CPU on growing fresh stacks and
// more on waking; here a few long-lived runners take turns from one queue. An
// actor that blocks its turn against all rules would hold a runner: a watch
// adds one whenever the queue does not move.
//
// It implements protoactor's Dispatcher.
type Turns struct {
	mu      sync.Mutex
	more    sync.Cond // signalled when a runner that sleeps should look
	queue   []func()
	head    int
	awake   int // runners that are not asleep
	asleep  int
	wanted  int // how many may be awake
	taken   int64
	closed  bool
	runners sync.WaitGroup
	watch   *time.Timer
	seen    int64 // taken at the last look of the watch
}

// stall is how long the queue may stand still before a runner is added.
const stall = 10 * time.Millisecond

// NewTurns starts nothing before the first turn is scheduled.
func NewTurns() *Turns {
	t := &Turns{wanted: runtime.GOMAXPROCS(0)}
	t.more.L = &t.mu
	return t
}

// Throughput implements actor.Dispatcher: how many messages one turn may take.
func (t *Turns) Throughput() int { return 300 }

// Schedule implements actor.Dispatcher. After [Turns.Stop] it drops f.
func (t *Turns) Schedule(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	if t.head > 1024 && t.head > len(t.queue)/2 {
		n := copy(t.queue, t.queue[t.head:])
		clear(t.queue[n:])
		t.queue, t.head = t.queue[:n], 0
	}
	t.queue = append(t.queue, f)
	t.wake()
	if t.watch == nil {
		t.watch = time.AfterFunc(stall, t.look)
	}
}

// wake sees to it that somebody takes what is queued.
func (t *Turns) wake() {
	switch {
	case t.awake >= t.wanted:
	case t.asleep > 0:
		t.asleep--
		t.awake++
		t.more.Signal()
	default:
		t.awake++
		t.runners.Add(1)
		go t.run()
	}
}

func (t *Turns) run() {
	defer t.runners.Done()
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		for t.head < len(t.queue) {
			f := t.queue[t.head]
			t.queue[t.head] = nil
			t.head++
			t.taken++
			if t.head == len(t.queue) {
				t.queue, t.head = t.queue[:0], 0
			}
			t.mu.Unlock()
			f()
			t.mu.Lock()
		}
		if t.closed {
			return
		}
		t.awake--
		t.asleep++
		t.more.Wait()
	}
}

// look adds a runner when the queue stood still since the last look.
func (t *Turns) look() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watch = nil
	if t.closed || t.head == len(t.queue) {
		return
	}
	if t.taken == t.seen {
		t.wanted++
		t.wake()
	}
	t.seen = t.taken
	t.watch = time.AfterFunc(stall, t.look)
}

// Stop drops what is queued and returns when no turn is under way. A turn that
// never ends makes it wait for ever.
func (t *Turns) Stop() {
	t.mu.Lock()
	t.closed = true
	t.queue, t.head = nil, 0
	if t.watch != nil {
		t.watch.Stop()
	}
	t.awake += t.asleep
	t.asleep = 0
	t.more.Broadcast()
	t.mu.Unlock()
	t.runners.Wait()
}
