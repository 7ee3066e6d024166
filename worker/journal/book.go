// Package journal holds the journals of a worker: [Disk] for a machine, [Memory]
// for tests, the simulation and workers whose runs do not outlive them.
package journal

import (
	"cmp"
	"maps"
	"slices"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/worker"
)

// book is what the entries of one incarnation amount to: the last word on every
// token that is not acknowledged.
type book struct {
	lines map[attune.Token]line
	next  uint64
}

type line struct {
	number uint64 // of the token's first entry
	entry  worker.Entry
}

func newBook() *book { return &book{lines: map[attune.Token]line{}} }

func (b *book) note(entries ...worker.Entry) {
	for _, e := range entries {
		if e.Kind == worker.EntryAcknowledged {
			delete(b.lines, e.Token)
			continue
		}
		l, ok := b.lines[e.Token]
		if !ok {
			l.number = b.next
			b.next++
		}
		l.entry = e
		b.lines[e.Token] = l
	}
}

// entries are the last words in the order of the first ones.
func (b *book) entries() []worker.Entry {
	lines := slices.SortedFunc(maps.Values(b.lines), func(x, y line) int { return cmp.Compare(x.number, y.number) })
	all := make([]worker.Entry, len(lines))
	for i, l := range lines {
		all[i] = l.entry
	}
	return all
}
