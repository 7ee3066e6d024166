package sqlite

import (
	"database/sql/driver"
	"errors"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

func (f *flush) rerun(op *persistence.Rerun) (persistence.Answer, error) {
	stored, err := f.enforcement(op.Enforcement.ID)
	switch {
	case errors.Is(err, persistence.ErrEncoding): // for ever: nobody else is to wait for it
		return persistence.Answer{Outcome: persistence.Rejected, Reason: err.Error()}, nil
	case err != nil:
		return persistence.Answer{}, err
	case stored == nil:
		return conflict("enforcement %s is not there", op.Enforcement.ID), nil
	case stored.Status != attune.EnforcementFailed:
		return persistence.Answer{Outcome: persistence.Duplicate, First: attune.ID(stored.Execution)}, nil
	}
	if taken, err := f.has("SELECT 1 FROM execution WHERE id = ?", int64(op.Execution.ID)); err != nil || taken {
		return conflict("execution %s is there already", op.Execution.ID), err
	}
	e := op.Enforcement
	changed := *stored
	changed.Execution, changed.RuleHash, changed.Failure = e.Execution, e.RuleHash, e.Failure
	f.int(int64(e.ID))
	f.int(int64(e.Status))
	f.text(e.Action)
	f.json(e.Evaluation)
	f.blob(f.enc.EnforcementSpec(&changed))
	n, err := f.exec("UPDATE enforcement SET status = ?2, action = ?3, evaluation = ?4, spec = ?5 WHERE id = ?1")
	if err != nil {
		return persistence.Answer{}, err
	}
	f.rows += n
	return committed(), f.insertExecutions(f.writer, []*attune.Execution{op.Execution})
}

// enforcement is the status, execution and spec of a row, or nil where there is
// none.
func (t *tx) enforcement(id attune.EnforcementID) (e *attune.Enforcement, err error) {
	t.int(int64(id))
	var damaged error
	err = t.query("SELECT status, spec FROM enforcement WHERE id = ?", func(v []driver.Value) {
		e = &attune.Enforcement{ID: id, Status: attune.EnforcementStatus(v[0].(int64))}
		spec, _ := v[1].([]byte)
		damaged = persistence.DecodeEnforcement(spec, e)
	})
	if err == nil {
		err = damaged
	}
	return e, err
}

func (t *tx) resolveRerun(op *persistence.Rerun) (a persistence.Answer, err error) {
	stored, err := t.enforcement(op.Enforcement.ID)
	switch {
	case errors.Is(err, persistence.ErrEncoding):
		return persistence.Answer{Outcome: persistence.Rejected, Reason: err.Error()}, nil
	case err != nil || stored == nil || stored.Status == attune.EnforcementFailed:
		return a, err
	case stored.Execution == op.Execution.ID:
		return committed(), nil
	}
	return persistence.Answer{Outcome: persistence.Duplicate, First: attune.ID(stored.Execution)}, nil
}
