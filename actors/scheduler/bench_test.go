package scheduler_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/actors/scheduler"
	"github.com/attune-automation/attune/messages"
)

// still is a clock that nobody moves: the scheduler does not look at it.
type still struct{}

func (still) Now() time.Time { return attune.Epoch.AddDate(1, 0, 0) }

func (still) AfterFunc(time.Duration, func()) attune.Timer { panic("the scheduler sets no timer") }

// queue runs the actors' turns on the caller's goroutine, in order.
type queue struct{ turns []func() }

func (q *queue) Schedule(turn func()) { q.turns = append(q.turns, turn) }

func (*queue) Throughput() int { return 1 }

func (q *queue) run() {
	for len(q.turns) > 0 {
		turn := q.turns[0]
		q.turns = q.turns[1:]
		turn()
	}
}

// stand stands in for an actor of the tree.
type stand struct {
	actors.Supervisor
	kind    string
	receive func(actor.Context)
}

func (s *stand) Kind() string { return s.kind }

func (*stand) State() string { return "standing in" }

func (*stand) Detail() any { return nil }

func (s *stand) Receive(ctx actor.Context) { s.receive(ctx) }

// slots is what the actor of a worker counts: the one authority on its load.
type slots struct {
	name, incarnation string
	limit             int
	runners           []string
	taken             map[attune.Token]bool
}

