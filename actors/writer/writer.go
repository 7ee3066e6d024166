// Package writer is the actor through which a node writes: one flush at a time,
// of whatever is pending the moment the store is free, never waiting for more.
package writer

import (
	"context"
	"errors"
	"log/slog"
	"sort"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/persistence"
)

// Writer groups operations into flushes and answers each once its outcome is
// certain: a flush that the store refuses is tried again, one whose commit is
// unknown is resolved first. It numbers the ends of executions per partition as
// they enter a flush. When its node is fenced it answers nobody and ends the
// node.
type Writer struct {
	tree  *actors.Tree
	store persistence.Flusher

	pending []*actors.Submit
	batch   []*actors.Submit // the flush under way, sorted; nil when idle
	ops     []persistence.Op // of batch
	finish  [attune.Partitions]int64
	ends    map[persistence.Op]bool // numbered, and not known to be stored
	pause   time.Duration           // before the next try, while the store is away
	began   time.Duration           // of the flush under way, by the tree's Mono
	fenced  bool
	flushes int64
}

var errPaused = errors.New("the lease of this node was not renewed in time")

const (
	firstPause = 20 * time.Millisecond
	maxPause   = 2 * time.Second
)

// New is the writer of a node.
func New(tree *actors.Tree, store persistence.Flusher) *Writer {
	return &Writer{tree: tree, store: store, ends: map[persistence.Op]bool{}}
}

// Kind implements actors.Actor.
func (w *Writer) Kind() string { return "writer" }

// State implements actors.Actor.
func (w *Writer) State() string {
	switch {
	case w.fenced:
		return "fenced"
	case w.pause > 0:
		return "store away"
	case w.batch != nil:
		return "flushing"
	}
	return "idle"
}

// Detail implements actors.Actor.
func (w *Writer) Detail() any {
	return map[string]any{"pending": len(w.pending), "in_flight": len(w.batch), "flushes": w.flushes}
}

type (
	flushed struct {
		answers []persistence.Answer
		err     error
	}
	resolved struct {
		answers []persistence.Answer
		err     error
	}
	again struct{ resolve bool }
)

// Receive implements actor.Actor.
func (w *Writer) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actors.Submit:
		w.pending = append(w.pending, m)
		w.flush()
		w.tree.Meters.Pending.Store(int64(len(w.pending)))
	case *actors.Owned:
		w.finish[m.Partition] = max(w.finish[m.Partition], m.FinishNumber)
	case *flushed:
		w.flushed(m)
	case *resolved:
		w.resolved(m)
	case *again:
		if m.resolve {
			w.resolve()
		} else {
			w.send()
		}
	}
}

// flush starts a flush of what is pending, unless one is under way.
func (w *Writer) flush() {
	if w.batch != nil || len(w.pending) == 0 || w.fenced {
		return
	}
	w.take()
	w.began = w.tree.Mono()
	w.tree.Flushing()
	w.send()
}

// take moves up to one flush of pending operations into the batch: bounded,
// sorted, one operation per key.
func (w *Writer) take() {
	rows, bytes, n := 0, 0, 0
	for n < len(w.pending) {
		r, b := w.pending[n].Op.Size()
		if n > 0 && (rows+r > persistence.MaxFlushRows || bytes+b > persistence.MaxFlushBytes) {
			break
		}
		rows, bytes, n = rows+r, bytes+b, n+1
	}
	batch := append([]*actors.Submit(nil), w.pending[:n]...)
	rest := w.pending[n:]
	sort.SliceStable(batch, func(i, j int) bool { return batch[i].Op.Key().Less(batch[j].Op.Key()) })
	kept := batch[:1]
	var later []*actors.Submit
	for _, s := range batch[1:] {
		if s.Op.Key() == kept[len(kept)-1].Op.Key() {
			later = append(later, s)
			continue
		}
		kept = append(kept, s)
	}
	switch {
	case later != nil:
		w.pending = append(append(make([]*actors.Submit, 0, len(later)+2*len(rest)), later...), rest...)
	case len(rest) == 0:
		w.pending = nil
	default:
		w.pending = append(make([]*actors.Submit, 0, 2*len(rest)), rest...)
	}
	w.batch, w.ops = kept, make([]persistence.Op, len(kept))
	for i, s := range kept {
		w.ops[i] = s.Op
		if save, ok := s.Op.(*persistence.Save); ok {
			w.number(save)
		}
	}
}

