package sim

import (
	"context"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/attune-automation/attune/messages/memory"
	"github.com/attune-automation/attune/node"
	store "github.com/attune-automation/attune/persistence/memory"
)

// TestSameTree proves that the node of the simulation has the same actors as one
// on goroutines and the real clock: neither wires what the other does not.
func TestSameTree(t *testing.T) {
	q := &queue{random: rand.New(rand.NewPCG(1, 1)), calm: true}
	w := &world{queue: q, outside: q.process("outside"), counts: map[string]int{}, plan: quiet()}
	w.store = newRecorder(w, true)
	w.broker = memory.New(memory.Config{Lend: w.outside.lend})
	w.boot()
	for w.now < 5*time.Second && w.run() {
		continue
	}
	simulated := w.current.node.Tree().Census().Kinds()

	clock, lent := node.NewClock(), &node.Lent{}
	broker := memory.New(memory.Config{})
	real := node.New(node.Config{Name: "n", Incarnation: "n-1"}, node.Parts{Clock: clock, Lend: lent.Lend,
		Store: store.New(store.Config{Clock: clock, Exclusive: true}), Broker: broker})
	if err := real.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for tick := time.NewTicker(time.Millisecond); !maps.Equal(kinds, simulated); kinds = real.Tree().Census().Kinds() {
		select {
		case <-tick.C:
		case <-time.After(10 * time.Second):
			t.Fatalf("the real node has %v, the simulated one %v", kinds, simulated)
		}
		if real.Tree().Panics() > 0 || kinds["partition"] == simulated["partition"] && !maps.Equal(kinds, simulated) {
			t.Fatalf("the real node has %v, the simulated one %v", kinds, simulated)
		}
	}
	if simulated["partition"] != 128 || len(simulated) < 10 {
		t.Fatalf("the simulated node has %v", simulated)
	}
	if err := real.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	lent.Wait()
	if err := broker.Close(); err != nil {
		t.Error(err)
	}
}
