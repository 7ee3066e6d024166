package sqlite

import (
	"context"
	"fmt"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Flush implements [persistence.Flusher]. It looks at ctx before it begins and
// not afterwards.
func (s *Store) Flush(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	answers := make([]persistence.Answer, len(ops))
	for i, op := range ops { // before the mutex: it reads every byte
		if reason := persistence.Check(op); reason != "" {
			answers[i] = persistence.Answer{Outcome: persistence.Rejected, Reason: reason}
		}
	}
	err := s.flush(ctx, incarnation, ops, answers, (*flush).together)
	if isConstraint(err) {
		err = s.flush(ctx, incarnation, ops, answers, (*flush).singly)
	}
	if err != nil {
		return nil, err
	}
	return answers, nil
}

// flush does the operations that have no answer yet in one transaction.
func (s *Store) flush(ctx context.Context, incarnation string, ops []persistence.Op, answers []persistence.Answer, how func(*flush) error) error {
	outcome := append([]persistence.Answer(nil), answers...)
	err := s.write(ctx, "flush", func(t *tx) error {
		writer, err := t.writer(incarnation)
		if err != nil {
			return err
		}
		f := &flush{tx: t, writer: writer, ops: ops, answers: outcome}
		if err := how(f); err != nil {
			return err
		}
		for i, op := range ops {
			if outcome[i].Outcome == persistence.Committed {
				_, n := op.Size()
				t.bytes += int64(n)
			}
		}
		return nil
	})
	if err == nil {
		copy(answers, outcome)
	}
	return err
}

// writer proves that the lease is not dead and is what rows name it by.
func (t *tx) writer(incarnation string) (int64, error) {
	t.text(incarnation)
	id, found, err := t.number("SELECT id FROM lease WHERE incarnation = ? AND dead = 0")
	if err == nil && !found {
		err = persistence.LeaseDead(incarnation)
	}
	return id, err
}

// flush is the work of one transaction.
type flush struct {
	*tx
	writer  int64
	ops     []persistence.Op
	answers []persistence.Answer // one whose outcome is set is not done again
}

func (f *flush) open(i int) bool { return f.answers[i].Outcome == persistence.NotWritten }

func committed() persistence.Answer { return persistence.Answer{Outcome: persistence.Committed} }

func conflict(format string, args ...any) persistence.Answer {
	return persistence.Answer{Outcome: persistence.Conflict, Reason: fmt.Sprintf(format, args...)}
}

// together inserts all groups at once, as if nothing of them were there before.
// Where that is wrong it fails with a constraint.
func (f *flush) together() error {
	if err := f.claim(); err != nil {
		return err
	}
	var events []*attune.Event
	var enforcements []*attune.Enforcement
	var executions []*attune.Execution
	for i, op := range f.ops {
		if a, ok := op.(*persistence.Admit); ok && f.open(i) {
			if a.Event != nil {
				events = append(events, a.Event)
			}
			enforcements = append(enforcements, a.Enforcements...)
			executions = appendOwn(executions, a.Enforcements, a.Executions)
			f.answers[i] = committed()
		}
	}
	if err := f.insertEvents(f.writer, events); err != nil {
		return err
	}
	if err := f.insertEnforcements(enforcements); err != nil {
		return err
	}
	if err := f.insertExecutions(f.writer, executions); err != nil {
		return err
	}
	return f.rest()
}

// appendOwn appends the executions that ask for no enforcement, or for one of
// the group.
func appendOwn(to []*attune.Execution, ens []*attune.Enforcement, exs []*attune.Execution) []*attune.Execution {
	for i, x := range exs {
		own := x.Enforcement == 0 || i < len(ens) && ens[i].ID == x.Enforcement // the usual order
		for j := 0; !own && j < len(ens); j++ {
			own = ens[j].ID == x.Enforcement
		}
		if own {
			to = append(to, x)
		}
	}
	return to
}

// claim inserts all dedupe keys and answers Duplicate where another was first.
func (f *flush) claim() error {
	var claims []claim
	for i, op := range f.ops {
		if a, ok := op.(*persistence.Admit); ok && a.Dedupe != nil && f.open(i) {
			claims = append(claims, claimOf(a))
		}
	}
	inserted, err := f.insertClaims(claims)
	if err != nil || inserted == int64(len(claims)) {
		return err
	}
	for i, op := range f.ops {
		if a, ok := op.(*persistence.Admit); ok && a.Dedupe != nil && f.open(i) {
			first, _, err := f.first(claims[0])
			if err != nil {
				return err
			}
			if first != claims[0].first {
				f.answers[i] = persistence.Answer{Outcome: persistence.Duplicate, First: first}
			}
			claims = claims[1:]
		}
	}
	return nil
}

// first is the id that has the key, and whether one has.
func (t *tx) first(c claim) (attune.ID, bool, error) {
	t.blob(c.hash[:])
	id, found, err := t.number("SELECT first FROM dedupe WHERE hash = ?")
	return attune.ID(id), found, err
}

// rest does the operations that are no groups of new rows, one by one.
func (f *flush) rest() error {
	for i, op := range f.ops {
		if !f.open(i) {
			continue
		}
		var err error
		switch op := op.(type) {
		case *persistence.Extend:
			f.answers[i], err = f.extend(op)
		case *persistence.Rerun:
			f.answers[i], err = f.rerun(op)
		case *persistence.Save:
			f.answers[i], err = f.save(op.Execution)
		case *persistence.SaveWorker:
			f.answers[i], err = f.saveWorker(op.Worker)
		case *persistence.RemoveWorker:
			f.answers[i], err = f.removeWorker(op)
		case *persistence.RaiseIDHigh:
			f.answers[i], err = f.raise(op.Partition, op.High, "UPDATE partition SET id_high = ?2 WHERE id = ?1 AND id_high < ?2")
		case *persistence.Announced:
			f.answers[i], err = f.raise(op.Partition, op.Through, announced)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// announced also keeps the highest finish number, for the time when the rows
// that bear it are gone.
const announced = "UPDATE partition SET announced_to = ?2, finish_high = max(finish_high, coalesce((" +
	"SELECT max(finish_number) FROM execution WHERE (id >> 12) & 1023 = ?1 AND finish_number > 0), 0)) WHERE id = ?1 AND announced_to < ?2"

func (f *flush) raise(partition int, to int64, query string) (persistence.Answer, error) {
	f.int(int64(partition))
	f.int(to)
	n, err := f.exec(query)
	f.rows += n
	return committed(), err
}
