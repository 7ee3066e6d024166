package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/attune-automation/attune/api"
)

// Naively, the age of what an event speaks of is seen from the event's id, which
// it gets only after it was judged.
func TestAgesAreSeenFromTheAcceptance(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		for age, want := range map[time.Duration]int{30 * time.Second: 1, 90 * time.Second: 0} {
			since := (database{}).Now().Add(-age).Format(time.RFC3339)
			receipt, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: fresh, Payload: fmt.Appendf(nil, `{"since": %q, "ms": 1}`, since)})
			if err != nil {
				t.Fatal(err)
			}
			e, err := r.rows.Event(r.Context(), receipt.ID)
			if err != nil {
				t.Fatal(err)
			}
			if off := (database{}).Now().Sub(e.Accepted); off < 0 || off > time.Second {
				t.Errorf("accepted %s ago", off)
			}
			judged, err := r.Evaluations(r.Context(), receipt.ID)
			if err != nil {
				t.Fatal(err)
			}
			if matched := 1 - len(judged); matched != want {
				t.Errorf("something %s old: %d rules matched, not %d: %+v", age, matched, want, judged)
			}
		}
	})
}
