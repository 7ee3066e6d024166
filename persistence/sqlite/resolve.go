package sqlite

import (
	"context"
	"database/sql/driver"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Resolve implements [persistence.Flusher]. It commits something itself first:
// only that overwrites in the log what a commit that could not be synced may
// have left there, so that it cannot come back after a crash.
func (s *Store) Resolve(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	answers := make([]persistence.Answer, len(ops))
	err := s.write(ctx, "resolve", func(t *tx) error {
		if _, err := t.exec("UPDATE resolved SET times = times + 1"); err != nil {
			return err
		}
		t.text(incarnation)
		writer, _, err := t.number("SELECT id FROM lease WHERE incarnation = ?")
		for i := 0; err == nil && i < len(ops); i++ {
			answers[i], err = t.resolve(writer, ops[i])
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

func (t *tx) resolve(writer int64, op persistence.Op) (a persistence.Answer, err error) {
	if reason := persistence.Check(op); reason != "" {
		return persistence.Answer{Outcome: persistence.Rejected, Reason: reason}, nil
	}
	done := false
	switch op := op.(type) {
	case *persistence.Admit:
		return t.resolveAdmit(writer, op)
	case *persistence.Extend:
		return t.resolveExtend(writer, op)
	case *persistence.Rerun:
		return t.resolveRerun(op)
	case *persistence.Save:
		// An actor's life before its restart may have written the same version:
		// only the state, with its history, tells them apart.
		t.enc.Reset()
		t.blob(t.enc.ExecutionState(op.Execution))
		t.int(op.Execution.Version)
		t.int(writer)
		done, err = t.has("SELECT 1 FROM execution WHERE state = ? AND version = ? AND writer = ? AND id = ?", int64(op.Execution.ID))
	case *persistence.SaveWorker:
		var body []byte
		if body, err = persistence.EncodeWorker(op.Worker); err == nil {
			t.text(string(body))
			t.int(op.Worker.Version)
			t.int(writer)
			t.text(op.Worker.Name)
			_, done, err = t.number("SELECT 1 FROM worker WHERE body = ? AND version = ? AND writer = ? AND name = ?")
		}
	case *persistence.RemoveWorker:
		have, e := t.workerVersion(op.Name)
		done, err = have == stamp{}, e
	case *persistence.RaiseIDHigh:
		t.int(op.High)
		done, err = t.has("SELECT 1 FROM partition WHERE id_high >= ? AND id = ?", int64(op.Partition))
	case *persistence.Announced:
		t.int(op.Through)
		done, err = t.has("SELECT 1 FROM partition WHERE announced_to >= ? AND id = ?", int64(op.Partition))
	}
	if done && err == nil {
		return committed(), nil
	}
	return a, err
}

func (t *tx) resolveAdmit(writer int64, op *persistence.Admit) (a persistence.Answer, err error) {
	var claimed bool
	if op.Dedupe != nil {
		var first attune.ID
		first, claimed, err = t.first(claimOf(op))
		if err != nil || claimed && first != op.ID() {
			return persistence.Answer{Outcome: persistence.Duplicate, First: first}, err
		}
	}
	var done bool
	switch {
	case op.Event != nil:
		t.int(writer)
		done, err = t.has("SELECT 1 FROM event WHERE writer = ? AND id = ?", int64(op.Event.ID))
	case op.Dedupe != nil:
		done = claimed
	default:
		done, err = t.written(writer, op.Enforcements, op.Executions)
	}
	if err != nil || !done {
		return a, err
	}
	return t.afterwards(op.Enforcements)
}

func (t *tx) resolveExtend(writer int64, op *persistence.Extend) (a persistence.Answer, err error) {
	done, err := t.has("SELECT 1 FROM event WHERE id = ?", int64(op.Event.ID))
	if err != nil || !done {
		return a, err
	}
	if op.Event.Evaluated.IsZero() {
		done, err = t.written(writer, op.Enforcements, op.Executions)
	} else {
		t.int(persistence.Millis(op.Event.Evaluated))
		t.int(writer)
		done, err = t.has("SELECT 1 FROM event WHERE evaluated = ? AND writer = ? AND id = ?", int64(op.Event.ID))
	}
	if err != nil || !done {
		return a, err
	}
	return t.afterwards(op.Enforcements)
}

// written reports that a row of the group is there as the group has it.
func (t *tx) written(writer int64, ens []*attune.Enforcement, exs []*attune.Execution) (bool, error) {
	for _, e := range ens {
		if id, err := t.pairID(e); err != nil || id == e.ID {
			return id == e.ID, err
		}
	}
	for _, x := range exs {
		t.int(int64(x.ID))
		have, err := t.stamp("SELECT version, writer FROM execution WHERE id = ?")
		if err != nil || have == (stamp{x.Version, writer}) {
			return err == nil, err
		}
	}
	return false, nil
}

// afterwards is the answer of a group that was committed: the rules whose
// enforcement is another one had been skipped.
func (t *tx) afterwards(ens []*attune.Enforcement) (persistence.Answer, error) {
	a := committed()
	for _, e := range ens {
		id, err := t.pairID(e)
		if err != nil {
			return persistence.Answer{}, err
		}
		if id != e.ID {
			a.Skipped = append(a.Skipped, e.Rule)
		}
	}
	return a, nil
}

// pairID is the enforcement of the same event and rule, or zero.
func (t *tx) pairID(e *attune.Enforcement) (id attune.EnforcementID, err error) {
	t.int(int64(e.Event))
	t.text(e.Rule)
	err = t.query("SELECT id FROM enforcement WHERE event = ? AND rule = ?", func(v []driver.Value) { id = attune.EnforcementID(v[0].(int64)) })
	return id, err
}
