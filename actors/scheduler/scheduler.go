// Package scheduler is the actor that gives runs a slot: on the worker with the
// fewest attempts in flight among those that fit, ties in turn. A run leaves
// the queue only for a free slot.
package scheduler

import (
	"sort"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
)

// Scheduler holds the free slots that the workers' actors granted, and the runs
// that wait. Reserving is local; the worker's actor is told and stays the one
// authority on its load. After a restart it asks everybody again.
type Scheduler struct {
	tree    *actors.Tree
	loads   []*load // in the order of workers' names
	queues  map[string]*queue
	waiting map[attune.ExecutionID]*run
	arrival int64
	turn    int64 // counts placements, so that equal loads rotate
}

// load is what the scheduler knows of one worker.
type load struct {
	worker, incarnation string
	runners             map[string]bool
	free                int
	placed              map[attune.Token]bool
	before              int // in flight and placed before this scheduler started
	lastTurn            int64
}

func (l *load) inFlight() int { return len(l.placed) + l.before }

// run is a request for a slot.
type run struct {
	place   *messages.Place
	arrival int64
	gone    bool // withdrawn; skipped in its queue
}

// New is a node's scheduler.
func New(tree *actors.Tree) *Scheduler {
	return &Scheduler{tree: tree, queues: map[string]*queue{}, waiting: map[attune.ExecutionID]*run{}}
}

// Kind implements actors.Actor.
func (s *Scheduler) Kind() string { return "scheduler" }

// State implements actors.Actor.
func (s *Scheduler) State() string {
	if len(s.waiting) > 0 {
		return "queueing"
	}
	return "open"
}

// Detail implements actors.Actor.
func (s *Scheduler) Detail() any {
	workers := []map[string]any{}
	for _, l := range s.loads {
		workers = append(workers, map[string]any{"worker": l.worker, "incarnation": l.incarnation, "free": l.free, "in_flight": l.inFlight()})
	}
	return map[string]any{"workers": workers, "waiting": len(s.waiting), "placed": s.turn}
}

// Receive implements actor.Actor.
func (s *Scheduler) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.tree.Tell(s.tree.Workers, &messages.SchedulerStarted{})
		s.tree.Tell(s.tree.Partitions, &messages.SchedulerStarted{})
	case *messages.Place:
		s.place(m)
	case *messages.Withdraw:
		s.withdraw(m.ID)
	case *messages.GrantSlots:
		s.grant(m)
	case *messages.RevokeSlots:
		s.revoke(m.Worker, m.Incarnation)
	case *messages.ReturnSlots:
		s.giveBack(m)
	case *messages.FreeSlot:
		s.free(m)
	}
	s.tree.Meters.Waiting.Store(int64(len(s.waiting)))
}

// place gives the run a slot now or queues it. Asked again for a run that
// waits, it says so again.
func (s *Scheduler) place(m *messages.Place) {
	if s.waiting[m.ID] != nil {
		s.tell(m.ID, &messages.Queued{ID: m.ID, Reason: s.explain(m.Runner)})
		return
	}
	for _, l := range s.loads { // its actor has lost the answer: the slot is still its own
		if l.placed[attune.Token{Execution: m.ID, Attempt: m.Attempt}] {
			s.tell(m.ID, &messages.Placed{ID: m.ID, Attempt: m.Attempt, Worker: l.worker, Incarnation: l.incarnation})
			return
		}
	}
	q := s.queues[m.Runner]
	if q == nil || q.empty() {
		if l := s.choose(m); l != nil {
			s.assign(l, m)
			return
		}
	}
	if q == nil {
		q = &queue{}
		s.queues[m.Runner] = q
	}
	s.arrival++
	r := &run{place: m, arrival: s.arrival}
	s.waiting[m.ID] = r
	q.push(r)
	s.tell(m.ID, &messages.Queued{ID: m.ID, Reason: s.explain(m.Runner)})
}

// choose is the worker for a run: it has the runner and a free slot, did not just
// give it back, and has the fewest in flight; of equals the one that waited
// longest for its turn.
func (s *Scheduler) choose(m *messages.Place) *load {
	var best *load
	if s.tree.Draining() {
		return nil
	}
	for _, l := range s.loads {
		if l.free > 0 && l.runners[m.Runner] && (best == nil || l.precedes(best, m.Not)) {
			best = l
		}
	}
	return best
}

// precedes reports that a run goes to this worker rather than to the other.
func (l *load) precedes(other *load, not string) bool {
	switch {
	case l.worker == not || other.worker == not:
		return other.worker == not
	case l.inFlight() != other.inFlight():
		return l.inFlight() < other.inFlight()
	}
	return l.lastTurn < other.lastTurn
}

