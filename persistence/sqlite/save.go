package sqlite

import (
	"database/sql/driver"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

const saveExecution = "UPDATE execution SET version = ?2, status = ?3, writer = ?4, finished = ?5, finish_number = ?6, worker = ?7, incarnation = ?8, " +
	"state = ?9, result = ?10 WHERE id = ?1 AND version = ?2 - 1"

func (f *flush) save(x *attune.Execution) (persistence.Answer, error) {
	f.int(int64(x.ID))
	f.int(x.Version)
	f.int(int64(x.Status))
	f.int(f.writer)
	f.finished(x)
	f.int(x.FinishNumber)
	f.text(x.Worker)
	f.text(x.Incarnation)
	f.blob(f.enc.ExecutionState(x))
	f.json(x.Result)
	n, err := f.exec(saveExecution)
	if err != nil {
		return persistence.Answer{}, err
	}
	if n == 1 {
		f.rows++
		return committed(), nil
	}
	f.int(int64(x.ID))
	have, found, err := f.number("SELECT version FROM execution WHERE id = ?")
	if !found {
		return conflict("execution %s is not there", x.ID), err
	}
	return conflict("execution %s has version %d and cannot become %d", x.ID, have, x.Version), err
}

func (f *flush) saveWorker(w *attune.Worker) (persistence.Answer, error) {
	have, err := f.workerVersion(w.Name)
	if err != nil {
		return persistence.Answer{}, err
	}
	if have.version != w.Version-1 {
		return conflict("worker %s has version %d and cannot become %d", w.Name, have.version, w.Version), nil
	}
	body, err := persistence.EncodeWorker(w)
	if err != nil {
		return persistence.Answer{}, err
	}
	f.text(w.Name)
	f.int(w.Version)
	f.int(f.writer)
	f.json(body)
	n, err := f.exec("INSERT OR REPLACE INTO worker (name, version, writer, body) VALUES (?, ?, ?, ?)")
	f.rows += n
	return committed(), err
}

func (f *flush) removeWorker(op *persistence.RemoveWorker) (persistence.Answer, error) {
	have, err := f.workerVersion(op.Name)
	if err != nil || have == (stamp{}) {
		return committed(), err
	}
	if have.version != op.Version {
		return conflict("worker %s has version %d, not %d", op.Name, have.version, op.Version), nil
	}
	f.text(op.Name)
	n, err := f.exec("DELETE FROM worker WHERE name = ?")
	f.rows += n
	return committed(), err
}

// stamp is who wrote a row, and its version; zero where there is none.
type stamp struct{ version, writer int64 }

func (t *tx) workerVersion(name string) (stamp, error) {
	t.text(name)
	return t.stamp("SELECT version, writer FROM worker WHERE name = ?")
}

func (t *tx) stamp(query string) (have stamp, err error) {
	err = t.query(query, func(v []driver.Value) { have = stamp{v[0].(int64), v[1].(int64)} })
	return have, err
}
