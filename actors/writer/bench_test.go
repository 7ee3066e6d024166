package writer_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/actors/writer"
	"github.com/attune-automation/attune/persistence"
)

// clock stands still; its timers are fired by hand.
type clock struct {
	now    time.Time
	timers []timer
}

type timer struct {
	after time.Duration
	f     func()
}

func (c *clock) Now() time.Time { return c.now }

func (c *clock) AfterFunc(d time.Duration, f func()) attune.Timer {
	c.timers = append(c.timers, timer{d, f})
	return unstoppable{}
}

type unstoppable struct{}

func (unstoppable) Stop() bool { panic("the writer stops no timer") }

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
	receive func(actor.Context)
}

func (*stand) Kind() string { return "stand" }

func (*stand) State() string { return "standing in" }

func (*stand) Detail() any { return nil }

func (s *stand) Receive(ctx actor.Context) { s.receive(ctx) }

// store is a flusher whose answers the test gives; unset, all is committed.
type store struct {
	flush, resolve    func(ops []persistence.Op) ([]persistence.Answer, error)
	flushes, resolves [][]persistence.Op
	incarnations      map[string]bool
}

func committed(ops []persistence.Op) ([]persistence.Answer, error) {
	answers := make([]persistence.Answer, len(ops))
	for i := range answers {
		answers[i].Outcome = persistence.Committed
	}
	return answers, nil
}

func (s *store) Flush(_ context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	s.flushes = append(s.flushes, ops)
	s.incarnations[incarnation] = true
	if s.flush == nil {
		return committed(ops)
	}
	return s.flush(ops)
}

func (s *store) Resolve(_ context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	s.resolves = append(s.resolves, ops)
	s.incarnations[incarnation] = true
	if s.resolve == nil {
		return committed(ops)
	}
	return s.resolve(ops)
}

// bench is a writer with stand-ins for whoever asks it, and for partitions.
type bench struct {
	t          *testing.T
	tree       *actors.Tree
	queue      *queue
	clock      *clock
	lent       []func()
	written    []*actors.Written
	unnumbered map[int][]int64 // by partition
	fatal      []string
}

const incarnation = "n1-x"

func newBench(t *testing.T, s persistence.Flusher) *bench {
	t.Helper()
	b := &bench{t: t, queue: &queue{}, clock: &clock{now: attune.Epoch.AddDate(1, 0, 0)}, unnumbered: map[int][]int64{}}
	system := actors.NewSystem(actors.Config{Clock: b.clock, Dispatcher: b.queue, Lend: func(f func()) { b.lent = append(b.lent, f) },
		Fatal: func(reason string) { b.fatal = append(b.fatal, reason) }})
	b.tree = actors.NewTree(system, incarnation)
	b.tree.Hold(math.MaxInt64)
	props := func(receive func(actor.Context)) *actor.Props {
		return system.Props(func() actors.Actor {
			return &stand{receive: receive, Supervisor: actors.Supervisor{Clock: b.clock, Limit: 1, Within: time.Minute,
				GaveUp: func(child *actor.PID, reason any) { t.Errorf("%s failed: %v", child.Id, reason) }}}
		})
	}
	spawn := func(ctx actor.Context, props *actor.Props, name string) {
		if _, err := ctx.SpawnNamed(props, name); err != nil {
			t.Fatal(err)
		}
	}
	partitions := props(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*actor.Started); ok {
			for i := range attune.Partitions {
				spawn(ctx, props(func(ctx actor.Context) {
					if m, ok := ctx.Message().(*actors.Unnumbered); ok {
						b.unnumbered[i] = append(b.unnumbered[i], m.FinishNumber)
					}
				}), actors.PartitionName(i))
			}
		}
	})
	root, err := system.SpawnRoot("node", props(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*actor.Started); ok {
			spawn(ctx, partitions, "partitions")
			spawn(ctx, props(b.asker), "asker")
			spawn(ctx, system.Props(func() actors.Actor { return writer.New(b.tree, s) }), "writer")
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

func (b *bench) asker(ctx actor.Context) {
	if m, ok := ctx.Message().(*actors.Written); ok {
		b.written = append(b.written, m)
	}
}

// submit hands operations to the writer, and waits until all is quiet.
func (b *bench) submit(ops ...persistence.Op) {
	for _, op := range ops {
		b.tree.Tell(b.tree.Writer, &actors.Submit{Op: op, ReplyTo: b.tree.PID("node/asker"), Ref: op})
	}
	b.queue.run()
}

func (b *bench) owned(partition int, finish int64) {
	b.tree.Tell(b.tree.Writer, &actors.Owned{Partition: partition, FinishNumber: finish})
	b.queue.run()
}

// work does what the writer lent, once.
func (b *bench) work() {
	b.t.Helper()
	if len(b.lent) != 1 {
		b.t.Fatalf("%d pieces of work are lent, want 1", len(b.lent))
	}
	f := b.lent[0]
	b.lent = nil
	f()
	b.queue.run()
}

// drain works until nothing is lent any more, firing timers.
func (b *bench) drain() {
	b.t.Helper()
	for n := 0; len(b.lent)+len(b.clock.timers) > 0; n++ {
		if n > 10_000 {
			b.t.Fatal("the writer does not come to rest")
		}
		if len(b.lent) > 0 {
			b.work()
		} else {
			b.fire()
		}
	}
}

// fire lets the one timer pass, and says how long it was.
func (b *bench) fire() time.Duration {
	b.t.Helper()
	if len(b.clock.timers) != 1 {
		b.t.Fatalf("%d timers are set, want 1", len(b.clock.timers))
	}
	timer := b.clock.timers[0]
	b.clock.timers = nil
	timer.f()
	b.queue.run()
	return timer.after
}

// state is what the inspection shows.
func (b *bench) state() string {
	for _, v := range b.tree.Census().List(b.clock.Now()) {
		if v.Path == "node/writer" {
			return v.State
		}
	}
	return "no writer"
}

// outcomes are the answers so far, by what was asked.
func (b *bench) outcomes() string {
	s := ""
	for _, w := range b.written {
		if w.Ref != any(w.Op) {
			b.t.Errorf("%s is answered with another's reference", name(w.Op))
		}
		s += fmt.Sprintf("%s %s; ", name(w.Op), w.Answer.Outcome)
	}
	return s
}

// name is short for an operation, names for a flush.
func name(op persistence.Op) string {
	switch op := op.(type) {
	case *persistence.SaveWorker:
		return op.Worker.Name
	case *persistence.Save:
		return fmt.Sprintf("x%d.%d", attune.ID(op.Execution.ID).Millis(), op.Execution.Version)
	case *persistence.RaiseIDHigh:
		return fmt.Sprintf("high%d", op.Partition)
	case *persistence.Admit:
		return fmt.Sprintf("admit%d", op.ID().Millis())
	}
	return fmt.Sprintf("%T", op)
}

func names(ops []persistence.Op) (s string) {
	for _, op := range ops {
		s += name(op) + " "
	}
	return s
}

// saveWorker is an operation of one row and 300 bytes, under that key.
func saveWorker(name string) persistence.Op {
	return &persistence.SaveWorker{Worker: &attune.Worker{Name: name, Version: 1}}
}

// save is an execution's nth in partition 3, at a version and in a status.
func save(n, version int64, status attune.Status) *persistence.Save {
	return &persistence.Save{Execution: &attune.Execution{ID: attune.ExecutionID(attune.MakeID(n, 3, 0)), Version: version, Status: status}}
}
