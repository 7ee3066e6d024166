package workers

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// The orders of operators: drain, resume, remove.

// maxOrders bounds the orders that wait for the store.
const maxOrders = 100

type (
	// removal is an order to remove, and the version that it is about.
	removal struct {
		order *messages.RemoveWorker
		op    *persistence.RemoveWorker
	}
	// unsettled is how many executions still hold the incarnation that is to be
	// removed.
	unsettled struct {
		by    *worker
		order *messages.RemoveWorker
		op    *persistence.RemoveWorker
		live  int
		err   error
	}
)

// order carries out one order, or keeps it until the row is stored.
func (w *worker) order(m any) {
	if u, ok := m.(*unsettled); ok {
		w.settled(u)
		return
	}
	if w.writing == nil && w.removing == nil {
		w.carryOut(m)
		return
	}
	if len(w.orders) >= maxOrders {
		replyOf(m)(nil, &attune.Error{Kind: attune.TooMuch, Code: "too_many_orders", Message: "other orders for this worker wait for the store", Where: w.name, Try: "again in a moment"})
		return
	}
	w.orders = append(w.orders, m)
}

// obey carries out the orders that waited, as far as none of them writes.
func (w *worker) obey() {
	for len(w.orders) > 0 && w.writing == nil && w.removing == nil {
		m := w.orders[0]
		w.orders = w.orders[1:]
		w.carryOut(m)
	}
}

func (w *worker) carryOut(m any) {
	if w.known.row == nil {
		replyOf(m)(nil, unknown(w.name))
		return
	}
	switch m := m.(type) {
	case *messages.DrainWorker:
		w.setDrained(m)
	case *messages.RemoveWorker:
		w.remove(m)
	}
}

// setDrained stores the operator's word. The slots are taken back before: what
// is placed until it is stored would be placed on a worker that is drained.
func (w *worker) setDrained(m *messages.DrainWorker) {
	row := w.known.row
	if row.Drained == m.On {
		m.Reply(row, nil)
		return
	}
	next := *row
	next.Drained = m.On
	next.Version++
	if m.On {
		w.tree.Tell(w.tree.Scheduler, &messages.RevokeSlots{Worker: w.name, Incarnation: next.Incarnation})
	}
	w.save(&next, func() {
		w.grant(true)
		w.tree.Log.Info("the operator's word on a worker changed", slog.String("worker", w.name), slog.Bool("drained", m.On))
		m.Reply(&next, nil)
	})
	w.refused = func(reason string) {
		w.grant(true)
		m.Reply(nil, attune.NewError(attune.Conflict, "worker_changed", "the worker changed meanwhile: "+reason))
	}
}

// remove forgets a worker that is not there any more, unless executions have yet
// to learn that: they ask this actor what became of the incarnation.
func (w *worker) remove(m *messages.RemoveWorker) {
	row := w.known.row
	if w.alive() {
		m.Reply(nil, &attune.Error{Kind: attune.Conflict, Code: "worker_alive", Message: "the worker " + w.name + " is alive", Where: row.Incarnation,
			Try: "end its process first; a moment later, or " + (w.lease() + killMargin).String() + " after it was killed, it can be removed"})
		return
	}
	op := &persistence.RemoveWorker{Name: w.name, Version: row.Version}
	w.removing = &removal{m, op}
	tree, store, self, incarnation := w.tree, w.store, w.self, row.Incarnation
	tree.Lend(func() {
		rows, err := store.ExecutionsOn(context.Background(), incarnation)
		tree.Tell(self, &unsettled{w, m, op, len(rows), err})
	})
}

func (w *worker) settled(u *unsettled) {
	if u.by != w || w.removing == nil || w.removing.op != u.op {
		return // of this actor's life before its restart: nobody waits any more
	}
	switch {
	case u.err != nil:
		w.notRemoved(u.err)
	case u.live > 0:
		w.notRemoved(&attune.Error{Kind: attune.Conflict, Code: "worker_unsettled", Where: w.known.row.Incarnation,
			Message: fmt.Sprintf("%d executions were on the worker %s and have yet to go on without it", u.live, w.name), Try: "again in a moment"})
	default:
		w.tree.Tell(w.tree.Writer, &actors.Submit{Op: u.op, ReplyTo: w.self})
	}
}

func (w *worker) notRemoved(err error) {
	order := w.removing.order
	w.removing = nil
	order.Reply(nil, err)
	w.obey()
}

// removed begins anew: a worker of this name that registers is a new one.
func (w *worker) removed(op *persistence.RemoveWorker, a persistence.Answer) {
	ours := w.removing != nil && w.removing.op == op
	switch {
	case a.Outcome == persistence.Committed && w.known.row != nil && w.known.row.Version == op.Version:
		row := w.known.row
		w.known.row, w.draining = nil, false
		w.tree.Log.Info("worker removed", slog.String("worker", w.name), slog.String("incarnation", row.Incarnation))
		if ours {
			w.removing.order.Reply(row, nil)
		}
	case ours:
		w.read()
		w.notRemoved(attune.NewError(attune.Conflict, "worker_changed", "the worker changed meanwhile: "+a.Reason))
		return
	}
	if ours {
		w.removing = nil
		w.obey()
	}
}

func replyOf(m any) func(*attune.Worker, error) {
	switch m := m.(type) {
	case *messages.DrainWorker:
		return m.Reply
	case *messages.RemoveWorker:
		return m.Reply
	}
	return func(*attune.Worker, error) {}
}

func unknown(name string) error {
	return &attune.Error{Kind: attune.NotFound, Code: "unknown_worker", Message: "there is no worker " + name, Try: "attune worker list"}
}
