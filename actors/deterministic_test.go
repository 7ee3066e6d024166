package actors_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
)

// oneByOne is a dispatcher on the caller's goroutine: a turn is one message,
// and which actor has the next turn is drawn.
type oneByOne struct {
	rand  *rand.Rand
	turns []func()
}

func (d *oneByOne) Schedule(turn func()) { d.turns = append(d.turns, turn) }

func (*oneByOne) Throughput() int { return 1 }

func (d *oneByOne) run() {
	for len(d.turns) > 0 {
		i := d.rand.IntN(len(d.turns))
		turn := d.turns[i]
		d.turns = slices.Delete(d.turns, i, i+1)
		turn()
	}
}

// hop is sent on until it has no hops left.
type hop struct{ ball, left int }

// trace is what happens among actors that pass balls around, fail now and then,
// and are restarted, under one seed.
func trace(t *testing.T, seed uint64) []string {
	t.Helper()
	var seen []string
	clock := &clock{now: attune.Epoch.AddDate(1, 0, 0)}
	queue := &oneByOne{rand: rand.New(rand.NewPCG(seed, 1))}
	s := actors.NewSystem(actors.Config{Clock: clock, Dispatcher: queue, Observe: func(path, _ string, m any) { seen = append(seen, fmt.Sprintf("%s %v", path, m)) }})
	root := &branch{leaf: leaf{kind: "root"}}
	root.Supervisor = actors.Supervisor{Clock: clock, Limit: 1000, Within: time.Minute}
	pid, err := s.SpawnRoot("root", s.Props(func() actors.Actor { return root }))
	if err != nil {
		t.Fatal(err)
	}
	const players = 6
	address := func(i int) *actor.PID { return s.PID(fmt.Sprintf("root/p%d", i%players)) }
	s.Tell(pid, do(func(ctx actor.Context) {
		for i := range players {
			_, _ = ctx.SpawnNamed(s.Props(func() actors.Actor {
				handled := 0 // lost in a restart
				return &leaf{kind: "player", receive: func(ctx actor.Context) {
					h, ok := ctx.Message().(hop)
					if !ok {
						return
					}
					handled++
					if handled == 40 {
						panic("enough")
					}
					if h.left > 0 {
						s.Tell(address(i+h.ball+handled), hop{h.ball, h.left - 1})
					}
				}}
			}), fmt.Sprintf("p%d", i))
		}
	}))
	queue.run()
	for ball := range 10 {
		s.Tell(address(ball), hop{ball, 200})
	}
	queue.run()
	s.Stop(pid)
	queue.run()
	if n := len(s.Census().List(clock.Now())); n != 0 {
		t.Errorf("%d actors are listed at the end, want none", n)
	}
	if s.Panics() == 0 {
		t.Error("nobody failed")
	}
	s.Shutdown()
	return append(seen, fmt.Sprint(s.Panics()))
}

func TestOneSeedIsOneTrace(t *testing.T) {
	for seed := range uint64(5) {
		a, b := trace(t, seed), trace(t, seed)
		if !slices.Equal(a, b) {
			t.Fatalf("seed %d: two runs differ", seed)
		}
		if len(a) < 100 {
			t.Errorf("seed %d: only %d messages were handled", seed, len(a))
		}
		if slices.Equal(a, trace(t, seed+1000)) {
			t.Errorf("seed %d: another seed is the same run", seed)
		}
	}
}

func TestATurnIsAsLongAsTheThroughput(t *testing.T) {
	var seen []string
	queue := &oneByOne{rand: rand.New(rand.NewPCG(1, 1))}
	s := actors.NewSystem(actors.Config{Clock: &clock{now: attune.Epoch}, Dispatcher: queue})
	pid, err := s.SpawnRoot("root", s.Props(func() actors.Actor {
		return &leaf{kind: "root", receive: func(ctx actor.Context) { seen = append(seen, fmt.Sprint(ctx.Message())) }}
	}))
	if err != nil {
		t.Fatal(err)
	}
	queue.run()
	seen = nil
	for n := range 3 {
		s.Tell(pid, about(n))
	}
	for n := range 3 {
		if len(queue.turns) != 1 || len(seen) != n {
			t.Fatalf("before turn %d: %d turns wait, handled %v", n, len(queue.turns), seen)
		}
		turn := queue.turns[0]
		queue.turns = nil
		turn()
	}
	s.Stop(pid)
	queue.run()
	s.Shutdown()
}
