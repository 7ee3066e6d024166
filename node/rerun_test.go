package node_test

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/memory"
)

// failing is the pack whose one rule cannot render its parameters, and mended the
// same with a rule that can.
var (
	failing = map[string]string{"all": "{{ trigger.ms }}"}
	mended  = map[string]string{"all": "{{ trigger.ms | default(7) }}"}
)

// failedOne offers an event that leaves a failed enforcement.
func (r *rig) failedOne() *attune.Enforcement {
	r.Helper()
	r.setPacks(shop([]string{"pack"}, failing))
	r.wants(`{"x":1}`, "shop.all")
	all := r.rows.Rows().Enforcements
	if len(all) != 1 || all[0].Status != attune.EnforcementFailed || all[0].Execution != 0 {
		r.Fatalf("%+v", all)
	}
	return all[0]
}

func code(err error) string {
	var e *attune.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

var bob = attune.Chain{Principal: "bob"}

func TestAFailedEnforcementIsRunAgain(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 10)
		en := r.failedOne()
		if _, err := r.RerunEnforcement(r.Context(), en.ID, bob); code(err) != "rendering_failed" || attune.KindOf(err) != attune.Invalid {
			t.Errorf("by the same rule: %v", err)
		}
		r.setPacks(shop([]string{"pack"}, mended))
		receipt, err := r.RerunEnforcement(r.Context(), en.ID, bob)
		if err != nil || receipt.Duplicate {
			t.Fatalf("%+v, %v", receipt, err)
		}
		x := r.reaches(receipt.ID, attune.Completed, time.Minute)
		if x.Enforcement != en.ID || x.Event != en.Event || x.Rule != "shop.all" || x.Trigger != "shop.sold" || string(x.Parameters) != `{"ms":7}` ||
			x.Chain.Correlation != en.Chain.Correlation || x.Chain.Principal != "bob" || x.RerunOf != 0 {
			t.Errorf("%+v", x)
		}
		now, err := r.rows.Enforcement(r.Context(), en.ID)
		if err != nil || now.Status != attune.EnforcementCreated || now.Execution != x.ID || now.RuleHash == en.RuleHash || now.Failure == nil || now.Event != en.Event ||
			!strings.Contains(string(now.Evaluation), `"matched":true`) || now.Chain != en.Chain {
			t.Errorf("%+v, %v", now, err)
		}
		for range 2 {
			again, err := r.RerunEnforcement(r.Context(), en.ID, bob)
			if err != nil || again.ID != x.ID || !again.Duplicate {
				t.Errorf("again: %+v, %v", again, err)
			}
		}
		r.allOnce(time.Minute)
		if n := len(r.rows.Rows().Executions); n != 1 {
			t.Errorf("%d executions", n)
		}
	})
}

func TestWhyAnEnforcementIsNotRunAgain(t *testing.T) {
	lame := shop([]string{"pack"}, mended)
	lame.Actions = shop([]string{"ship"}, nil).Actions
	other := shop([]string{"pack"}, mended)
	other.Rules[0].Criteria = []attune.Criterion{{Path: "trigger.n", Type: "equals", Pattern: int64(2)}}
	for name, c := range map[string]struct {
		then func(r *rig)
		want string
	}{
		"its rule is gone":         {func(r *rig) { r.setPacks(shop([]string{"pack"}, nil)) }, `the rule shop.all is not there any more`},
		"its rule does not match":  {func(r *rig) { r.setPacks(other) }, `the rule shop.all does not match EVENT today: trigger.n equals 2, found null`},
		"its rule is disabled":     {func(r *rig) { r.flip("shop.all", false, "eve") }, `the rule shop.all does not match EVENT today: it is disabled (by eve, `},
		"its action is gone":       {func(r *rig) { r.setPacks(lame) }, `the rule shop.all does not match EVENT today: the rule does not load: shop/rules/all.yaml: the rule shop.all starts the unknown action shop.pack`},
		"its parameters are wrong": {func(r *rig) { r.setPacks(shop([]string{"pack"}, map[string]string{"all": "{{ 'x' }}"})) }, `it fails again: parameters.ms: ms must be an integer`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				en := r.failedOne()
				c.then(r)
				_, err := r.RerunEnforcement(r.Context(), en.ID, bob)
				if want := strings.ReplaceAll(c.want, "EVENT", en.Event.String()); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v", err)
				}
				if now, err := r.rows.Enforcement(r.Context(), en.ID); err != nil || now.Status != attune.EnforcementFailed {
					t.Errorf("%+v, %v", now, err)
				}
			})
		})
	}
}

// Of many who ask at once one starts it; also where the answer of the store is
// lost, and where the node is killed before it can act.
func TestAnEnforcementIsRunAgainOnce(t *testing.T) {
	for name, fault := range map[string]memory.FaultKind{"nothing fails": memory.NoFault, "the answer is lost": memory.LostAfter, "the commit is lost": memory.LostCommit,
		"the connection is lost": memory.LostBefore, "it is contradicted": memory.Contradicted} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.work("w", 10)
				en := r.failedOne()
				r.setPacks(shop([]string{"pack"}, mended))
				fails := 1
				r.fault.set(func(method string, _ int) memory.Fault {
					if method == "Flush" && fails > 0 && fault != memory.NoFault {
						fails--
						return memory.Fault{Kind: fault}
					}
					return memory.Fault{}
				})
				var mu sync.Mutex
				ids, first := map[attune.ExecutionID]int{}, 0
				var group sync.WaitGroup
				for range 8 {
					group.Go(func() {
						receipt, err := r.RerunEnforcement(r.Context(), en.ID, bob)
						if err != nil && fault == memory.Contradicted {
							receipt, err = r.RerunEnforcement(r.Context(), en.ID, bob)
						}
						mu.Lock()
						defer mu.Unlock()
						if ids[receipt.ID]++; err != nil {
							t.Error(err)
						}
						if !receipt.Duplicate {
							first++
						}
					})
				}
				group.Wait()
				if len(ids) != 1 || first != 1 {
					t.Errorf("answered %v, %d as the first", ids, first)
				}
				r.allOnce(time.Minute)
				if n := len(r.rows.Rows().Executions); n != 1 {
					t.Errorf("%d executions", n)
				}
			})
		})
	}
}

