package worker_test

import (
	"context"
	"errors"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker"
)

// store is where packs come from: what it says is the test's.
type store struct {
	asked    []string
	err      error
	released int
	ctx      context.Context //nolint:containedctx // the test looks at its end
}

func (s *store) Hold(ctx context.Context, ref, hash string) (string, func(), error) {
	s.ctx = ctx
	s.asked = append(s.asked, ref+"@"+hash)
	if s.err != nil {
		return "", nil, s.err
	}
	return "/packs/" + hash, func() { s.released++ }, nil
}

// noting is a runner that notes the folder of what it runs.
type noting struct {
	*held
	dirs []string
}

func (n *noting) Start(d *messages.Dispatch, events func(worker.Event)) {
	n.dirs = append(n.dirs, d.Dir)
	n.held.Start(d, events)
}

func withPacks(t *testing.T) (*rig, *store, *noting) {
	r := newRig(t)
	s, n := &store{}, &noting{held: r.held}
	r.config.Packs = s
	r.config.Runners["script"] = n
	return r.start(), s, n
}

func (r *rig) scripted(n int) messages.Dispatch {
	d := r.dispatch(n, "script")
	d.Pack, d.PackHash, d.EntryPoint, d.Dir = "demo", "abc", "run.sh", "/on/the/node"
	return d
}

// An attempt runs in the folder that its pack has here, whatever the node says,
// and lets it go at its end.
func TestAnEntryPointRunsInThePackOfThisMachine(t *testing.T) {
	r, s, n := withPacks(t)
	r.send(r.scripted(1), r.dispatch(2, "held"))
	r.settle()
	r.expect("asked for", s.asked, "[demo@abc]")
	r.expect("folder", n.dirs, "[/packs/abc]")
	r.expect("released while it runs", s.released, 0)
	r.held.end(token(1), messages.Finished, "")
	r.settle()
	r.expect("released", s.released, 1)
	r.expect("says", r.reports(1), "[started finished]")
}

// What can never be had is refused, what may be had later comes back.
func TestAPackThatCannotBeHad(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"one that nobody has is refused", attune.NewError(attune.NotFound, "x", "x"), "[refused]"},
		{"one that is no pack is refused", attune.NewError(attune.Invalid, "x", "x"), "[refused]"},
		{"one that is too large is refused", attune.NewError(attune.TooLarge, "x", "x"), "[refused]"},
		{"one that has changed meanwhile comes back", attune.NewError(attune.Conflict, "x", "x"), "[returned]"},
		{"one whose server is away comes back", attune.NewError(attune.Unavailable, "x", "x"), "[returned]"},
		{"a full disk gives it back", errors.New("no space left on device"), "[returned]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, s, n := withPacks(t)
			s.err = c.err
			r.send(r.scripted(1))
			r.settle()
			r.expect("says", r.reports(1), c.want)
			r.expect("started", len(n.dirs), 0)
			s.err = nil
			r.send(r.scripted(2), r.scripted(3)) // its slot is free again
			r.settle()
			r.expect("started later", len(n.dirs), 2)
		})
	}
}

// While a pack comes, the worker hears everything else; a stop ends the waiting.
func TestWaitingForAPackHoldsNobodyUp(t *testing.T) {
	r := newRig(t)
	s, n := &store{}, &noting{held: r.held}
	r.config.Packs, r.config.Runners["script"] = s, n
	var network []func() // what was lent from within a turn
	lend, turning := r.config.Lend, false
	r.config.Lend = func(f func()) {
		if turning {
			network = append(network, f)
			return
		}
		lend(func() {
			turning = len(network) == 0 && r.lastSeen.Worker != ""
			f()
			turning = false
		})
	}
	r.start()
	r.send(r.scripted(1))
	r.settle()
	r.send(r.dispatch(2, "held"), r.dispatch(3, "noop"))
	r.settle()
	r.expect("another runs", r.reports(2), "[started]")
	r.expect("there is no slot for a third", r.reports(3), "[returned]")
	r.send(messages.Stop{Token: token(1), Worker: "w", Incarnation: "w-1", Node: "n1", Epoch: 1})
	r.settle()
	r.expect("stopped", r.reports(1), "[returned]")
	for _, f := range network {
		f()
	}
	r.settle()
	r.expect("started", len(n.dirs), 0)
	r.expect("released", s.released, len(s.asked))
	r.worker.Stop()
	r.expect("the end ends what is fetched", context.Cause(s.ctx) != nil, true)
}
