package storetest

import (
	"fmt"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

var admitCases = map[string]func(f *fixture){
	"a group is there as it was given": func(f *fixture) {
		a := f.group(9, "pack.one", "pack.two")
		failed := f.newEnforcement(a.Event.ID, "pack.three")
		failed.Status, failed.Failure = attune.EnforcementFailed, &attune.Failure{Code: "render", Message: "no such name", Detail: "line 3"}
		a.Enforcements = append(a.Enforcements, failed)
		f.flush(a)
		f.present(a)
	},
	"an empty row is there as it was given": func(f *fixture) {
		e := &attune.Event{ID: attune.EventID(f.id(0)), Payload: []byte{}}
		x := &attune.Execution{ID: attune.ExecutionID(f.id(0)), Status: attune.Requested, Version: 1}
		f.flush(&persistence.Admit{Event: e, Executions: []*attune.Execution{x}})
		e.Payload = nil
		same(f, "event", f.event(e.ID), e)
		same(f, "execution", f.execution(x.ID), x)
	},
	"an execution may be terminal at once": func(f *fixture) {
		x := f.newExecution(2)
		x.Version++
		apply(x, attune.Input{Signal: attune.Refuse, At: at(3), Failure: &attune.Failure{Code: "no_runner", Message: "there is no runner"}})
		x.FinishNumber = 4
		f.flush(&persistence.Admit{Executions: []*attune.Execution{x}})
		same(f, "execution", f.execution(x.ID), x)
		same(f, "finish number", f.partitions()[2].FinishNumber, 4)
	},
	"what was given may change afterwards": func(f *fixture) {
		a := f.group(9, "pack.one")
		a.Enforcements[0].Failure = &attune.Failure{Code: "before"}
		want := *a.Executions[0]
		f.flush(a)
		x := a.Executions[0]
		apply(x, attune.Input{Signal: attune.Cancel, At: at(4)})
		x.Version = 77
		a.Enforcements[0].Failure.Code = "after"
		same(f, "execution", f.execution(x.ID), &want)
		if code := f.enforcement(a.Enforcements[0].ID).Failure.Code; code != "before" {
			f.Fatalf("failure %q", code)
		}
	},
	"what was read may change afterwards": func(f *fixture) {
		a := f.group(9, "pack.one")
		f.flush(a)
		got := f.execution(a.Executions[0].ID)
		apply(got, attune.Input{Signal: attune.Cancel, At: at(4)})
		f.event(a.Event.ID).Trigger = "changed"
		f.present(a)
	},
	"a dedupe key has one first, across flushes": func(f *fixture) {
		first, second := f.direct(1, "k"), f.direct(2, "k")
		f.flush(first)
		a := f.answers(second)[0]
		f.outcome(a, persistence.Duplicate)
		same(f, "first id", a.First, first.ID())
		f.absent(second)
		f.present(first)
	},
	"a dedupe key has one first, within a flush": func(f *fixture) {
		first, second, third, other := f.direct(1, "k"), f.direct(1, "k"), f.direct(1, "k"), f.direct(1, "other")
		answers := f.answers(first, second, third, other)
		same(f, "outcomes", outcomes(answers), []persistence.Outcome{persistence.Committed, persistence.Duplicate, persistence.Duplicate, persistence.Committed})
		same(f, "first id", answers[2].First, first.ID())
		f.present(first)
		f.absent(second)
		f.absent(third)
		f.present(other)
	},
	"an event is known by its own id": func(f *fixture) {
		first, second := f.group(1, "a"), f.group(1, "a")
		first.Dedupe = &persistence.Dedupe{Kind: "event", Source: "core.webhook", Key: "k"}
		second.Dedupe = first.Dedupe
		a := f.answers(first, second)[1]
		f.outcome(a, persistence.Duplicate)
		same(f, "first id", a.First, attune.ID(first.Event.ID))
		f.absent(second)
	},
	"a dedupe key is kind, source and key": func(f *fixture) {
		var ops []persistence.Op
		for _, d := range []persistence.Dedupe{{Kind: "event", Source: "a", Key: "bc"}, {Kind: "execution", Source: "a", Key: "bc"}, {Kind: "event", Source: "ab", Key: "c"},
			{Kind: "event", Source: "abc", Key: ""}, {Kind: "event", Source: "", Key: "abc"}, {Kind: "eventa", Source: "", Key: "bc"}} {
			a := f.direct(1, "")
			a.Dedupe = &d
			ops = append(ops, a)
		}
		f.flush(ops...)
	},
	"a duplicate is left out among many": func(f *fixture) {
		first := f.direct(1, "k50")
		f.flush(first)
		var ops []persistence.Op
		for i := range 100 {
			ops = append(ops, f.direct(1, fmt.Sprintf("k%d", i)))
		}
		for i, a := range f.answers(ops...) {
			want := persistence.Answer{Outcome: persistence.Committed}
			if i == 50 {
				want = persistence.Answer{Outcome: persistence.Duplicate, First: first.ID()}
			}
			same(f, fmt.Sprintf("answer %d", i), a, want)
			if i == 50 {
				f.absent(ops[i].(*persistence.Admit))
			} else {
				f.present(ops[i].(*persistence.Admit))
			}
		}
	},
	"an id that is there already is a conflict of its group alone": func(f *fixture) {
		old := f.group(1, "a")
		f.flush(old)
		event, enforcement, execution, fine := f.group(1, "a"), f.group(1, "a"), f.group(1, "a"), f.group(1, "a")
		event.Event.ID = old.Event.ID
		enforcement.Enforcements[0].ID, enforcement.Executions = old.Enforcements[0].ID, nil
		execution.Executions[0].ID = old.Executions[0].ID
		for _, a := range []*persistence.Admit{event, enforcement, execution} {
			a.Dedupe = &persistence.Dedupe{Kind: "event", Key: a.Event.Dedupe}
		}
		event.Enforcements, event.Executions = nil, nil
		answers := f.answers(event, enforcement, execution, fine)
		same(f, "outcomes", outcomes(answers), []persistence.Outcome{persistence.Conflict, persistence.Conflict, persistence.Conflict, persistence.Committed})
		if answers[0].Reason == "" {
			f.Fatal("no reason")
		}
		f.present(old)
		f.present(fine)
		f.absent(&persistence.Admit{Event: enforcement.Event})
		f.absent(&persistence.Admit{Event: execution.Event, Enforcements: execution.Enforcements})
		fresh := f.direct(1, "") // the dedupe key was not written either
		fresh.Dedupe = execution.Dedupe
		f.flush(fresh)
	},
	"one enforcement per event and rule, within a group": func(f *fixture) {
		a := f.group(1, "a", "b", "a")
		got := f.answers(a)[0]
		same(f, "answer", got, persistence.Answer{Outcome: persistence.Committed, Skipped: []string{"a"}})
		f.absent(&persistence.Admit{Enforcements: a.Enforcements[2:], Executions: a.Executions[2:]})
		f.present(&persistence.Admit{Event: a.Event, Enforcements: a.Enforcements[:2], Executions: a.Executions[:2]})
	},
	"an execution of an enforcement outside the group is left out": func(f *fixture) {
		old := f.group(1, "a")
		f.flush(old)
		a := f.direct(1, "")
		stray := f.newExecution(1)
		stray.Enforcement = old.Enforcements[0].ID
		a.Executions = append(a.Executions, stray)
		f.flush(a)
		f.present(&persistence.Admit{Executions: a.Executions[:1]})
		f.absent(&persistence.Admit{Executions: []*attune.Execution{stray}})
	},
}

var extendCases = map[string]func(f *fixture){
	"slices are added until it is evaluated": func(f *fixture) {
		a := f.group(4, "a")
		done := *a.Event
		a.Event.Evaluated = persistence.FromMillis(0)
		f.flush(a)
		f.unevaluated(4, a.Event.ID)

		n, x := f.pair(a.Event, "b")
		f.flush(&persistence.Extend{Event: a.Event, Enforcements: []*attune.Enforcement{n}, Executions: []*attune.Execution{x}})
		f.present(&persistence.Admit{Event: a.Event, Enforcements: []*attune.Enforcement{n}, Executions: []*attune.Execution{x}})
		f.unevaluated(4, a.Event.ID)

		changed := done
		changed.Trigger = "only Evaluated is written"
		f.flush(&persistence.Extend{Event: &changed})
		same(f, "event", f.event(done.ID), &done)
		f.unevaluated(4)
	},
	"what is there before is left out and named": func(f *fixture) {
		a := f.group(4, "a", "b")
		f.flush(a)
		n1, x1 := f.pair(a.Event, "a")
		n2, x2 := f.pair(a.Event, "c")
		n3, x3 := f.pair(a.Event, "b")
		got := f.answers(&persistence.Extend{Event: a.Event, Enforcements: []*attune.Enforcement{n1, n2, n3}, Executions: []*attune.Execution{x1, x2, x3}})[0]
		same(f, "answer", got, persistence.Answer{Outcome: persistence.Committed, Skipped: []string{"a", "b"}})
		f.absent(&persistence.Admit{Enforcements: []*attune.Enforcement{n1, n3}, Executions: []*attune.Execution{x1, x3}})
		f.present(&persistence.Admit{Enforcements: []*attune.Enforcement{n2}, Executions: []*attune.Execution{x2}})
	},
	"an event that is not there is a conflict": func(f *fixture) {
		n := f.newEnforcement(attune.EventID(f.id(1)), "a")
		a := f.answers(&persistence.Extend{Event: f.newEvent(1), Enforcements: []*attune.Enforcement{n}})[0]
		f.outcome(a, persistence.Conflict)
		f.absent(&persistence.Admit{Enforcements: []*attune.Enforcement{n}})
	},
	"an id that is there already is a conflict": func(f *fixture) {
		a := f.group(4, "a")
		f.flush(a)
		n, x := f.pair(a.Event, "b")
		x.ID = a.Executions[0].ID
		f.outcome(f.answers(&persistence.Extend{Event: a.Event, Enforcements: []*attune.Enforcement{n}, Executions: []*attune.Execution{x}})[0], persistence.Conflict)
		f.absent(&persistence.Admit{Enforcements: []*attune.Enforcement{n}})
		f.present(a)
	},
}

func (f *fixture) unevaluated(partition int, want ...attune.EventID) {
	f.Helper()
	rows, err := f.s.UnevaluatedEvents(f.ctx, partition, 100)
	f.ok(err)
	var got []attune.EventID
	for _, e := range rows {
		got = append(got, e.ID)
	}
	same(f, "unevaluated events", got, want)
}
