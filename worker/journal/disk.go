package journal

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/worker"
)

// DiskConfig of a [Disk].
type DiskConfig struct {
	// Dir is a folder of this worker alone. It is made if it does not exist.
	Dir string
	// Lend runs what touches the disk. Nil gives the journal goroutines of its
	// own, which Close waits for.
	Lend attune.Lend
	// SegmentBytes is the size at which what is still open is copied into a
	// new file and the old one removed; 16 MB by default. Too small copies
	// often, too big makes a restart read much.
	SegmentBytes int64
}

// Disk is a journal in a folder: files of records behind one another, one or
// more for each incarnation. Whatever waits when the disk is free is written
// and synced together.
type Disk struct {
	config DiskConfig
	lend   attune.Lend
	lent   sync.WaitGroup

	mu      sync.Mutex
	idle    sync.Cond // of mu: nobody writes
	writing bool
	pending []appended
	closed  bool

	// All below belongs to whoever set writing.

	incarnation string
	book        *book
	segment     *segment // nil: the next write begins one
	number      int      // of the newest segment
}

// appended is one call of Append.
type appended struct {
	entries []worker.Entry
	done    func(error)
}

var errClosed = errors.New("the journal is closed")

// NewDisk is the journal in a folder.
func NewDisk(config DiskConfig) (*Disk, error) {
	if config.SegmentBytes <= 0 {
		config.SegmentBytes = 16 << 20
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	d := &Disk{config: config, lend: config.Lend}
	d.idle.L = &d.mu
	if d.lend == nil {
		d.lend = func(f func()) { d.lent.Go(f) }
	}
	return d, nil
}

// Begin implements [worker.Journal].
func (d *Disk) Begin(incarnation string) ([]worker.Earlier, error) {
	if err := d.seize(); err != nil {
		return nil, err
	}
	defer d.release()
	d.shut()
	segments, err := segmentsIn(d.config.Dir)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	books, foreign := map[string]*book{}, map[string]bool{}
	for _, s := range segments {
		if books[s.incarnation] == nil {
			books[s.incarnation] = newBook()
		}
		ours, err := s.read(books[s.incarnation])
		if err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
		foreign[s.incarnation] = foreign[s.incarnation] || !ours
	}
	d.incarnation, d.book, d.number = incarnation, newBook(), 0
	if err := d.turnOver(); err != nil {
		return nil, err
	}
	var earlier []worker.Earlier
	for _, i := range slices.Sorted(maps.Keys(books)) {
		if !foreign[i] {
			earlier = append(earlier, worker.Earlier{Incarnation: i, Entries: books[i].entries()})
		}
	}
	return earlier, nil
}

// Append implements [worker.Journal].
func (d *Disk) Append(entries []worker.Entry, done func(error)) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		done(errClosed)
		return
	}
	defer d.mu.Unlock()
	d.pending = append(d.pending, appended{entries, done})
	if !d.writing {
		d.writing = true
		d.lend(func() { d.release() })
	}
}

// Forget implements [worker.Journal]. A file that cannot be removed only means
// that its story is told once more.
func (d *Disk) Forget(incarnation string) {
	d.lend(func() { removeSegments(d.config.Dir, incarnation, -1) })
}

// Close writes what waits, and closes the file. It may be called twice.
func (d *Disk) Close() error {
	if d.seize() == nil {
		d.mu.Lock()
		d.closed = true
		d.mu.Unlock()
		d.release()
		d.shut() // nobody writes any more
	}
	d.lent.Wait()
	return nil
}

// seize waits until nobody writes, and keeps others from it.
func (d *Disk) seize() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.writing {
		d.idle.Wait()
	}
	if d.closed {
		return errClosed
	}
	d.writing = true
	return nil
}

// release writes all that has come meanwhile, and lets go.
func (d *Disk) release() {
	for {
		d.mu.Lock()
		group := d.pending
		d.pending = nil
		if len(group) == 0 {
			d.writing = false
			d.idle.Broadcast()
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
		err := d.write(group)
		for _, a := range group {
			a.done(err)
		}
	}
}

// write stores a group with one sync. After an error the file's end is unknown,
// so the next group begins a new one, with everything that is known to be true.
func (d *Disk) write(group []appended) error {
	var entries []worker.Entry
	durable := false
	for _, a := range group {
		entries = append(entries, a.entries...)
		durable = durable || len(a.entries) == 0
	}
	for _, e := range entries {
		durable = durable || e.Kind != worker.EntryAcknowledged
	}
	err := d.store(entries, durable)
	if err == nil {
		d.book.note(entries...)
		return nil
	}
	d.shut()
	for _, e := range entries {
		if e.Kind != worker.EntryStarted { // a start that is not durable does not happen
			d.book.note(e)
		}
	}
	return fmt.Errorf("write the journal: %w", err)
}

func (d *Disk) store(entries []worker.Entry, durable bool) error {
	if d.book == nil {
		return errors.New("no incarnation has begun")
	}
	if d.segment == nil || d.segment.size >= max(d.config.SegmentBytes, 2*d.segment.born) {
		if err := d.turnOver(); err != nil {
			return err
		}
	}
	return d.segment.write(entries, durable)
}

// turnOver begins a new segment with all that is still open, and removes those
// before.
func (d *Disk) turnOver() error {
	d.shut()
	d.number++
	s, err := newSegment(d.config.Dir, d.incarnation, d.number, d.book.entries())
	if err != nil {
		return fmt.Errorf("begin a file of the journal: %w", err)
	}
	d.segment = s
	removeSegments(d.config.Dir, d.incarnation, d.number)
	return nil
}

func (d *Disk) shut() {
	if d.segment != nil {
		d.segment.file.Close()
		d.segment = nil
	}
}
