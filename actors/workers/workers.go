// Package workers holds the actors of the workers: one per worker, which is the
// one authority on its slots and its lease, and one above them all.
package workers

import (
	"context"
	"fmt"
	"log/slog"
	"sort"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// Workers routes what workers and executions say to the actor of the worker,
// and starts one for each worker that the store knows or that registers.
type Workers struct {
	actors.Supervisor
	tree     *actors.Tree
	store    persistence.Loader
	links    Links
	children map[string]*actor.PID
	loaded   bool
}

// loadRetry is how long after a failed load the next is tried.
const loadRetry = 500 * time.Millisecond

// Links tell which ways to the workers stand. Both methods are safe for
// concurrent use and do not block.
type Links interface {
	// Up reports whether the node's own link to the broker stands.
	Up() bool
	// Called is when the worker last called by a way that needs no broker, on
	// the clock of [actors.Tree.Mono]; zero is never.
	Called(worker string) time.Duration
}

// New is the actor above all workers.
func New(tree *actors.Tree, store persistence.Loader, links Links) *Workers {
	return &Workers{Supervisor: actors.Supervisor{Clock: tree.Clock, Limit: 5, Within: time.Minute,
		GaveUp: func(child *actor.PID, reason any) {
			tree.Fatal(fmt.Sprintf("%s failed 5 times within 60 s: %v", child.Id, reason))
		}},
		tree: tree, store: store, links: links, children: map[string]*actor.PID{}}
}

// Kind implements actors.Actor.
func (w *Workers) Kind() string { return "workers" }

// State implements actors.Actor.
func (w *Workers) State() string {
	if !w.loaded {
		return "loading"
	}
	return "open"
}

// Detail implements actors.Actor.
func (w *Workers) Detail() any { return map[string]any{"workers": len(w.children)} }

type (
	loaded struct {
		rows []*attune.Worker
		err  error
	}
	reload struct{}
)

// Receive implements actor.Actor.
func (w *Workers) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started, *reload:
		tree, store := w.tree, w.store
		tree.Lend(func() {
			rows, err := store.Workers(context.Background())
			tree.Tell(tree.Workers, &loaded{rows, err})
		})
	case *loaded:
		w.load(ctx, m)
	case *messages.Registered:
		if w.loaded { // else the worker repeats it
			if w.children[m.Worker] == nil {
				w.spawn(ctx, m.Worker, nil)
			}
			w.tree.Tell(w.children[m.Worker], m)
		}
	case *messages.Heartbeat:
		w.forward(m.Worker, m)
	case *messages.Draining:
		w.forward(m.Worker, m)
	case *messages.SlotTaken:
		w.forward(m.Worker, m)
	case *messages.FreeSlot:
		w.forward(m.Worker, m)
	case *messages.SlotsReturned:
		w.forward(m.Worker, m)
	case *messages.CheckIncarnation:
		if w.loaded && w.children[m.Worker] == nil { // it was removed
			tellLost(w.tree, m, false)
		}
		w.forward(m.Worker, m)
	case *messages.WorkerForgotten:
		w.forward(m.Worker, m)
	case *messages.SchedulerStarted:
		w.toAll(m)
	case *messages.DrainWorker:
		w.order(m.Worker, m, m.Reply)
	case *messages.RemoveWorker:
		w.order(m.Worker, m, m.Reply)
	case *List:
		w.toAll(m)
		m.Count(len(w.children))
	}
}

// List asks every worker's actor for its view; Count says how many will answer.
type List struct {
	Count func(int)
	Reply func(View)
}

// View is a worker with its load.
type View struct {
	Worker    attune.Worker
	Running   int
	LastHeard time.Time
}

func (w *Workers) load(ctx actor.Context, m *loaded) {
	if m.err != nil {
		w.tree.Log.Error("loading the workers failed, trying again", slog.String("error", m.err.Error()))
		w.tree.Clock.AfterFunc(loadRetry, func() { w.tree.Tell(w.tree.Workers, &reload{}) })
		return
	}
	w.loaded = true
	for _, row := range m.rows {
		if w.children[row.Name] == nil {
			w.spawn(ctx, row.Name, row)
		}
	}
}

// spawn starts a worker's actor. What it knows of the stored row outlives its
// restarts.
func (w *Workers) spawn(ctx actor.Context, name string, row *attune.Worker) {
	known := &memory{row: row}
	pid, err := ctx.SpawnNamed(w.tree.Props(func() actors.Actor { return newWorker(w.tree, w.store, w.links, name, known) }), name)
	if err != nil {
		panic(err) // the name is ours alone
	}
	w.children[name] = pid
}

func (w *Workers) forward(name string, m any) {
	if pid := w.children[name]; pid != nil {
		w.tree.Tell(pid, m)
	}
}

// order passes an operator's order on, or says that there is no such worker.
func (w *Workers) order(name string, m any, reply func(*attune.Worker, error)) {
	switch pid := w.children[name]; {
	case !w.loaded:
		reply(nil, &attune.Error{Kind: attune.Unavailable, Code: "starting", Message: "the workers are not read yet", Try: "again in a moment"})
	case pid == nil:
		reply(nil, unknown(name))
	default:
		w.tree.Tell(pid, m)
	}
}

func (w *Workers) toAll(m any) {
	names := make([]string, 0, len(w.children))
	for name := range w.children {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		w.tree.Tell(w.children[name], m)
	}
}
