package workers

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// The lease of a worker.
const (
	// Lease is how long an answer to a heartbeat lets a worker run that asks for
	// nothing else.
	Lease = 10 * time.Second
	// killMargin is how long after the end of its lease every run of a worker
	// is surely ended.
	killMargin = 2 * time.Second
	// audit is how often slots are checked that were taken long ago.
	audit = 5 * time.Second
)

// worker is the actor of one worker: it answers heartbeats, and so extends the
// lease; it declares the incarnation lost, which becomes a fact when it is
// stored; it counts the slots.
type worker struct {
	tree  *actors.Tree
	store persistence.Loader
	links Links
	name  string
	self  *actor.PID
	known *memory

	taken map[attune.Token]time.Time
	// counted means that taken is complete, so that slots may be granted.
	counted bool
	// answered is when the newest answer was sent, or when this actor began, on
	// the clock that never jumps; heard is the same in database time, to show.
	answered time.Duration
	heard    time.Time
	draining bool
	// deaf is when this actor last could not have heard the worker, whoever was
	// to blame; down since when the broker is away, zero while it is not.
	deaf, down time.Duration
	// writing is the row on its way to the store, and what follows: then once it
	// is stored, else refused.
	writing *attune.Worker
	then    func()
	refused func(reason string)
	// removing is the removal on its way to the store.
	removing *removal
	// orders wait for the end of writing or removing.
	orders  []any
	checked time.Duration
	// slots and used are this worker's meters, once they are known.
	slots, used *atomic.Int64
}

// memory is what a worker's actor must not forget in a restart.
type memory struct {
	row   *attune.Worker // as stored; nil before the first registration
	again bool           // this is not the first life of the actor
	// recounts counts them over all lives: only the last one's answers count.
	recounts int64
	left     string // the incarnation that said that it leaves
}

func newWorker(tree *actors.Tree, store persistence.Loader, links Links, name string, known *memory) *worker {
	return &worker{tree: tree, store: store, links: links, name: name, known: known, taken: map[attune.Token]time.Time{}}
}

// Kind implements actors.Actor.
func (w *worker) Kind() string { return "worker" }

// State implements actors.Actor.
func (w *worker) State() string {
	switch {
	case w.known.row == nil:
		return "registering"
	case w.givenNothing() && w.alive():
		return "draining"
	}
	return w.known.row.State.String()
}

// Detail implements actors.Actor.
func (w *worker) Detail() any {
	d := map[string]any{"worker": w.name, "taken": len(w.taken), "counted": w.counted, "answered": w.heard}
	if r := w.known.row; r != nil {
		d["incarnation"], d["slots"], d["runners"], d["state"] = r.Incarnation, r.Slots, r.Runners, r.State
	}
	return d
}

type (
	// tick, reread and recountAgain are dropped by an actor that did not ask.
	tick struct{ by *worker }
	// reread is the row as stored, where this actor may not know it; gone says
	// that there is none.
	reread struct {
		by   *worker
		row  *attune.Worker
		gone bool
	}
	recountAgain struct{ by *worker }
	counted      struct {
		incarnation string
		number      int64
		rows        []*attune.Execution
		err         error
	}
)

// Receive implements actor.Actor.
func (w *worker) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		w.start(ctx)
	case *tick:
		if m.by == w {
			w.tick()
		}
	case *recountAgain:
		if m.by == w && w.alive() && !w.counted {
			w.recount()
		}
	case *messages.Registered:
		w.register(m)
	case *messages.Heartbeat:
		w.heartbeat(m)
	case *messages.Draining:
		w.drain(m)
	case *messages.SlotTaken:
		w.take(m)
	case *messages.FreeSlot:
		w.free(m)
	case *messages.SlotsReturned:
		w.returned(m)
	case *counted:
		w.count(m)
	case *messages.SchedulerStarted:
		if w.alive() && !w.counted {
			w.recount() // the scheduler may have lost the question
		}
		w.grant(true)
	case *reread:
		switch {
		case m.by == w && m.gone:
			w.forget()
		case m.by == w:
			w.adopt(m.row)
		}
	case *messages.WorkerForgotten:
		if !w.alive() && w.known.row != nil {
			w.read()
		}
	case *messages.CheckIncarnation:
		w.check(m)
	case *actors.Written:
		w.written(m)
	case *List:
		w.list(m)
	case *messages.DrainWorker, *messages.RemoveWorker, *unsettled:
		w.order(m)
	}
	w.meter()
}

