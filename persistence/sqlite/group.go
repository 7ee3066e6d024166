package sqlite

import (
	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// singly does every group by itself and looks before it writes.
func (f *flush) singly() error {
	for i, op := range f.ops {
		a, ok := op.(*persistence.Admit)
		if !ok || !f.open(i) {
			continue
		}
		var err error
		if f.answers[i], err = f.admit(a); err != nil {
			return err
		}
	}
	return f.rest()
}

func (f *flush) admit(op *persistence.Admit) (persistence.Answer, error) {
	if op.Dedupe != nil {
		if first, found, err := f.first(claimOf(op)); err != nil || found {
			return persistence.Answer{Outcome: persistence.Duplicate, First: first}, err
		}
	}
	if op.Event != nil {
		if found, err := f.has("SELECT 1 FROM event WHERE id = ?", int64(op.Event.ID)); err != nil || found {
			return conflict("event %s is there already", op.Event.ID), err
		}
	}
	g, err := f.fresh(op.Enforcements, op.Executions)
	if err != nil || g.taken != nil {
		return g.answer(), err
	}
	if op.Dedupe != nil {
		if _, err := f.insertClaims([]claim{claimOf(op)}); err != nil {
			return persistence.Answer{}, err
		}
	}
	if op.Event != nil {
		if err := f.insertEvents(f.writer, []*attune.Event{op.Event}); err != nil {
			return persistence.Answer{}, err
		}
	}
	return g.answer(), f.insertGroup(g)
}

func (f *flush) extend(op *persistence.Extend) (persistence.Answer, error) {
	if found, err := f.has("SELECT 1 FROM event WHERE id = ?", int64(op.Event.ID)); err != nil || !found {
		return conflict("event %s is not there", op.Event.ID), err
	}
	g, err := f.fresh(op.Enforcements, op.Executions)
	if err != nil || g.taken != nil {
		return g.answer(), err
	}
	if !op.Event.Evaluated.IsZero() {
		f.int(int64(op.Event.ID))
		f.int(persistence.Millis(op.Event.Evaluated))
		f.int(f.writer)
		n, err := f.exec("UPDATE event SET evaluated = ?2, writer = ?3 WHERE id = ?1")
		if err != nil {
			return persistence.Answer{}, err
		}
		f.rows += n
	}
	return g.answer(), f.insertGroup(g)
}

// group is what remains of a group's rows when those that are there before are
// left out.
type group struct {
	enforcements []*attune.Enforcement
	executions   []*attune.Execution
	skipped      []string
	taken        *persistence.Answer // the Conflict, where an id is there already
}

func (g group) answer() persistence.Answer {
	if g.taken != nil {
		return *g.taken
	}
	return persistence.Answer{Outcome: persistence.Committed, Skipped: g.skipped}
}

func (f *flush) insertGroup(g group) error {
	if err := f.insertEnforcements(g.enforcements); err != nil {
		return err
	}
	return f.insertExecutions(f.writer, g.executions)
}

func (f *flush) fresh(ens []*attune.Enforcement, exs []*attune.Execution) (g group, err error) {
	type pair struct {
		event attune.EventID
		rule  string
	}
	pairs := map[pair]bool{}
	inserted := map[attune.EnforcementID]bool{}
	for _, e := range ens {
		f.int(int64(e.Event))
		f.text(e.Rule)
		_, found, err := f.number("SELECT id FROM enforcement WHERE event = ? AND rule = ?")
		if err != nil {
			return g, err
		}
		if key := (pair{e.Event, e.Rule}); found || pairs[key] {
			g.skipped = append(g.skipped, e.Rule)
			continue
		} else {
			pairs[key] = true
		}
		found, err = f.has("SELECT 1 FROM enforcement WHERE id = ?", int64(e.ID))
		if err != nil {
			return g, err
		}
		if found || inserted[e.ID] {
			a := conflict("enforcement %s is there already", e.ID)
			return group{taken: &a}, nil
		}
		inserted[e.ID] = true
		g.enforcements = append(g.enforcements, e)
	}
	seen := map[attune.ExecutionID]bool{}
	for _, x := range exs {
		if x.Enforcement != 0 && !inserted[x.Enforcement] {
			continue
		}
		found, err := f.has("SELECT 1 FROM execution WHERE id = ?", int64(x.ID))
		if err != nil {
			return g, err
		}
		if found || seen[x.ID] {
			a := conflict("execution %s is there already", x.ID)
			return group{taken: &a}, nil
		}
		seen[x.ID] = true
		g.executions = append(g.executions, x)
	}
	return g, nil
}

func (t *tx) has(query string, id int64) (bool, error) {
	t.int(id)
	_, found, err := t.number(query)
	return found, err
}
