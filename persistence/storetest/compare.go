package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Compare drives empty stores with the same random operations, chosen by the
// seed from few enough ids, keys and rules that most of them meet, and wants the
// same answers, and in the end the same rows. The first store is the model.
func Compare(t *testing.T, seed uint64, flushes int, stores ...persistence.Store) {
	t.Helper()
	CompareMany(t, []uint64{seed}, flushes, stores...)
}

// CompareMany is [Compare] with one sequence of operations after the other, each
// of its own seed: what one left is there for the next. The newest rows are
// compared after each.
func CompareMany(t *testing.T, seeds []uint64, flushes int, stores ...persistence.Store) {
	t.Helper()
	d := &driver{fixture: fixture{T: t, ctx: t.Context()}, stores: stores}
	d.each("acquire", func(s persistence.Store) any {
		_, err := s.Acquire(d.ctx, "node-1", "node", 1e12)
		return kindOf(err)
	})
	for _, seed := range seeds {
		d.rand = rand.New(rand.NewPCG(seed, 1))
		for range flushes {
			d.flushed(seed)
			d.prune()
			d.list()
		}
		d.lists(20)
	}
	d.all()
}

// flushed is one flush, and what becomes of it where its outcome is asked for.
func (d *driver) flushed(seed uint64) {
	d.Helper()
	ops := d.operations()
	d.each(fmt.Sprintf("seed %d: flush %s", seed, show(ops)), func(s persistence.Store) any {
		answers, err := s.Flush(d.ctx, "node-1", ops)
		return []any{reasonless(answers), kindOf(err)}
	})
	again := ops[:d.rand.IntN(len(ops)+1)]
	if len(again) == 0 {
		return
	}
	d.each(fmt.Sprintf("seed %d: resolve %s", seed, show(again)), func(s persistence.Store) any {
		answers, err := s.Resolve(d.ctx, "node-1", again)
		return []any{reasonless(answers), kindOf(err)}
	})
}

// driver makes operations and compares what the stores make of them.
type driver struct {
	fixture
	rand   *rand.Rand
	stores []persistence.Store
	rows   []*attune.Execution // made so far, stored or not
	events []*attune.Event
	failed []*attune.Enforcement // when they were made, stored or not
}

func (d *driver) each(what string, call func(s persistence.Store) any) {
	d.Helper()
	model := show(call(d.stores[0]))
	for _, s := range d.stores[1:] {
		if got := show(call(s)); got != model {
			d.Fatalf("%s:\n model %s\n %T %s", what, model, s, got)
		}
	}
}

func kindOf(err error) string {
	if err == nil {
		return ""
	}
	return attune.KindOf(err).String()
}

// reasonless answers, because the words are free.
func reasonless(answers []persistence.Answer) []persistence.Answer {
	answers = slices.Clone(answers)
	for i := range answers {
		answers[i].Reason = ""
	}
	return answers
}

// operations are those of one flush: sorted, and no two with one key.
func (d *driver) operations() (ops []persistence.Op) {
	for range 1 + d.rand.IntN(12) {
		op := d.operation()
		if op != nil && !slices.ContainsFunc(ops, func(o persistence.Op) bool { return o.Key() == op.Key() }) {
			ops = append(ops, op)
		}
	}
	slices.SortFunc(ops, func(a, b persistence.Op) int {
		if a.Key().Less(b.Key()) {
			return -1
		}
		return 1
	})
	return ops
}

func (d *driver) operation() persistence.Op {
	switch d.rand.IntN(13) {
	case 12:
		return d.rerun()
	case 0, 1, 2, 3:
		return d.admit()
	case 4, 5:
		if len(d.events) == 0 {
			return nil
		}
		e := *d.events[d.rand.IntN(len(d.events))]
		e.Evaluated = at(d.rand.IntN(2) * d.rand.IntN(100))
		if d.rand.IntN(2) == 0 {
			e.Evaluated = persistence.FromMillis(0)
		}
		op := &persistence.Extend{Event: &e}
		op.Enforcements, op.Executions = d.pairs(&e)
		return op
	case 6, 7, 8:
		if len(d.rows) == 0 {
			return nil
		}
		i := d.rand.IntN(len(d.rows))
		x := d.step(d.rows[i])
		if d.rand.IntN(8) > 0 {
			d.rows[i] = x
		}
		return &persistence.Save{Execution: x}
	case 9:
		return &persistence.SaveWorker{Worker: newWorker(fmt.Sprintf("w%d", d.rand.IntN(3)), 1+d.rand.Int64N(4))}
	case 10:
		if d.rand.IntN(2) == 0 {
			return &persistence.RemoveWorker{Name: fmt.Sprintf("w%d", d.rand.IntN(3)), Version: 1 + d.rand.Int64N(4)}
		}
		return &persistence.RaiseIDHigh{Partition: d.rand.IntN(4), High: d.rand.Int64N(100)}
	}
	return &persistence.Announced{Partition: d.rand.IntN(4), Through: d.rand.Int64N(20)}
}

func (d *driver) admit() persistence.Op {
	op := &persistence.Admit{}
	if d.rand.IntN(3) > 0 {
		op.Event = d.newEvent(d.rand.IntN(4))
		if d.rand.IntN(3) == 0 {
			op.Event.Evaluated = persistence.FromMillis(0)
		}
		if d.rand.IntN(10) == 0 && len(d.events) > 0 {
			op.Event.ID = d.events[d.rand.IntN(len(d.events))].ID
		}
		d.events = append(d.events, op.Event)
		op.Enforcements, op.Executions = d.pairs(op.Event)
	} else {
		op.Executions = []*attune.Execution{d.newExecution(d.rand.IntN(4))}
		d.rows = append(d.rows, op.Executions...)
	}
	if d.rand.IntN(2) == 0 {
		op.Dedupe = &persistence.Dedupe{Kind: "event", Source: "s", Key: fmt.Sprint(d.rand.IntN(20))}
	}
	if d.rand.IntN(15) == 0 && op.Event != nil {
		op.Event.Trigger = "\x00"
	}
	return op
}

