package node

import "sync"

// Lent are the goroutines a node lends to its actors. The node owns them:
// after Wait none is under way, and none is started.
type Lent struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// Lend runs f on a goroutine of its own; after [Lent.Wait] it drops f.
func (t *Lent) Lend(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.wg.Add(1)
	go func() {
		defer t.wg.Done()
		f()
	}()
}

// Wait lends nothing more and returns when everything lent has ended.
func (t *Lent) Wait() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.wg.Wait()
}