func (s *Scheduler) assign(l *load, m *messages.Place) {
	token := attune.Token{Execution: m.ID, Attempt: m.Attempt}
	s.turn++
	l.free--
	l.lastTurn = s.turn
	l.placed[token] = true
	s.tree.Tell(s.tree.Workers, &messages.SlotTaken{Token: token, Worker: l.worker, Incarnation: l.incarnation})
	s.tell(m.ID, &messages.Placed{ID: m.ID, Attempt: m.Attempt, Worker: l.worker, Incarnation: l.incarnation})
}

// tell reaches the execution through its place in the tree.
func (s *Scheduler) tell(id attune.ExecutionID, m any) {
	s.tree.Tell(s.tree.Partition(id.Partition()), &messages.ToExecution{ID: id, Message: m})
}

// explain says why a run waits.
func (s *Scheduler) explain(runner string) string {
	have, slots := 0, 0
	for _, l := range s.loads {
		if l.runners[runner] {
			have++
			slots += l.inFlight()
		}
	}
	switch {
	case len(s.loads) == 0:
		return "waiting for a worker: none is connected"
	case have == 0:
		return "waiting for a worker with the runner " + runner + ": none of " + plural(len(s.loads), "worker") + " has it"
	}
	return "waiting for a free slot: " + plural(slots, "attempt") + " on " + plural(have, "worker")
}

func (s *Scheduler) withdraw(id attune.ExecutionID) {
	if r := s.waiting[id]; r != nil {
		s.queues[r.place.Runner].withdraw(r)
		delete(s.waiting, id)
	}
}

// grant adds free slots of a worker and fills them with what waits, the oldest
// first.
func (s *Scheduler) grant(m *messages.GrantSlots) {
	l := s.load(m.Worker, m.Incarnation)
	if l == nil {
		s.revoke(m.Worker, "")
		l = &load{worker: m.Worker, incarnation: m.Incarnation, placed: map[attune.Token]bool{}}
		s.loads = append(s.loads, l)
		sort.Slice(s.loads, func(i, j int) bool { return s.loads[i].worker < s.loads[j].worker })
	}
	if m.Reset {
		under := l.underWay(m.Tokens)
		l.free, l.before = -under, max(0, m.Taken+under-len(l.placed))
	}
	l.free += m.Free
	if m.Runners != nil {
		l.runners = map[string]bool{}
		for _, r := range m.Runners {
			l.runners[r] = true
		}
	}
	s.fill()
}

// free counts an attempt that runs no more. Its slot comes with a grant.
func (s *Scheduler) free(m *messages.FreeSlot) {
	l := s.load(m.Worker, m.Incarnation)
	switch {
	case l == nil:
	case l.placed[m.Token]:
		delete(l.placed, m.Token)
	case l.before > 0:
		l.before--
	}
}

// underWay counts the placed attempts that the worker's actor does not know yet.
func (l *load) underWay(known []attune.Token) int {
	n := len(l.placed)
	for _, t := range known {
		if l.placed[t] {
			n--
		}
	}
	return n
}

// fill places what waits on what is free: always the oldest run that some
// worker with a free slot can take.
func (s *Scheduler) fill() {
	for len(s.waiting) > 0 {
		var oldest *run
		var at *load
		var from *queue
		for _, q := range s.queues {
			r := q.first()
			if r == nil || oldest != nil && r.arrival > oldest.arrival {
				continue
			}
			if l := s.choose(r.place); l != nil {
				oldest, at, from = r, l, q
			}
		}
		if oldest == nil {
			return
		}
		from.pop()
		delete(s.waiting, oldest.place.ID)
		s.assign(at, oldest.place)
	}
}

// revoke forgets a worker; an empty incarnation means whichever is known.
func (s *Scheduler) revoke(worker, incarnation string) {
	for i, l := range s.loads {
		if l.worker == worker && (incarnation == "" || l.incarnation == incarnation) {
			s.loads = append(s.loads[:i], s.loads[i+1:]...)
			return
		}
	}
}

func (s *Scheduler) giveBack(m *messages.ReturnSlots) {
	back := &messages.SlotsReturned{Worker: m.Worker, Incarnation: m.Incarnation, Number: m.Number}
	if l := s.load(m.Worker, m.Incarnation); l != nil {
		l.free = 0
		for t := range l.placed {
			back.Tokens = append(back.Tokens, t)
		}
		sort.Slice(back.Tokens, func(i, j int) bool { return back.Tokens[i].Execution < back.Tokens[j].Execution })
	}
	s.tree.Tell(s.tree.Workers, back)
}

func (s *Scheduler) load(worker, incarnation string) *load {
	for _, l := range s.loads {
		if l.worker == worker && l.incarnation == incarnation {
			return l
		}
	}
	return nil
}
