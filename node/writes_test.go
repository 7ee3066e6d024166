package node_test

import (
	"context"
	"errors"
	"sync"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// writes is the store with every operation that was committed counted, and a
// hook that may end the store for a node in the middle of its work.
type writes struct {
	persistence.Store
	mu sync.Mutex
	// after is called with each committed operation; true makes every later
	// flush fail, as of a node that was killed here.
	after func(op persistence.Op) bool
	dead  bool
	saves map[attune.ExecutionID]int
	puts  map[attune.ExecutionID]int // admissions
	// torn is the execution whose row cannot be read.
	torn attune.ExecutionID
}

// tear makes the row of an execution one that cannot be read.
func (w *writes) tear(id attune.ExecutionID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.torn = id
}

// Execution implements persistence.Reader.
func (w *writes) Execution(ctx context.Context, id attune.ExecutionID) (*attune.Execution, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id == w.torn {
		return nil, errors.New("the row is torn")
	}
	return w.Store.Execution(ctx, id)
}

// then sets the hook.
func (w *writes) then(after func(op persistence.Op) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.after = after
}

// reset gives the store to a new incarnation.
func (w *writes) reset(store persistence.Store) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Store, w.dead = store, false
	if w.saves == nil {
		w.saves, w.puts = map[attune.ExecutionID]int{}, map[attune.ExecutionID]int{}
	}
}

// Flush implements persistence.Flusher.
func (w *writes) Flush(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return nil, persistence.Away("flush", nil)
	}
	answers, err := w.Store.Flush(ctx, incarnation, ops)
	for i := range answers {
		if answers[i].Outcome == persistence.Committed {
			w.count(ops[i])
		}
	}
	if w.dead { // committed, and nobody ever hears of it
		return nil, persistence.ErrUnknown
	}
	return answers, err
}

func (w *writes) count(op persistence.Op) {
	switch op := op.(type) {
	case *persistence.Save:
		w.saves[op.Execution.ID]++
	case *persistence.Admit:
		for _, x := range op.Executions {
			w.puts[x.ID]++
		}
	case *persistence.Extend:
		for _, x := range op.Executions {
			w.puts[x.ID]++
		}
	}
	if w.after != nil && w.after(op) {
		w.dead = true
	}
}

// Resolve implements persistence.Flusher.
func (w *writes) Resolve(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return nil, persistence.Away("resolve", nil)
	}
	return w.Store.Resolve(ctx, incarnation, ops)
}

// of are the writes of an execution: admissions and saves.
func (w *writes) of(id attune.ExecutionID) (puts, saves int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.puts[id], w.saves[id]
}