func TestAnEnforcementIsRunAgainByANodeThatDies(t *testing.T) {
	inBubble(t, func(r *rig) {
		en := r.failedOne()
		r.setPacks(shop([]string{"pack"}, mended))
		r.writes.then(func(op persistence.Op) bool { _, is := op.(*persistence.Rerun); return is })
		go func() { _, _ = r.RerunEnforcement(r.Context(), en.ID, bob) }()
		time.Sleep(time.Second)
		r.restart()
		r.setPacks(shop([]string{"pack"}, mended))
		r.work("w", 10)
		receipt, err := r.RerunEnforcement(r.Context(), en.ID, bob)
		if err != nil || !receipt.Duplicate {
			t.Errorf("%+v, %v", receipt, err)
		}
		r.reaches(receipt.ID, attune.Completed, time.Minute)
		r.allOnce(time.Minute)
		if n := len(r.rows.Rows().Executions); n != 1 {
			t.Errorf("%d executions", n)
		}
	})
}

func TestAnExecutionIsRunAgain(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.setPacks(shop([]string{"pack"}, map[string]string{"all": "{{ trigger.ms }}"}))
		r.work("w", 10)
		r.wants(`{"ms":1500}`, "shop.all")
		first := r.rows.Rows().Executions[0]
		if _, err := r.RerunExecution(r.Context(), first.ID, "", bob); code(err) != "not_ended" {
			t.Errorf("while it runs: %v", err)
		}
		first = r.reaches(first.ID, attune.Completed, time.Minute)
		receipt, err := r.RerunExecution(r.Context(), first.ID, "", bob)
		if err != nil || receipt.Duplicate || receipt.ID == first.ID {
			t.Fatalf("%+v, %v", receipt, err)
		}
		x := r.reaches(receipt.ID, attune.Completed, time.Minute)
		if x.RerunOf != first.ID || string(x.Parameters) != string(first.Parameters) || x.Rule != first.Rule || x.Event != first.Event || x.Enforcement != 0 ||
			x.Chain.Correlation != first.Chain.Correlation || x.Chain.Principal != "bob" || !reflect.DeepEqual(x.Limits, first.Limits) || x.ActionHash != first.ActionHash {
			t.Errorf("%+v", x)
		}
		one, err1 := r.RerunExecution(r.Context(), first.ID, "key", bob)
		two, err2 := r.RerunExecution(r.Context(), first.ID, "key", bob)
		if err1 != nil || err2 != nil || one.ID != two.ID || one.Duplicate || !two.Duplicate {
			t.Errorf("with a key: %+v, %v, %+v, %v", one, err1, two, err2)
		}
		chained, err := r.RerunExecution(r.Context(), r.reaches(one.ID, attune.Completed, time.Minute).ID, "key", bob) // its own key
		if err != nil || chained.Duplicate {
			t.Errorf("%+v, %v", chained, err)
		}
		change := func(hash string, enabled bool, parameters map[string]*attune.Parameter) {
			changed := shop([]string{"pack"}, nil)
			changed.Actions[0].Hash, changed.Actions[0].Enabled, changed.Actions[0].Parameters = hash, enabled, parameters
			r.setPacks(changed)
		}
		change("other", true, map[string]*attune.Parameter{"seconds": {Type: "integer", Required: true}})
		var e *attune.Error
		if _, err := r.RerunExecution(r.Context(), first.ID, "", bob); !errors.As(err, &e) || e.Code != "action_changed" || len(e.Faults) != 2 {
			t.Errorf("of an action with other parameters: %+v", err)
		}
		// What was given stays, what is missing has the default of today.
		change("new", true, map[string]*attune.Parameter{"ms": {Type: "integer", Default: int64(1), HasDefault: true}, "less": {Type: "string"},
			"more": {Type: "string", Required: true, Default: "for {{ ms }}", HasDefault: true}})
		newer, err := r.RerunExecution(r.Context(), first.ID, "", bob)
		if x := r.row(newer.ID); err != nil || x.ActionHash != "new" || string(x.Parameters) != `{"more":"for 1500","ms":1500}` {
			t.Errorf("of an action that takes more: %v", err)
		}
		change("newest", true, map[string]*attune.Parameter{"ms": {Type: "boolean"}})
		if _, err := r.RerunExecution(r.Context(), first.ID, "", bob); code(err) != "action_changed" {
			t.Errorf("of an action that wants another type: %v", err)
		}
		change("new", false, map[string]*attune.Parameter{"ms": {Type: "integer"}})
		if _, err := r.RerunExecution(r.Context(), first.ID, "", bob); code(err) != "action_refused" {
			t.Errorf("of a disabled action: %v", err)
		}
		r.allOnce(time.Minute)
	})
}
