package journal

import (
	"slices"
	"sync"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/worker"
)

// Memory is a journal that survives its workers, not its process.
type Memory struct {
	lend attune.Lend

	mu      sync.Mutex
	books   map[string]*book
	order   []string // of incarnations
	crashes int
}

// NewMemory is an empty journal. lend makes entries durable as a step of its
// own, which a crash may forestall; nil makes them so at once.
func NewMemory(lend attune.Lend) *Memory {
	return &Memory{lend: lend, books: map[string]*book{}}
}

// Begin implements [worker.Journal].
func (m *Memory) Begin(incarnation string) ([]worker.Earlier, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var earlier []worker.Earlier
	for _, i := range m.order {
		earlier = append(earlier, worker.Earlier{Incarnation: i, Entries: m.books[i].entries()})
	}
	m.order = append(m.order, incarnation)
	m.books[incarnation] = newBook()
	return earlier, nil
}

// Append implements [worker.Journal].
func (m *Memory) Append(entries []worker.Entry, done func(error)) {
	m.mu.Lock()
	crashes, into := m.crashes, m.order[len(m.order)-1]
	m.mu.Unlock()
	step := func() {
		m.mu.Lock()
		lost := crashes != m.crashes
		if b := m.books[into]; b != nil && !lost {
			b.note(entries...)
		}
		m.mu.Unlock()
		if !lost {
			done(nil)
		}
	}
	if m.lend == nil {
		step()
		return
	}
	m.lend(step)
}

// Forget implements [worker.Journal].
func (m *Memory) Forget(incarnation string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.books, incarnation)
	m.order = slices.DeleteFunc(m.order, func(i string) bool { return i == incarnation })
}

// Crash loses every entry that is not durable yet: the machine of the worker
// went down.
func (m *Memory) Crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crashes++
}
