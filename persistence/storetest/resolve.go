package storetest

import (
	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Resolve is asked twice about the same operations: while nothing was written,
// and after it was.
var resolveCases = map[string]func(f *fixture){
	"what was not written may be flushed again, what was is committed": func(f *fixture) {
		old, open := f.direct(1, ""), f.group(2, "a")
		open.Event.Evaluated = persistence.FromMillis(0)
		failed := f.group(3)
		failed.Enforcements = []*attune.Enforcement{fail(f.newEnforcement(failed.Event.ID, "a"))}
		f.flush(old, open, failed)
		slice, x := f.pair(open.Event, "b")
		last := *open.Event
		last.Evaluated = at(44)
		deduped := f.group(1, "a", "b")
		deduped.Dedupe = &persistence.Dedupe{Kind: "event", Source: "s", Key: "k"}
		ops := []persistence.Op{
			f.group(1, "a"), deduped, f.direct(1, "key"), f.direct(1, ""),
			&persistence.Extend{Event: open.Event, Enforcements: []*attune.Enforcement{slice}, Executions: []*attune.Execution{x}},
			f.again(failed.Enforcements[0]), save(finished(old.Executions[0], 3)), &persistence.SaveWorker{Worker: newWorker("w", 1)},
			&persistence.RaiseIDHigh{Partition: 1, High: 5}, &persistence.Announced{Partition: 1, Through: 5},
		}
		for i, a := range f.resolve(ops...) {
			if a.Outcome != persistence.NotWritten {
				f.Fatalf("operation %d: %s before it is written", i, a.Outcome)
			}
		}
		f.flush(ops...)
		for i, a := range f.resolve(ops...) {
			if a.Outcome != persistence.Committed {
				f.Fatalf("operation %d: %s after it was written", i, a.Outcome)
			}
		}
		end := &persistence.Extend{Event: &last}
		f.outcome(f.resolve(end)[0], persistence.NotWritten)
		f.flush(end)
		f.outcome(f.resolve(end)[0], persistence.Committed)
	},
	"a key that another had first is a duplicate": func(f *fixture) {
		first, second := f.direct(1, "k"), f.direct(1, "k")
		f.flush(first)
		a := f.resolve(second)[0]
		same(f, "answer", a, persistence.Answer{Outcome: persistence.Duplicate, First: first.ID()})
	},
	"what was left out is named": func(f *fixture) {
		a := f.group(1, "a", "b", "a")
		f.answers(a)
		same(f, "answer", f.resolve(a)[0], persistence.Answer{Outcome: persistence.Committed, Skipped: []string{"a"}})
		n1, x1 := f.pair(a.Event, "b")
		n2, x2 := f.pair(a.Event, "c")
		e := &persistence.Extend{Event: a.Event, Enforcements: []*attune.Enforcement{n1, n2}, Executions: []*attune.Execution{x1, x2}}
		f.answers(e)
		same(f, "answer", f.resolve(e)[0], persistence.Answer{Outcome: persistence.Committed, Skipped: []string{"b"}})
	},
	"the removal of a worker is written when it is gone": func(f *fixture) {
		f.flush(&persistence.SaveWorker{Worker: newWorker("w", 1)})
		gone := &persistence.RemoveWorker{Name: "w", Version: 1}
		f.outcome(f.resolve(gone)[0], persistence.NotWritten)
		f.flush(gone)
		f.outcome(f.resolve(gone)[0], persistence.Committed)
	},
	"what another incarnation wrote is not mine": func(f *fixture) {
		a, w := f.direct(1, ""), newWorker("w", 1)
		f.flush(a)
		f.acquire("node-2")
		x := assigned(a.Executions[0], "w1", "w1#1")
		f.flush(save(x), &persistence.SaveWorker{Worker: w})
		f.lead = "node-1"
		for i, a := range f.resolve(save(x), &persistence.SaveWorker{Worker: w}, a) {
			if a.Outcome == persistence.Committed {
				f.Fatalf("operation %d is committed", i)
			}
		}
	},
	"another state of the same version by the same writer is not mine": func(f *fixture) {
		a := f.direct(1, "")
		f.flush(a)
		f.flush(save(assigned(a.Executions[0], "w1", "w1#1")))
		f.outcome(f.resolve(save(assigned(a.Executions[0], "w1", "w1#1")))[0], persistence.Committed)
		f.outcome(f.resolve(save(assigned(a.Executions[0], "w2", "w2#1")))[0], persistence.NotWritten)
		left := newWorker("w", 1)
		left.State = attune.WorkerLeft
		f.flush(&persistence.SaveWorker{Worker: newWorker("w", 1)})
		f.outcome(f.resolve(&persistence.SaveWorker{Worker: newWorker("w", 1)})[0], persistence.Committed)
		f.outcome(f.resolve(&persistence.SaveWorker{Worker: left})[0], persistence.NotWritten)
	},
	"a dead lease may still ask": func(f *fixture) {
		a := f.group(1, "a")
		f.flush(a)
		f.take("node-1", "node-2", true)
		f.lead = "node-1"
		f.outcome(f.resolve(a)[0], persistence.Committed)
	},
	"what would be rejected was": func(f *fixture) {
		a := f.direct(1, "\x00")
		f.outcome(f.resolve(a)[0], persistence.Rejected)
	},
}

func (f *fixture) resolve(ops ...persistence.Op) []persistence.Answer {
	f.Helper()
	answers, err := f.s.Resolve(f.ctx, f.lead, ops)
	f.ok(err)
	if len(answers) != len(ops) {
		f.Fatalf("%d answers for %d operations", len(answers), len(ops))
	}
	return answers
}
