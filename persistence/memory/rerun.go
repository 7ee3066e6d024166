package memory

import (
	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

func (f *flush) rerun(op *persistence.Rerun) persistence.Answer {
	e, x := op.Enforcement, op.Execution
	old := f.s.enforcements.rows[e.ID]
	switch {
	case old == nil:
		return conflict("enforcement %s is not there", e.ID)
	case old.Status != attune.EnforcementFailed:
		return persistence.Answer{Outcome: persistence.Duplicate, First: attune.ID(old.Execution)}
	case f.s.executions.rows[x.ID] != nil:
		return conflict("execution %s is there already", x.ID)
	}
	row := copyEnforcement(e)
	row.Created, row.Event, row.Rule, row.Chain = old.Created, old.Event, old.Rule, old.Chain
	f.s.enforcements.put(row.ID, row)
	f.put(copyExecution(x))
	f.rows += 2
	return committed()
}

func (s *Store) resolveRerun(op *persistence.Rerun) (a persistence.Answer) {
	e := s.enforcements.rows[op.Enforcement.ID]
	switch {
	case e == nil || e.Status == attune.EnforcementFailed:
		return a
	case e.Execution == op.Execution.ID:
		return committed()
	}
	return persistence.Answer{Outcome: persistence.Duplicate, First: attune.ID(e.Execution)}
}
