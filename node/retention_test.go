package node_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors/retention"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/memory"
)

// hours are ages that a test can wait for.
var hours = retention.Ages{Executions: 3 * time.Hour, Dedupe: 2 * time.Hour}

// What ended long ago is deleted by itself; what is live or young is not. A
// dedupe key goes when its window is over, whatever became of its event.
func TestWhatIsOverItsAgeIsDeleted(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.keep = hours
		r.restart()
		r.work("a", 3)
		r.drive(orders(30))
		lasts := r.must(settings{MS: -1})
		r.until("all but one have ended", time.Minute, func() bool { return r.running() == 1 })
		time.Sleep(160 * time.Minute) // the pass of the second hour is over
		young := r.must(settings{})
		r.reaches(young, attune.Completed, time.Minute)
		if rows := r.rows.Rows(); len(rows.Events) == 0 || len(rows.Dedupe) > 0 {
			t.Errorf("there are %d events and %d dedupe keys", len(rows.Events), len(rows.Dedupe))
		}
		time.Sleep(90 * time.Minute)
		synctest.Wait()
		rows := r.rows.Rows()
		left := map[attune.ExecutionID]bool{}
		for _, x := range rows.Executions {
			left[x.ID] = true
		}
		if len(rows.Events)+len(rows.Enforcements) > 0 || len(left) != 2 || !left[lasts] || !left[young] {
			t.Errorf("there are %d events, %d enforcements, and the executions %v", len(rows.Events), len(rows.Enforcements), left)
		}
		if _, err := r.Node.Cancel(r.Context(), lasts, "", "me"); err != nil {
			t.Error(err)
		}
		r.reaches(lasts, attune.Cancelled, time.Minute)
	})
}

func prune(r *rig, older time.Duration, try bool) api.PruneReport {
	r.Helper()
	report, err := r.Node.Prune(r.Context(), api.PruneRequest{OlderThan: &older, Try: try})
	if err != nil {
		r.Fatal(err)
	}
	return report
}

func TestAPassThatIsAskedForSaysWhatItDoes(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("a", 3)
		r.drive(orders(30))
		r.allOnce(time.Minute)
		time.Sleep(3 * time.Second) // the ends are proven announced
		before := r.rows.Rows()
		try := prune(r, 0, true)
		if after := r.rows.Rows(); len(after.Executions) != len(before.Executions) || try.Rows == 0 {
			t.Errorf("a dry run of %d rows has left %d of %d executions", try.Rows, len(after.Executions), len(before.Executions))
		}
		if young := prune(r, time.Hour, false); young.Rows != 0 {
			t.Errorf("%d rows of the last hour went: %+v", young.Rows, young)
		}
		did := prune(r, 0, false)
		after := r.rows.Rows()
		if fmt.Sprint(did.Tables) != fmt.Sprint(try.Tables) || len(after.Executions)+len(after.Events) > 0 || len(after.Dedupe) != len(before.Dedupe) {
			t.Errorf("said %v, did %v; %d executions, %d of %d dedupe keys are left", try.Tables, did.Tables, len(after.Executions), len(after.Dedupe), len(before.Dedupe))
		}
		if again := prune(r, 0, false); again.Rows != 0 {
			t.Errorf("a second pass deleted %d rows", again.Rows)
		}
	})
}

// The store fails, the actor fails on each kind of its messages, and the node
// is restarted: whoever asked is answered, and a later pass finds nothing.
func TestAPassOutlivesFailures(t *testing.T) {
	probe := &sabotage{}
	inBubble(t, func(r *rig) { prunedUnder(r, probe) })
	met := 0
	for pair, times := range probe.seen {
		if pair[0] != "retention" {
			continue
		}
		met++
		for _, nth := range []int{1, times/2 + 1} {
			t.Run(fmt.Sprint(pair[1], " number ", nth), func(t *testing.T) {
				inBubble(t, func(r *rig) {
					s := &sabotage{}
					s.strikes = func(_, kind, message string) bool {
						return kind == pair[0] && message == pair[1] && s.seen[pair] == nth
					}
					prunedUnder(r, s)
				})
			})
		}
	}
	if met < 5 {
		t.Errorf("the actor met %d kinds of messages: %v", met, probe.seen)
	}
}

