package node_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	brokermemory "github.com/attune-automation/attune/messages/memory"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence/memory"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/journal"
	"github.com/attune-automation/attune/worker/runners"
)

func TestSmoke(t *testing.T) {
	began := time.Now()
	clock := node.NewClock()
	turns := &node.Lent{}
	store := memory.New(memory.Config{Clock: clock, Exclusive: true})
	broker := brokermemory.New(brokermemory.Config{})
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	n := node.New(node.Config{Name: "n", Incarnation: "n-1"}, node.Parts{Clock: clock, Lend: turns.Lend, Store: store, Broker: broker, Log: log})
	ctx := context.Background()
	a := &attune.Action{Ref: "t.noop", Pack: "t", Name: "noop", Runner: "noop", Enabled: true, Hash: "h"}
	snap := packs.NewSnapshot([]*attune.Pack{{Ref: "t", Actions: []*attune.Action{a}}})
	if err := n.SetCatalog(ctx, snap); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	w, err := worker.New(worker.Config{Name: "w", NewIncarnation: func() string { return "w-1" }, Slots: 50, Broker: broker, Clock: clock, Mono: func() time.Duration { return time.Since(began) },
		Journal: journal.NewMemory(turns.Lend), Runners: map[string]worker.Runner{"noop": runners.Noop{}}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	_ = messages.MaxBundle
	for n.Ready() != nil {
		time.Sleep(time.Millisecond)
	}
	r, err := n.RequestExecution(ctx, api.ExecutionRequest{Action: "t.noop", Chain: attune.Chain{Principal: "me"}})
	fmt.Println(r, err)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		if i == 300 {
			for _, v := range n.Actors() {
				if v.Kind != "partition" || v.Handled > 4 {
					d, _ := n.Actor(ctx, v.Path)
					fmt.Printf("%+v\n%s\n", v, d.Detail)
					for _, s := range d.Signals {
						fmt.Println("    ", s.Name)
					}
				}
			}
			t.Fatal("stuck")
		}
		x, err := store.Execution(ctx, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		if x.Status.Terminal() {
			steps, _ := x.History.Steps()
			fmt.Printf("%+v %+v\n", x, steps)
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, v := range n.Actors() {
		if v.Kind != "partition" {
			fmt.Println(v)
		}
	}
	w.Stop()
	if err := n.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}
