package partitions

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

// partition owns the live executions of one partition: it makes their ids,
// admits them, routes to them and wakes them at their moments. After a restart
// or a take-over it loads what is live from the store.
type partition struct {
	actors.Supervisor
	tree       *actors.Tree
	store      Store
	executions Executions
	owned      Owned
	// row outlives restarts of the actor, so that its ids never begin below one
	// it handed out before.
	row  *persistence.Partition
	self *actor.PID

	ids     *attune.Sequence
	raising bool
	loaded  bool
	after   attune.ExecutionID // how far loading came
	backlog []*messages.Admit  // until ids are available
	live    map[attune.ExecutionID]*entry
	moments moments
	timer   attune.Timer
	timerAt int64
	passive
	finishes
}

// entry is one live execution that has an actor, or is about to.
type entry struct {
	id  attune.ExecutionID
	pid *actor.PID // nil while its row is being fetched
	due int64      // the moment that counts; others in the heap are stale
	// admission is what the execution is part of until it is stored.
	admission *admission
	// restarted means that its actor lost the state that is being stored.
	restarted bool
	// panicked is why an actor of it was given up: its successors end it.
	panicked string
	// stopped means that its actor was given up just now.
	stopped bool
	// reading means that its state will be read in a while.
	reading bool
	// life counts the failures of its actor.
	life int
	// ending is what it waits for once its actor, now passive, has ended.
	ending *wait
	// held came while it had no actor that could take it.
	held []any
	// queued means that the scheduler holds its request for a slot, warm that it
	// keeps its actor while it waits for it, woken that its moment has just
	// come.
	queued, warm, woken bool
}

// away means that there is no actor to tell anything.
func (e *entry) away() bool { return e.pid == nil || e.ending != nil }

const (
	loadPage  = 500
	loadRetry = 500 * time.Millisecond
	// maxAhead is how far ids may be ahead of database time before new work has
	// to go to another partition.
	maxAhead = time.Minute
	// maxUnevaluated bounds the events that a take-over resumes; the rest is
	// resumed by the next. Far more than are ever under way.
	maxUnevaluated = 100_000
	// maxBacklog bounds the admissions that wait for the partition to be
	// loaded.
	maxBacklog = 1000
)

func newPartition(tree *actors.Tree, store Store, executions Executions, row *persistence.Partition, owned Owned) *partition {
	p := &partition{tree: tree, store: store, executions: executions, row: row, owned: owned, ids: attune.NewSequence(row.ID, row.IDHigh),
		live: map[attune.ExecutionID]*entry{}}
	p.waiting, p.told = map[attune.ExecutionID]wait{}, -1
	p.Supervisor = actors.Supervisor{Clock: tree.Clock, Limit: 3, Within: time.Minute, GaveUp: p.gaveUp}
	p.finishes = finishes{announced: row.AnnouncedTo, through: row.AnnouncedTo}
	return p
}

// Kind implements actors.Actor.
func (p *partition) Kind() string { return "partition" }

// State implements actors.Actor.
func (p *partition) State() string {
	if !p.loaded {
		return "loading"
	}
	return "open"
}

// Detail implements actors.Actor.
func (p *partition) Detail() any {
	oldest := time.Duration(0)
	if due, ok := p.firstDue(); ok {
		oldest = max(0, p.tree.Clock.Now().Sub(time.Unix(0, due)))
	}
	return map[string]any{"partition": p.row.ID, "epoch": p.row.Epoch, "live": len(p.live), "waiting": len(p.waiting), "late": len(p.late), "moments": p.moments.Len(),
		"oldest_overdue_ns": oldest, "backlog": len(p.backlog), "announced_to": p.announced}
}

type (
	// page and unfinished answer the partition that asked: what its life before
	// a restart asked for is dropped.
	page struct {
		by   *partition
		rows []persistence.Live
		err  error
	}
	unfinished struct {
		by          *partition
		events      []*attune.Event
		unannounced []*attune.Execution
		err         error
	}
	unjudged struct {
		by     *partition
		events []*attune.Event
		err    error
	}
	read struct {
		id  attune.ExecutionID
		row *attune.Execution
		err error
		// stray is the report that came for an execution that is not live.
		stray *messages.Report
	}
	tick   struct{ at int64 }
	reload struct{}
)

// Receive implements actor.Actor.
func (p *partition) Receive(ctx actor.Context) {
	p.receive(ctx)
	p.tally()
}

func (p *partition) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		p.start(ctx)
	case *actor.Stopping, *actor.Restarting:
		for _, e := range p.inOrder() {
			e.dismiss(errLoading)
		}
	case *reload:
		p.loadPage()
	case *page:
		p.addPage(ctx, m)
	case *unfinished:
		p.addUnfinished(m)
	case *messages.Admit:
		p.admit(ctx, m)
	case *messages.Prepared:
		p.prepared(m)
	case *actors.Written:
		p.written(ctx, m)
	case *messages.Report:
		p.report(m)
	case *messages.Cancel:
		p.cancel(m)
	case *messages.Wake:
		p.wake(m)
	case *messages.Passive:
		p.rest(m)
	case *fetched:
		p.addFetched(ctx, m)
	case *fetchAgain:
		if m.by == p {
			p.wanted = append(p.wanted, m.ids...)
			p.fetchPage()
		}
	case *tick:
		p.tick(m)
	case *messages.ToExecution:
		p.deliver(m.ID, m.Message)
	case *messages.SlotTaken:
		p.checkSlot(m)
	case *messages.Recover:
		p.read(m.ID, nil)
	case *read:
		p.addRead(ctx, m)
	case *messages.Retired:
		p.retired(ctx, m)
	case *actors.Unnumbered:
		p.finishes.done(m.FinishNumber)
	case *prove:
		p.askProof()
	case *proven:
		p.proven(m)
	case *gap:
		p.lookAt(m)
	case *actors.BrokerStarted:
		p.doubted()
	case *actors.RulesStarted:
		p.resume()
	case *unjudged:
		p.addUnjudged(m)
	case *unproven:
		p.announceAgain(m)
	case *messages.WorkerLost:
		p.toAll(m)
	case *messages.SchedulerStarted:
		p.toAll(m)
		p.placeAll()
	case *actor.Terminated:
		p.terminated(ctx, m)
	}
}