func prunedUnder(r *rig, s *sabotage) {
	r.Helper()
	r.work("a", 3)
	r.drive(orders(40))
	r.allOnce(time.Minute)
	time.Sleep(3 * time.Second)
	r.fault.set(func(method string, call int) memory.Fault {
		if method != "Prune" || call%3 > 0 {
			return memory.Fault{}
		}
		return memory.Fault{Kind: []memory.FaultKind{memory.LostBefore, memory.LostAfter}[call%2]}
	})
	r.observe.set(s.observe)
	prune(r, 0, false)
	r.fault.clear()
	if rows := r.rows.Rows(); len(rows.Executions)+len(rows.Events)+len(rows.Enforcements) > 0 {
		r.Errorf("%d executions, %d events, %d enforcements are left", len(rows.Executions), len(rows.Events), len(rows.Enforcements))
	}
	time.Sleep(2 * time.Minute) // the pass that is due
	r.observe.clear()
	if again := prune(r, 0, false); again.Rows != 0 {
		r.Errorf("a second pass deleted %d rows", again.Rows)
	}
	if again, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: one, Payload: []byte(`{"ms":1}`), Dedupe: "order 0"}); err != nil || !again.Duplicate {
		r.Errorf("sent again, what was deleted became %+v, %v", again, err)
	}
}

// What the catalogue is made of is never taken for superseded, what was in it
// is.
func TestCurrentDefinitionsStay(t *testing.T) {
	inBubble(t, func(r *rig) {
		count := func() (all int) {
			for _, a := range catalog().Actions() {
				if _, err := r.rows.Definition(r.Context(), a.Hash); err == nil {
					all++
				}
			}
			return all
		}
		sweep := func() int {
			prune(r, 0, false)
			out, err := r.rows.Prune(r.Context(), r.Tree().Incarnation, persistence.Prune{Shelf: persistence.Definitions, Before: database{}.Now().AddDate(100, 0, 0), Rows: 100})
			if err != nil {
				t.Fatal(err)
			}
			return int(out.Rows[persistence.DefinitionTable])
		}
		if all := count(); sweep() > 0 || all == 0 || count() != all {
			t.Errorf("of %d current definitions %d are left", all, count())
		}
		if err := r.SetPacks(r.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if sweep() == 0 || count() > 0 {
			t.Errorf("%d definitions of nothing are left", count())
		}
	})
}

// A worker that is forgotten may come back under its name.
func TestAForgottenWorkerMayComeBack(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.keep = hours
		r.restart()
		r.work("a", 3)
		r.kill("a")
		r.until("the worker is lost", time.Minute, func() bool { return r.workerNamed("a").State == attune.WorkerLost })
		time.Sleep(5 * time.Hour)
		if rows := r.rows.Rows(); len(rows.Workers) > 0 || r.workerNamed("a").Incarnation != "" {
			t.Errorf("the worker is remembered: %v, %+v", rows.Workers, r.workerNamed("a"))
		}
		r.work("a", 2)
		r.drive(orders(5))
		r.allOnce(time.Minute)
	})
}

// For ever is for ever.
func TestForeverIsForever(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.keep = retention.Ages{Executions: retention.Forever, Output: time.Hour, Dedupe: retention.Forever}
		r.restart()
		r.work("a", 3)
		r.drive(orders(5))
		r.allOnce(time.Minute)
		before := r.rows.Rows()
		time.Sleep(5 * time.Hour)
		after := r.rows.Rows()
		if len(after.Executions) != len(before.Executions) || len(after.Dedupe) != len(before.Dedupe) {
			t.Errorf("%d of %d executions, %d of %d dedupe keys", len(after.Executions), len(before.Executions), len(after.Dedupe), len(before.Dedupe))
		}
	})
}
