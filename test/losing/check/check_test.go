package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune/test/ledger"
	"github.com/attune-automation/attune/test/losing/check"
	sim "github.com/attune-automation/attune/test/sim/check"
)

var begin = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }

func step(second int, signal, to string, attempt int) sim.Step {
	s := sim.Step{At: at(second), Signal: signal, To: to, Attempt: attempt}
	if signal == "assign" {
		s.Worker, s.Incarnation = "w", "w.1"
	}
	return s
}

func entry(execution string, attempt int, key string, what ledger.What, second int) ledger.Line {
	return ledger.Line{Execution: execution, Attempt: attempt, Key: key, What: what, At: at(second).UnixNano()}
}

// good is a small run in which everything was kept: an event with a rule that
// matches and one that fails, a request that is done at once, one of a pure action,
// and one that was lost with its worker and tried again.
func good() *check.Input {
	done := func(id, key string) []ledger.Line {
		return []ledger.Line{entry(id, 1, key, ledger.Start, 2), entry(id, 1, key, ledger.End, 3)}
	}
	once := []sim.Step{step(1, "admit", "scheduling", 0), step(1, "assign", "scheduled", 1), step(2, "start", "running", 1), step(3, "finish", "completed", 1)}
	again := []sim.Step{step(1, "admit", "scheduling", 0), step(1, "assign", "scheduled", 1), step(2, "start", "running", 1), step(14, "retry", "delayed", 1),
		step(15, "admit", "scheduling", 1), step(15, "assign", "scheduled", 2), step(16, "start", "running", 2), step(17, "finish", "completed", 2)}
	again[3].Note = "attempt 1 of 3 was lost with its worker: trying again"
	in := &check.Input{
		Plan:    check.Plan{Offers: 5, Counts: map[string]int{"kills": 1}},
		Counts:  map[string]int{"kills": 1},
		Rules:   map[string][]check.Rule{"odd": {{Ref: "p.every"}, {Ref: "p.odd", Fails: true}}},
		Actions: map[string]check.Action{"p.work": {Tries: 1}, "p.again": {Tries: 3}, "core.echo": {Tries: 1, Pure: true}},
		Harm:    []check.Window{{From: at(4), To: at(14)}},
		Offers: []check.Offer{
			{Key: "a", Kind: "odd", IDs: []string{"ev-1", "ev-1"}},
			{Key: "b", Action: "p.work", IDs: []string{"ex-2"}},
			{Key: "c", Action: "core.echo", IDs: []string{"ex-3"}},
			{Key: "d", Action: "p.again", IDs: []string{"ex-4"}},
			{Key: "e", Action: "p.work"}, // never acknowledged, never there
			{Key: "f", Kind: "none", Taken: true},
		},
		Events:       []check.Event{{ID: "ev-1", Key: "a", Evaluated: true}, {ID: "ev-6", Key: "f", Evaluated: true}},
		Enforcements: []check.Enforcement{{ID: "en-1", Event: "ev-1", Rule: "p.every", Status: "created"}, {ID: "en-2", Event: "ev-1", Rule: "p.odd", Status: "failed"}},
		Executions: []check.Execution{
			{ID: "ex-1", Key: "a", Action: "p.work", Event: "ev-1", Rule: "p.every", Enforcement: "en-1", Status: "completed", Attempt: 1, History: once},
			{ID: "ex-2", Key: "b", Action: "p.work", Status: "completed", Attempt: 1, History: once},
			{ID: "ex-3", Key: "c", Action: "core.echo", Status: "completed", Attempt: 1, History: once},
			{ID: "ex-4", Key: "d", Action: "p.again", Status: "completed", Attempt: 2, History: again},
		},
	}
	in.Ledger = append(done("ex-1", "a"), done("ex-2", "b")...)
	in.Ledger = append(in.Ledger, entry("ex-4", 1, "d", ledger.Start, 2), entry("ex-4", 2, "d", ledger.Start, 16), entry("ex-4", 2, "d", ledger.End, 17))
	return in
}

