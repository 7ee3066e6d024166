// Package retention is the actor that deletes what is over its age: a pass over
// all shelves each hour, in small slices with pauses, so that nobody who admits
// or ends something waits for it.
package retention

import (
	"context"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

const (
	// firstPass is how long after the start the first pass begins: the start
	// has enough to do.
	firstPass = time.Minute
	// every is how long after one pass the next begins.
	every = time.Hour
	// rows is how many rows a slice deletes: more make flushes wait longer for
	// it, fewer make more commits.
	rows = 250
	// leastPause is between two slices, however short they were.
	leastPause = 20 * time.Millisecond
	// retry is how long after a slice that failed it is tried again.
	retry = 5 * time.Second
	// maxFailed is how often in a row, before its shelf is left out of the pass.
	maxFailed = 10
)

// Pass asks for a pass now, before the one that is due. Sent again it is the
// same, until it was answered.
type Pass struct {
	// Ages are those of this pass.
	Ages Ages
	// Try deletes nothing and only counts.
	Try bool
	// Reply must not block.
	Reply func(Report)
}

// Report is what a pass did.
type Report struct {
	// Began and Ended are database time.
	Began, Ended time.Time
	// Rows are what was deleted, or would be, by table.
	Rows map[persistence.Table]int64
	// Slices is how many there were.
	Slices int
}

// Record is told what was deleted, as it is, and how old the oldest rows are,
// after each pass. It is safe for concurrent use and outlives the actor.
type Record interface {
	Pruned(rows map[persistence.Table]int64)
	Passed(at time.Time, oldest map[persistence.Table]time.Time)
}

// Asked are the passes that were asked for and not yet answered. It outlives
// restarts of the actor, which alone touches it.
type Asked struct{ passes []*Pass }

// Retention is the actor. A slice that was under way when it failed is done; it
// begins its pass anew, which finds nothing of what is gone.
type Retention struct {
	tree    *actors.Tree
	store   persistence.Retention
	ages    Ages
	current func() []string
	asked   *Asked
	record  Record
	pass    *pass // under way, or nil
	last    Report
}

// New is a node's retention actor. current are the hashes of the definitions
// that are the node's now; it must not block.
func New(tree *actors.Tree, store persistence.Retention, ages Ages, current func() []string, asked *Asked, record Record) *Retention {
	return &Retention{tree: tree, store: store, ages: ages.WithDefaults(), current: current, asked: asked, record: record}
}

// Kind implements actors.Actor.
func (r *Retention) Kind() string { return "retention" }

// State implements actors.Actor.
func (r *Retention) State() string {
	switch {
	case r.pass == nil:
		return "idle"
	case r.pass.failed > 0:
		return "failing"
	}
	return "pruning"
}

// Detail implements actors.Actor.
func (r *Retention) Detail() any {
	d := map[string]any{"keep": r.ages.Executions.String(), "keep_output": r.ages.Output.String(), "keep_dedupe": r.ages.Dedupe.String(), "last": r.last}
	if p := r.pass; p != nil {
		d["shelf"], d["under_way"] = p.name(), p.report
	}
	return d
}

// pass is one pass under way.
type pass struct {
	Pass
	asked   *Pass // or nil
	report  Report
	shelves []persistence.Shelf // not yet looked through
	after   string              // in the first of them
	// superseded says that the definitions that are not current are marked.
	superseded bool
	failed     int // how often in a row the present slice did
}

func (p *pass) name() string {
	if len(p.shelves) == 0 {
		return ""
	}
	return string(p.shelves[0])
}

type (
	// due and slice are dropped by an actor that did not ask for them.
	due   struct{ by *Retention }
	slice struct{ of *pass }
	// pruned is the answer to a slice; a failed one is tried again.
	pruned struct {
		of   *pass
		out  persistence.Pruned
		err  error
		took time.Duration
	}
	superseded struct {
		of  *pass
		err error
	}
	surveyed struct {
		of     *pass
		oldest map[persistence.Table]time.Time
		err    error
	}
)

// Receive implements actor.Actor.
func (r *Retention) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		r.later(firstPass)
		r.begin()
	case *due:
		if m.by == r {
			r.due()
		}
	case *Pass:
		r.ask(m)
	case *slice:
		if m.of == r.pass {
			r.slice()
		}
	case *superseded:
		if m.of == r.pass {
			r.pass.superseded = m.err == nil
			r.goOn(m.err, 0)
		}
	case *pruned:
		r.pruned(m)
	case *surveyed:
		if m.of == r.pass {
			r.surveyed(m)
		}
	}
}

func (r *Retention) later(d time.Duration) {
	tree := r.tree
	tree.Clock.AfterFunc(d, func() { tree.Tell(tree.Retention, &due{r}) })
}

// due begins the pass that is due, unless one is under way.
func (r *Retention) due() {
	if r.pass != nil {
		r.later(firstPass)
		return
	}
	r.start(Pass{Ages: r.ages}, nil)
}

// ask puts a pass before the one that is due. That one begins anew afterwards;
// what it did is done.
func (r *Retention) ask(m *Pass) {
	for _, p := range r.asked.passes {
		if p == m {
			return
		}
	}
	r.asked.passes = append(r.asked.passes, m)
	if r.pass != nil && r.pass.asked == nil {
		r.pass = nil
		r.later(firstPass)
	}
	r.begin()
}

