package storetest

import (
	"context"
	"fmt"
	"slices"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

var wholeCases = map[string]func(f *fixture){
	"a flush of nothing proves the lease": func(f *fixture) {
		same(f, "answers", len(f.answers()), 0)
		_, err := f.s.Flush(f.ctx, "nobody", nil)
		f.kind(err, attune.Fenced)
	},
	"a large flush is answered in order": func(f *fixture) {
		var ops, saves []persistence.Op
		for i := range 230 {
			a := f.group(i%attune.Partitions, "a")
			a.Dedupe = &persistence.Dedupe{Kind: "event", Source: "s", Key: fmt.Sprint(i)}
			ops = append(ops, a)
			saves = append(saves, save(finished(a.Executions[0], int64(i/attune.Partitions+1))))
		}
		f.flush(ops...)
		for _, op := range ops {
			f.present(op.(*persistence.Admit))
		}
		f.flush(saves...)
		for _, op := range saves {
			x := op.(*persistence.Save).Execution
			same(f, "execution", f.execution(x.ID), x)
		}
		again := slices.Clone(ops)
		for i, a := range f.answers(again...) {
			same(f, "again", a, persistence.Answer{Outcome: persistence.Duplicate, First: ops[i].(*persistence.Admit).ID()})
		}
	},
	"all kinds of operations go in one flush": func(f *fixture) {
		old, open := f.direct(1, ""), f.group(1)
		open.Event.Evaluated = persistence.FromMillis(0)
		f.flush(old, open)
		done := *open.Event
		done.Evaluated = at(7)
		n, x := f.pair(open.Event, "z")
		f.flush(f.group(1, "a"), f.direct(2, "k"), f.direct(2, ""),
			&persistence.Extend{Event: &done, Enforcements: []*attune.Enforcement{n}, Executions: []*attune.Execution{x}},
			save(finished(old.Executions[0], 1)), &persistence.SaveWorker{Worker: newWorker("w", 1)},
			&persistence.RaiseIDHigh{Partition: 1, High: 9}, &persistence.Announced{Partition: 1, Through: 1})
		same(f, "event", f.event(done.ID), &done)
		same(f, "partition", f.partitions()[1], persistence.Partition{ID: 1, IDHigh: 9, FinishNumber: 1, AnnouncedTo: 1})
	},
	"what was written is counted": func(f *fixture) {
		before := f.s.Stats()
		f.flush(f.group(1, "a"), f.group(1, "b"), f.direct(1, "k"))
		after := f.s.Stats()
		if commits, rows := after.Commits-before.Commits, after.Rows-before.Rows; commits != 1 || rows != 8 || after.Bytes <= before.Bytes {
			f.Fatalf("%d commits, %d rows, %d bytes", commits, rows, after.Bytes-before.Bytes)
		}
		f.answers(f.direct(1, "k"))
		if again := f.s.Stats(); again.Commits != after.Commits || again.Rows != after.Rows {
			f.Fatalf("a duplicate counts: %+v, before %+v", again, after)
		}
	},
	"a cancelled call writes nothing": func(f *fixture) {
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		a := f.group(1, "a")
		_, err := f.s.Flush(ctx, "node-1", []persistence.Op{a})
		f.kind(err, attune.Unavailable)
		f.absent(a)
	},
	"a closed store answers with an error": func(f *fixture) {
		f.ok(f.s.Close())
		_, err := f.s.Flush(f.ctx, "node-1", []persistence.Op{f.group(1, "a")})
		f.kind(err, attune.Unavailable)
		_, err = f.s.Execution(f.ctx, 7)
		f.kind(err, attune.Unavailable)
		f.ok(f.s.Close())
	},
}
