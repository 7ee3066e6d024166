package node_test

import (
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
)

// What an execution asks for is part of its tree, and lies where the tree does,
// whichever partition new work goes to meanwhile.
func TestWhatAnExecutionAsksForIsBelowIt(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 4)
		root := r.row(r.must(settings{MS: 60_000}))
		for range 300 { // the turn of another partition has come
			if _, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: none, Payload: []byte(`{}`)}); err != nil {
				t.Fatal(err)
			}
		}
		if other := r.row(r.must(settings{MS: 1})); other.ID.Partition() == root.ID.Partition() || other.Root != other.ID {
			t.Fatalf("%s lies beside %s, its root is %s", other.ID, root.ID, other.Root)
		}
		ask := api.ExecutionRequest{Root: root.ID, Parent: root.ID, Chain: attune.Chain{Correlation: root.Chain.Correlation}}
		id, err := r.requestOf("t.run", settings{MS: 1}, ask)
		if err != nil {
			t.Fatal(err)
		}
		r.reaches(id, attune.Completed, time.Minute)
		x := r.row(id)
		if x.Root != root.ID || x.Parent != root.ID || x.ID.Partition() != root.ID.Partition() || x.Chain.Correlation != root.ID.String() {
			t.Errorf("%s below %s: root %s, parent %s, chain %+v", x.ID, root.ID, x.Root, x.Parent, x.Chain)
		}
		ask.Parent = id
		grandchild, err := r.requestOf("t.run", settings{MS: 1}, ask)
		if err != nil {
			t.Fatal(err)
		}
		if x := r.row(grandchild); x.Root != root.ID || x.Parent != id {
			t.Errorf("%s: root %s, parent %s", x.ID, x.Root, x.Parent)
		}
		r.reaches(root.ID, attune.Completed, 2*time.Minute)
		r.reaches(grandchild, attune.Completed, time.Minute)
	})
}

// A key decides alone: what is sent under it again is answered with the first,
// also where the rest of it differs.
func TestAKeyDecidesWhateverElseIsSaid(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		first, err := r.requestOf("t.run", settings{MS: 1}, api.ExecutionRequest{Dedupe: "k"})
		if err != nil {
			t.Fatal(err)
		}
		again, err := r.RequestExecution(r.Context(), api.ExecutionRequest{Action: "t.run", Parameters: map[string]any{"ms": int64(2)}, Dedupe: "k"})
		if err != nil || !again.Duplicate || again.ID != first {
			t.Errorf("%+v, %v, want %s", again, err, first)
		}
		if _, err := r.RequestExecution(r.Context(), api.ExecutionRequest{Action: "t.run", Parameters: map[string]any{"ms": "no"}, Dedupe: "k"}); attune.KindOf(err) != attune.Invalid {
			t.Errorf("what is wrong is refused first: %v", err)
		}
		r.reaches(first, attune.Completed, time.Minute)
		if n := len(r.rows.Rows().Executions); n != 1 {
			t.Errorf("%d executions", n)
		}
	})
}