// meter shows slots of a worker that is there.
func (w *worker) meter() {
	if w.slots == nil {
		w.slots, w.used = w.tree.Meters.Slots.Of(w.name), w.tree.Meters.Taken.Of(w.name)
	}
	slots := 0
	if w.alive() {
		slots = w.known.row.Slots
	}
	w.slots.Store(int64(slots))
	w.used.Store(int64(len(w.taken)))
}

func (w *worker) alive() bool {
	r := w.known.row
	return r != nil && (r.State == attune.WorkerAlive || r.State == attune.WorkerDraining)
}

func (w *worker) start(ctx actor.Context) {
	w.self = ctx.Self()
	w.answered = w.tree.Mono()
	w.heard, w.checked = w.tree.Clock.Now(), w.answered
	if w.alive() {
		w.recount()
	}
	if w.known.again {
		w.read()
	}
	w.known.again = true
	w.again()
}

// read fetches the stored row: the answer to a write may have been lost with
// this actor's life before.
func (w *worker) read() {
	tree, store, self, name := w.tree, w.store, w.self, w.name
	tree.Lend(func() {
		rows, err := store.Workers(context.Background())
		if err != nil {
			tree.Clock.AfterFunc(loadRetry, func() { tree.Tell(self, &reread{by: w}) })
			return
		}
		for _, row := range rows {
			if row.Name == name {
				tree.Tell(self, &reread{by: w, row: row})
				return
			}
		}
		tree.Tell(self, &reread{by: w, gone: true})
	})
}

// forget begins anew: the row of a worker that is lost, or left, was deleted.
func (w *worker) forget() {
	if !w.alive() && w.writing == nil && w.removing == nil {
		w.known.row = nil
	}
}

// adopt goes on with a stored row that this life of the actor did not write;
// nil means that it is to be read again.
func (w *worker) adopt(row *attune.Worker) {
	switch known := w.known.row; {
	case row == nil:
		w.read()
		return
	case known != nil && known.Version >= row.Version:
		return
	}
	w.known.row = row
	w.taken, w.counted = map[attune.Token]time.Time{}, false
	if w.alive() {
		w.recount()
		return
	}
	w.tree.Tell(w.tree.Partitions, &messages.WorkerLost{Worker: w.name, Incarnation: row.Incarnation, Left: row.State == attune.WorkerLeft})
}

func (w *worker) again() {
	tree, self := w.tree, w.self
	tree.Clock.AfterFunc(time.Second, func() { tree.Tell(self, &tick{w}) })
}

// tick declares the worker lost when it was not answered for its lease and the
// kill margin, and audits old slots. The naive way, to count from the last
// answer alone, loses every worker at the end of a broker's outage: none could
// be heard. So what counts is the time in which it could.
func (w *worker) tick() {
	now := w.tree.Mono()
	w.listen(now)
	w.leave()
	if patience := w.lease() + killMargin; w.alive() && now-max(w.answered, w.deaf) >= patience {
		w.lose("not heard of for " + patience.String())
	}
	if w.alive() && now-w.checked >= audit {
		w.checked = now
		w.audit(w.tree.Clock.Now())
	}
	w.again()
}

// lease is how long an answer lets the worker run.
func (w *worker) lease() time.Duration {
	if w.known.row != nil && w.known.row.Lease > 0 {
		return w.known.row.Lease
	}
	return Lease
}

// listen notes whether the worker could be heard now. One that has called by
// the other way since the broker went away can be, and is lost like any other.
func (w *worker) listen(now time.Duration) {
	switch {
	case w.links.Up():
		w.down = 0
		return
	case w.down == 0:
		w.down = now
	}
	if w.links.Called(w.name) < w.down {
		w.deaf = now
	}
}

// givenNothing says that no more is placed on it.
func (w *worker) givenNothing() bool {
	return w.draining || w.known.row != nil && w.known.row.Drained
}

