package actors_test

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) AfterFunc(time.Duration, func()) attune.Timer { panic("no actor here sets a timer") }

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// do is a message that an actor obeys on its own turn.
type do func(actor.Context)

// leaf is an actor whose methods are fields. What is not set does nothing.
type leaf struct {
	kind    string
	receive func(actor.Context)
	state   func() string
	detail  func() any
}

func (l *leaf) Kind() string { return l.kind }

func (l *leaf) State() string {
	if l.state == nil {
		return "fine"
	}
	return l.state()
}

func (l *leaf) Detail() any {
	if l.detail == nil {
		return nil
	}
	return l.detail()
}

func (l *leaf) Receive(ctx actor.Context) {
	if f, ok := ctx.Message().(do); ok {
		f(ctx)
		return
	}
	if l.receive != nil {
		l.receive(ctx)
	}
}

// branch is a leaf with children.
type branch struct {
	actors.Supervisor
	leaf
}

// rig is a system in a bubble, with a root that has children.
type rig struct {
	*actors.System
	t     *testing.T
	clock *clock
	logs  *bytes.Buffer // read it when all is quiet
	fatal []string      // why the node had to end
	root  *actor.PID
}

// inBubble runs a test on a system whose turns are goroutines, and waits for
// their end.
func inBubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newRig(t, actors.Config{}, &branch{leaf: leaf{kind: "root"}})) })
}

func newRig(t *testing.T, c actors.Config, root actors.Actor) *rig {
	t.Helper()
	r := &rig{t: t, clock: &clock{now: attune.Epoch.AddDate(1, 0, 0)}, logs: &bytes.Buffer{}}
	c.Clock, c.Log = r.clock, slog.New(slog.NewTextHandler(r.logs, nil))
	c.Fatal = func(reason string) { r.fatal = append(r.fatal, reason) }
	r.System = actors.NewSystem(c)
	if b, ok := root.(*branch); ok && b.Limit == 0 {
		b.Supervisor = actors.Supervisor{Clock: r.clock, Limit: 100, Within: time.Minute}
	}
	var err error
	if r.root, err = r.SpawnRoot("root", r.Props(func() actors.Actor { return root })); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Stop(r.root)
		time.Sleep(2 * time.Second) // of the bubble: the throttle of dead letters ends
		r.Shutdown()
	})
	return r
}

// spawn starts a child of the root, from a value that outlives restarts.
func (r *rig) spawn(name string, a actors.Actor) *actor.PID { return r.spawnBelow(r.root, name, a) }

func (r *rig) spawnBelow(parent *actor.PID, name string, a actors.Actor) *actor.PID {
	r.t.Helper()
	props := r.Props(func() actors.Actor { return a })
	var err error
	r.Tell(parent, do(func(ctx actor.Context) { _, err = ctx.SpawnNamed(props, name) }))
	synctest.Wait()
	if err != nil {
		r.t.Fatal(err)
	}
	return r.PID(parent.Id + "/" + name)
}

// fail makes an actor panic.
func fail(actor.Context) { panic("made to fail") }

// trap blocks an actor until it is let go.
func trap() (message do, release func()) {
	gate := make(chan struct{})
	return func(actor.Context) { <-gate }, func() { close(gate) }
}
