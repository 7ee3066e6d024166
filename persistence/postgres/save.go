package postgres

import (
	"slices"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// save writes new states over the ones before. What it does not return was at
// another version, or is not there.
func (f *flush) save(b *batch, t *tally) {
	fm := &f.s.forms
	fm.reset(fm.saves)
	lo, hi := int64(1<<63-1), int64(0)
	each(t, func(_ int, op *persistence.Save) {
		id := int64(op.Execution.ID)
		lo, hi = min(lo, id), max(hi, id)
		fm.saves.number(id)
		fm.saves.number(op.Execution.Version)
		fm.saves.state(fm, op.Execution)
	})
	if fm.saves.len() == 0 {
		return
	}
	var s statement
	query := "UPDATE execution x SET version = v.version, writer = " + s.arg(number(f.writer.id)) + "::bigint, finished = v.finished, finish_number = v.finish_number, " +
		"status = v.status, worker = v.worker, incarnation = v.incarnation, state = v.state, result = v.result FROM " + s.unnest("v", fm.saves) +
		" WHERE x.id = v.id AND x.version = v.version - 1 AND " + s.between("x.id", lo, hi) + " RETURNING x.id"
	s.with("saved", query)
	var ids []int64
	b.add(s.text("SELECT array_agg(id) FROM saved"), func(r row) error { ids = r.numbers(0); return nil }, s.args...)
	t.later(func() {
		saved := set(ids)
		t.rows += int64(len(ids))
		each(t, func(i int, op *persistence.Save) {
			if x := op.Execution; saved[int64(x.ID)] {
				t.answers[i] = committed()
			} else {
				t.answers[i] = conflict("execution %s is not there with version %d, and cannot become %d", x.ID, x.Version-1, x.Version)
			}
		})
	})
}

// workers saves and removes them.
func (f *flush) workers(b *batch, t *tally) {
	fm := &f.s.forms
	fm.reset(fm.workers, fm.gone)
	each(t, func(i int, op *persistence.SaveWorker) {
		body, err := persistence.EncodeWorker(op.Worker)
		if err != nil {
			t.answers[i] = persistence.Answer{Outcome: persistence.Rejected, Reason: err.Error()}
			return
		}
		fm.workers.text(op.Worker.Name)
		fm.workers.number(op.Worker.Version)
		fm.workers.document(body)
	})
	each(t, func(_ int, op *persistence.RemoveWorker) {
		fm.gone.text(op.Name)
		fm.gone.number(op.Version)
	})
	if fm.workers.len() > 0 {
		f.saveWorkers(b, t)
	}
	if fm.gone.len() > 0 {
		f.removeWorkers(b, t)
	}
}

func (f *flush) saveWorkers(b *batch, t *tally) {
	var s statement
	writer := s.arg(number(f.writer.id))
	query := "INSERT INTO worker (name, version, writer, body) SELECT v.name, v.version, " + writer + "::bigint, v.body FROM " + s.unnest("v", f.s.forms.workers) +
		" WHERE v.version = 1 OR EXISTS (SELECT 1 FROM worker w WHERE w.name = v.name) " +
		"ON CONFLICT (name) DO UPDATE SET version = excluded.version, writer = excluded.writer, body = excluded.body WHERE worker.version = excluded.version - 1 RETURNING name"
	var saved []string
	b.add(query, func(r row) error { saved = append(saved, r.text(0)); return nil }, s.args...)
	t.later(func() {
		t.rows += int64(len(saved))
		each(t, func(i int, op *persistence.SaveWorker) {
			switch w := op.Worker; {
			case slices.Contains(saved, w.Name):
				t.answers[i] = committed()
			case t.answers[i].Outcome == persistence.NotWritten:
				t.answers[i] = conflict("worker %s is not there with version %d, and cannot become %d", w.Name, w.Version-1, w.Version)
			}
		})
	})
}

func (f *flush) removeWorkers(b *batch, t *tally) {
	var s statement
	s.with("gone", "DELETE FROM worker w USING "+s.unnest("v", f.s.forms.gone)+" WHERE w.name = v.name AND w.version = v.version RETURNING w.name")
	removed, stays := map[string]bool{}, map[string]bool{}
	query := "SELECT w.name, g.name IS NOT NULL FROM worker w JOIN " + s.unnest("v", f.s.forms.gone) + " ON v.name = w.name LEFT JOIN gone g ON g.name = w.name"
	b.add(s.text(query), func(r row) error {
		if r.truth(1) {
			removed[r.text(0)] = true
		} else {
			stays[r.text(0)] = true
		}
		return nil
	}, s.args...)
	t.later(func() {
		t.rows += int64(len(removed))
		each(t, func(i int, op *persistence.RemoveWorker) {
			t.answers[i] = committed()
			if stays[op.Name] {
				t.answers[i] = conflict("worker %s is not at version %d", op.Name, op.Version)
			}
		})
	})
}

// marks raises those of partitions.
func (f *flush) marks(b *batch, t *tally) {
	fm := &f.s.forms
	fm.reset(fm.high, fm.announced)
	each(t, func(i int, op *persistence.RaiseIDHigh) {
		fm.high.number(int64(op.Partition))
		fm.high.number(op.High)
		t.answers[i] = committed()
	})
	each(t, func(i int, op *persistence.Announced) {
		fm.announced.number(int64(op.Partition))
		fm.announced.number(op.Through)
		t.answers[i] = committed()
	})
	f.raise(b, t, "id_high", fm.high)
	f.raise(b, t, "announced_to", fm.announced)
}

func (f *flush) raise(b *batch, t *tally, mark string, marks *rows) {
	if marks.len() == 0 {
		return
	}
	var s statement
	n := new(int64)
	b.count("UPDATE partition p SET "+mark+" = v.mark FROM "+s.unnest("v", marks)+" WHERE p.id = v.id AND p."+mark+" < v.mark", n, s.args...)
	t.later(func() { t.rows += *n })
}

// rerun gives failed enforcements their executions.
func (f *flush) rerun(b *batch, t *tally) {
	fm := &f.s.forms
	fm.reset(fm.corrected, fm.executions)
	var asked []int64
	each(t, func(i int, op *persistence.Rerun) {
		if _, decided := t.answers[i]; !decided {
			asked = append(asked, int64(op.Enforcement.ID))
			f.corrected(op)
		}
	})
	if len(asked) == 0 {
		return
	}
	var s statement
	s.with("en", "UPDATE enforcement e SET execution = v.execution, status = v.status, action = v.action, evaluation = v.evaluation, again = v.again FROM "+
		s.unnest("v", fm.corrected)+" WHERE e.id = v.id AND e.status = "+s.arg(small(int16(attune.EnforcementFailed)))+" RETURNING e.id")
	writer := s.arg(number(f.writer.id))
	s.with("ex", "INSERT INTO execution (writer, "+executionNames+") SELECT "+writer+"::bigint, "+executionNames+" FROM "+s.unnest("x", fm.executions)+
		" WHERE top IN (SELECT id FROM en)")
	var done []int64
	b.add(s.text("SELECT array_agg(id) FROM en"), func(r row) error { done = r.numbers(0); return nil }, s.args...)
	has := map[int64]int64{}
	b.add("SELECT id, execution FROM enforcement WHERE id = ANY($1)", func(r row) error { has[r.number(0)] = r.number(1); return nil }, numbers(asked))
	t.later(func() {
		corrected := set(done)
		t.rows += 2 * int64(len(done))
		each(t, func(i int, op *persistence.Rerun) {
			id := int64(op.Enforcement.ID)
			execution, there := has[id]
			_, decided := t.answers[i]
			switch {
			case decided:
			case corrected[id]:
				t.answers[i] = committed()
			case there:
				t.answers[i] = persistence.Answer{Outcome: persistence.Duplicate, First: attune.ID(execution)}
			default:
				t.answers[i] = conflict("enforcement %s is not there", op.Enforcement.ID)
			}
		})
	})
}

// corrected binds the enforcement and the execution of a rerun.
func (f *flush) corrected(op *persistence.Rerun) {
	fm, e := &f.s.forms, op.Enforcement
	fm.corrected.number(int64(e.ID))
	fm.corrected.number(int64(e.Execution))
	fm.corrected.small(int16(e.Status))
	fm.corrected.text(e.Action)
	fm.corrected.document(e.Evaluation)
	fm.corrected.blob(fm.enc.EnforcementSpec(e))
	fm.execution(attune.ID(e.ID), false, op.Execution, named([]*attune.Enforcement{e}, op.Execution))
}