// number gives an end its place in the partition's announcements.
func (w *Writer) number(op *persistence.Save) {
	x := op.Execution
	if x.Status.Terminal() && x.FinishNumber == 0 {
		w.finish[x.ID.Partition()]++
		x.FinishNumber = w.finish[x.ID.Partition()]
		w.ends[op] = true
	}
}

// send flushes the batch, unless the node's lease may have ended: then it waits
// for the renewal, or for the end of the node.
func (w *Writer) send() {
	if !w.tree.Holds() {
		w.failed(errPaused, false)
		return
	}
	ops, tree, store := w.ops, w.tree, w.store
	w.flushes++
	tree.Lend(func() {
		answers, err := store.Flush(context.Background(), tree.Incarnation, ops)
		tree.Tell(tree.Writer, &flushed{answers, err})
	})
}

func (w *Writer) resolve() {
	ops, tree, store := w.ops, w.tree, w.store
	tree.Lend(func() {
		answers, err := store.Resolve(context.Background(), tree.Incarnation, ops)
		tree.Tell(tree.Writer, &resolved{answers, err})
	})
}

func (w *Writer) flushed(m *flushed) {
	switch {
	case m.err == nil:
		w.answer(m.answers)
	case errors.Is(m.err, persistence.ErrUnknown):
		w.tree.Log.Warn("the outcome of a flush is unknown, resolving", slog.Int("operations", len(w.ops)))
		w.resolve()
	default:
		w.failed(m.err, false)
	}
}

func (w *Writer) resolved(m *resolved) {
	if m.err != nil {
		w.failed(m.err, true)
		return
	}
	w.answer(m.answers)
}

// failed waits and tries again, for as long as it takes; fenced ends the node.
func (w *Writer) failed(err error, resolve bool) {
	if attune.KindOf(err) == attune.Fenced {
		w.fenced = true
		w.tree.Fatal("the lease of this node is dead: another owns its partitions")
		return
	}
	w.tree.Meters.StoreFailures.Add(1)
	if w.pause == 0 {
		w.tree.Log.Error("the store does not take writes, trying again", slog.String("error", err.Error()))
		w.pause = firstPause
	} else {
		w.pause = min(2*w.pause, maxPause)
	}
	w.tree.Clock.AfterFunc(w.pause, func() { w.tree.Tell(w.tree.Writer, &again{resolve}) })
}

// answer tells everybody what became of his operation; what was not written is
// pending again, before all else.
func (w *Writer) answer(answers []persistence.Answer) {
	if w.pause > 0 {
		w.tree.Log.Info("the store takes writes again")
		w.pause = 0
	}
	batch := w.batch
	w.batch, w.ops = nil, nil
	w.tree.Flushed()
	w.tree.Meters.Flush.Observe((w.tree.Mono() - w.began).Seconds())
	var unwritten []*actors.Submit
	for i, s := range batch {
		if answers[i].Outcome == persistence.NotWritten {
			unwritten = append(unwritten, s)
			continue
		}
		w.unnumber(s.Op, answers[i])
		if s.ReplyTo != nil {
			w.tree.Tell(s.ReplyTo, &actors.Written{Op: s.Op, Answer: answers[i], Ref: s.Ref})
		}
	}
	if unwritten != nil {
		w.pending = append(unwritten, w.pending...)
	}
	w.flush()
	w.tree.Meters.Pending.Store(int64(len(w.pending)))
}

// unnumber takes back the number of an end that was not stored, so that the
// partition's announcing does not wait for it. A row that has its number from
// an earlier flush keeps it.
func (w *Writer) unnumber(op persistence.Op, a persistence.Answer) {
	if !w.ends[op] {
		return
	}
	delete(w.ends, op)
	if a.Outcome == persistence.Committed {
		return
	}
	x := op.(*persistence.Save).Execution
	w.tree.Tell(w.tree.Partition(x.ID.Partition()), &actors.Unnumbered{FinishNumber: x.FinishNumber})
	x.FinishNumber = 0
}
