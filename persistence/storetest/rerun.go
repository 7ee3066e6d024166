package storetest

import (
	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

var rerunCases = map[string]func(f *fixture){
	"a failed enforcement gets its execution": func(f *fixture) {
		a := f.failedGroup()
		op := f.again(a.Enforcements[0])
		f.flush(op)
		f.present(&persistence.Admit{Event: a.Event, Enforcements: []*attune.Enforcement{op.Enforcement}, Executions: []*attune.Execution{op.Execution}})
	},
	"event, rule, time and cause stay what they were": func(f *fixture) {
		a := f.failedGroup()
		op := f.again(a.Enforcements[0])
		want := *op.Enforcement
		op.Enforcement.Rule, op.Enforcement.Created, op.Enforcement.Chain.Principal = "another", at(99), "another"
		f.flush(op)
		same(f, "enforcement", f.enforcement(want.ID), &want)
	},
	"the second answers the execution of the first": func(f *fixture) {
		a := f.failedGroup()
		first, second := f.again(a.Enforcements[0]), f.again(a.Enforcements[0])
		f.flush(first)
		got := f.answers(second)[0]
		same(f, "answer", got, persistence.Answer{Outcome: persistence.Duplicate, First: attune.ID(first.Execution.ID)})
		f.absent(&persistence.Admit{Executions: []*attune.Execution{second.Execution}})
		same(f, "enforcement", f.enforcement(first.Enforcement.ID), first.Enforcement)
		same(f, "resolved", f.resolve(second)[0], got)
	},
	"one that never failed keeps its execution": func(f *fixture) {
		a := f.group(3, "a")
		f.flush(a)
		got := f.answers(f.again(a.Enforcements[0]))[0]
		same(f, "answer", got, persistence.Answer{Outcome: persistence.Duplicate, First: attune.ID(a.Executions[0].ID)})
		f.present(a)
	},
	"one that is not there is a conflict, of it alone": func(f *fixture) {
		a := f.failedGroup()
		fine, stray := f.again(a.Enforcements[0]), f.again(fail(f.newEnforcement(a.Event.ID, "z")))
		same(f, "outcomes", outcomes(f.answers(fine, stray)), []persistence.Outcome{persistence.Committed, persistence.Conflict})
		f.absent(&persistence.Admit{Executions: []*attune.Execution{stray.Execution}})
		f.outcome(f.resolve(stray)[0], persistence.NotWritten)
	},
	"an execution that is there already is a conflict, and it stays failed": func(f *fixture) {
		a, other := f.failedGroup(), f.direct(3, "")
		f.flush(other)
		op := f.again(a.Enforcements[0])
		op.Execution.ID = other.Executions[0].ID
		f.outcome(f.answers(op)[0], persistence.Conflict)
		same(f, "enforcement", f.enforcement(a.Enforcements[0].ID), a.Enforcements[0])
		f.present(other)
	},
	"what no store can hold is rejected, and it stays failed": func(f *fixture) {
		a := f.failedGroup()
		op := f.again(a.Enforcements[0])
		op.Execution.Parameters = []byte(`{"a": "\u0000"}`)
		f.outcome(f.answers(op)[0], persistence.Rejected)
		same(f, "enforcement", f.enforcement(a.Enforcements[0].ID), a.Enforcements[0])
	},
}

// failedGroup is an event with one enforcement that failed, stored.
func (f *fixture) failedGroup() *persistence.Admit {
	f.Helper()
	a := f.group(3)
	a.Enforcements = []*attune.Enforcement{fail(f.newEnforcement(a.Event.ID, "a"))}
	f.flush(a)
	return a
}

// fail makes an enforcement that has no execution, and says why.
func fail(e *attune.Enforcement) *attune.Enforcement {
	e.Status, e.Execution, e.Failure = attune.EnforcementFailed, 0, &attune.Failure{Code: "rendering_failed", Message: "there is no x"}
	return e
}

// again runs an enforcement again, with a rule that has changed.
func (f *fixture) again(e *attune.Enforcement) *persistence.Rerun {
	changed, x := *e, f.newExecution(e.ID.Partition())
	x.Rule, x.Event, x.Enforcement, x.Chain = e.Rule, e.Event, e.ID, e.Chain
	changed.Status, changed.Execution, changed.Action, changed.RuleHash = attune.EnforcementCreated, x.ID, "core.other", "changed"
	changed.Evaluation = []byte(`{"rule": "again", "matched": true}`)
	return &persistence.Rerun{Enforcement: &changed, Execution: x}
}