// begin begins the first pass that was asked for.
func (r *Retention) begin() {
	if r.pass == nil && len(r.asked.passes) > 0 {
		r.start(*r.asked.passes[0], r.asked.passes[0])
	}
}

func (r *Retention) start(p Pass, asked *Pass) {
	r.pass = &pass{Pass: p, asked: asked, shelves: persistence.Shelves(), superseded: p.Try,
		report: Report{Began: r.tree.Clock.Now(), Rows: map[persistence.Table]int64{}}}
	r.slice()
}

// slice does the next thing of the pass. A node that drains leaves the rest to
// the next one.
func (r *Retention) slice() {
	p := r.pass
	switch {
	case r.tree.Draining():
		r.pass = nil
		return
	case !r.tree.Holds() || r.tree.StoreAway():
		r.again(retry)
		return
	case !p.superseded:
		tree, store, current := r.tree, r.store, r.current()
		tree.Lend(func() {
			tree.Tell(tree.Retention, &superseded{p, store.Supersede(context.Background(), tree.Incarnation, current)})
		})
		return
	}
	for len(p.shelves) > 0 {
		if before, ok := p.Ages.before(p.shelves[0], p.report.Began); ok {
			r.prune(persistence.Prune{Shelf: p.shelves[0], Before: before, After: p.after, Rows: rows, Try: p.Try})
			return
		}
		p.shelves = p.shelves[1:]
	}
	tree, store := r.tree, r.store
	tree.Lend(func() {
		oldest, err := store.Oldest(context.Background())
		tree.Tell(tree.Retention, &surveyed{p, oldest, err})
	})
}

func (r *Retention) prune(one persistence.Prune) {
	tree, store, of, began := r.tree, r.store, r.pass, r.tree.Mono()
	tree.Lend(func() {
		out, err := store.Prune(context.Background(), tree.Incarnation, one)
		tree.Tell(tree.Retention, &pruned{of, out, err, tree.Mono() - began})
	})
}

// pruned counts what a slice deleted, also one of a pass that was put back.
func (r *Retention) pruned(m *pruned) {
	if m.err == nil && !m.of.Try {
		r.record.Pruned(m.out.Rows)
		for _, name := range m.out.Workers {
			r.tree.Tell(r.tree.Workers, &messages.WorkerForgotten{Worker: name})
		}
	}
	p := r.pass
	if m.of != p {
		return
	}
	if m.err == nil {
		for table, n := range m.out.Rows {
			p.report.Rows[table] += n
		}
		p.report.Slices++
		if p.after = m.out.Next; p.after == "" {
			p.shelves = p.shelves[1:]
		}
	}
	r.goOn(m.err, m.took)
}

// goOn waits as long as the pace wants, or after a failure, then takes the next
// slice. A store that fences ends the node elsewhere.
func (r *Retention) goOn(err error, took time.Duration) {
	p := r.pass
	if err == nil {
		p.failed = 0
		r.again(max(leastPause, took*time.Duration(r.rest(p))))
		return
	}
	if attune.KindOf(err) == attune.Fenced {
		r.pass = nil
		return
	}
	p.failed++
	switch {
	case p.failed == 1:
		r.tree.Log.Error("pruning failed, trying again", slog.String("shelf", p.name()), slog.String("error", err.Error()))
	case p.failed >= maxFailed && len(p.shelves) > 0: // the others must not wait for it
		r.tree.Log.Error("pruning failed, the shelf is left for the next pass", slog.String("shelf", p.name()), slog.String("error", err.Error()))
		p.shelves, p.after, p.failed = p.shelves[1:], "", 0
	}
	r.again(retry)
}

// rest is how much longer than a slice the pause after it is: a tenth of the
// time deletes about a thousand events a second. A pass that falls behind, and
// one that somebody waits for, may take more.
func (r *Retention) rest(p *pass) int {
	switch lasts := r.tree.Clock.Now().Sub(p.report.Began); {
	case lasts > 6*time.Hour:
		return 1
	case lasts > time.Hour || p.asked != nil:
		return 3
	}
	return 9
}

func (r *Retention) again(after time.Duration) {
	tree, of := r.tree, r.pass
	tree.Clock.AfterFunc(after, func() { tree.Tell(tree.Retention, &slice{of}) })
}

// surveyed ends the pass.
func (r *Retention) surveyed(m *surveyed) {
	p := r.pass
	if m.err != nil {
		r.goOn(m.err, 0)
		return
	}
	p.report.Ended = r.tree.Clock.Now()
	if !p.Try {
		r.last = p.report
		r.record.Passed(p.report.Ended, m.oldest)
	}
	r.pass = nil
	if p.asked != nil {
		r.asked.passes = r.asked.passes[1:]
		p.asked.Reply(p.report)
		r.begin()
		return
	}
	total := int64(0)
	for _, n := range p.report.Rows {
		total += n
	}
	if total > 0 {
		r.tree.Log.Info("what was over its age is deleted", slog.Int64("rows", total), slog.Duration("took", p.report.Ended.Sub(p.report.Began)))
	}
	r.later(every)
}
