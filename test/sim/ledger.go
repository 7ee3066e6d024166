package sim

import (
	"context"
	"fmt"
	"sort"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/memory"
	"github.com/attune-automation/attune/test/sim/check"
)

// recorder is the store with everything that was committed written down, below
// all faults.
type recorder struct {
	*memory.Store
	world    *world
	versions []check.Version
	eventSeq map[int64]int64
	flushes  []check.Flush
	taken    []check.TakeOver
	live     map[attune.ExecutionID]bool
	known    map[attune.ExecutionID]int64 // the version recorded last
	pending  map[attune.EventID]bool      // not judged to the end
	buried   buried
}

func newRecorder(w *world, exclusive bool) *recorder {
	return &recorder{Store: memory.New(memory.Config{Clock: w.outside, Exclusive: exclusive}), world: w, eventSeq: map[int64]int64{},
		live: map[attune.ExecutionID]bool{}, known: map[attune.ExecutionID]int64{}, pending: map[attune.EventID]bool{}}
}

// Flush implements persistence.Flusher.
func (r *recorder) Flush(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	answers, err := r.Store.Flush(ctx, incarnation, ops)
	if err != nil {
		r.world.count("fenced flush", attune.KindOf(err) == attune.Fenced)
		return answers, err
	}
	r.flushes = append(r.flushes, check.Flush{Seq: r.world.next(), Writer: incarnation})
	for i, op := range ops {
		r.world.trace("flush by %s: %+v %s", incarnation, op.Key(), answers[i].Outcome)
		r.world.count("duplicate", answers[i].Outcome == persistence.Duplicate)
		if answers[i].Outcome != persistence.Committed {
			continue
		}
		switch op := op.(type) {
		case *persistence.Save:
			r.observe(op.Execution.ID, incarnation)
		case *persistence.Admit:
			r.event(op.Event)
			for _, x := range op.Executions {
				r.observe(x.ID, incarnation)
			}
		case *persistence.Extend:
			r.event(op.Event)
			r.world.count("slice", true)
			for _, x := range op.Executions {
				r.observe(x.ID, incarnation)
			}
		}
	}
	return answers, nil
}

func (r *recorder) event(e *attune.Event) {
	if e == nil {
		return
	}
	if r.eventSeq[int64(e.ID)] == 0 {
		r.eventSeq[int64(e.ID)] = r.world.next()
	}
	if e.Evaluated.IsZero() {
		r.pending[e.ID] = true
	} else {
		delete(r.pending, e.ID)
	}
}

// observe writes down the state of an execution, if it is a new one.
func (r *recorder) observe(id attune.ExecutionID, writer string) {
	x, err := r.Store.Execution(context.Background(), id)
	if err != nil || r.known[id] == x.Version {
		return
	}
	r.known[id] = x.Version
	r.world.trace("stored %s version %d %s attempt %d", id, x.Version, x.Status, x.Attempt)
	r.versions = append(r.versions, check.Version{Execution: executionRow(x), Seq: r.world.next(), Writer: writer})
	r.world.count("retry", x.Status == attune.Delayed && x.Attempt > 0)
	r.world.count("start put off", x.Status == attune.Delayed && x.Attempt == 0)
	r.world.count("deadline passed", x.Failure != nil && x.Failure.Code == "deadline")
	r.world.count("retried and completed", x.Status == attune.Completed && x.Attempt > 1)
	if x.Status.Terminal() {
		delete(r.live, id)
	} else {
		r.live[id] = true
	}
}

// TakeOver implements persistence.Leases.
func (r *recorder) TakeOver(ctx context.Context, from, by string, partitions []int) error {
	err := r.Store.TakeOver(ctx, from, by, partitions)
	if err == nil && from != "" {
		r.world.trace("%s takes over %d partitions of %s", by, len(partitions), from)
		r.world.count("take-over", true)
		r.taken = append(r.taken, check.TakeOver{Seq: r.world.next(), From: from})
	}
	return err
}

