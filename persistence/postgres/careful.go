package postgres

import (
	"context"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// carefully is the flush for when an id is there already: a transaction of three
// batches, which claims the keys, looks at all rows, and writes what is left of
// each group. Only this incarnation makes ids of its partitions, so that what was
// looked at stays as it is.
func (f *flush) carefully(ctx context.Context, places []int) (err error) {
	t := newTally(f, places)
	defer func() {
		if err != nil && f.s.w != nil && !broken(err) {
			var b batch
			b.add("ROLLBACK", nil)
			if b.run(ctx, f.s.w) != nil {
				f.s.hangUp()
			}
		}
	}()
	var first batch
	first.add("BEGIN", nil)
	l := f.s.limits
	first.add("SELECT "+setPlanned+fence, nil, append(l.args(), text(f.incarnation), number(f.writer.session))...)
	claims := f.claim(&first, t)
	if err := first.run(ctx, f.s.w); err != nil {
		if is(err, divisionByZero) {
			return failed{0, err} // the fence is where a batch begins
		}
		return err
	}
	var ops []persistence.Op
	for _, i := range places {
		ops = append(ops, f.ops[i])
	}
	var second batch
	seen := look(&second, ops)
	if err := second.run(ctx, f.s.w); err != nil {
		return err
	}
	for hash := range claims {
		delete(seen.firsts, hash) // that is our own claim, of whichever group
	}
	var third batch
	f.write(&third, t, seen, claims)
	f.save(&third, t)
	f.workers(&third, t)
	f.marks(&third, t)
	f.rerun(&third, t)
	third.add("COMMIT", nil)
	if err := third.run(ctx, f.s.w); err != nil {
		return err
	}
	t.tell()
	return nil
}

// claims are the keys that were free, and the ids they were taken with.
type claims map[[16]byte]attune.ID

// claim takes all keys that are free.
func (f *flush) claim(b *batch, t *tally) claims {
	fm := &f.s.forms
	fm.reset(fm.claims)
	each(t, func(_ int, op *persistence.Admit) {
		if op.Dedupe != nil {
			hash := op.Dedupe.Hash()
			fm.claims.blob(hash[:])
			fm.claims.number(int64(op.ID()))
		}
	})
	taken := claims{}
	if fm.claims.len() > 0 {
		var s statement
		b.add("INSERT INTO dedupe (hash, first) SELECT hash, first FROM "+s.unnestOrdered("c", fm.claims)+" ORDER BY hash, place ON CONFLICT DO NOTHING RETURNING hash, first",
			func(r row) error { taken[[16]byte(r[0])] = attune.ID(r.number(1)); return nil }, s.args...)
	}
	return taken
}

// write decides the groups, one after the other, and appends what is left of
// them. What is left of the claims is of no group that is written.
func (f *flush) write(b *batch, t *tally, seen *sight, left claims) {
	fm := &f.s.forms
	fm.reset(fm.claims, fm.events, fm.enforcements, fm.executions, fm.tops)
	insert := func(top attune.ID, g group) {
		for _, e := range g.enforcements {
			fm.enforcement(top, false, e)
		}
		for _, x := range g.executions {
			fm.execution(top, false, x, named(g.enforcements, x))
		}
		t.rows += int64(len(g.enforcements) + len(g.executions))
	}
	each(t, func(i int, op *persistence.Admit) {
		a, g := seen.admit(op)
		if t.answers[i] = a; a.Outcome != persistence.Committed {
			return
		}
		if op.Dedupe != nil {
			t.rows++
			hash := op.Dedupe.Hash()
			if left[hash] == op.ID() {
				delete(left, hash)
			} else {
				fm.claims.blob(hash[:])
				fm.claims.number(int64(op.ID()))
			}
		}
		if op.Event != nil {
			fm.event(op.Event, false)
			t.rows++
		}
		insert(op.ID(), g)
	})
	each(t, func(i int, op *persistence.Extend) {
		a, g := seen.extend(op)
		if t.answers[i] = a; a.Outcome != persistence.Committed {
			return
		}
		if !op.Event.Evaluated.IsZero() {
			fm.tops.number(int64(op.Event.ID))
			fm.tops.number(persistence.Millis(op.Event.Evaluated))
			t.rows++
		}
		insert(attune.ID(op.Event.ID), g)
	})
	each(t, func(i int, op *persistence.Rerun) {
		if a := seen.rerun(op); a.Outcome != persistence.Committed {
			t.answers[i] = a // what is left is the rerun's own statement's
		}
	})
	f.insert(b, left)
}

// insert appends the statements that write what was bound, and free the claims
// that are of no group.
func (f *flush) insert(b *batch, unclaimed claims) {
	fm, writer := &f.s.forms, number(f.writer.id)
	if len(unclaimed) > 0 {
		hashes := column{kind: uuids}
		for hash := range unclaimed {
			hashes.blob(hash[:])
		}
		b.add("DELETE FROM dedupe WHERE hash = ANY($1)", nil, hashes.value())
	}
	if fm.claims.len() > 0 {
		var s statement
		b.add("INSERT INTO dedupe (hash, first) SELECT hash, first FROM "+s.unnest("c", fm.claims), nil, s.args...)
	}
	if fm.events.len()+fm.enforcements.len()+fm.executions.len() > 0 {
		var s statement
		place := s.arg(writer)
		if fm.events.len() > 0 {
			s.with("ev", "INSERT INTO event (writer, "+eventNames+") SELECT "+place+"::bigint, "+eventNames+" FROM "+s.unnest("e", fm.events))
		}
		s.groups(fm, place, "", "")
		b.add(s.text("SELECT "+place), nil, s.args...)
	}
	if fm.tops.len() > 0 {
		var s statement
		b.add("UPDATE event e SET evaluated = v.evaluated, writer = "+s.arg(writer)+"::bigint FROM "+s.unnest("v", fm.tops)+" WHERE e.id = v.id", nil, s.args...)
	}
}

// group is what remains of a group's rows when those that are there before are
// left out.
type group struct {
	enforcements []*attune.Enforcement
	executions   []*attune.Execution
}

// admit decides one group and, where it is committed, takes its rows for stored.
func (v *sight) admit(op *persistence.Admit) (persistence.Answer, group) {
	if op.Dedupe != nil {
		if first, ok := v.firsts[op.Dedupe.Hash()]; ok {
			return persistence.Answer{Outcome: persistence.Duplicate, First: first}, group{}
		}
	}
	if op.Event != nil {
		if _, ok := v.events[op.Event.ID]; ok {
			return conflict("event %s is there already", op.Event.ID), group{}
		}
	}
	a, g := v.fresh(op.Enforcements, op.Executions)
	if a.Outcome == persistence.Committed {
		if op.Dedupe != nil {
			v.firsts[op.Dedupe.Hash()] = op.ID()
		}
		if op.Event != nil {
			v.events[op.Event.ID] = judged{}
		}
	}
	return a, g
}

func (v *sight) extend(op *persistence.Extend) (persistence.Answer, group) {
	if _, ok := v.events[op.Event.ID]; !ok {
		return conflict("event %s is not there", op.Event.ID), group{}
	}
	return v.fresh(op.Enforcements, op.Executions)
}

func (v *sight) rerun(op *persistence.Rerun) persistence.Answer {
	stored, ok := v.enforcements[op.Enforcement.ID]
	if !ok {
		return conflict("enforcement %s is not there", op.Enforcement.ID)
	}
	if stored.status != attune.EnforcementFailed {
		return persistence.Answer{Outcome: persistence.Duplicate, First: attune.ID(stored.execution)}
	}
	if _, taken := v.executions[op.Execution.ID]; taken {
		return conflict("execution %s is there already", op.Execution.ID)
	}
	v.executions[op.Execution.ID] = stamp{}
	return committed()
}

// fresh leaves out the enforcements whose pair is there before, here or earlier,
// and the executions of those. An id that is there already is a Conflict of the
// whole group.
func (v *sight) fresh(ens []*attune.Enforcement, exs []*attune.Execution) (a persistence.Answer, g group) {
	a = committed()
	pairs, ids := map[pair]bool{}, map[attune.EnforcementID]bool{}
	for _, e := range ens {
		key := pair{e.Event, e.Rule}
		if _, ok := v.pairs[key]; ok || pairs[key] {
			a.Skipped = append(a.Skipped, e.Rule)
			continue
		}
		if _, ok := v.enforcements[e.ID]; ok || ids[e.ID] {
			return conflict("enforcement %s is there already", e.ID), group{}
		}
		pairs[key], ids[e.ID] = true, true
		g.enforcements = append(g.enforcements, e)
	}
	taken := map[attune.ExecutionID]bool{}
	for _, x := range exs {
		if x.Enforcement != 0 && !ids[x.Enforcement] {
			continue
		}
		if _, ok := v.executions[x.ID]; ok || taken[x.ID] {
			return conflict("execution %s is there already", x.ID), group{}
		}
		taken[x.ID] = true
		g.executions = append(g.executions, x)
	}
	for _, e := range g.enforcements {
		v.pairs[pair{e.Event, e.Rule}] = e.ID
		v.enforcements[e.ID] = match{e.Status, e.Execution}
	}
	for _, x := range g.executions {
		v.executions[x.ID] = stamp{x.Version, 0}
	}
	return a, g
}
