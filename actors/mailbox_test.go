package actors_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune/actors"
)

type numbered struct{ sender, n int }

// collector keeps what it is sent.
type collector struct {
	got []numbered
}

func (c *collector) receive(ctx actor.Context) {
	if m, ok := ctx.Message().(numbered); ok {
		c.got = append(c.got, m)
	}
}

func TestMailboxKeepsTheOrderOfEachSender(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		c := &collector{}
		pid := r.spawn("c", &leaf{kind: "c", receive: c.receive})
		const senders, each = 4, 2000 // more than the throughput of a turn
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				for n := range each {
					r.Tell(pid, numbered{s, n})
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		next := make([]int, senders)
		for i, m := range c.got {
			if m.n != next[m.sender] {
				t.Fatalf("message %d is number %d of sender %d, want %d", i, m.n, m.sender, next[m.sender])
			}
			next[m.sender]++
		}
		if len(c.got) != senders*each {
			t.Errorf("%d of %d messages were handled", len(c.got), senders*each)
		}
	})
}

func TestNothingIsHandledBeforeStarted(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var wg sync.WaitGroup
		for i := range 300 {
			name := fmt.Sprintf("a%d", i)
			pid, first := r.PID("root/"+name), ""
			stop := make(chan struct{})
			wg.Go(func() { // addresses exist before the actors do, and are used
				for {
					select {
					case <-stop:
						return
					default:
						r.Tell(pid, numbered{})
					}
				}
			})
			props := r.Props(func() actors.Actor {
				return &leaf{kind: "a", receive: func(ctx actor.Context) {
					if first == "" {
						first = fmt.Sprintf("%T", ctx.Message())
					}
				}}
			})
			spawned := make(chan struct{})
			r.Tell(r.root, do(func(ctx actor.Context) {
				_, _ = ctx.SpawnNamed(props, name)
				close(spawned)
			}))
			<-spawned
			close(stop)
			wg.Wait()
			synctest.Wait()
			if first != "*actor.Started" {
				t.Fatalf("actor %d handled %s first", i, first)
			}
		}
	})
}

// undecided is a parent that leaves a failed child as it is.
type undecided struct {
	leaf
	failed []*actor.PID
	parent actor.Supervisor
}

func (u *undecided) HandleFailure(_ *actor.ActorSystem, parent actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, _, _ any) {
	u.failed, u.parent = append(u.failed, child), parent
}

func TestAFailedActorHandlesNothingUntilItsParentDecides(t *testing.T) {
	for name, c := range map[string]struct {
		decide func(actor.Supervisor, *actor.PID)
		want   []numbered
		alive  bool
	}{
		"resumed":   {func(s actor.Supervisor, pid *actor.PID) { s.ResumeChildren(pid) }, []numbered{{0, 1}, {0, 2}, {0, 3}, {0, 4}}, true},
		"restarted": {func(s actor.Supervisor, pid *actor.PID) { s.RestartChildren(pid) }, []numbered{{0, 1}, {0, 2}, {0, 3}, {0, 4}}, true},
		"stopped":   {func(s actor.Supervisor, pid *actor.PID) { s.StopChildren(pid) }, []numbered{{0, 1}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := &undecided{leaf: leaf{kind: "root"}}
				r := newRig(t, actors.Config{}, u)
				got := &collector{}
				pid := r.spawn("c", &leaf{kind: "c", receive: got.receive})
				r.Tell(pid, numbered{0, 1})
				r.Tell(pid, do(fail))
				for n := 2; n < 5; n++ {
					r.Tell(pid, numbered{0, n})
				}
				synctest.Wait()
				if len(got.got) != 1 || len(u.failed) != 1 {
					t.Fatalf("handled %v, %d failures", got.got, len(u.failed))
				}
				if v := view(t, r, "root/c"); v.Mailbox != 3 || v.OldestAge != 0 {
					t.Errorf("while it is suspended: %+v", v)
				}
				r.clock.forward(7e9)
				if v := view(t, r, "root/c"); v.OldestAge != 7e9 {
					t.Errorf("the oldest message that waits is %s old, want 7s", v.OldestAge)
				}
				r.Tell(r.root, do(func(actor.Context) { c.decide(u.parent, u.failed[0]) }))
				synctest.Wait()
				if !slices.Equal(got.got, c.want) || r.Lives(pid) != c.alive {
					t.Errorf("handled %v, want %v; lives %v", got.got, c.want, r.Lives(pid))
				}
			})
		})
	}
}

