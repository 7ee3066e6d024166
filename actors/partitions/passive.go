package partitions

import (
	"cmp"
	"container/heap"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// passive are the executions of a partition that only wait. Naively each is an
// actor with its row in memory, some 2 kB and its parameters, so that a million
// of them are no longer a wait but an outage. Here each is an entry of a map and
// a moment; the row is fetched, and an actor started, when its moment comes or
// somebody has something to say to it.
type passive struct {
	waiting map[attune.ExecutionID]wait
	// late are those whose moment has come while many others were being woken,
	// in order.
	late []moment
	// wanted are those whose rows are to be fetched; fetching means that some
	// are.
	wanted   []attune.ExecutionID
	fetching bool
	// warm counts the entries that wait for a slot and keep their actors, woken
	// those whose moment has just come.
	warm, woken int
	told        int // the count of live executions that was told last
}

// wait is one execution that only waits.
type wait struct {
	// at is when it needs an actor, or 0; due is its moment in the heap.
	at, due int64
	// place is what the scheduler holds for it, or nil.
	place *messages.Place
}

const (
	// replace is how often what waits for a slot says so again: the scheduler
	// asks for it when it starts, so that this is only for the unforeseen.
	replace = 10 * time.Minute
	// maxWoken bounds the executions that are between their moment and the next
	// thing they wait for: a million moments that passed while the node was down
	// come one after the other.
	maxWoken = 64
	// fetchPage is how many rows are fetched at a time.
	fetchPage = 100
	// maxHeld bounds what is held for an execution that has no actor.
	maxHeld = 1000
	// isLate is the moment of one that stands in late.
	isLate = -1
)

// count is how many executions live.
func (p *partition) count() int { return len(p.live) + len(p.waiting) }

// tally tells the node how many executions live.
func (p *partition) tally() {
	if n := p.count(); n != p.told {
		p.told = n
		p.owned.Live(p.row.ID, n)
	}
}

// await takes over a stored execution that only waits.
func (p *partition) await(row persistence.Live) {
	w := wait{}
	if d := row.Limits.Deadline; !d.IsZero() {
		w.at = d.UnixNano()
	}
	if row.Status == attune.Scheduling {
		w.place = p.executions.Place(row)
		p.tree.Tell(p.tree.Scheduler, w.place)
	} else if until := row.Until.UnixNano(); w.at == 0 || until < w.at {
		w.at = until
	}
	p.put(row.ID, w)
}

func (p *partition) put(id attune.ExecutionID, w wait) {
	w.due = w.at
	if w.place != nil {
		if again := p.tree.Clock.Now().Add(replace).UnixNano(); w.due == 0 || again < w.due {
			w.due = again
		}
	}
	p.waiting[id] = w
	heap.Push(&p.moments, moment{w.due, id})
	p.prune()
}

// settled means that an execution whose moment came has the next thing to wait
// for, or an attempt.
func (p *partition) settled(e *entry) {
	if e.warm {
		e.warm = false
		p.warm--
	}
	if e.woken {
		e.woken = false
		p.woken--
		p.wakeLate()
	}
}

// drop forgets an execution.
func (p *partition) drop(e *entry) {
	if p.live[e.id] == e {
		delete(p.live, e.id)
		p.settled(e)
	}
}

// rest lets the actor of a passive execution end, once it has handed back what
// it was sent before.
func (p *partition) rest(m *messages.Passive) {
	e := p.live[m.ID]
	if e == nil || e.away() || e.life != m.Life || e.stopped || e.admission != nil {
		return // said by an earlier life
	}
	e.ending = &wait{at: m.At, place: m.Place}
	e.due = 0
	p.settled(e)
	p.tree.Tell(e.pid, &actor.PoisonPill{})
}

// ended goes on without the actor, unless somebody wants it again already.
func (p *partition) ended(e *entry) {
	p.drop(e)
	p.put(e.id, *e.ending)
	p.arm()
	for _, m := range e.held {
		p.deliver(e.id, m)
	}
}

// dueWaiting is the moment of an execution without an actor.
func (p *partition) dueWaiting(due moment, now int64) {
	w := p.waiting[due.id]
	if w.at != 0 && w.at <= now {
		w.due = isLate
		p.waiting[due.id] = w
		p.late = append(p.late, due)
		return
	}
	if w.place != nil {
		p.tree.Tell(p.tree.Scheduler, w.place)
	}
	p.put(due.id, w)
}

// wakeLate starts the actors of those whose moment has come, as many as may be
// under way.
func (p *partition) wakeLate() {
	for len(p.late) > 0 && p.woken < maxWoken {
		id := p.late[0].id
		if p.late = p.late[1:]; len(p.late) == 0 {
			p.late = nil
		}
		if w, waits := p.waiting[id]; waits && w.due == isLate {
			p.woken++
			p.fetch(id, w).woken = true
		}
	}
}

// rouse decides whether a message is worth an actor.
func (p *partition) rouse(id attune.ExecutionID, w wait, m any) {
	switch m := m.(type) {
	case *messages.SchedulerStarted:
		if w.place != nil {
			p.tree.Tell(p.tree.Scheduler, w.place)
		}
	case *messages.Report:
		if m.Kind != messages.Started && m.Kind != messages.NotMine {
			p.hold(p.fetch(id, w), m)
		}
	case *messages.Due, *messages.Queued, *messages.WorkerLost, *messages.Passivate:
	default:
		p.hold(p.fetch(id, w), m)
	}
}

// hold keeps what an execution must hear once it has an actor.
func (p *partition) hold(e *entry, m any) {
	switch m := m.(type) {
	case *messages.SchedulerStarted:
		switch {
		case e.ending == nil:
			e.queued = false // it asks for a slot itself
		case e.ending.place != nil:
			p.tree.Tell(p.tree.Scheduler, e.ending.place)
		}
	case *messages.Due, *messages.Queued, *messages.WorkerLost, *messages.Passivate:
	case *messages.Cancel:
		if len(e.held) >= maxHeld {
			m.Reply(nil, errLoading)
			return
		}
		e.held = append(e.held, m)
	default:
		if len(e.held) < maxHeld {
			e.held = append(e.held, m)
		}
	}
}

// fetch reads the row of a passive execution, to start its actor with.
func (p *partition) fetch(id attune.ExecutionID, w wait) *entry {
	delete(p.waiting, id)
	e := &entry{id: id, queued: w.place != nil}
	p.live[id] = e
	p.wanted = append(p.wanted, id)
	p.fetchPage()
	return e
}

// fetched are the rows of passive executions that could be read; nil is not
// there. The first error is of those that could not.
type fetched struct {
	by     *partition
	ids    []attune.ExecutionID
	rows   []*attune.Execution
	failed []attune.ExecutionID
	err    error
}

func (p *partition) fetchPage() {
	if p.fetching || len(p.wanted) == 0 {
		return
	}
	p.fetching = true
	n := min(len(p.wanted), fetchPage)
	ids := slices.Clone(p.wanted[:n])
	if p.wanted = p.wanted[n:]; len(p.wanted) == 0 {
		p.wanted = nil
	}
	p.fetchRows(ids)
}

func (p *partition) fetchRows(ids []attune.ExecutionID) {
	tree, store, self, prepare := p.tree, p.store, p.self, p.executions.Prepare
	tree.Lend(func() {
		m := &fetched{by: p}
		for _, id := range ids {
			row, err := store.Execution(context.Background(), id)
			switch {
			case err == nil:
				err = prepare([]*attune.Execution{row})
			case attune.KindOf(err) == attune.NotFound:
				row, err = nil, nil
			}
			if err != nil {
				m.failed, m.err = append(m.failed, id), cmp.Or(m.err, err)
				continue
			}
			m.ids, m.rows = append(m.ids, id), append(m.rows, row)
		}
		tree.Tell(self, m)
	})
}

// fetchAgain tries once more what could not be read. The others go on meanwhile:
// a row that can never be read holds up nothing but itself.
type fetchAgain struct {
	by  *partition
	ids []attune.ExecutionID
}

func (p *partition) addFetched(ctx actor.Context, m *fetched) {
	if m.by != p {
		return
	}
	for i, row := range m.rows {
		e := p.live[m.ids[i]]
		if row == nil { // somebody deleted it by hand
			p.drop(e)
			e.dismiss(notLive(e.id))
			continue
		}
		e.pid = p.spawnActor(ctx, row.ID)
		p.tree.Tell(e.pid, &messages.Load{Execution: row, Life: e.life, Queued: e.queued, Held: e.held})
		e.held = nil
	}
	if m.err != nil {
		p.tree.Log.Error("fetching executions failed, trying again", slog.Int("partition", p.row.ID), slog.Int("count", len(m.failed)),
			slog.String("execution", m.failed[0].String()), slog.String("error", m.err.Error()))
		tree, self := p.tree, p.self
		tree.Clock.AfterFunc(loadRetry, func() { tree.Tell(self, &fetchAgain{p, m.failed}) })
	}
	p.fetching = false
	p.fetchPage()
	p.arm()
}

// dismiss answers those who wait for a cancel that this partition will not come
// to.
func (e *entry) dismiss(err error) {
	for _, m := range e.held {
		if c, ok := m.(*messages.Cancel); ok {
			c.Reply(nil, err)
		}
	}
	e.held = nil
}

// placeAll asks again for the slots that passive executions wait for.
func (p *partition) placeAll() {
	ids := make([]attune.ExecutionID, 0, len(p.waiting))
	for id, w := range p.waiting {
		if w.place != nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		p.tree.Tell(p.tree.Scheduler, p.waiting[id].place)
	}
}
