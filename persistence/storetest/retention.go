package storetest

import (
	"fmt"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// later is after everything that the makers of rows write.
var later = began.Add(24 * time.Hour)

var retentionCases = map[string]func(f *fixture){
	"an old event goes with all that came of it, and nothing else does": func(f *fixture) {
		old, other := f.group(3, "a", "b"), f.direct(3, "")
		f.flush(old, other)
		f.prints(old.Executions[0].ID, "hello")
		f.end(3, old.Executions...)
		same(f, "counted", f.pass(persistence.Prune{Shelf: persistence.Events, Before: later, Try: true}), tally(1, 2, 2, 0))
		f.kept(old)
		same(f, "deleted", f.pass(persistence.Prune{Shelf: persistence.Events, Before: later}), tally(1, 2, 2, 1))
		f.absent(old)
		same(f, "output", f.printed(old.Executions[0].ID), "")
		f.present(other)
		same(f, "deleted again", f.pass(persistence.Prune{Shelf: persistence.Events, Before: later}), nil)
	},
	"a pair that went may be there again": func(f *fixture) {
		old := f.group(3, "a")
		f.flush(old)
		f.end(3, old.Executions...)
		f.pass(persistence.Prune{Shelf: persistence.Events, Before: later})
		f.flush(old)
		f.present(old)
	},
	"an age may be beyond all ids": func(f *fixture) {
		a := f.group(3)
		f.flush(a)
		f.stays(persistence.Events, attune.Epoch.AddDate(-1, 0, 0))
		same(f, "deleted", f.pass(persistence.Prune{Shelf: persistence.Events, Before: attune.Epoch.AddDate(200, 0, 0)}), tally(1, 0, 0, 0))
	},
	"an event stays while one of its executions is live": func(f *fixture) {
		a := f.group(3, "a", "b")
		f.flush(a)
		f.end(3, a.Executions[0])
		f.stays(persistence.Events, later)
		f.kept(a)
	},
	"an event stays while a child of a child is live": func(f *fixture) {
		a, child, grandchild := f.group(3, "a"), f.direct(3, ""), f.direct(3, "")
		child.Executions[0].Parent, grandchild.Executions[0].Parent = a.Executions[0].ID, child.Executions[0].ID
		f.flush(a, child, grandchild)
		f.end(3, a.Executions[0], child.Executions[0])
		f.stays(persistence.Events, later)
		f.end(3, grandchild.Executions[0])
		same(f, "deleted", f.pass(persistence.Prune{Shelf: persistence.Events, Before: later}), tally(1, 1, 3, 0))
	},
	"an event stays while an end is not announced": func(f *fixture) {
		a := f.group(3, "a")
		f.flush(a)
		f.flush(save(finished(a.Executions[0], 4)), &persistence.Announced{Partition: 3, Through: 3})
		f.stays(persistence.Events, later)
		f.flush(&persistence.Announced{Partition: 3, Through: 4})
		f.pass(persistence.Prune{Shelf: persistence.Events, Before: later})
		f.absent(a)
		same(f, "partition", f.partitions()[3], persistence.Partition{ID: 3, FinishNumber: 4, AnnouncedTo: 4})
	},
	"an event that is not judged to its end stays": func(f *fixture) {
		a := f.group(3)
		a.Event.Evaluated = persistence.FromMillis(0)
		f.flush(a)
		f.stays(persistence.Events, later)
		f.unevaluated(3, a.Event.ID)
	},
	"an event goes by its last end, and one without executions by its own time": func(f *fixture) {
		a, alone := f.group(3, "a"), f.group(3)
		f.flush(a, alone)
		f.end(3, a.Executions...)
		f.stays(persistence.Events, attune.ID(a.Event.ID).Time())
		same(f, "deleted", f.pass(persistence.Prune{Shelf: persistence.Events, Before: at(50)}), tally(1, 0, 0, 0)) // that is when a ended
		same(f, "deleted later", f.pass(persistence.Prune{Shelf: persistence.Events, Before: at(51)}), tally(1, 1, 1, 0))
	},
	"a request goes with those below it": func(f *fixture) {
		top, child, live := f.direct(3, ""), f.direct(3, ""), f.direct(3, "")
		child.Executions[0].Parent = top.Executions[0].ID
		f.flush(top, child, live)
		f.end(3, top.Executions[0])
		f.stays(persistence.Requests, later)
		f.end(3, child.Executions[0])
		f.prints(child.Executions[0].ID, "hello")
		same(f, "deleted", f.pass(persistence.Prune{Shelf: persistence.Requests, Before: later}), tally(0, 0, 2, 1))
		f.present(live)
	},
	"output goes before its execution, and not while one above is live": func(f *fixture) {
		top, child := f.direct(3, ""), f.direct(3, "")
		child.Executions[0].Parent = top.Executions[0].ID
		f.flush(top, child)
		f.prints(child.Executions[0].ID, "hello")
		f.stays(persistence.Outputs, later)
		f.end(3, child.Executions[0])
		f.stays(persistence.Outputs, later)
		f.end(3, top.Executions[0])
		f.stays(persistence.Outputs, at(50))
		same(f, "deleted", f.pass(persistence.Prune{Shelf: persistence.Outputs, Before: later}), tally(0, 0, 0, 1))
		same(f, "execution", f.execution(child.Executions[0].ID).Status, attune.Completed)
	},
	"output that came after its execution went, goes too": func(f *fixture) {
		f.prints(attune.ExecutionID(f.id(3)), "late")
		same(f, "deleted", f.pass(persistence.Prune{Shelf: persistence.Outputs, Before: later}), tally(0, 0, 0, 1))
	},
	"a dedupe key holds for its window and is free afterwards": func(f *fixture) {
		first, second := f.direct(3, "k"), f.direct(3, "k")
		f.flush(first)
		f.stays(persistence.DedupeKeys, attune.ID(first.Executions[0].ID).Time())
		same(f, "again", f.answers(second)[0].Outcome, persistence.Duplicate)
		same(f, "deleted", f.pass(persistence.Prune{Shelf: persistence.DedupeKeys, Before: later}), map[persistence.Table]int64{persistence.DedupeTable: 1})
		f.flush(second)
	},
	"many keys are many slices": func(f *fixture) {
		for i := range 40 {
			f.flush(f.direct(i, fmt.Sprint(i)))
		}
		same(f, "deleted", f.pass(persistence.Prune{Shelf: persistence.DedupeKeys, Before: later, Rows: 7}), map[persistence.Table]int64{persistence.DedupeTable: 40})
	},
	"a definition stays while it is current, and while a row may name it": func(f *fixture) {
		put := func(hashes ...string) {
			for _, hash := range hashes {
				f.ok(f.s.PutDefinitions(f.ctx, []persistence.Definition{{Hash: hash, Kind: "action", Ref: "p.a", Body: []byte(`{}`)}}))
			}
		}
		put("one", "two")
		f.ok(f.s.PutDefinitions(f.ctx, []persistence.Definition{{Hash: "other", Kind: "pack", Ref: "p", Body: []byte(`{}`)}}))
		f.ok(f.s.Supersede(f.ctx, f.lead, []string{"one"}))
		far := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
		f.stays(persistence.Definitions, began)
		row := f.direct(3, "")
		f.flush(row)
		f.stays(persistence.Definitions, far)
		f.end(3, row.Executions...)
		f.pass(persistence.Prune{Shelf: persistence.Requests, Before: later})
		put("two")
		f.stays(persistence.Definitions, far) // it is current again
		f.ok(f.s.Supersede(f.ctx, f.lead, []string{"one"}))
		f.ok(f.s.Supersede(f.ctx, f.lead, []string{"one", "two"}))
		f.stays(persistence.Definitions, far)
		f.ok(f.s.Supersede(f.ctx, f.lead, []string{"one"}))
		same(f, "deleted", f.pass(persistence.Prune{Shelf: persistence.Definitions, Before: far}), map[persistence.Table]int64{persistence.DefinitionTable: 1})
		for hash, there := range map[string]bool{"one": true, "two": false, "other": true} {
			if _, err := f.s.Definition(f.ctx, hash); (err == nil) != there {
				f.Fatalf("definition %s: %v", hash, err)
			}
		}
	},
	"workers go that are lost or left, and have nothing": func(f *fixture) {
		alive, lost, busy := newWorker("alive", 1), newWorker("lost", 1), newWorker("busy", 1)
		lost.State, busy.State = attune.WorkerLost, attune.WorkerLeft
		a := f.direct(3, "")
		f.flush(a, &persistence.SaveWorker{Worker: alive}, &persistence.SaveWorker{Worker: busy}, &persistence.SaveWorker{Worker: lost})
		f.flush(save(assigned(a.Executions[0], "busy", busy.Incarnation)))
		f.stays(persistence.LostWorkers, at(2))
		out, err := f.s.Prune(f.ctx, f.lead, persistence.Prune{Shelf: persistence.LostWorkers, Before: later, Rows: 10})
		f.ok(err)
		same(f, "deleted", out.Workers, []string{"lost"})
		rows, err := f.s.Workers(f.ctx)
		f.ok(err)
		same(f, "workers", rows, []*attune.Worker{alive, busy})
	},
	"leases go that have expired and own nothing": func(f *fixture) {
		f.acquire("node-2")
		f.ok(f.s.TakeOver(f.ctx, "", "node-2", []int{1}))
		f.ok(f.s.Resign(f.ctx, "node-1"))
		f.ok(f.s.Resign(f.ctx, "node-2"))
		f.acquire("node-3")
		f.stays(persistence.OldLeases, began)
		far := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
		same(f, "deleted", f.pass(persistence.Prune{Shelf: persistence.OldLeases, Before: far}), map[persistence.Table]int64{persistence.LeaseTable: 1})
		rows, err := f.s.LeaseRows(f.ctx)
		f.ok(err)
		if len(rows) != 2 || rows[0].Incarnation != "node-2" || rows[1].Incarnation != "node-3" {
			f.Fatalf("leases %+v", rows)
		}
		_, err = f.s.Renew(f.ctx, "node-1", time.Hour)
		f.kind(err, attune.Fenced)
	},
	"a dead lease deletes nothing, ever again": func(f *fixture) {
		a := f.group(1, "a")
		f.flush(a)
		f.end(1, a.Executions...)
		f.take("node-1", "node-2", true)
		_, err := f.s.Prune(f.ctx, "node-1", persistence.Prune{Shelf: persistence.Events, Before: later, Rows: 10})
		f.kind(err, attune.Fenced)
		f.kind(f.s.Supersede(f.ctx, "node-1", nil), attune.Fenced)
		f.kept(a)
	},
	"a slice has a size": func(f *fixture) {
		for _, rows := range []int{0, persistence.MaxFlushRows + 1} {
			_, err := f.s.Prune(f.ctx, f.lead, persistence.Prune{Shelf: persistence.Events, Before: later, Rows: rows})
			f.kind(err, attune.Invalid)
		}
	},
	"the oldest rows are known": func(f *fixture) {
		none, err := f.s.Oldest(f.ctx)
		f.ok(err)
		same(f, "of an empty store", len(none), 0)
		a := f.group(3, "a")
		f.flush(a, f.group(2, "b"))
		f.prints(a.Executions[0].ID, "hello")
		got, err := f.s.Oldest(f.ctx)
		f.ok(err)
		same(f, "oldest", got, map[persistence.Table]time.Time{
			persistence.EventTable: attune.ID(a.Event.ID).Time(), persistence.EnforcementTable: attune.ID(a.Enforcements[0].ID).Time(),
			persistence.ExecutionTable: attune.ID(a.Executions[0].ID).Time(), persistence.OutputTable: attune.ID(a.Executions[0].ID).Time(),
		})
	},
}

// tally is what a pass over trees deletes; nil is nothing.
func tally(events, enforcements, executions, outputs int64) map[persistence.Table]int64 {
	var p persistence.Pruned
	p.Count(persistence.EventTable, events)
	p.Count(persistence.EnforcementTable, enforcements)
	p.Count(persistence.ExecutionTable, executions)
	p.Count(persistence.OutputTable, outputs)
	return p.Rows
}

// pass prunes slice by slice to the end of the shelf, and says what went.
func (f *fixture) pass(p persistence.Prune) map[persistence.Table]int64 {
	f.Helper()
	var sum persistence.Pruned
	if p.Rows == 0 {
		p.Rows = 100
	}
	for range 10_000 {
		out, err := f.s.Prune(f.ctx, f.lead, p)
		f.ok(err)
		for table, n := range out.Rows {
			sum.Count(table, n)
		}
		if out.Next == "" {
			return sum.Rows
		}
		p.After = out.Next
	}
	f.Fatalf("a pass over %s does not end", p.Shelf)
	return nil
}

// stays wants a pass to delete nothing.
func (f *fixture) stays(shelf persistence.Shelf, before time.Time) {
	f.Helper()
	same(f, "deleted from "+string(shelf), f.pass(persistence.Prune{Shelf: shelf, Before: before}), nil)
}

// end stores the end of executions of a partition, and that it is announced.
func (f *fixture) end(partition int, executions ...*attune.Execution) {
	f.Helper()
	for _, x := range executions {
		number := f.partitions()[partition].FinishNumber + 1
		f.flush(save(finished(x, number)), &persistence.Announced{Partition: partition, Through: number})
	}
}

// kept wants all of the group's rows to be there, in whatever state.
func (f *fixture) kept(a *persistence.Admit) {
	f.Helper()
	f.event(a.Event.ID)
	for i := range a.Executions {
		f.enforcement(a.Enforcements[i].ID)
		f.execution(a.Executions[i].ID)
	}
}

func (f *fixture) prints(id attune.ExecutionID, text string) {
	f.Helper()
	f.ok(f.s.AppendOutput(f.ctx, []persistence.OutputChunk{{Token: attune.Token{Execution: id, Attempt: 1}, Stream: persistence.Stdout, Data: []byte(text)}}))
}

func (f *fixture) printed(id attune.ExecutionID) string {
	f.Helper()
	b, err := f.s.ReadOutput(f.ctx, attune.Token{Execution: id, Attempt: 1}, persistence.Stdout, 0, 100)
	f.ok(err)
	return string(b)
}
