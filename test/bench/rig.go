package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	brokermemory "github.com/attune-automation/attune/messages/memory"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/sqlite"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/journal"
	"github.com/attune-automation/attune/worker/runners"
)

// rig is an embedded node on a fresh data folder, with a worker, a trigger and
// a rule with two criteria and two templated parameters.
type rig struct {
	node   *node.Node
	store  persistence.Store
	worker *worker.Worker // nil: a process of its own
	// servers are what the node runs on; nil: it is embedded.
	servers *servers
	sent    int
	open    time.Time // when the node took work
	// openCPU is what this process had used of the processors by then.
	openCPU time.Duration

	done chan struct{} // one per completed execution, when counting
}

// The slots of the worker: fewer than are on their way in one process, so that some
// wait; more on servers, where the journey through them is what is measured.
const (
	slots       = 400
	serverSlots = 2 * flight
)

func withRig(ctx context.Context, dir string, use func(*rig) error) error {
	data, err := os.MkdirTemp(dir, "attune-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	return onRig(ctx, data, "1", use)
}

// onRig is withRig on a data folder that stays.
func onRig(ctx context.Context, data, incarnation string, use func(*rig) error) error {
	store, err := sqlite.Open(ctx, sqlite.Config{Dir: data})
	if err != nil {
		return err
	}
	defer store.Close()
	lent, turns, clock, began := &node.Lent{}, node.NewTurns(), node.NewClock(), time.Now()
	broker := brokermemory.New(brokermemory.Config{})
	r := &rig{store: store, done: make(chan struct{}, 1<<20)}
	r.node = node.New(node.Config{Name: "bench", Incarnation: "bench-" + incarnation, MaxLive: 2_000_000},
		node.Parts{Clock: clock, Lend: lent.Lend, Dispatcher: turns, Store: store, Broker: broker})
	if err := r.node.SetCatalog(ctx, packs.NewSnapshot([]*attune.Pack{pack()})); err != nil {
		return err
	}
	if err := r.node.Start(ctx); err != nil {
		return err
	}
	if _, err := broker.Subscribe(messages.Executions, "execution.completed", func(any) { r.done <- struct{}{} }); err != nil {
		return err
	}
	r.worker, err = worker.New(worker.Config{Name: "local", NewIncarnation: func() string { return "local-" + incarnation }, Slots: slots, Broker: broker,
		Clock: clock, Mono: func() time.Duration { return time.Since(began) }, Journal: journal.NewMemory(lent.Lend),
		Runners: map[string]worker.Runner{"noop": runners.Noop{}}})
	if err != nil {
		return err
	}
	if err := r.settle(ctx, "local-"+incarnation); err != nil {
		return err
	}
	failure := use(r)
	r.worker.Stop()
	if err := r.node.Stop(ctx); err != nil && failure == nil {
		failure = err
	}
	lent.Wait()
	turns.Stop()
	_ = broker.Close()
	return failure
}

// loaded reports that no actor is loading.
func (r *rig) loaded() bool {
	for _, a := range r.node.Actors() {
		switch a.State {
		case "loading", "starting", "claiming", "connecting":
			return false
		}
	}
	return true
}

// settle waits until the node is open, then starts the worker and waits until
// it has a slot for everybody: one of an earlier start must be lost first.
func (r *rig) settle(ctx context.Context, incarnation string) error {
	for r.node.Ready() != nil || !r.loaded() {
		time.Sleep(time.Millisecond)
	}
	r.open, r.openCPU = time.Now(), cpuTime()
	if r.worker != nil {
		if err := r.worker.Start(); err != nil {
			return err
		}
	}
	for {
		workers, err := r.node.Workers(ctx)
		if err != nil {
			return err
		}
		if len(workers) == 1 && workers[0].State == attune.WorkerAlive && workers[0].Incarnation == incarnation {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
}

func pack() *attune.Pack {
	text := func() *attune.Parameter { return &attune.Parameter{Type: "string"} }
	return &attune.Pack{Ref: "bench",
		Actions: []*attune.Action{
			{Ref: "bench.noop", Pack: "bench", Name: "noop", Runner: "noop", Enabled: true, Hash: "noop", Parameters: map[string]*attune.Parameter{"host": text(), "summary": text()}},
			{Ref: "bench.nobody", Pack: "bench", Name: "nobody", Runner: "nobody", Enabled: true, Hash: "nobody"},
		},
		Triggers: []*attune.Trigger{{Ref: "bench.alert", Pack: "bench", Hash: "alert"}},
		Rules: []*attune.Rule{{Ref: "bench.rule", Pack: "bench", Enabled: true, Trigger: "bench.alert", Action: "bench.noop", Hash: "rule",
			Criteria:   []attune.Criterion{{Path: "trigger.status", Type: "equals", Pattern: "firing"}, {Path: "trigger.labels.severity", Type: "equals", Pattern: "critical"}},
			Parameters: map[string]any{"host": "{{ trigger.labels.host }}", "summary": "{{ trigger.labels.alertname }} on {{ trigger.labels.host }}"}}}}
}

// offer hands in an event with a dedupe key of its own; stored is called when
// it is durable.
func (r *rig) offer(stored func()) {
	r.sent++
	e := &attune.Event{Trigger: "bench.alert", Dedupe: fmt.Sprintf("alert-%d", r.sent), Chain: attune.Chain{Principal: "bench"},
		Payload: fmt.Appendf(nil, `{"status":"firing","labels":{"severity":"critical","alertname":"DiskFull","host":"web-%d"}}`, r.sent)}
	r.node.Offer(e, func(a messages.Admitted) {
		if a.Err != nil {
			panic(a.Err) // the rig is broken: no figure would mean anything
		}
		stored()
	})
}
