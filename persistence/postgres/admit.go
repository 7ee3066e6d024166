package postgres

import (
	"slices"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// forms are the values of the rows of one statement. They are kept from flush to
// flush for their memory.
type forms struct {
	enc                                              persistence.Encoder
	claims, events, enforcements, executions, tops   *rows
	saves, workers, gone, high, announced, corrected *rows
}

const (
	eventNames       = "id, evaluated, trigger, payload, spec"
	enforcementNames = "id, event, execution, status, rule, action, evaluation, spec"
	executionNames   = "id, event, enforcement, parent, loose, action, rule, trigger, parameters, spec, version, finished, finish_number, status, worker, incarnation, state, result"
	saveNames        = "id, version, finished, finish_number, status, worker, incarnation, state, result"
)

func newForms() forms {
	return forms{
		claims:       newRows("hash, first", uuids, int8s),
		events:       newRows("claimed, "+eventNames, bools, int8s, int8s, texts, jsons, byteas),
		enforcements: newRows("top, claimed, "+enforcementNames, int8s, bools, int8s, int8s, int8s, int2s, texts, texts, jsons, byteas),
		executions: newRows("top, claimed, "+executionNames, int8s, bools, int8s, int8s, int8s, int8s, bools, texts, texts, texts, jsons, byteas,
			int8s, int8s, int8s, int2s, texts, texts, byteas, jsons),
		tops:      newRows("id, evaluated", int8s, int8s),
		saves:     newRows(saveNames, int8s, int8s, int8s, int8s, int2s, texts, texts, byteas, jsons),
		workers:   newRows("name, version, body", texts, int8s, jsons),
		gone:      newRows("name, version", texts, int8s),
		high:      newRows("id, mark", int8s, int8s),
		announced: newRows("id, mark", int8s, int8s),
		corrected: newRows("id, execution, status, action, evaluation, again", int8s, int8s, int2s, texts, jsons, byteas),
	}
}

// reset makes the forms empty that the next statement uses.
func (f *forms) reset(all ...*rows) {
	f.enc.Reset()
	for _, r := range all {
		r.reset()
	}
}

func (f *forms) event(e *attune.Event, claimed bool) {
	r := f.events
	r.truth(claimed)
	r.number(int64(e.ID))
	r.moment(persistence.Millis(e.Evaluated))
	r.text(e.Trigger)
	r.document(e.Payload)
	r.blob(f.enc.EventSpec(e))
}

func (f *forms) enforcement(top attune.ID, claimed bool, e *attune.Enforcement) {
	r := f.enforcements
	r.number(int64(top))
	r.truth(claimed)
	r.number(int64(e.ID))
	r.number(int64(e.Event))
	r.number(int64(e.Execution))
	r.small(int16(e.Status))
	r.text(e.Rule)
	r.text(e.Action)
	r.document(e.Evaluation)
	r.blob(f.enc.EnforcementSpec(e))
}

// execution binds one; named says that the enforcement it is of, which is stored
// with it, names it.
func (f *forms) execution(top attune.ID, claimed bool, x *attune.Execution, named bool) {
	r := f.executions
	r.number(int64(top))
	r.truth(claimed)
	r.number(int64(x.ID))
	r.number(int64(x.Event))
	r.number(int64(x.Enforcement))
	r.number(int64(x.Parent))
	r.truth(x.Event != 0 && !named)
	r.text(x.Action)
	r.text(x.Rule)
	r.text(x.Trigger)
	r.document(x.Parameters)
	r.blob(f.enc.ExecutionSpec(x))
	r.number(x.Version)
	r.state(f, x)
}

// state is what a save changes, behind the version.
func (r *rows) state(f *forms, x *attune.Execution) {
	if x.Status.Terminal() {
		r.number(persistence.Millis(x.Finished))
	} else {
		r.column().null()
	}
	r.number(x.FinishNumber)
	r.small(int16(x.Status))
	r.text(x.Worker)
	r.text(x.Incarnation)
	r.blob(f.enc.ExecutionState(x))
	r.document(x.Result)
}

// claimed is the GUC by which the statement behind an admission knows how many
// keys it claimed, and so whether there is anything to look for.
const claimed = "attune.claimed"

// admit inserts all groups in one statement. Each row is joined to the row that
// decides it: the claim of its group's dedupe key, the enforcement of its
// execution.
func (f *flush) admit(b *batch, t *tally) {
	fm := &f.s.forms
	fm.reset(fm.claims, fm.events, fm.enforcements, fm.executions)
	each(t, func(_ int, op *persistence.Admit) {
		if op.Dedupe != nil {
			hash := op.Dedupe.Hash()
			fm.claims.blob(hash[:])
			fm.claims.number(int64(op.ID()))
		}
		if op.Event != nil {
			fm.event(op.Event, op.Dedupe != nil)
		}
		f.group(op.ID(), op.Dedupe != nil, op.Enforcements, op.Executions)
	})
	if fm.claims.len()+fm.events.len()+fm.executions.len()+fm.enforcements.len() == 0 {
		return
	}
	var s statement
	free := ""
	if fm.claims.len() > 0 {
		// Sorted by key, so that two nodes never wait for each other; of two of one
		// key the first.
		s.with("claim", "INSERT INTO dedupe (hash, first) SELECT hash, first FROM "+s.unnestOrdered("c", fm.claims)+" ORDER BY hash, place ON CONFLICT DO NOTHING RETURNING first")
		free = " WHERE (NOT claimed OR top IN (SELECT first FROM claim))"
	}
	writer := s.arg(number(f.writer.id))
	if fm.events.len() > 0 {
		s.with("ev", "INSERT INTO event (writer, "+eventNames+") SELECT "+writer+"::bigint, "+eventNames+" FROM (SELECT id AS top, * FROM "+s.unnest("e", fm.events)+") e"+free)
	}
	s.groups(fm, writer, free, "") // of a new event no pair is there
	var firsts, ids []int64
	b.add(s.text("SELECT "+s.returned("first", "claim", fm.claims)+", "+s.returned("id", "en", fm.enforcements)+
		", set_config('"+claimed+"', (SELECT count(*) FROM "+orNothing("claim", fm.claims)+")::text, true)"), func(r row) error {
		firsts, ids = r.numbers(0), r.numbers(1)
		return nil
	}, s.args...)
	others := map[int64]int64{}
	if n := fm.claims.len(); n > 0 {
		var d statement
		b.add("SELECT c.first, d.first FROM "+d.unnest("c", fm.claims)+" JOIN dedupe d ON d.hash = c.hash "+
			"WHERE current_setting('"+claimed+"')::int <> "+d.arg(integer(int32(n))), func(r row) error {
			others[r.number(0)] = r.number(1)
			return nil
		}, d.args...)
	}
	t.later(func() {
		claims, inserted := set(firsts), set(ids)
		each(t, func(i int, op *persistence.Admit) {
			if op.Dedupe != nil {
				if !claims[int64(op.ID())] {
					if first := others[int64(op.ID())]; first != 0 {
						t.answers[i] = persistence.Answer{Outcome: persistence.Duplicate, First: attune.ID(first)}
					}
					return // without a first it went in between, and nothing is decided
				}
				t.rows++
			}
			if op.Event != nil {
				t.rows++
			}
			t.answers[i] = t.group(op.Enforcements, op.Executions, inserted)
		})
	})
}

// group binds the rows below a top: an event, or the first execution.
func (f *flush) group(top attune.ID, claimed bool, ens []*attune.Enforcement, exs []*attune.Execution) {
	for _, e := range ens {
		f.s.forms.enforcement(top, claimed, e)
	}
	for _, x := range own(ens, exs) {
		f.s.forms.execution(top, claimed, x, named(ens, x))
	}
}

// named reports that one of the enforcements names the execution as its own.
func named(ens []*attune.Enforcement, x *attune.Execution) bool {
	return slices.ContainsFunc(ens, func(e *attune.Enforcement) bool {
		return e.ID == x.Enforcement && e.Execution == x.ID && e.Event == x.Event
	})
}

// groups are the parts of a statement that insert enforcements and executions
// where their top is free to be. A pair that is there already is left out where
// it may be, and otherwise fails.
func (s *statement) groups(fm *forms, writer, free, taken string) {
	matched := ""
	if fm.enforcements.len() > 0 {
		s.with("en", "INSERT INTO enforcement ("+enforcementNames+") SELECT "+enforcementNames+" FROM "+s.unnest("n", fm.enforcements)+free+taken+" RETURNING id")
		matched = "(enforcement = 0 OR enforcement IN (SELECT id FROM en))"
	}
	if fm.executions.len() == 0 {
		return
	}
	where := free
	if matched != "" && where == "" {
		where = " WHERE " + matched
	} else if matched != "" {
		where += " AND " + matched
	}
	s.with("ex", "INSERT INTO execution (writer, "+executionNames+") SELECT "+writer+"::bigint, "+executionNames+" FROM "+s.unnest("x", fm.executions)+where)
}

// returned is what a part returned, as one array.
func (s *statement) returned(column, part string, r *rows) string {
	return "(SELECT array_agg(" + column + ") FROM " + orNothing(part, r) + ")"
}

// orNothing is the part where the statement has it.
func orNothing(part string, r *rows) string {
	if r.len() > 0 {
		return part
	}
	return "(SELECT NULL::bigint AS id, NULL::bigint AS first WHERE false) nothing"
}

// unnestOrdered is unnest with the place of each row, from 1.
func (s *statement) unnestOrdered(alias string, r *rows) string {
	places := ""
	for i := range r.columns {
		if i > 0 {
			places += ", "
		}
		places += s.arg(r.columns[i].value())
	}
	return "unnest(" + places + ") WITH ORDINALITY AS " + alias + " (" + r.names + ", place)"
}

func set(ids []int64) map[int64]bool {
	m := make(map[int64]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}

// group is the answer of a group whose enforcements of these ids were inserted.
func (t *tally) group(ens []*attune.Enforcement, exs []*attune.Execution, inserted map[int64]bool) persistence.Answer {
	a := committed()
	for _, e := range ens {
		if inserted[int64(e.ID)] {
			t.rows++
		} else {
			a.Skipped = append(a.Skipped, e.Rule)
		}
	}
	for _, x := range own(ens, exs) {
		if x.Enforcement == 0 || inserted[int64(x.Enforcement)] {
			t.rows++
		}
	}
	return a
}

// extend adds to the groups of events that are there.
func (f *flush) extend(b *batch, t *tally) {
	fm := &f.s.forms
	fm.reset(fm.tops, fm.enforcements, fm.executions)
	lo, hi := int64(1<<63-1), int64(0)
	each(t, func(_ int, op *persistence.Extend) {
		id := int64(op.Event.ID)
		fm.tops.number(id)
		fm.tops.moment(persistence.Millis(op.Event.Evaluated))
		lo, hi = min(lo, id), max(hi, id)
		f.group(attune.ID(id), true, op.Enforcements, op.Executions)
	})
	if fm.tops.len() == 0 {
		return
	}
	var s statement
	writer, bounds := s.arg(number(f.writer.id)), s.between("e.id", lo, hi)
	tops := s.unnest("v", fm.tops)
	s.with("there", "SELECT e.id FROM event e JOIN "+tops+" ON e.id = v.id WHERE "+bounds)
	s.with("judged", "UPDATE event e SET evaluated = v.evaluated, writer = "+writer+"::bigint FROM "+tops+" WHERE e.id = v.id AND v.evaluated IS NOT NULL AND "+bounds+" RETURNING e.id")
	s.groups(fm, writer, " WHERE top IN (SELECT id FROM there)", " ON CONFLICT (event, rule) DO NOTHING")
	var there, judged, ids []int64
	b.add(s.text("SELECT (SELECT array_agg(id) FROM there), (SELECT array_agg(id) FROM judged), "+s.returned("id", "en", fm.enforcements)), func(r row) error {
		there, judged, ids = r.numbers(0), r.numbers(1), r.numbers(2)
		return nil
	}, s.args...)
	t.later(func() {
		found, inserted := set(there), set(ids)
		t.rows += int64(len(judged))
		each(t, func(i int, op *persistence.Extend) {
			if !found[int64(op.Event.ID)] {
				t.answers[i] = conflict("event %s is not there", op.Event.ID)
				return
			}
			t.answers[i] = t.group(op.Enforcements, op.Executions, inserted)
		})
	})
}

// between are bounds of a column, which let the server leave out the ranges that
// are beyond.
func (s *statement) between(column string, lo, hi int64) string {
	return column + " BETWEEN " + s.arg(number(lo)) + " AND " + s.arg(number(hi))
}
