package storetest

import (
	"strings"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

var saveCases = map[string]func(f *fixture){
	"each state follows the one before": func(f *fixture) {
		a := f.direct(3, "")
		f.flush(a)
		x := a.Executions[0]
		for _, next := range []*attune.Execution{assigned(x, "w1", "w1#7"), finished(assigned(x, "w1", "w1#7"), 12)} {
			f.flush(save(next))
			same(f, "execution", f.execution(x.ID), next)
		}
	},
	"a failure and a result are kept": func(f *fixture) {
		a := f.direct(3, "")
		f.flush(a)
		x := assigned(a.Executions[0], "w1", "w1#7")
		apply(x, attune.Input{Signal: attune.Cancel, At: at(3), Reason: "asked for", Until: at(99)})
		f.flush(save(x))
		same(f, "stopping", f.execution(x.ID), x)
		x = x.Clone()
		x.Version++
		apply(x, attune.Input{Signal: attune.Confirm, At: at(4), Result: []byte(`[1]`), Failure: &attune.Failure{Code: "c", Message: "m", Detail: "d"}})
		f.flush(save(x))
		same(f, "cancelled", f.execution(x.ID), x)
	},
	"a version that does not follow is a conflict": func(f *fixture) {
		a := f.direct(3, "")
		f.flush(a)
		x := assigned(a.Executions[0], "w1", "w1#7")
		for _, version := range []int64{0, 1, 3} {
			y := *x
			y.Version = version
			f.outcome(f.answers(save(&y))[0], persistence.Conflict)
			f.present(a)
		}
		f.flush(save(x))
		f.outcome(f.answers(save(x))[0], persistence.Conflict)
	},
	"an execution that is not there is a conflict": func(f *fixture) {
		x := f.newExecution(1)
		f.outcome(f.answers(save(x))[0], persistence.Conflict)
		f.absent(&persistence.Admit{Executions: []*attune.Execution{x}})
	},
	"what it began with stays": func(f *fixture) {
		a := f.group(3, "a")
		f.flush(a)
		want := assigned(a.Executions[0], "w1", "w1#7")
		x := want.Clone()
		x.Action, x.ActionHash, x.Runner, x.Parameters = "other.action", "other", "noop", []byte(`{}`)
		x.Root, x.Parent, x.Rule, x.Event, x.Enforcement, x.Trigger = 1, 2, "other", 3, 4, "other"
		x.Chain, x.Limits = attune.Chain{}, attune.Limits{}
		f.flush(save(x))
		same(f, "execution", f.execution(x.ID), want)
	},
	"the partition knows its highest finish number": func(f *fixture) {
		a, b := f.direct(3, ""), f.direct(3, "")
		f.flush(a, b)
		f.flush(save(finished(b.Executions[0], 9)))
		f.flush(save(finished(a.Executions[0], 8)))
		same(f, "finish number", f.partitions()[3].FinishNumber, 9)
		same(f, "of another", f.partitions()[2].FinishNumber, 0)
	},
	"a worker follows its version": func(f *fixture) {
		w := newWorker("w1", 1)
		f.flush(&persistence.SaveWorker{Worker: w})
		f.outcome(f.answers(&persistence.SaveWorker{Worker: w})[0], persistence.Conflict)
		next := newWorker("w1", 2)
		next.State, next.Labels, next.Runners = attune.WorkerLost, nil, nil
		f.flush(&persistence.SaveWorker{Worker: next}, &persistence.SaveWorker{Worker: newWorker("w2", 1)})
		f.outcome(f.answers(&persistence.SaveWorker{Worker: newWorker("w3", 2)})[0], persistence.Conflict)
		rows, err := f.s.Workers(f.ctx)
		f.ok(err)
		same(f, "workers", rows, []*attune.Worker{next, newWorker("w2", 1)})
	},
	"a worker is removed at its version, and one that is gone is no fault": func(f *fixture) {
		f.flush(&persistence.SaveWorker{Worker: newWorker("w1", 1)}, &persistence.SaveWorker{Worker: newWorker("w2", 1)})
		f.outcome(f.answers(&persistence.RemoveWorker{Name: "w1", Version: 2})[0], persistence.Conflict)
		f.flush(&persistence.RemoveWorker{Name: "w1", Version: 1})
		f.flush(&persistence.RemoveWorker{Name: "w1", Version: 1})
		rows, err := f.s.Workers(f.ctx)
		f.ok(err)
		same(f, "workers", rows, []*attune.Worker{newWorker("w2", 1)})
		f.flush(&persistence.SaveWorker{Worker: newWorker("w1", 1)}) // it may come again
	},
	"marks only rise": func(f *fixture) {
		f.flush(&persistence.RaiseIDHigh{Partition: 3, High: 50}, &persistence.Announced{Partition: 3, Through: 7})
		f.flush(&persistence.RaiseIDHigh{Partition: 3, High: 50}, &persistence.Announced{Partition: 3, Through: 7})
		f.flush(&persistence.RaiseIDHigh{Partition: 3, High: 40}, &persistence.Announced{Partition: 3, Through: 6})
		same(f, "partition", f.partitions()[3], persistence.Partition{ID: 3, IDHigh: 50, AnnouncedTo: 7})
	},
	"times are kept in whole milliseconds": func(f *fixture) {
		a := f.direct(3, "")
		x := a.Executions[0]
		exact := x.Until
		x.Until = exact.Add(999 * time.Microsecond).In(time.FixedZone("far", 3600))
		f.flush(a)
		same(f, "until", f.execution(x.ID).Until, exact)
	},
	"a conflict leaves the others of its flush alone": func(f *fixture) {
		a, b := f.direct(3, ""), f.direct(3, "")
		f.flush(a, b)
		wrong := assigned(a.Executions[0], "w1", "w1#7")
		wrong.Version = 9
		right := assigned(b.Executions[0], "w1", "w1#7")
		c := f.direct(3, "")
		same(f, "outcomes", outcomes(f.answers(c, save(wrong), save(right))),
			[]persistence.Outcome{persistence.Committed, persistence.Conflict, persistence.Committed})
		f.present(a)
		f.present(c)
		same(f, "saved", f.execution(right.ID), right)
	},
}

var rejectedCases = map[string]func(f *fixture){
	"what no store can hold is rejected alone": func(f *fixture) {
		for name, spoil := range map[string]func(a *persistence.Admit){
			"NUL in a text":        func(a *persistence.Admit) { a.Executions[0].Reason = "a\x00b" },
			"invalid UTF-8":        func(a *persistence.Admit) { a.Event.Trigger = "a\xffb" },
			"NUL in a dedupe key":  func(a *persistence.Admit) { a.Dedupe.Key = "\x00" },
			"a long dedupe key":    func(a *persistence.Admit) { a.Dedupe.Key = strings.Repeat("k", persistence.MaxKeyBytes+1) },
			"not JSON":             func(a *persistence.Admit) { a.Event.Payload = []byte(`{"a":`) },
			"escaped NUL":          func(a *persistence.Admit) { a.Executions[0].Parameters = []byte(`{"a":"x\u0000"}`) },
			"half a pair":          func(a *persistence.Admit) { a.Enforcements[0].Evaluation = []byte(`{"a":"\ud83d!"}`) },
			"invalid UTF-8 inside": func(a *persistence.Admit) { a.Event.Payload = []byte("\"\xff\"") },
			"a failure with NUL":   func(a *persistence.Admit) { a.Enforcements[0].Failure = &attune.Failure{Message: "\x00"} },
			"too large": func(a *persistence.Admit) {
				a.Executions[0].Result = []byte(`"` + strings.Repeat("x", persistence.MaxRowBytes) + `"`)
			},
			"a foreign partition": func(a *persistence.Admit) { a.Executions[0].ID = attune.ExecutionID(f.id(attune.Partitions)) },
			"another's event":     func(a *persistence.Admit) { a.Executions[0].Event++ },
		} {
			before, bad, after := f.group(1, "a"), f.group(1, "a"), f.group(1, "a")
			bad.Dedupe = &persistence.Dedupe{Kind: "event", Source: "s", Key: name}
			spoil(bad)
			answers := f.answers(before, bad, after)
			same(f, name, outcomes(answers), []persistence.Outcome{persistence.Committed, persistence.Rejected, persistence.Committed})
			if answers[1].Reason == "" {
				f.Fatalf("%s: no reason", name)
			}
			f.absent(bad)
			f.present(before)
			f.present(after)
		}
	},
	"a rejected state leaves the one before": func(f *fixture) {
		a := f.direct(1, "")
		f.flush(a)
		x := finished(a.Executions[0], 1)
		x.Result = []byte("\xff")
		f.outcome(f.answers(save(x))[0], persistence.Rejected)
		f.present(a)
		x.Result = nil
		f.flush(save(x))
	},
	"a partition that is not there": func(f *fixture) {
		f.outcome(f.answers(&persistence.RaiseIDHigh{Partition: attune.Partitions, High: 1})[0], persistence.Rejected)
		f.outcome(f.answers(&persistence.Announced{Partition: -1, Through: 1})[0], persistence.Rejected)
	},
	"a worker": func(f *fixture) {
		w := newWorker("w1", 1)
		w.Labels["k"] = "\x00"
		f.outcome(f.answers(&persistence.SaveWorker{Worker: w})[0], persistence.Rejected)
	},
	"escapes that stand for text are held": func(f *fixture) {
		a := f.direct(1, "")
		a.Executions[0].Parameters = []byte(`{"a":"\\u0000 \ud83d\ude42 \u0041 \n"}`)
		f.flush(a)
		f.present(a)
	},
	"a large row is held": func(f *fixture) {
		a := f.direct(1, "")
		a.Executions[0].Parameters = []byte(`"` + strings.Repeat("x", 1<<20) + `"`)
		f.flush(a)
		f.present(a)
	},
}
