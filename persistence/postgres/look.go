package postgres

import (
	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// pair is what there is one enforcement of.
type pair struct {
	event attune.EventID
	rule  string
}

// stamp is who wrote a row, and its version.
type stamp struct{ version, writer int64 }

// sight is what is stored of the rows that operations speak of.
type sight struct {
	firsts       map[[16]byte]attune.ID
	events       map[attune.EventID]judged
	pairs        map[pair]attune.EnforcementID
	enforcements map[attune.EnforcementID]match
	executions   map[attune.ExecutionID]stamp
	states       map[attune.ExecutionID]string
	workers      map[string]stamp
	bodies       map[string]string // of workers
	high, told   map[int]int64 // the marks of partitions
}

type judged struct{ evaluated, writer int64 }

type match struct {
	status    attune.EnforcementStatus
	execution attune.ExecutionID
}

// look appends the statements that fill a sight of what operations speak of.
func look(b *batch, ops []persistence.Op) *sight {
	v := &sight{
		firsts: map[[16]byte]attune.ID{}, events: map[attune.EventID]judged{}, pairs: map[pair]attune.EnforcementID{}, enforcements: map[attune.EnforcementID]match{},
		executions: map[attune.ExecutionID]stamp{}, states: map[attune.ExecutionID]string{}, workers: map[string]stamp{}, bodies: map[string]string{}, high: map[int]int64{}, told: map[int]int64{},
	}
	w := wanted{hashes: column{kind: uuids}, pairs: newRows("event, rule", int8s, texts)}
	for _, op := range ops {
		w.of(op)
	}
	if w.hashes.n > 0 {
		b.add("SELECT hash, first FROM dedupe WHERE hash = ANY($1)", func(r row) error { v.firsts[[16]byte(r[0])] = attune.ID(r.number(1)); return nil }, w.hashes.value())
	}
	if len(w.events) > 0 {
		b.add("SELECT id, evaluated, writer FROM event WHERE id = ANY($1)", func(r row) error {
			v.events[attune.EventID(r.number(0))] = judged{r.number(1), r.number(2)}
			return nil
		}, numbers(w.events))
	}
	if w.pairs.len() > 0 {
		var s statement
		b.add("SELECT e.event, e.rule, e.id FROM enforcement e JOIN "+s.unnest("v", w.pairs)+" ON e.event = v.event AND e.rule = v.rule", func(r row) error {
			v.pairs[pair{attune.EventID(r.number(0)), r.text(1)}] = attune.EnforcementID(r.number(2))
			return nil
		}, s.args...)
	}
	if len(w.enforcements) > 0 {
		b.add("SELECT id, status, execution FROM enforcement WHERE id = ANY($1)", func(r row) error {
			v.enforcements[attune.EnforcementID(r.number(0))] = match{attune.EnforcementStatus(r.number(1)), attune.ExecutionID(r.number(2))}
			return nil
		}, numbers(w.enforcements))
	}
	if len(w.executions) > 0 {
		b.add("SELECT id, version, writer, state FROM execution WHERE id = ANY($1)", func(r row) error {
			id := attune.ExecutionID(r.number(0))
			v.executions[id], v.states[id] = stamp{r.number(1), r.number(2)}, r.text(3)
			return nil
		}, numbers(w.executions))
	}
	if len(w.workers) > 0 {
		b.add("SELECT name, version, writer, body FROM worker WHERE name = ANY($1)", func(r row) error {
			v.workers[r.text(0)], v.bodies[r.text(0)] = stamp{r.number(1), r.number(2)}, r.text(3)
			return nil
		}, words(w.workers))
	}
	if w.marks {
		b.add("SELECT id, id_high, announced_to FROM partition", func(r row) error {
			v.high[int(r.number(0))], v.told[int(r.number(0))] = r.number(1), r.number(2)
			return nil
		})
	}
	return v
}

// wanted is what is looked for.
type wanted struct {
	hashes                           column
	pairs                            *rows
	events, enforcements, executions []int64
	workers                          []string
	marks                            bool
}

func (w *wanted) of(op persistence.Op) {
	switch op := op.(type) {
	case *persistence.Admit:
		if op.Dedupe != nil {
			hash := op.Dedupe.Hash()
			w.hashes.blob(hash[:])
		}
		if op.Event != nil {
			w.events = append(w.events, int64(op.Event.ID))
		}
		w.group(op.Enforcements, op.Executions)
	case *persistence.Extend:
		w.events = append(w.events, int64(op.Event.ID))
		w.group(op.Enforcements, op.Executions)
	case *persistence.Rerun:
		w.enforcements = append(w.enforcements, int64(op.Enforcement.ID))
		w.executions = append(w.executions, int64(op.Execution.ID))
	case *persistence.Save:
		w.executions = append(w.executions, int64(op.Execution.ID))
	case *persistence.SaveWorker:
		w.workers = append(w.workers, op.Worker.Name)
	case *persistence.RemoveWorker:
		w.workers = append(w.workers, op.Name)
	case *persistence.RaiseIDHigh, *persistence.Announced:
		w.marks = true
	}
}

func (w *wanted) group(ens []*attune.Enforcement, exs []*attune.Execution) {
	for _, e := range ens {
		w.pairs.number(int64(e.Event))
		w.pairs.text(e.Rule)
		w.enforcements = append(w.enforcements, int64(e.ID))
	}
	for _, x := range exs {
		w.executions = append(w.executions, int64(x.ID))
	}
}