// register takes a new incarnation. While another of that name is alive it is
// refused, unless it proves that it is the successor and holds the journal.
func (w *worker) register(m *messages.Registered) {
	if w.writing != nil || w.removing != nil {
		return // it may be being declared lost: the answer would be a lease. The worker repeats it
	}
	row := w.known.row
	if row != nil && row.Incarnation == m.Incarnation {
		w.answerRegistration(m)
		return
	}
	if w.alive() && !contains(m.Earlier, row.Incarnation) {
		w.send(messages.RegisterAck{Worker: w.name, Incarnation: m.Incarnation, Sent: m.Sent, Node: w.tree.Incarnation,
			Refused: "a worker named " + w.name + " is alive: incarnation " + row.Incarnation})
		return
	}
	now := w.tree.Clock.Now()
	next := &attune.Worker{Name: w.name, Incarnation: m.Incarnation, State: attune.WorkerAlive, Runners: m.Runners, Slots: m.Slots,
		Labels: m.Labels, Zone: m.Zone, Registered: now, Changed: now, Lease: m.Lease, Version: 1}
	if row != nil {
		next.Version, next.Drained = row.Version+1, row.Drained
		w.tree.Tell(w.tree.Scheduler, &messages.RevokeSlots{Worker: w.name, Incarnation: row.Incarnation})
	}
	w.save(next, func() {
		w.taken, w.counted, w.draining = map[attune.Token]time.Time{}, true, false
		w.answerRegistration(m)
		w.grant(true)
		w.tree.Log.Info("worker registered", slog.String("worker", w.name), slog.String("incarnation", m.Incarnation), slog.Int("slots", m.Slots))
	})
}

func (w *worker) answerRegistration(m *messages.Registered) {
	ack := messages.RegisterAck{Worker: w.name, Incarnation: m.Incarnation, Sent: m.Sent, Node: w.tree.Incarnation}
	if w.alive() {
		w.answer()
	} else {
		ack.Lost = true
	}
	w.send(ack)
}

// answer counts that the worker is being answered now.
func (w *worker) answer() { w.answered, w.heard = w.tree.Mono(), w.tree.Clock.Now() }

// heartbeat is answered by this actor alone: the answer is what lets the worker
// go on.
func (w *worker) heartbeat(m *messages.Heartbeat) {
	row := w.known.row
	if row == nil || row.Incarnation != m.Incarnation {
		if w.writing == nil && row != nil {
			w.send(messages.HeartbeatAck{Worker: w.name, Incarnation: m.Incarnation, Sent: m.Sent, Lost: true, Node: w.tree.Incarnation})
		}
		return
	}
	lost := !w.alive()
	if !lost && w.writing == nil {
		w.answer()
	} else if !lost {
		return // it may be being declared lost: no answer extends anything now
	}
	w.send(messages.HeartbeatAck{Worker: w.name, Incarnation: m.Incarnation, Sent: m.Sent, Lost: lost, Drained: row.Drained, Node: w.tree.Incarnation})
	if w.draining != m.Draining {
		w.draining = m.Draining
		w.grant(true)
	}
}

func (w *worker) drain(m *messages.Draining) {
	row := w.known.row
	if row == nil || row.Incarnation != m.Incarnation || !w.alive() {
		return
	}
	w.draining = true
	w.tree.Tell(w.tree.Scheduler, &messages.RevokeSlots{Worker: w.name, Incarnation: row.Incarnation})
	if m.Left {
		w.known.left = m.Incarnation
		w.leave()
	}
}

// leave stores that the worker has left, which it says once: while its row is on
// its way to the store that waits.
func (w *worker) leave() {
	if r := w.known.row; w.writing == nil && w.alive() && r.Incarnation == w.known.left {
		w.end(attune.WorkerLeft, "left in order")
	}
}

// lose declares the incarnation lost. Everything acts only once that is stored.
func (w *worker) lose(why string) {
	if w.writing == nil {
		w.end(attune.WorkerLost, why)
	}
}