func (p *partition) start(ctx actor.Context) {
	p.self = ctx.Self()
	p.raise(true)
	p.loadPage()
	p.finishes.start(p)
}

// raise stores a higher mark for ids before they run out.
func (p *partition) raise(fresh bool) {
	if p.raising {
		return
	}
	p.raising = true
	high := p.ids.HighFor(p.tree.Clock.Now(), fresh)
	p.tree.Tell(p.tree.Writer, &actors.Submit{Op: &persistence.RaiseIDHigh{Partition: p.row.ID, High: high}, ReplyTo: p.self})
}

// spawn starts the actor of an execution; its first message gives it its state.
func (p *partition) spawn(ctx actor.Context, id attune.ExecutionID) *entry {
	e := &entry{id: id, pid: p.spawnActor(ctx, id)}
	p.live[id] = e
	return e
}

func (p *partition) spawnActor(ctx actor.Context, id attune.ExecutionID) *actor.PID {
	pid, err := ctx.SpawnNamed(p.executions.Props, id.String())
	if err != nil {
		panic(fmt.Errorf("spawn %s: %w", id, err)) // the partition reloads
	}
	return pid
}

// HandleFailure implements actor.SupervisorStrategy: a failed execution is
// restarted and gets its state from the store, where its admission is stored;
// else its admission fails.
func (p *partition) HandleFailure(system *actor.ActorSystem, parent actor.Supervisor, child *actor.PID, stats *actor.RestartStatistics, reason, message any) {
	id, err := attune.ParseExecutionID(child.Id[len(p.self.Id)+1:])
	e := p.live[id]
	if err != nil || e == nil {
		parent.StopChildren(child)
		return
	}
	e.life++
	if e.ending != nil { // it may have failed on its end
		p.Supervisor.HandleFailure(system, parent, child, stats, reason, message)
		p.tree.Tell(e.pid, &actor.PoisonPill{})
		return
	}
	if e.admission != nil && !e.admission.submitted {
		p.failAdmission(e.admission, child, fmt.Sprint(reason))
		return
	}
	e.restarted = e.admission != nil
	p.Supervisor.HandleFailure(system, parent, child, stats, reason, message)
	switch {
	case e.stopped || e.admission != nil:
	case e.panicked != "": // not in a hot loop
		p.readLater(id)
	default:
		p.read(id, nil)
	}
}

func (p *partition) gaveUp(child *actor.PID, reason any) {
	if id, err := attune.ParseExecutionID(child.Id[len(p.self.Id)+1:]); err == nil && p.live[id] != nil {
		p.live[id].panicked, p.live[id].stopped = fmt.Sprint(reason), true
	}
}

// terminated starts the successor of an actor that was given up, to end its
// execution.
func (p *partition) terminated(ctx actor.Context, m *actor.Terminated) {
	p.Forget(m.Who.Id)
	if len(m.Who.Id) <= len(p.self.Id)+1 {
		return
	}
	id, err := attune.ParseExecutionID(m.Who.Id[len(p.self.Id)+1:])
	switch e := p.live[id]; {
	case err != nil || e == nil:
	case e.stopped:
		p.drop(e)
		next := p.spawn(ctx, id)
		next.panicked, next.life = e.panicked, e.life
		for _, m := range e.held {
			p.tree.Tell(next.pid, m)
		}
		if next.reading = e.reading; !next.reading {
			p.readLater(id)
		}
	case e.ending != nil:
		p.ended(e)
	}
}

// read fetches the stored state of an execution.
func (p *partition) read(id attune.ExecutionID, stray *messages.Report) {
	tree, store, self := p.tree, p.store, p.self
	tree.Lend(func() {
		row, err := store.Execution(context.Background(), id)
		tree.Tell(self, &read{id, row, err, stray})
	})
}

func (p *partition) readLater(id attune.ExecutionID) {
	e := p.live[id]
	if e == nil || e.reading {
		return
	}
	e.reading = true
	tree, self := p.tree, p.self
	tree.Clock.AfterFunc(loadRetry, func() { tree.Tell(self, &messages.Recover{ID: id}) })
}

func (p *partition) addRead(_ actor.Context, m *read) {
	if m.stray != nil {
		p.addStray(m)
		return
	}
	e := p.live[m.id]
	if e != nil {
		e.reading = false
	}
	switch {
	case e == nil || e.away():
	case m.err != nil:
		p.tree.Log.Error("reading an execution failed, trying again", slog.String("execution", m.id.String()), slog.String("error", m.err.Error()))
		p.readLater(m.id)
	default:
		p.tree.Tell(e.pid, &messages.Load{Execution: m.row, Life: e.life})
		if e.panicked != "" {
			p.tree.Tell(e.pid, p.executions.Panicked(e.panicked))
		}
	}
}

// retired ends the actor of an execution that ended and was announced.
func (p *partition) retired(ctx actor.Context, m *messages.Retired) {
	if e := p.live[m.ID]; e != nil {
		p.drop(e)
		ctx.Poison(e.pid) // it answers what it was sent before
	}
	p.finishes.done(m.FinishNumber)
}

func (p *partition) toAll(m any) {
	for _, e := range p.inOrder() {
		p.deliver(e.id, m)
	}
}
