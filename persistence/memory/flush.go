package memory

import (
	"context"
	"fmt"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Flush implements [persistence.Flusher].
func (s *Store) Flush(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	if err := s.begin(ctx, "flush"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if l := s.leases[incarnation]; l == nil || l.Dead {
		return nil, persistence.LeaseDead(incarnation)
	}
	f := flush{s: s, writer: incarnation}
	answers := make([]persistence.Answer, len(ops))
	for i, op := range ops {
		if reason := persistence.Check(op); reason != "" {
			answers[i] = persistence.Answer{Outcome: persistence.Rejected, Reason: reason}
			continue
		}
		answers[i] = f.apply(op)
	}
	s.wrote(f.rows, f.bytes)
	return answers, nil
}

// flush is one transaction, with what it has written so far.
type flush struct {
	s           *Store
	writer      string
	rows, bytes int
}

func committed() persistence.Answer { return persistence.Answer{Outcome: persistence.Committed} }

func conflict(format string, args ...any) persistence.Answer {
	return persistence.Answer{Outcome: persistence.Conflict, Reason: fmt.Sprintf(format, args...)}
}

func (f *flush) apply(op persistence.Op) persistence.Answer {
	_, bytes := op.Size()
	rows, was := f.rows, f.bytes
	a := f.write(op)
	if f.rows > rows {
		f.bytes = was + bytes
	}
	return a
}

func (f *flush) write(op persistence.Op) persistence.Answer {
	switch op := op.(type) {
	case *persistence.Admit:
		return f.admit(op)
	case *persistence.Extend:
		return f.extend(op)
	case *persistence.Rerun:
		return f.rerun(op)
	case *persistence.Save:
		return f.save(op.Execution)
	case *persistence.SaveWorker:
		return f.saveWorker(op.Worker)
	case *persistence.RemoveWorker:
		return f.removeWorker(op)
	case *persistence.RaiseIDHigh:
		row := &f.s.partitions[op.Partition].row
		f.raise(&row.IDHigh, op.High)
	case *persistence.Announced:
		row := &f.s.partitions[op.Partition].row
		f.raise(&row.AnnouncedTo, op.Through)
	}
	return committed()
}

func (f *flush) raise(mark *int64, to int64) {
	if to > *mark {
		*mark = to
		f.rows++
	}
}

func (f *flush) admit(op *persistence.Admit) persistence.Answer {
	if op.Dedupe != nil {
		if first, ok := f.s.dedupe[*op.Dedupe]; ok {
			return persistence.Answer{Outcome: persistence.Duplicate, First: first}
		}
	}
	if op.Event != nil && f.s.events.rows[op.Event.ID] != nil {
		return conflict("event %s is there already", op.Event.ID)
	}
	ens, exs, skipped, taken := f.fresh(op.Enforcements, op.Executions)
	if taken.Outcome != persistence.NotWritten {
		return taken
	}
	if op.Dedupe != nil {
		f.s.dedupe[*op.Dedupe] = op.ID()
		f.rows++
	}
	if op.Event != nil {
		f.s.events.put(op.Event.ID, &event{copyEvent(op.Event), f.writer})
		if op.Event.Evaluated.IsZero() {
			p := f.s.partition(op.Event.ID)
			p.unevaluated = add(p.unevaluated, op.Event.ID)
		}
		f.rows++
	}
	f.insert(ens, exs)
	return persistence.Answer{Outcome: persistence.Committed, Skipped: skipped}
}

func (f *flush) extend(op *persistence.Extend) persistence.Answer {
	old := f.s.events.rows[op.Event.ID]
	if old == nil {
		return conflict("event %s is not there", op.Event.ID)
	}
	ens, exs, skipped, taken := f.fresh(op.Enforcements, op.Executions)
	if taken.Outcome != persistence.NotWritten {
		return taken
	}
	if !op.Event.Evaluated.IsZero() {
		row := copyEvent(old.row)
		row.Evaluated = stored(op.Event.Evaluated)
		f.s.events.put(row.ID, &event{row, f.writer})
		p := f.s.partition(row.ID)
		p.unevaluated = remove(p.unevaluated, row.ID)
		f.rows++
	}
	f.insert(ens, exs)
	return persistence.Answer{Outcome: persistence.Committed, Skipped: skipped}
}

// fresh leaves out the enforcements whose pair is there before, here or earlier
// in the group, and the executions of enforcements that are not inserted. An id
// that is there already is a Conflict of the whole group.
func (f *flush) fresh(ens []*attune.Enforcement, exs []*attune.Execution) (
	newEns []*attune.Enforcement, newExs []*attune.Execution, skipped []string, taken persistence.Answer,
) {
	pairs := map[pair]bool{}
	enIDs := map[attune.EnforcementID]bool{}
	for _, e := range ens {
		key := pair{e.Event, e.Rule}
		if _, ok := f.s.pairs[key]; ok || pairs[key] {
			skipped = append(skipped, e.Rule)
			continue
		}
		if f.s.enforcements.rows[e.ID] != nil || enIDs[e.ID] {
			return nil, nil, nil, conflict("enforcement %s is there already", e.ID)
		}
		pairs[key], enIDs[e.ID] = true, true
		newEns = append(newEns, e)
	}
	exIDs := map[attune.ExecutionID]bool{}
	for _, x := range exs {
		if x.Enforcement != 0 && !enIDs[x.Enforcement] {
			continue
		}
		if f.s.executions.rows[x.ID] != nil || exIDs[x.ID] {
			return nil, nil, nil, conflict("execution %s is there already", x.ID)
		}
		exIDs[x.ID] = true
		newExs = append(newExs, x)
	}
	return newEns, newExs, skipped, taken
}

func (f *flush) insert(ens []*attune.Enforcement, exs []*attune.Execution) {
	for _, e := range ens {
		f.s.enforcements.put(e.ID, copyEnforcement(e))
		f.s.pairs[pair{e.Event, e.Rule}] = e.ID
	}
	for _, x := range exs {
		f.put(copyExecution(x))
	}
	f.rows += len(ens) + len(exs)
}

func (f *flush) save(x *attune.Execution) persistence.Answer {
	old := f.s.executions.rows[x.ID]
	switch {
	case old == nil:
		return conflict("execution %s is not there", x.ID)
	case old.row.Version != x.Version-1:
		return conflict("execution %s has version %d and cannot become %d", x.ID, old.row.Version, x.Version)
	}
	f.put(saved(old.row, x))
	f.rows++
	return committed()
}

func (f *flush) saveWorker(w *attune.Worker) persistence.Answer {
	have := int64(0)
	if old := f.s.workers[w.Name]; old != nil {
		have = old.row.Version
	}
	if have != w.Version-1 {
		return conflict("worker %s has version %d and cannot become %d", w.Name, have, w.Version)
	}
	f.s.workers[w.Name] = &worker{copyWorker(w), f.writer}
	f.rows++
	return committed()
}

func (f *flush) removeWorker(op *persistence.RemoveWorker) persistence.Answer {
	old := f.s.workers[op.Name]
	if old == nil {
		return committed()
	}
	if old.row.Version != op.Version {
		return conflict("worker %s has version %d, not %d", op.Name, old.row.Version, op.Version)
	}
	delete(f.s.workers, op.Name)
	f.rows++
	return committed()
}
