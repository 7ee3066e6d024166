package actors_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
)

func TestTreeAddresses(t *testing.T) {
	s := actors.NewSystem(actors.Config{Clock: &clock{}})
	defer s.Shutdown()
	tree := actors.NewTree(s, "n1-abc")
	places := map[string]*actor.PID{"node": tree.Node, "node/lease": tree.Lease, "node/writer": tree.Writer, "node/rules": tree.Rules,
		"node/scheduler": tree.Scheduler, "node/workers": tree.Workers, "node/broker": tree.Broker, "node/output": tree.Output,
		"node/inspector": tree.Inspector, "node/partitions": tree.Partitions, "node/partitions/p-000": tree.Partition(0),
		"node/partitions/p-017": tree.Partition(17), "node/partitions/p-127": tree.Partition(attune.Partitions - 1)}
	for path, pid := range places {
		if pid.Id != path || s.Lives(pid) {
			t.Errorf("%s is addressed as %s; lives %v", path, pid.Id, s.Lives(pid))
		}
	}
	if tree.Incarnation != "n1-abc" {
		t.Errorf("the incarnation is %s", tree.Incarnation)
	}
}

func TestATreeActsWhileItHoldsItsLease(t *testing.T) {
	c := &clock{now: attune.Epoch.Add(time.Hour)}
	s := actors.NewSystem(actors.Config{Clock: c})
	defer s.Shutdown()
	tree := actors.NewTree(s, "n1-abc")
	if tree.Holds() {
		t.Error("a node acts before its lease is renewed")
	}
	tree.Hold(tree.Mono() + 3*time.Second)
	c.forward(3*time.Second - 1)
	if !tree.Holds() {
		t.Error("a node pauses before its time is over")
	}
	c.forward(1)
	if tree.Holds() {
		t.Error("a node acts when its time is over")
	}
}

func TestAStoppedParentStopsItsChildrenFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var ended []string
		note := func(name string) func(actor.Context) {
			return func(ctx actor.Context) {
				if _, ok := ctx.Message().(*actor.Stopped); ok {
					ended = append(ended, name)
				}
			}
		}
		middle := r.spawn("middle", &branch{leaf: leaf{kind: "middle", receive: note("middle")}})
		r.spawnBelow(middle, "leaf", &leaf{kind: "leaf", receive: note("leaf")})
		r.Stop(middle)
		r.Stop(middle) // twice is as good as once
		synctest.Wait()
		if len(ended) != 2 || ended[0] != "leaf" || ended[1] != "middle" {
			t.Errorf("the order of the end is %v", ended)
		}
	})
}
