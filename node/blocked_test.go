package node_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
)

// roadblock makes one actor hang in the middle of a message.
type roadblock struct {
	mu   sync.Mutex
	path string // a prefix; empty blocks nobody
	hung string // who hangs
	free chan struct{}
}

func (b *roadblock) observe(path, _ string, _ any) {
	b.mu.Lock()
	hangs := b.path != "" && strings.HasPrefix(path, b.path) && b.hung == ""
	if hangs {
		b.hung = path
	}
	b.mu.Unlock()
	if hangs {
		<-b.free
	}
}

func (b *roadblock) victim() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hung
}

// An actor that hangs is seen with its growing mailbox within a second, what
// does not need it goes on, and it goes on itself when it can.
func TestAnActorThatHangs(t *testing.T) {
	request := func(r *rig) { r.reaches(r.must(settings{MS: 5}), attune.Completed, time.Second) }
	event := func(r *rig) {
		receipt, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: one, Payload: []byte(`{"ms":5}`)})
		if err != nil {
			r.Error(err)
		}
		r.until("the event's execution is completed", time.Second, func() bool {
			for _, x := range r.rows.Rows().Executions {
				if x.Event == receipt.ID {
					return x.Status == attune.Completed
				}
			}
			return false
		})
	}
	poke := func(path string) func(r *rig) {
		return func(r *rig) { r.Tree().Tell(r.Tree().PID(path), "a message to nobody") }
	}
	for name, c := range map[string]struct {
		path  string       // of who hangs, or its beginning
		feed  func(r *rig) // gives it something to hang on, and does not wait
		other func(r *rig) // work that goes on
	}{
		"rules": {"node/rules", func(r *rig) {
			r.Offer(&attune.Event{Trigger: one, Payload: []byte(`{"ms":1}`)}, func(messages.Admitted) {})
		}, request},
		"output":    {"node/output", func(r *rig) { r.must(settings{MS: 0, Print: 1}) }, event},
		"inspector": {"node/inspector", poke("node/inspector"), event},
		"worker":    {"node/workers/a", poke("node/workers/a"), request},
		"partition": {"node/partitions/p-100", poke("node/partitions/p-100"), event},
		"execution": {"node/partitions/p-001/ex-", func(r *rig) {
			r.Tree().Tell(r.Tree().Partition(1), &messages.Admit{Proposals: []messages.Proposal{{Execution: &attune.Execution{Action: "t.run", ActionHash: "action run",
				Runner: "timed", Parameters: []byte(`{"ms":1}`), Status: attune.Requested}}}})
		}, event},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.work("a", 40)
				r.work("b", 40)
				b := &roadblock{path: c.path, free: make(chan struct{})}
				r.observe.set(b.observe)
				c.feed(r)
				synctest.Wait()
				victim := b.victim()
				if victim == "" {
					r.Fatal("nobody hangs")
				}
				for i := range 3 { // on top of what waits
					r.Tree().Tell(r.Tree().PID(victim), "a message to nobody")
					time.Sleep(300 * time.Millisecond)
					r.hangs(victim, i+1, time.Duration(i+1)*300*time.Millisecond)
				}
				c.other(r)
				close(b.free)
				r.until("it goes on", 5*time.Second, func() bool {
					d, err := r.Node.Actor(r.Context(), victim)
					return err != nil || d.Mailbox == 0 && string(d.Detail) != "null" // an execution may have ended
				})
				r.allOnce(10 * time.Second)
			})
		})
	}
}

// hangs checks how the inspection shows an actor that hangs.
func (r *rig) hangs(path string, waiting int, age time.Duration) {
	r.Helper()
	began := time.Now()
	found := false
	for _, v := range r.Actors() {
		if v.Path == path {
			found = v.Mailbox >= waiting && v.OldestAge >= age
		}
	}
	d, err := r.Node.Actor(r.Context(), path)
	if err != nil || !found || d.Mailbox < waiting || d.OldestAge < age || string(d.Detail) != "null" {
		r.Errorf("after %s with %d messages it is shown as %+v %s, %v; listed so: %v", age, waiting, d.ActorView, d.Detail, err, found)
	}
	if took := time.Since(began); took > 2*time.Second { // a second each, also where the inspector hangs
		r.Errorf("the inspection took %s", took)
	}
}