func (d *driver) pairs(e *attune.Event) (ens []*attune.Enforcement, exs []*attune.Execution) {
	for range d.rand.IntN(4) {
		n, x := d.pair(e, string(rune('a'+d.rand.IntN(4))))
		if len(d.rows) > 0 && d.rand.IntN(20) == 0 {
			x.ID = d.rows[d.rand.IntN(len(d.rows))].ID
		}
		if len(d.rows) > 0 && d.rand.IntN(4) == 0 {
			x.Parent = d.rows[d.rand.IntN(len(d.rows))].ID
		}
		if d.rand.IntN(4) == 0 {
			n = fail(n)
			ens, d.failed = append(ens, n), append(d.failed, n)
			continue
		}
		ens, exs, d.rows = append(ens, n), append(exs, x), append(d.rows, x)
	}
	return ens, exs
}

// rerun is that of an enforcement that failed, and may have been run again.
func (d *driver) rerun() persistence.Op {
	if len(d.failed) == 0 {
		return nil
	}
	op := d.again(d.failed[d.rand.IntN(len(d.failed))])
	if d.rand.IntN(8) == 0 && len(d.rows) > 0 {
		op.Execution.ID = d.rows[d.rand.IntN(len(d.rows))].ID
		op.Enforcement.Execution = op.Execution.ID
	}
	d.rows = append(d.rows, op.Execution)
	return op
}

// step is a next state of the execution, or now and then of another version.
func (d *driver) step(x *attune.Execution) *attune.Execution {
	switch {
	case x.Status.Terminal():
		x = x.Clone()
	case x.Attempt == 0:
		x = assigned(x, fmt.Sprintf("w%d", d.rand.IntN(3)), "w#1")
	default:
		return finished(x, 1+int64(x.ID)%20) // an end keeps its number
	}
	if d.rand.IntN(6) == 0 {
		x.Version++
	}
	return x
}

// prune is now and then a whole pass over a shelf; where its slices end is each
// store's own.
func (d *driver) prune() {
	if len(d.rows) > 0 && d.rand.IntN(3) == 0 {
		chunk := persistence.OutputChunk{Token: attune.Token{Execution: d.rows[d.rand.IntN(len(d.rows))].ID, Attempt: 1}, Stream: persistence.Stdout, Data: []byte("x")}
		d.each("output", func(s persistence.Store) any { return kindOf(s.AppendOutput(d.ctx, []persistence.OutputChunk{chunk})) })
	}
	if d.rand.IntN(3) > 0 {
		return
	}
	p := persistence.Prune{Shelf: persistence.Shelves()[d.rand.IntN(4)], Before: at(d.rand.IntN(80)), Rows: 1 + d.rand.IntN(20)}
	d.lead = "node-1"
	d.each("pass over "+show(p), func(s persistence.Store) any {
		d.s = s
		return d.pass(p)
	})
}

func (d *driver) list() {
	q := persistence.Query{Limit: 1 + d.rand.IntN(5)}
	if d.rand.IntN(2) == 0 {
		q.Rule = string(rune('a' + d.rand.IntN(4)))
	}
	if len(d.events) > 0 && d.rand.IntN(2) == 0 {
		q.Event = d.events[d.rand.IntN(len(d.events))].ID
	}
	if d.rand.IntN(4) == 0 {
		q.Since = at(d.rand.IntN(d.ids + 1))
	}
	if len(d.rows) > 0 && d.rand.IntN(2) == 0 {
		q.Before = attune.ID(d.rows[d.rand.IntN(len(d.rows))].ID)
	}
	d.each("enforcements "+show(q), func(s persistence.Store) any { return page(s.Enforcements(d.ctx, q)) })
	if len(d.rows) > 0 && d.rand.IntN(4) == 0 {
		x := d.rows[d.rand.IntN(len(d.rows))]
		q.Parent, q.Enforcement = x.Parent, x.Enforcement
	}
	d.each("executions "+show(q), func(s persistence.Store) any { return page(s.Executions(d.ctx, q)) })
}

// all compares everything that can be read.
func (d *driver) all() {
	d.Helper()
	d.lists(persistence.MaxPage)
	d.each("workers", func(s persistence.Store) any { return page(s.Workers(d.ctx)) })
	d.each("partitions", func(s persistence.Store) any { return page(s.PartitionRows(d.ctx)) })
	d.each("on w#1", func(s persistence.Store) any { return page(s.ExecutionsOn(d.ctx, "w#1")) })
	for p := range 4 {
		d.each("live", func(s persistence.Store) any { return page(s.Live(d.ctx, p, 0, 500)) })
		d.each("unevaluated", func(s persistence.Store) any { return page(s.UnevaluatedEvents(d.ctx, p, 500)) })
		d.each("unannounced", func(s persistence.Store) any { return page(s.Unannounced(d.ctx, p, int64(p), 500)) })
	}
}

// lists compares the newest rows.
func (d *driver) lists(limit int) {
	d.Helper()
	q := persistence.Query{Limit: limit}
	d.each("events", func(s persistence.Store) any { return page(s.Events(d.ctx, q)) })
	d.each("enforcements", func(s persistence.Store) any { return page(s.Enforcements(d.ctx, q)) })
	d.each("executions", func(s persistence.Store) any { return page(s.Executions(d.ctx, q)) })
}

func page[R any](rows []R, err error) any { return []any{rows, kindOf(err)} }
