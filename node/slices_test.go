package node_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/memory"
)

// An event with more matching rules than fit into one flush is acknowledged
// first and continued in slices; a node that dies between them, or before the
// first, leaves the rest to its next incarnation. Each rule gets one execution.
func TestAnEventInSlices(t *testing.T) {
	for name, dies := range map[string]int{"nobody dies": 0, "after the event": 1, "after the first slice": 2, "after the second": 3, "after the last": 4} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				var slices []int // of executions in each write
				r.writes.then(func(op persistence.Op) bool {
					switch op := op.(type) {
					case *persistence.Admit:
						slices = append(slices, len(op.Executions))
					case *persistence.Extend:
						slices = append(slices, len(op.Executions))
					default:
						return false
					}
					return len(slices) == dies
				})
				ack := make(chan attune.EventID, 1)
				go func() {
					receipt, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: many, Payload: []byte(`{"ms":1}`)})
					if err == nil {
						ack <- receipt.ID
					}
				}()
				if dies == 0 {
					id := <-ack
					if e, err := r.rows.Event(r.Context(), id); err != nil {
						t.Errorf("acknowledged is %v, %v", e, err)
					}
				} else {
					time.Sleep(time.Second)
					r.restart()
				}
				r.work("w", 500)
				r.allOnce(time.Minute)
				r.judgedOnce()
				for i, n := range slices {
					if n > 200 || i == 0 && n != 0 {
						t.Errorf("the writes held %v executions", slices)
					}
				}
			})
		})
	}
}

// judgedOnce checks the one event: each of its rules has one enforcement with
// its execution.
func (r *rig) judgedOnce() {
	r.Helper()
	rows := r.rows.Rows()
	rules := map[string]int{}
	for _, e := range rows.Enforcements {
		rules[e.Rule]++
	}
	if len(rows.Events) != 1 || rows.Events[0].Evaluated.IsZero() || len(rules) != manyRules || len(rows.Enforcements) != manyRules || len(rows.Executions) != manyRules {
		r.Errorf("%d events, %d enforcements of %d rules, %d executions", len(rows.Events), len(rows.Enforcements), len(rules), len(rows.Executions))
	}
}

// A slice that the store refuses comes again.
func TestAnEventInSlicesThatConflict(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 500)
		conflicts := 0
		r.fault.set(func(method string, call int) memory.Fault {
			if method == "Flush" && conflicts < 3 && len(r.rows.Rows().Events) == 1 {
				conflicts++
				return memory.Fault{Kind: memory.Contradicted}
			}
			return memory.Fault{}
		})
		if _, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: many, Payload: []byte(`{"ms":1}`)}); err != nil {
			t.Error(err)
		}
		r.until("all rules are judged", time.Minute, func() bool { return len(r.rows.Rows().Executions) == manyRules })
		r.allOnce(time.Minute)
		r.judgedOnce()
	})
}

// The event goes on also when an actor fails that has it in its hands.
func TestAnEventInSlicesWithAFailingActor(t *testing.T) {
	for name, on := range map[string][2]string{
		"the rules, judging it again":           {"rules", "*messages.JudgeAgain"},
		"the partition, with the next slice":    {"partition", "*messages.Admit"},
		"an execution of a slice":               {"execution", "*messages.Begin"},
		"the scheduler, placing a slice":        {"scheduler", "*messages.Place"},
		"the partition, when a slice is stored": {"partition", "*actors.Written"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				var offered atomic.Bool
				r.writes.then(func(op persistence.Op) bool {
					if a, ok := op.(*persistence.Admit); ok && a.Event != nil {
						offered.Store(true)
						return on[0] == "rules" // the next incarnation judges it again
					}
					return false
				})
				s := &sabotage{}
				s.strikes = func(_, kind, message string) bool {
					return offered.Load() && kind == on[0] && message == on[1] && s.struck == 0
				}
				r.observe.set(s.observe)
				go func() { _, _ = r.OfferEvent(r.Context(), api.EventOffer{Trigger: many, Payload: []byte(`{"ms":1}`)}) }()
				time.Sleep(time.Second)
				if on[0] == "rules" {
					r.restart()
				}
				r.work("w", 500)
				time.Sleep(time.Minute)
				r.allOnce(time.Minute)
				if s.count() != 1 {
					t.Errorf("%d failures", s.count())
				}
				r.judgedOnce()
			})
		})
	}
}