// bench is the scheduler with stand-ins for workers, partitions and executions.
type bench struct {
	t       *testing.T
	tree    *actors.Tree
	queue   *queue
	workers []*slots // the actors of the workers, in the order of names
	// at is where each run was placed, waiting what was said of it when queued.
	at      map[attune.ExecutionID]*messages.Placed
	waiting map[attune.ExecutionID]string
	order   []attune.ExecutionID // as they were placed
	// returned are the answers to ReturnSlots; started counts the scheduler's
	// starts, as told to workers and partitions.
	returned []*messages.SlotsReturned
	started  [2]int
	fail     bool // the scheduler fails at its next message
	serial   int64
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, queue: &queue{}, at: map[attune.ExecutionID]*messages.Placed{}, waiting: map[attune.ExecutionID]string{}}
	system := actors.NewSystem(actors.Config{Clock: still{}, Dispatcher: b.queue, Observe: func(path, _ string, _ any) {
		if path == "node/scheduler" && b.fail {
			b.fail = false
			panic("made to fail")
		}
	}})
	b.tree = actors.NewTree(system, "n1-x")
	props := func(kind string, receive func(actor.Context)) *actor.Props {
		return system.Props(func() actors.Actor {
			return &stand{kind: kind, receive: receive, Supervisor: actors.Supervisor{Clock: still{}, Limit: 1000, Within: time.Minute}}
		})
	}
	spawn := func(ctx actor.Context, props *actor.Props, name string) {
		if _, err := ctx.SpawnNamed(props, name); err != nil {
			t.Fatal(err)
		}
	}
	partitions := props("partitions", func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case *actor.Started:
			for i := range attune.Partitions {
				spawn(ctx, props("partition", b.toExecution), actors.PartitionName(i))
			}
		case *messages.SchedulerStarted:
			b.started[1]++
		}
	})
	root, err := system.SpawnRoot("node", props("node", func(ctx actor.Context) {
		if _, ok := ctx.Message().(*actor.Started); ok {
			spawn(ctx, props("workers", b.toWorkers), "workers")
			spawn(ctx, partitions, "partitions")
			spawn(ctx, system.Props(func() actors.Actor { return scheduler.New(b.tree) }), "scheduler")
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	b.queue.run()
	t.Cleanup(func() {
		system.Stop(root)
		b.queue.run()
		system.Shutdown()
	})
	return b
}

func (b *bench) toWorkers(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.SlotTaken:
		if w := b.worker(m.Worker); w != nil && w.incarnation == m.Incarnation {
			if w.taken[m.Token] {
				b.t.Errorf("%s took a second slot of %s", m.Token, w.name)
			}
			w.taken[m.Token] = true
		}
	case *messages.SchedulerStarted:
		b.started[0]++
		for _, w := range b.workers {
			b.tell(b.granted(w, true))
		}
	case *messages.SlotsReturned:
		b.returned = append(b.returned, m)
	}
}

func (b *bench) toExecution(ctx actor.Context) {
	to, ok := ctx.Message().(*messages.ToExecution)
	if !ok {
		return
	}
	if here := "node/partitions/" + actors.PartitionName(to.ID.Partition()); ctx.Self().Id != here {
		b.t.Errorf("%s is told at %s", to.ID, ctx.Self().Id)
	}
	switch m := to.Message.(type) {
	case *messages.Queued:
		b.waiting[m.ID] = m.Reason
	case *messages.Placed:
		if b.at[m.ID] != nil {
			b.t.Errorf("%s is placed twice", m.ID)
		}
		b.at[m.ID] = m
		b.order = append(b.order, m.ID)
		delete(b.waiting, m.ID)
	}
}

func (b *bench) worker(name string) *slots {
	for _, w := range b.workers {
		if w.name == name {
			return w
		}
	}
	return nil
}

// tell sends the scheduler a message; do also waits until all is quiet.
func (b *bench) tell(m any) { b.tree.Tell(b.tree.Scheduler, m) }

func (b *bench) do(m any) {
	b.tell(m)
	b.queue.run()
}

func (b *bench) granted(w *slots, reset bool) *messages.GrantSlots {
	g := &messages.GrantSlots{Worker: w.name, Incarnation: w.incarnation, Free: 1, Taken: len(w.taken)}
	if reset {
		g.Runners, g.Free, g.Reset, g.Tokens = w.runners, w.limit-len(w.taken), true, slices.Collect(maps.Keys(w.taken))
	}
	return g
}

// join registers a worker and grants its slots.
func (b *bench) join(name string, limit int, runners ...string) *slots {
	if runners == nil {
		runners = []string{"noop"}
	}
	w := &slots{name: name, incarnation: name + "-1", limit: limit, runners: runners, taken: map[attune.Token]bool{}}
	b.workers = append(b.workers, w)
	slices.SortFunc(b.workers, func(a, b *slots) int { return strings.Compare(a.name, b.name) })
	b.do(b.granted(w, true))
	return w
}

// id is a new execution's, somewhere among the partitions.
func (b *bench) id() attune.ExecutionID {
	b.serial++
	return attune.ExecutionID(attune.MakeID(b.serial, int(b.serial*37)%attune.Partitions, 0))
}

// place asks for a slot for a new run.
func (b *bench) place(runner string) attune.ExecutionID {
	id := b.id()
	b.do(&messages.Place{ID: id, Attempt: 1, Runner: runner})
	return id
}

// end frees the slot of a run, as the worker's actor does when it is told.
func (b *bench) end(id attune.ExecutionID) {
	b.t.Helper()
	p := b.at[id]
	if p == nil {
		b.t.Fatalf("%s has no slot", id)
	}
	delete(b.at, id)
	w, token := b.worker(p.Worker), attune.Token{Execution: id, Attempt: p.Attempt}
	if w == nil || !w.taken[token] {
		b.t.Fatalf("%s of %s was not told of the slot of %s", p.Worker, p.Incarnation, id)
	}
	delete(w.taken, token)
	b.tell(&messages.FreeSlot{Token: token, Worker: w.name, Incarnation: w.incarnation})
	b.do(b.granted(w, false))
}

// check holds the scheduler to what is always true when all is quiet: no worker
// has more than its slots, and none with a free one lets a run wait that fits.
func (b *bench) check(runners map[attune.ExecutionID]string) {
	b.t.Helper()
	counted := map[string]int{}
	for _, p := range b.at {
		counted[p.Worker]++
	}
	for _, w := range b.workers {
		if len(w.taken) > w.limit || counted[w.name] != len(w.taken) {
			b.t.Fatalf("%s has %d slots, %d are taken, %d runs are placed on it", w.name, w.limit, len(w.taken), counted[w.name])
		}
		if len(w.taken) == w.limit {
			continue
		}
		for id := range b.waiting {
			if slices.Contains(w.runners, runners[id]) {
				b.t.Fatalf("%s (%s) waits and %s idles with %d of %d slots taken", id, runners[id], w.name, len(w.taken), w.limit)
			}
		}
	}
}

// where names the workers of runs.
func (b *bench) where(ids ...attune.ExecutionID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = "-"
		if p := b.at[id]; p != nil {
			names[i] = p.Worker
		}
	}
	return strings.Join(names, " ")
}

// said is the state and detail that the inspection shows.
func (b *bench) said() string {
	for _, v := range b.tree.Census().List(b.tree.Clock.Now()) {
		if v.Path == "node/scheduler" {
			return fmt.Sprintf("%s, %d restarts", v.State, v.Restarts)
		}
	}
	return "no scheduler"
}
