package worker

import "sync"

// inbox is what waits for the next turn.
type inbox struct {
	mu      sync.Mutex
	waiting []func()
	spare   []func() // emptied, to fill next
	turning bool     // a turn is under way or lent
	closed  bool
}

// post puts f into the inbox; it is run in a turn, or never once the worker is
// stopped. Callable from anywhere, within a turn too.
func (w *Worker) post(f func()) {
	w.inbox.mu.Lock()
	defer w.inbox.mu.Unlock()
	if !w.inbox.closed {
		w.put(f)
	}
}

// hear puts a message into the inbox, unless that is full: it may be lost.
func (w *Worker) hear(m any) {
	w.inbox.mu.Lock()
	defer w.inbox.mu.Unlock()
	if !w.inbox.closed && len(w.inbox.waiting) < inboxAtMost {
		w.put(func() { w.receive(m) })
	}
}

func (w *Worker) put(f func()) {
	w.inbox.waiting = append(w.inbox.waiting, f)
	if !w.inbox.turning {
		w.inbox.turning = true
		w.lend(w.turn)
	}
}

// take empties the inbox into the turn.
func (b *inbox) take() []func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	batch := b.waiting
	b.waiting, b.spare = b.spare[:0], nil
	return batch
}

// giveBack returns an emptied batch for use again.
func (b *inbox) giveBack(batch []func()) {
	clear(batch)
	b.mu.Lock()
	defer b.mu.Unlock()
	if cap(batch) <= turnAtMost {
		b.spare = batch
	}
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.waiting = true, nil
}

func (b *inbox) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// turn handles what waits, and what comes of it meanwhile; then it writes the
// journal and sends everything it has to say.
func (w *Worker) turn() {
	for handled := 0; handled < turnAtMost; {
		batch := w.inbox.take()
		if len(batch) == 0 {
			break
		}
		for _, f := range batch {
			if w.inbox.isClosed() {
				return
			}
			f()
		}
		handled += len(batch)
		w.inbox.giveBack(batch)
	}
	w.leave()
	w.write()
	w.send()
	last := w.last
	w.last = nil
	for _, f := range last {
		f()
	}
	w.inbox.mu.Lock()
	defer w.inbox.mu.Unlock()
	w.inbox.turning = len(w.inbox.waiting) > 0
	if w.inbox.turning {
		w.lend(w.turn)
	}
}
