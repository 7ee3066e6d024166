package node

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/persistence"
)

const (
	// remembered is how many changes a feed keeps: about 12 MB when it is full,
	// a second of a node at its limit, hours of an ordinary one. Fewer make
	// readers that stumble list anew more often.
	remembered = 1 << 15
	// keepsAfter is how long it goes on when the last listener has left: for
	// one whose connection broke, and comes back.
	keepsAfter = 2 * time.Minute
	// maxReason bounds the words of one change.
	maxReason = 200
)

// feed remembers the newest changes for those who listen. Naively each listener
// has a queue, which grows while it is slow, or blocks who fills it; here all
// read from one ring, each at its own place, and who falls behind it is told so.
// While nobody listens nothing is remembered, and a flush costs one look at a
// flag.
type feed struct {
	clock attune.Clock
	open  atomic.Bool // somebody listens, or did a while ago

	mu   sync.Mutex // guards what follows
	ring []api.Change
	// begin is the number of the first change that went into the ring, next
	// that of the next to come.
	begin, next int64
	ears        map[*ear]bool
	left        time.Time // when the last listener did
}

func newFeed(clock attune.Clock) *feed {
	return &feed{clock: clock, begin: 1, next: 1, ears: map[*ear]bool{}}
}

// Listen implements api.Changes.
func (n *Node) Listen(after int64) api.Listener { return n.feed.listen(after) }

func (f *feed) listen(after int64) *ear {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open.Store(true)
	e := &ear{feed: f, place: after, woken: make(chan struct{}, 1)}
	if after < 0 {
		e.place = f.next - 1
	}
	f.ears[e] = true
	return e
}

// first is the number of the oldest change that is remembered.
func (f *feed) first() int64 { return max(f.begin, f.next-remembered) }

// forget begins anew when nobody has listened for a while. The number that it
// leaves out makes sure that no place of before is taken for one without a gap.
func (f *feed) forget() bool {
	if len(f.ears) > 0 || f.clock.Now().Sub(f.left) < keepsAfter {
		return false
	}
	f.open.Store(false)
	f.next++
	f.ring, f.begin = nil, f.next
	return true
}

// committed takes what a flush has stored.
func (f *feed) committed(ops []persistence.Op, answers []persistence.Answer) {
	if !f.open.Load() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.forget() {
		return
	}
	now, before := f.clock.Now(), f.next
	for i, op := range ops {
		if answers[i].Outcome == persistence.Committed {
			f.take(now, op, answers[i].Skipped)
		}
	}
	if f.next == before {
		return
	}
	for e := range f.ears {
		select {
		case e.woken <- struct{}{}:
		default:
		}
	}
}

func (f *feed) take(now time.Time, op persistence.Op, skipped []string) {
	switch op := op.(type) {
	case *persistence.Admit:
		f.event(now, op.Event)
		f.group(now, op.Enforcements, op.Executions, skipped)
	case *persistence.Extend:
		if !op.Event.Evaluated.IsZero() {
			f.event(now, op.Event)
		}
		f.group(now, op.Enforcements, op.Executions, skipped)
	case *persistence.Rerun:
		f.group(now, []*attune.Enforcement{op.Enforcement}, []*attune.Execution{op.Execution}, skipped)
	case *persistence.Save:
		f.execution(now, op.Execution)
	case *persistence.SaveWorker:
		w := op.Worker
		f.add(api.Change{At: now, Kind: api.ChangeOfWorker, Status: w.State.String(), Version: w.Version, Worker: w.Name, Incarnation: w.Incarnation})
	case *persistence.RemoveWorker:
		f.add(api.Change{At: now, Kind: api.ChangeOfWorker, Status: "removed", Version: op.Version, Worker: op.Name})
	}
}

func (f *feed) event(now time.Time, e *attune.Event) {
	if e == nil {
		return
	}
	c := api.Change{At: now, Kind: api.ChangeOfEvent, ID: attune.ID(e.ID), Status: "accepted", Trigger: e.Trigger, Event: e.ID}
	if !e.Evaluated.IsZero() {
		c.Status = "evaluated"
	}
	f.add(c)
}

// group adds what an event yielded, without the rules whose enforcement was
// there before.
func (f *feed) group(now time.Time, ens []*attune.Enforcement, xs []*attune.Execution, skipped []string) {
	for _, e := range ens {
		if slices.Contains(skipped, e.Rule) {
			continue
		}
		c := api.Change{At: now, Kind: api.ChangeOfEnforcement, ID: attune.ID(e.ID), Status: e.Status.String(), Rule: e.Rule, Action: e.Action,
			Event: e.Event, Execution: e.Execution}
		if e.Failure != nil {
			c.Code, c.Reason = e.Failure.Code, clipped(e.Failure.Message)
		}
		f.add(c)
	}
	for _, x := range xs {
		if !slices.Contains(skipped, x.Rule) {
			f.execution(now, x)
		}
	}
}

func (f *feed) execution(now time.Time, x *attune.Execution) {
	c := api.Change{At: now, Kind: api.ChangeOfExecution, ID: attune.ID(x.ID), Status: x.Status.String(), Terminal: x.Status.Terminal(),
		Version: x.Version, Attempt: x.Attempt, Worker: x.Worker, Incarnation: x.Incarnation, Trigger: x.Trigger, Rule: x.Rule,
		Action: x.Action, ActionHash: x.ActionHash, Event: x.Event, Execution: x.ID, Parent: x.Parent, Reason: clipped(x.Reason),
		Requested: x.Requested, Started: x.Started, Finished: x.Finished}
	if x.Failure != nil {
		c.Code, c.Reason = x.Failure.Code, clipped(x.Failure.Message)
	}
	f.add(c)
}

func (f *feed) add(c api.Change) {
	c.Number = f.next
	if at := f.next - f.begin; at < remembered {
		f.ring = append(f.ring, c)
	} else {
		f.ring[at%remembered] = c
	}
	f.next++
}

// clipped are the first words, apart from the text they are of.
func clipped(s string) string {
	if len(s) <= maxReason {
		return s
	}
	return strings.ToValidUTF8(s[:maxReason], "") + "…"
}

// ear is one listener.
type ear struct {
	feed  *feed
	place int64 // guarded by the feed's mu
	woken chan struct{}
}

// Read implements api.Listener, as do the methods below.
func (e *ear) Read(into []api.Change) (int, bool) {
	f := e.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.place+1 < f.first() || e.place >= f.next {
		e.place = f.next - 1
		return 0, true
	}
	n := 0
	for n < len(into) && e.place+1 < f.next {
		e.place++
		into[n] = f.ring[(e.place-f.begin)%remembered]
		n++
	}
	return n, false
}

// Place is the number of the last change that was read.
func (e *ear) Place() int64 {
	e.feed.mu.Lock()
	defer e.feed.mu.Unlock()
	return e.place
}

// Woken gets a word when there may be more.
func (e *ear) Woken() <-chan struct{} { return e.woken }

// Close lets the feed forget the listener.
func (e *ear) Close() {
	f := e.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ears[e] {
		return
	}
	delete(f.ears, e)
	if len(f.ears) == 0 {
		f.left = f.clock.Now()
	}
}