func TestARunThatKeptEverythingIsNotBlamed(t *testing.T) {
	if found := check.Check(good()); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

func TestEachKindOfFaultIsFound(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*check.Input)
		kind  check.Kind
		says  string
	}{
		"an acknowledged event is gone":        {func(in *check.Input) { in.Events = nil }, check.Lost, "a was acknowledged as ev-1"},
		"a confirmed message is gone":          {func(in *check.Input) { in.Events = in.Events[:1] }, check.Lost, "f was confirmed by the broker"},
		"an acknowledged request is gone":      {func(in *check.Input) { in.Executions = in.Executions[:3] }, check.Lost, "d was acknowledged as ex-4"},
		"what was acknowledged has another id": {func(in *check.Input) { in.Offers[1].IDs[0] = "ex-9" }, check.Lost, "b was acknowledged as ex-9"},
		"one key was answered with two ids":    {func(in *check.Input) { in.Offers[0].IDs[1] = "ev-2" }, check.Doubled, "a was answered with [ev-1 ev-2]"},
		"one key became two events": {func(in *check.Input) {
			in.Events = append(in.Events, check.Event{ID: "ev-2", Key: "a", Evaluated: true})
		}, check.Doubled, "a is there 2 times"},
		"one key became two executions":             {func(in *check.Input) { in.Executions[2].Key = "b" }, check.Doubled, "b is there 2 times"},
		"there is an event that nobody sent":        {func(in *check.Input) { in.Offers = in.Offers[1:] }, check.Doubled, "nobody sent the events"},
		"there is a request that nobody made":       {func(in *check.Input) { in.Offers = in.Offers[:3] }, check.Doubled, "nobody asked for"},
		"an event was never evaluated":              {func(in *check.Input) { in.Events[0].Evaluated = false }, check.Stuck, "never evaluated"},
		"an event has no enforcement by a rule":     {func(in *check.Input) { in.Enforcements = in.Enforcements[:1] }, check.Lost, "no enforcement by p.odd"},
		"an event has two enforcements by one rule": {func(in *check.Input) { in.Enforcements = append(in.Enforcements, in.Enforcements[1]) }, check.Doubled, "2 enforcements by p.odd"},
		"an enforcement is by a foreign rule":       {func(in *check.Input) { in.Rules["odd"] = in.Rules["odd"][:1] }, check.Doubled, "p.odd, which does not match"},
		"an enforcement that should fail did not":   {func(in *check.Input) { in.Enforcements[1].Status = "created" }, check.Wrong, "by p.odd is created"},
		"an enforcement has no execution":           {func(in *check.Input) { in.Executions = in.Executions[1:] }, check.Lost, "en-1 by p.every has no execution"},
		"an enforcement has two executions": {func(in *check.Input) {
			x := in.Executions[0]
			x.ID = "ex-9"
			in.Executions = append(in.Executions, x)
		}, check.Doubled, "has the executions [ex-1 ex-9]"},
		"an execution is of no enforcement": {func(in *check.Input) { in.Executions[0].Enforcement = "en-9" }, check.Doubled, "en-9, which is not there"},
		"an execution names another rule":   {func(in *check.Input) { in.Executions[0].Rule = "p.odd" }, check.Wrong, "ex-1 says it is of ev-1 by p.odd"},
		"a history has a gap":               {func(in *check.Input) { in.Executions[1].History = in.Executions[1].History[1:] }, check.History, "is not legal"},
		"a history leads elsewhere":         {func(in *check.Input) { in.Executions[1].Status = "failed" }, check.History, "ends as completed attempt 1, its row says failed"},
		"an execution is not at its end":    {func(in *check.Input) { x := &in.Executions[1]; x.Status, x.History = "running", x.History[:3] }, check.Stuck, "is running"},
		"an attempt is one too many":        {func(in *check.Input) { in.Actions["p.again"] = check.Action{Tries: 1} }, check.Doubled, "had 2 tries"},
		"an execution was given up before its tries": {func(in *check.Input) {
			x := &in.Executions[3]
			x.Status, x.Attempt, x.History = "abandoned", 1, append(x.History[:3:3], step(14, "lose", "abandoned", 1))
		}, check.Wrong, "abandoned after 1 of 3"},
		"an execution failed without a reason": {func(in *check.Input) {
			x := &in.Executions[1]
			x.Status, x.History = "failed", append(x.History[:3:3], step(3, "fail", "failed", 1))
		}, check.Wrong, "ended failed"},
		"an attempt was lost while no worker was":  {func(in *check.Input) { in.Harm = nil }, check.Wrong, "attempt 1 was given up"},
		"an attempt began twice":                   {func(in *check.Input) { in.Ledger = append(in.Ledger, in.Ledger[0]) }, check.Doubled, "ex-1 attempt 1 began twice"},
		"an attempt began while another was alive": {func(in *check.Input) { in.Ledger = append(in.Ledger, entry("ex-4", 2, "d", ledger.Overlap, 16)) }, check.Doubled, "ex-4 attempt 2 began while"},
		"an old attempt began after a newer one":   {func(in *check.Input) { l := in.Ledger; l[4], l[5] = l[5], l[4] }, check.Doubled, "attempt 1 began after attempt 2"},
		"an old attempt ended after a newer began": {func(in *check.Input) { in.Ledger = append(in.Ledger, entry("ex-4", 1, "d", ledger.End, 18)) }, check.Doubled, "attempt 1 ended when attempt 2 had begun"},
		"an attempt began that was never assigned": {func(in *check.Input) { in.Ledger = append(in.Ledger, entry("ex-2", 2, "b", ledger.Start, 18)) }, check.Doubled, "its row knows of 1"},
		"something ran that is not there":          {func(in *check.Input) { in.Ledger = append(in.Ledger, entry("ex-9", 1, "z", ledger.Start, 18)) }, check.Lost, "ex-9 attempt 1 ran for z"},
		"one execution did the work of another":    {func(in *check.Input) { in.Ledger[0].Key = "b" }, check.Wrong, "ex-1 did the work of b"},
		"what is completed was not done":           {func(in *check.Input) { in.Ledger = append(in.Ledger[:3:3], in.Ledger[4:]...) }, check.Lost, "ex-2 is completed, and"},
		"too little was acknowledged":              {func(in *check.Input) { in.Plan.Offers = 6 }, check.Thin, "5 offers were acknowledged, 6"},
		"nothing was planned":                      {func(in *check.Input) { in.Plan.Offers = 0 }, check.Thin, "0 were planned"},
		"a fault did not happen":                   {func(in *check.Input) { in.Counts = nil }, check.Thin, "0 of kills"},
		"nothing ran":                              {func(in *check.Input) { in.Ledger = nil }, check.Thin, "nothing ran"},
	} {
		t.Run(name, func(t *testing.T) {
			in := good()
			test.spoil(in)
			found := check.Check(in)
			for _, f := range found {
				if f.Kind == test.kind && strings.Contains(f.Text, test.says) {
					return
				}
			}
			t.Errorf("found %v, and no %q: %q", found, test.kind, test.says)
		})
	}
}

func TestFindingsAreCountedByKind(t *testing.T) {
	in := good()
	in.Events, in.Ledger = nil, append(in.Ledger, in.Ledger[0])
	found := check.Check(in)
	if lost, doubled := check.Count(found, check.Lost), check.Count(found, check.Doubled); lost == 0 || doubled == 0 || check.Count(found, check.Thin) != 0 {
		t.Errorf("%d lost, %d doubled of %v", lost, doubled, found)
	}
}
