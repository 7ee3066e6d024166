package node_test

import (
	"testing"
	"time"

	"github.com/attune-automation/attune/persistence/memory"
)

// A store that fails in every known way costs time and nothing else. What is
// acknowledged is stored at that moment: see [rig.place].
func TestAFailingStore(t *testing.T) {
	away := func(kind memory.FaultKind) func(r *rig, method string, call int) memory.Fault {
		return func(r *rig, method string, call int) memory.Fault { return memory.Fault{Kind: kind} }
	}
	every := func(n int, kind memory.FaultKind) func(r *rig, method string, call int) memory.Fault {
		return func(_ *rig, method string, call int) memory.Fault {
			if call%n == 0 {
				return memory.Fault{Kind: kind, Op: call / n}
			}
			return memory.Fault{}
		}
	}
	for name, c := range map[string]struct {
		fault func(r *rig, method string, call int) memory.Fault
		lasts time.Duration // from the 500th millisecond on; zero is for ever
	}{
		"every third flush contradicts an operation":      {every(3, memory.Contradicted), 0},
		"every third call is lost before it came":         {every(3, memory.LostBefore), 0},
		"every third answer is lost":                      {every(3, memory.LostAfter), 0},
		"every third commit is lost and nobody knows":     {every(3, memory.LostCommit), 0},
		"it is away for 5 s":                              {away(memory.LostBefore), 5 * time.Second},
		"it commits for 5 s and nobody hears of it":       {away(memory.LostAfter), 5 * time.Second},
		"it loses commits for 5 s and nobody hears of it": {away(memory.LostCommit), 5 * time.Second},
		"it hangs for 5 s": {func(r *rig, _ string, _ int) memory.Fault {
			return memory.Fault{Stall: func() { time.Sleep(5 * time.Second) }}
		}, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				began := time.Now().Add(500 * time.Millisecond)
				r.startWorker("a", 3)
				r.startWorker("b", 2)
				r.fault.set(func(method string, call int) memory.Fault {
					since := time.Since(began)
					if c.lasts != 0 && (since < 0 || since > c.lasts) || method == "Acquire" || method == "PutDefinitions" {
						return memory.Fault{}
					}
					return c.fault(r, method, call)
				})
				all := orders(40)
				r.drive(all[:20])
				time.Sleep(100 * time.Millisecond)
				r.restart() // loading meets the faults too
				r.drive(all[:20])
				if d := time.Until(began); d > 0 {
					time.Sleep(d)
				}
				r.drive(all[20:])
				r.fulfilled(all, nil)
			})
		})
	}
}