func TestAPanicIsLoggedAndCounted(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		born := 0
		props := r.Props(func() actors.Actor { born++; return &leaf{kind: "c"} })
		r.Tell(r.root, do(func(ctx actor.Context) { _, _ = ctx.SpawnNamed(props, "c") }))
		synctest.Wait()
		pid := r.PID("root/c")
		for range 3 {
			r.Tell(pid, do(fail))
			synctest.Wait()
		}
		if r.Panics() != 3 || born != 4 {
			t.Errorf("3 panics are counted as %d, and made %d actors", r.Panics(), born)
		}
		if v := view(t, r, "root/c"); v.Restarts != 3 || v.LastError != "made to fail" || v.State != "fine" {
			t.Errorf("the inspection says %+v", v)
		}
		logs := r.logs.String()
		for _, want := range []string{"actor panicked", "actor=root/c", "message=do", `panic="made to fail"`, "rig_test.go", "actors_test.fail"} {
			if !strings.Contains(logs, want) {
				t.Errorf("the log does not say %s:\n%s", want, logs)
			}
		}
		if len(r.fatal) != 0 {
			t.Errorf("the node had to end: %v", r.fatal)
		}
	})
}

func TestAPanicOfTheRootEndsTheNode(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.Tell(r.root, do(fail))
		synctest.Wait()
		if len(r.fatal) != 1 || !strings.Contains(r.fatal[0], "made to fail") || r.Panics() != 1 {
			t.Errorf("the node had to end: %v, %d panics", r.fatal, r.Panics())
		}
	})
}

func TestObserveSeesEveryMessageButTheEnginesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		r := newRig(t, actors.Config{Observe: func(path, kind string, message any) {
			if path == "root/c" {
				seen = append(seen, fmt.Sprintf("%s %T", kind, message))
				if m, ok := message.(numbered); ok && m.n == 2 {
					panic("made by the observer")
				}
			}
		}}, &branch{leaf: leaf{kind: "root"}})
		got := &collector{}
		pid := r.spawn("c", &leaf{kind: "c", receive: got.receive})
		for n := range 4 {
			r.Tell(pid, numbered{0, n})
		}
		synctest.Wait()
		_, _ = r.Census().Find(t.Context(), "root/c", r.clock.Now())
		if want := slices.Repeat([]string{"c actors_test.numbered"}, 4); !slices.Equal(seen, want) {
			t.Errorf("observed %v", seen)
		}
		if want := []numbered{{0, 0}, {0, 1}, {0, 3}}; !slices.Equal(got.got, want) || r.Panics() != 1 {
			t.Errorf("a panic of the observer is the actor's: handled %v, %d panics", got.got, r.Panics())
		}
	})
}

func TestAnAddressOutlivesItsActors(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		pid := r.PID("root/c")
		r.Tell(pid, numbered{0, 0}) // to nobody
		got := &collector{}
		for n := 1; n < 4; n++ {
			r.spawn("c", &leaf{kind: "c", receive: got.receive})
			r.Tell(pid, numbered{0, n})
			synctest.Wait()
			if !r.Lives(pid) {
				t.Fatal("an actor that was started does not live")
			}
			r.Stop(pid)
			synctest.Wait()
			if r.Lives(pid) {
				t.Fatal("an actor that was stopped lives")
			}
			r.Tell(pid, numbered{9, 9})
		}
		if want := []numbered{{0, 1}, {0, 2}, {0, 3}}; !slices.Equal(got.got, want) {
			t.Errorf("handled %v, want %v", got.got, want)
		}
	})
}
