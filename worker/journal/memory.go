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
	pending []*pending
}

// pending are entries that are not durable yet.
type pending struct {
	into    *book
	entries []worker.Entry
	durable bool
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
	for _, p := range m.pending {
		p.settle()
	}
	m.pending = nil
	var earlier []worker.Earlier
	for _, i := range m.order {
		earlier = append(earlier, worker.Earlier{Incarnation: i, Entries: m.books[i].entries()})
	}
	m.order = append(m.order, incarnation)
	m.books[incarnation] = newBook()
	return earlier, nil
}

func (p *pending) settle() {
	p.into.note(p.entries...)
	p.durable = true
}

// Append implements [worker.Journal].
func (m *Memory) Append(entries []worker.Entry, done func(error)) {
	m.mu.Lock()
	p := &pending{into: m.books[m.order[len(m.order)-1]], entries: entries}
	if m.lend == nil {
		p.settle()
		m.mu.Unlock()
		done(nil)
		return
	}
	m.pending = append(m.pending, p)
	m.mu.Unlock()
	m.lend(func() {
		m.mu.Lock()
		if i := slices.Index(m.pending, p); i >= 0 {
			m.pending = slices.Delete(m.pending, i, i+1)
			p.settle()
		}
		m.mu.Unlock()
		if p.durable { // else a crash came before
			done(nil)
		}
	})
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
	m.pending = nil
}
