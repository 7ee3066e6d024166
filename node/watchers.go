package node

import (
	"sync"
	"sync/atomic"

	"github.com/attune-automation/attune"
)

// watchers are the callers that wait for a change of an execution.
type watchers struct {
	count atomic.Int64
	mu    sync.Mutex
	by    map[attune.ExecutionID]map[chan struct{}]bool
}

// watch registers a channel that is woken by every change until stop.
func (w *watchers) watch(id attune.ExecutionID) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = map[attune.ExecutionID]map[chan struct{}]bool{}
	}
	if w.by[id] == nil {
		w.by[id] = map[chan struct{}]bool{}
	}
	w.by[id][c] = true
	w.count.Add(1)
	var once sync.Once
	return c, func() {
		once.Do(func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.count.Add(-1)
			if delete(w.by[id], c); len(w.by[id]) == 0 {
				delete(w.by, id)
			}
		})
	}
}

// changed wakes whoever watches. It costs next to nothing while nobody does.
func (w *watchers) changed(id attune.ExecutionID) {
	if w.count.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.by[id] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