// lost reports that the lease of an incarnation was made dead.
func (r *recorder) lost(incarnation string) bool {
	for _, t := range r.taken {
		if t.From == incarnation {
			return true
		}
	}
	return false
}

// waiting lists what is not at its end, in order.
func (r *recorder) waiting() []string {
	var all []string
	for id := range r.live {
		if x, err := r.Store.Execution(context.Background(), id); err == nil {
			all = append(all, fmt.Sprintf("%s %s attempt %d on %s/%s version %d: %s", id, x.Status, x.Attempt, x.Worker, x.Incarnation, x.Version, x.Reason))
		}
	}
	for id := range r.pending {
		all = append(all, id.String()+" is not judged to the end")
	}
	sort.Strings(all)
	return all
}

// announced reports that every end is proven announced.
func (r *recorder) announced() bool {
	for _, p := range r.Store.Rows().Partitions {
		if p.AnnouncedTo < p.FinishNumber {
			return false
		}
	}
	return true
}

// listen hears the announcements.
func (w *world) listen() error {
	_, err := w.broker.Subscribe(messages.Executions, "execution.completed", func(m any) {
		if c, ok := m.(*messages.ExecutionCompleted); ok {
			w.announcements = append(w.announcements, check.Announcement{Execution: int64(c.ID), Version: c.Version, Status: c.Status.String(), Seq: w.next()})
		}
	})
	return err
}

func executionRow(x *attune.Execution) check.Execution {
	row := check.Execution{ID: int64(x.ID), Action: x.Action, Parameters: string(x.Parameters), Rule: x.Rule, Event: int64(x.Event),
		Enforcement: int64(x.Enforcement), Requested: x.Requested, Deadline: x.Limits.Deadline, Version: x.Version, Status: x.Status.String(), Cause: x.Cause.String(), Attempt: x.Attempt,
		Worker: x.Worker, Incarnation: x.Incarnation, Reason: x.Reason, Until: x.Until, Finished: x.Finished, Result: string(x.Result),
		FinishNumber: x.FinishNumber, History: x.History}
	if x.Failure != nil {
		row.Failure = x.Failure.Code
	}
	return row
}

// collect is everything the checker judges.
func (w *world) collect() *check.Input {
	rows := w.store.buried.all(w.store.Rows())
	in := &check.Input{Plan: w.plan.check(), Counts: w.counts, Rules: ruleTable, Limits: limitTable, EventSeq: w.store.eventSeq, Versions: w.store.versions,
		Flushes: w.store.flushes, TakeOvers: w.store.taken, Announced: w.announcements}
	for _, e := range rows.Events {
		in.Events = append(in.Events, check.Event{ID: int64(e.ID), Trigger: e.Trigger, Payload: string(e.Payload), Dedupe: e.Dedupe, Evaluated: e.Evaluated})
	}
	for _, e := range rows.Enforcements {
		row := check.Enforcement{ID: int64(e.ID), Event: int64(e.Event), Rule: e.Rule, Action: e.Action, Status: e.Status.String(), Execution: int64(e.Execution)}
		if e.Failure != nil {
			row.Failure = e.Failure.Code + ": " + e.Failure.Message
		}
		in.Enforcements = append(in.Enforcements, row)
	}
	for _, x := range rows.Executions {
		in.Executions = append(in.Executions, executionRow(x))
	}
	alive := map[string]bool{}
	for _, l := range rows.Leases {
		alive[l.Incarnation] = !l.Dead && l.Expires.After(w.outside.Now())
	}
	for _, p := range rows.Partitions {
		in.Partitions = append(in.Partitions, check.Partition{ID: p.ID, Owner: p.Owner, Alive: alive[p.Owner], AnnouncedTo: p.AnnouncedTo, FinishNumber: p.FinishNumber})
	}
	for _, o := range w.offers {
		in.Offers = append(in.Offers, o.Offer)
	}
	in.Cancels = w.cancels
	for _, r := range w.runs {
		in.Runs = append(in.Runs, *r)
	}
	return in
}
