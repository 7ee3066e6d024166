// Package storetest is the contract that every store keeps: one suite for all,
// run by each implementation's own test, and [Compare], which drives two stores
// with the same random operations and wants the same answers and rows.
package storetest

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Run proves the contract. open returns an empty store, which it also closes
// when the test ends; no two of them share anything.
func Run(t *testing.T, open func(t testing.TB) persistence.Store) {
	for _, group := range []struct {
		name  string
		cases map[string]func(f *fixture)
	}{
		{"leases", leaseCases},
		{"admit", admitCases},
		{"extend", extendCases},
		{"rerun", rerunCases},
		{"save", saveCases},
		{"rejected", rejectedCases},
		{"resolve", resolveCases},
		{"load", loadCases},
		{"lists", listCases},
		{"catalog", catalogCases},
		{"rulebook", rulebookCases},
		{"output", outputCases},
		{"audit", auditCases},
		{"retention", retentionCases},
		{"order of output", orderCases},
		{"whole", wholeCases},
	} {
		t.Run(group.name, func(t *testing.T) {
			for name, run := range group.cases {
				t.Run(name, func(t *testing.T) {
					f := &fixture{T: t, s: open(t), ctx: t.Context()}
					f.acquire("node-1")
					run(f)
				})
			}
		})
	}
}

// fixture is one empty store with a lease, and the makers of rows.
type fixture struct {
	*testing.T
	s    persistence.Store
	ctx  context.Context
	ids  int
	lead string // the incarnation that flush uses
}

func (f *fixture) acquire(incarnation string) {
	f.Helper()
	_, err := f.s.Acquire(f.ctx, incarnation, "node", time.Hour)
	f.ok(err)
	f.lead = incarnation
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) kind(err error, want attune.ErrorKind) {
	f.Helper()
	if err == nil || attune.KindOf(err) != want {
		f.Fatalf("error %v of kind %s, want kind %s", err, attune.KindOf(err), want)
	}
}

func same[T any](f *fixture, what string, got, want T) {
	f.Helper()
	if !reflect.DeepEqual(got, want) {
		f.Fatalf("%s:\n got %s\nwant %s", what, show(got), show(want))
	}
}

// flush flushes and wants every operation committed.
func (f *fixture) flush(ops ...persistence.Op) {
	f.Helper()
	for i, a := range f.answers(ops...) {
		if a.Outcome != persistence.Committed {
			f.Fatalf("operation %d: %s (%s), want committed", i, a.Outcome, a.Reason)
		}
	}
}

func (f *fixture) answers(ops ...persistence.Op) []persistence.Answer {
	f.Helper()
	answers, err := f.s.Flush(f.ctx, f.lead, ops)
	f.ok(err)
	if len(answers) != len(ops) {
		f.Fatalf("%d answers for %d operations", len(answers), len(ops))
	}
	return answers
}

func (f *fixture) outcome(a persistence.Answer, want persistence.Outcome) {
	f.Helper()
	if a.Outcome != want {
		f.Fatalf("%s (%s), want %s", a.Outcome, a.Reason, want)
	}
}

func outcomes(answers []persistence.Answer) (all []persistence.Outcome) {
	for _, a := range answers {
		all = append(all, a.Outcome)
	}
	return all
}

// event, enforcement and execution read a row that must be there.
func (f *fixture) event(id attune.EventID) *attune.Event {
	f.Helper()
	e, err := f.s.Event(f.ctx, id)
	f.ok(err)
	return e
}

func (f *fixture) enforcement(id attune.EnforcementID) *attune.Enforcement {
	f.Helper()
	e, err := f.s.Enforcement(f.ctx, id)
	f.ok(err)
	return e
}

func (f *fixture) execution(id attune.ExecutionID) *attune.Execution {
	f.Helper()
	x, err := f.s.Execution(f.ctx, id)
	f.ok(err)
	return x
}

// absent wants none of the group's rows to be there.
func (f *fixture) absent(a *persistence.Admit) {
	f.Helper()
	if a.Event != nil {
		_, err := f.s.Event(f.ctx, a.Event.ID)
		f.kind(err, attune.NotFound)
	}
	for _, e := range a.Enforcements {
		_, err := f.s.Enforcement(f.ctx, e.ID)
		f.kind(err, attune.NotFound)
	}
	for _, x := range a.Executions {
		_, err := f.s.Execution(f.ctx, x.ID)
		f.kind(err, attune.NotFound)
	}
}

// present wants all of the group's rows to be there, as they were given.
func (f *fixture) present(a *persistence.Admit) {
	f.Helper()
	if a.Event != nil {
		same(f, "event", f.event(a.Event.ID), a.Event)
	}
	for _, e := range a.Enforcements {
		same(f, "enforcement", f.enforcement(e.ID), e)
	}
	for _, x := range a.Executions {
		same(f, "execution", f.execution(x.ID), x)
	}
}