func (w *worker) end(state attune.WorkerState, why string) {
	next := *w.known.row
	next.State, next.Changed = state, w.tree.Clock.Now()
	next.Version++
	w.tree.Tell(w.tree.Scheduler, &messages.RevokeSlots{Worker: w.name, Incarnation: next.Incarnation})
	w.save(&next, func() {
		level := slog.LevelWarn
		if state == attune.WorkerLeft {
			level = slog.LevelInfo
		} else {
			w.tree.Meters.WorkersLost.Add(1)
		}
		w.tree.Log.Log(context.Background(), level, "worker "+state.String(), slog.String("worker", w.name), slog.String("incarnation", next.Incarnation), slog.String("reason", why))
		w.taken, w.counted = map[attune.Token]time.Time{}, false
		w.tree.Tell(w.tree.Partitions, &messages.WorkerLost{Worker: w.name, Incarnation: next.Incarnation, Left: state == attune.WorkerLeft})
	})
}

func (w *worker) save(row *attune.Worker, then func()) {
	w.writing, w.then = row, then
	w.tree.Tell(w.tree.Writer, &actors.Submit{Op: &persistence.SaveWorker{Worker: row}, ReplyTo: w.self})
}

func (w *worker) written(m *actors.Written) {
	if op, ok := m.Op.(*persistence.RemoveWorker); ok {
		w.removed(op, m.Answer)
		return
	}
	save, ok := m.Op.(*persistence.SaveWorker)
	if !ok {
		return
	}
	if save.Worker != w.writing { // of this actor's life before its restart
		if m.Answer.Outcome == persistence.Committed {
			w.adopt(save.Worker)
		}
		return
	}
	then, refused := w.then, w.refused
	w.writing, w.then, w.refused = nil, nil, nil
	if m.Answer.Outcome == persistence.Committed {
		w.known.row = save.Worker
		then()
		w.leave()
	} else {
		w.read()
		w.tree.Log.Error("the store refused a worker's state", slog.String("worker", w.name), slog.String("outcome", m.Answer.Outcome.String()), slog.String("reason", m.Answer.Reason))
		if refused != nil {
			refused(m.Answer.Reason)
		} // else the worker repeats, or the next tick does
	}
	w.obey()
}

// check tells an execution whether the incarnation of its attempt is lost: only
// the present one of a worker that is alive is not. The successor of an
// incarnation speaks for its tokens; asked for one it knows nothing of, it says
// so, and then the incarnation was declared lost before. Without a row the worker
// was removed, or is not taken yet: nobody has anything of it.
func (w *worker) check(m *messages.CheckIncarnation) {
	row := w.known.row
	same := row != nil && row.Incarnation == m.Incarnation
	if w.writing != nil || same && w.alive() {
		return
	}
	if !same && w.alive() && !m.NotMine {
		return // its successor may hold the journal
	}
	tellLost(w.tree, m, same && row.State == attune.WorkerLeft)
}

// tellLost answers an execution that its incarnation is no more.
func tellLost(tree *actors.Tree, m *messages.CheckIncarnation, left bool) {
	tree.Tell(tree.Partition(m.Execution.Partition()), &messages.ToExecution{ID: m.Execution,
		Message: &messages.WorkerLost{Worker: m.Worker, Incarnation: m.Incarnation, Left: left}})
}

func (w *worker) send(item any) {
	w.tree.Tell(w.tree.Broker, &messages.ToWorker{Worker: w.name, Item: item})
}

func (w *worker) list(m *List) {
	v := View{Worker: attune.Worker{Name: w.name}, Running: len(w.taken), LastHeard: w.heard}
	if w.known.row != nil {
		v.Worker = *w.known.row
		if w.givenNothing() && w.alive() {
			v.Worker.State = attune.WorkerDraining
		}
	}
	m.Reply(v)
}

func contains(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

// recount rebuilds the taken slots. Nothing is granted until it is done: a slot
// granted between the scheduler's answer and the sum made of it would be granted
// twice.
func (w *worker) recount() {
	w.counted = false
	w.known.recounts++
	tree, store, self, incarnation, number := w.tree, w.store, w.self, w.known.row.Incarnation, w.known.recounts
	tree.Lend(func() {
		rows, err := store.ExecutionsOn(context.Background(), incarnation)
		tree.Tell(self, &counted{incarnation, number, rows, err})
	})
}
