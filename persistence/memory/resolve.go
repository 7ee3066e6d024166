package memory

import (
	"bytes"
	"context"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Resolve implements [persistence.Flusher].
func (s *Store) Resolve(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	if err := s.begin(ctx, "resolve"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	answers := make([]persistence.Answer, len(ops))
	for i, op := range ops {
		answers[i] = s.resolve(incarnation, op)
	}
	return answers, nil
}

func (s *Store) resolve(writer string, op persistence.Op) (a persistence.Answer) {
	if reason := persistence.Check(op); reason != "" {
		return persistence.Answer{Outcome: persistence.Rejected, Reason: reason}
	}
	done := false
	switch op := op.(type) {
	case *persistence.Admit:
		return s.resolveAdmit(writer, op)
	case *persistence.Extend:
		return s.resolveExtend(writer, op)
	case *persistence.Rerun:
		return s.resolveRerun(op)
	case *persistence.Save:
		x := s.executions.rows[op.Execution.ID]
		// An actor's life before its restart may have written the same version: only the history tells them apart.
		done = x != nil && x.writer == writer && x.row.Version == op.Execution.Version && bytes.Equal(x.row.History, op.Execution.History)
	case *persistence.SaveWorker:
		w := s.workers[op.Worker.Name]
		done = w != nil && w.writer == writer && w.row.Version == op.Worker.Version && sameWorker(w.row, copyWorker(op.Worker))
	case *persistence.RemoveWorker:
		done = s.workers[op.Name] == nil
	case *persistence.RaiseIDHigh:
		done = s.partitions[op.Partition].row.IDHigh >= op.High
	case *persistence.Announced:
		done = s.partitions[op.Partition].row.AnnouncedTo >= op.Through
	}
	if done {
		return committed()
	}
	return a
}

// sameWorker compares all that is kept of a worker, of copies.
func sameWorker(a, b *attune.Worker) bool {
	one, err := persistence.EncodeWorker(a)
	other, fault := persistence.EncodeWorker(b)
	return err == nil && fault == nil && bytes.Equal(one, other)
}

func (s *Store) resolveAdmit(writer string, op *persistence.Admit) (a persistence.Answer) {
	if op.Dedupe != nil {
		if first, ok := s.dedupe[*op.Dedupe]; ok && first != op.ID() {
			return persistence.Answer{Outcome: persistence.Duplicate, First: first}
		}
	}
	if op.Event != nil {
		if e := s.events.rows[op.Event.ID]; e == nil || e.writer != writer {
			return a
		}
		return persistence.Answer{Outcome: persistence.Committed, Skipped: s.skipped(op.Enforcements)}
	}
	done := false
	if op.Dedupe != nil {
		_, done = s.dedupe[*op.Dedupe]
	} else {
		done = s.written(writer, op.Enforcements, op.Executions)
	}
	if !done {
		return a
	}
	return persistence.Answer{Outcome: persistence.Committed, Skipped: s.skipped(op.Enforcements)}
}

func (s *Store) resolveExtend(writer string, op *persistence.Extend) (a persistence.Answer) {
	e := s.events.rows[op.Event.ID]
	switch {
	case e == nil:
		return a
	case !op.Event.Evaluated.IsZero():
		if e.writer != writer || !e.row.Evaluated.Equal(stored(op.Event.Evaluated)) {
			return a
		}
	case !s.written(writer, op.Enforcements, op.Executions):
		return a
	}
	return persistence.Answer{Outcome: persistence.Committed, Skipped: s.skipped(op.Enforcements)}
}

// written reports that a row of the group is there as the group has it.
func (s *Store) written(writer string, ens []*attune.Enforcement, exs []*attune.Execution) bool {
	for _, e := range ens {
		if s.pairs[pair{e.Event, e.Rule}] == e.ID {
			return true
		}
	}
	for _, x := range exs {
		if have := s.executions.rows[x.ID]; have != nil && have.writer == writer && have.row.Version == x.Version {
			return true
		}
	}
	return false
}

// skipped are the rules whose enforcement is another one.
func (s *Store) skipped(ens []*attune.Enforcement) (rules []string) {
	for _, e := range ens {
		if s.pairs[pair{e.Event, e.Rule}] != e.ID {
			rules = append(rules, e.Rule)
		}
	}
	return rules
}
