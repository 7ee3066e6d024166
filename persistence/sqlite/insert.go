package sqlite

import (
	"fmt"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// bulk is an INSERT of several rows in one statement.
type bulk struct {
	// texts are the statements for 1, 8 and 64 rows, so that any number is a
	// few statements and all are prepared once.
	texts [3]string
}

var bulkRows = [3]int{1, 8, 64}

// newBulk makes the statements. OR FAIL leaves the rows before a contradiction
// in place, which is right because the transaction is rolled back then, and
// spares SQLite a journal of each statement.
func newBulk(verb, into string) (b bulk) {
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", strings.Count(into, ",")+1), ",") + ")"
	for i, n := range bulkRows {
		b.texts[i] = fmt.Sprintf("%s INTO %s VALUES %s", verb, into, strings.TrimSuffix(strings.Repeat(row+",", n), ","))
	}
	return b
}

var (
	insertDedupe      = newBulk("INSERT OR IGNORE", "dedupe (hash, first)")
	insertEvent       = newBulk("INSERT OR FAIL", "event (id, trigger, evaluated, writer, payload, spec)")
	insertEnforcement = newBulk("INSERT OR FAIL", "enforcement (id, event, rule, action, status, evaluation, spec)")
	insertExecution   = newBulk("INSERT OR FAIL", "execution (id, version, status, writer, finished, finish_number, event, enforcement, parent, "+
		"action, rule, trigger, worker, incarnation, parameters, spec, state, result)")
)

// insert binds and inserts all rows and says how many there are now that were
// not before.
func insert[R any](t *tx, b *bulk, rows []R, bind func(R)) (inserted int64, err error) {
	for size := len(bulkRows) - 1; size >= 0; size-- {
		for len(rows) >= bulkRows[size] {
			for _, r := range rows[:bulkRows[size]] {
				bind(r)
			}
			n, err := t.exec(b.texts[size])
			if err != nil {
				return 0, err
			}
			inserted += n
			rows = rows[bulkRows[size]:]
		}
	}
	t.rows += inserted
	return inserted, nil
}

// claim is a dedupe key and the id that would have it first.
type claim struct {
	hash  [16]byte
	first attune.ID
}

func claimOf(a *persistence.Admit) claim { return claim{a.Dedupe.Hash(), a.ID()} }

func (t *tx) insertClaims(claims []claim) (int64, error) {
	return insert(t, &insertDedupe, claims, func(c claim) {
		t.blob(c.hash[:])
		t.int(int64(c.first))
	})
}

func (t *tx) insertEvents(writer int64, rows []*attune.Event) error {
	_, err := insert(t, &insertEvent, rows, func(e *attune.Event) {
		t.int(int64(e.ID))
		t.text(e.Trigger)
		t.int(persistence.Millis(e.Evaluated))
		t.int(writer)
		t.json(e.Payload)
		t.blob(t.enc.EventSpec(e))
	})
	return err
}

func (t *tx) insertEnforcements(rows []*attune.Enforcement) error {
	_, err := insert(t, &insertEnforcement, rows, func(e *attune.Enforcement) {
		t.int(int64(e.ID))
		t.int(int64(e.Event))
		t.text(e.Rule)
		t.text(e.Action)
		t.int(int64(e.Status))
		t.json(e.Evaluation)
		t.blob(t.enc.EnforcementSpec(e))
	})
	return err
}

func (t *tx) insertExecutions(writer int64, rows []*attune.Execution) error {
	_, err := insert(t, &insertExecution, rows, func(x *attune.Execution) {
		t.int(int64(x.ID))
		t.int(x.Version)
		t.int(int64(x.Status))
		t.int(writer)
		t.finished(x)
		t.int(x.FinishNumber)
		t.int(int64(x.Event))
		t.int(int64(x.Enforcement))
		t.int(int64(x.Parent))
		t.text(x.Action)
		t.text(x.Rule)
		t.text(x.Trigger)
		t.text(x.Worker)
		t.text(x.Incarnation)
		t.json(x.Parameters)
		t.blob(t.enc.ExecutionSpec(x))
		t.blob(t.enc.ExecutionState(x))
		t.json(x.Result)
	})
	return err
}

// finished binds null while the execution is live.
func (t *tx) finished(x *attune.Execution) {
	if x.Status.Terminal() {
		t.int(persistence.Millis(x.Finished))
	} else {
		t.bind(nil)
	}
}
