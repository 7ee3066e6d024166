package sim

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/memory"
)

// server is the process of one node incarnation.
type server struct {
	world   *world
	process *process
	node    *node.Node
	link    *link
	ending  bool
}

// boot starts a node, and again until one has started. It becomes the one that
// clients speak to.
func (w *world) boot() {
	w.boots++
	name := fmt.Sprintf("n-%d", w.boots)
	s := &server{world: w, process: w.process(name)}
	s.process.remote = true
	s.link = w.connect(s.process)
	store := &nodeStore{world: w}
	store.Faulty = memory.NewFaulty(w.store, store.decide)
	s.node = node.New(node.Config{Name: "n", Incarnation: name, Warm: w.plan.warm}, node.Parts{Clock: s.process, Lend: s.process.lend,
		Dispatcher: s.process, Store: store, Broker: s.link, Observe: s.observe})
	err := s.node.SetCatalog(context.Background(), catalog())
	if err == nil {
		err = s.node.Start(context.Background())
	}
	w.trace("node %s starts: %v", name, err)
	if err != nil {
		s.process.kill()
		s.link.cut()
		w.after(w.outside, w.between(100*time.Millisecond, time.Second), w.boot)
		return
	}
	w.current = s
	w.servers = append(w.servers, s)
}

// kill ends the process where it stands.
func (s *server) kill() {
	w := s.world
	w.trace("node %s ends", s.process.name)
	s.process.kill()
	s.link.cut()
	for i, other := range w.servers {
		if other == s {
			w.servers = append(w.servers[:i], w.servers[i+1:]...)
			break
		}
	}
	if w.current == s {
		w.current = nil
	}
}

// restart kills the node and starts another a while later.
func (s *server) restart(after time.Duration) {
	was := s.world.current == s
	s.kill()
	if was {
		s.world.after(s.world.outside, after, s.world.boot)
	}
}

// attend ends nodes that say that they cannot go on.
func (w *world) attend() {
	for _, s := range w.servers {
		select {
		case <-s.node.Failed():
			if !s.ending {
				s.ending = true
				w.count("node failed", true)
				w.trace("node %s failed: %s", s.process.name, s.node.Reason())
				s := s
				w.after(w.outside, w.between(0, 300*time.Millisecond), func() {
					if !s.process.dead {
						s.restart(w.between(0, 3*time.Second))
					}
				})
			}
		default:
		}
	}
}

// observe is called before every message of every actor.
func (s *server) observe(path, kind string, message any) {
	w := s.world
	if w.out != nil {
		about := ""
		if m, ok := message.(actors.Signal); ok {
			about = m.Signal().String()
		}
		w.trace("%s %s <- %s %s", s.process.name, path, reflect.TypeOf(message), about)
	}
	_, passive := message.(*messages.Passive)
	w.count("passive", passive)
	switch {
	case w.calm:
	case w.poisoned[path] > 0:
		w.poisoned[path]--
		panic("poisoned")
	case w.plan.panics[kind] > 0 && w.now >= w.panicNext[kind] && w.chance(w.plan.panics[kind]):
		w.panicNext[kind] = w.now + w.between(time.Second, 15*time.Second)
		w.count("panic", true)
		w.count("panic of "+kind, true)
		panic("as the seed says")
	}
}

// nodeStore is a node's connection to the store.
type nodeStore struct {
	*memory.Faulty
	world *world
	ops   []persistence.Op
}

// Flush implements persistence.Flusher.
func (n *nodeStore) Flush(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	n.ops = ops
	return n.Faulty.Flush(ctx, incarnation, ops)
}

// decide is what befalls one call.
func (n *nodeStore) decide(method string, _ int) memory.Fault {
	w := n.world
	switch {
	case w.calm:
		return memory.Fault{}
	case w.now < w.storeBack:
		w.count("store away", true)
		return memory.Fault{Kind: memory.LostBefore}
	case !w.chance(w.plan.storeFaults):
		return memory.Fault{}
	}
	kind := memory.Contradicted + memory.FaultKind(w.random.IntN(4))
	op := 0
	if kind == memory.Contradicted {
		if op = n.contradictable(); method != "Flush" || op < 0 {
			return memory.Fault{}
		}
		w.count("conflict", true)
	}
	w.count("unknown commit", method == "Flush" && (kind == memory.LostAfter || kind == memory.LostCommit))
	w.trace("store fault %d in %s", kind, method)
	return memory.Fault{Kind: kind, Op: op}
}

// contradictable is an operation of the flush that a store can contradict, or
// below zero.
func (n *nodeStore) contradictable() int {
	for i, op := range n.ops {
		switch op.(type) {
		case *persistence.Save, *persistence.SaveWorker, *persistence.Admit, *persistence.Extend:
			return i
		}
	}
	return -1
}
