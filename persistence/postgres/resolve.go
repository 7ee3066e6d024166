package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Resolve implements [persistence.Flusher]. That the connection is gone does not
// mean that the server has seen the last of it: what was sent may still stand in
// a buffer, and be committed later. So the lease is locked, which waits for the
// transaction that is at work and ends it when it takes long, and gets its next
// session: a flush that begins behind that names an old one, and is fenced. Only
// then is read what is there.
func (s *Store) Resolve(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, persistence.Away("resolve", errClosed)
	}
	ctx, cancel := s.patiently(ctx)
	defer cancel()
	w, err := s.nextSession(ctx, incarnation)
	if err != nil {
		return nil, err
	}
	if w.id != 0 {
		s.remember(incarnation, w)
	}
	var sound []persistence.Op
	for _, op := range ops {
		if persistence.Check(op) == "" {
			sound = append(sound, op)
		}
	}
	var seen *sight
	err = on(ctx, s.readers, func(c *pgconn.PgConn) error {
		var b batch
		b.set(s.limits)
		seen = look(&b, sound)
		return b.run(ctx, c)
	})
	if err != nil {
		return nil, s.away("resolve", err)
	}
	answers := make([]persistence.Answer, len(ops))
	for i, op := range ops {
		answers[i] = seen.resolve(w.id, op)
	}
	return answers, nil
}

// nextSession gives a lease its next session, and waits for the flush that is at
// work.
func (s *Store) nextSession(ctx context.Context, incarnation string) (w writer, err error) {
	raise := func(b *batch) {
		b.add("UPDATE lease SET session = session + 1 WHERE incarnation = $1 RETURNING id, session", func(r row) error {
			w = writer{r.number(0), r.number(1)}
			return nil
		}, text(incarnation))
	}
	err = on(ctx, s.leases, func(c *pgconn.PgConn) error {
		var b batch
		b.set(limits{statement: s.limits.statement, lock: firstLock})
		b.add("SELECT 1 FROM lease WHERE incarnation = $1 FOR UPDATE", nil, text(incarnation))
		raise(&b)
		return b.run(ctx, c)
	})
	if err == nil {
		return w, nil
	}
	err = s.locked(ctx, "resolve", []string{incarnation}, incarnation, func(c *pgconn.PgConn) error {
		var b batch
		raise(&b)
		return b.run(ctx, c)
	})
	return w, err
}

// resolve says what became of an operation: "mine" bears this writer and version,
// and of an execution this history.
func (v *sight) resolve(writer int64, op persistence.Op) (a persistence.Answer) {
	if reason := persistence.Check(op); reason != "" {
		return persistence.Answer{Outcome: persistence.Rejected, Reason: reason}
	}
	done := false
	switch op := op.(type) {
	case *persistence.Admit:
		return v.resolveAdmit(writer, op)
	case *persistence.Extend:
		return v.resolveExtend(writer, op)
	case *persistence.Rerun:
		return v.resolveRerun(op)
	case *persistence.Save:
		// An actor's life before its restart may have written the same version:
		// only the state, with its history, tells them apart.
		x, enc := op.Execution, persistence.Encoder{}
		done = v.executions[x.ID] == stamp{x.Version, writer} && v.states[x.ID] == string(enc.ExecutionState(x))
	case *persistence.SaveWorker:
		body, err := persistence.EncodeWorker(op.Worker)
		done = err == nil && v.workers[op.Worker.Name] == stamp{op.Worker.Version, writer} && v.bodies[op.Worker.Name] == string(body)
	case *persistence.RemoveWorker:
		done = v.workers[op.Name] == stamp{}
	case *persistence.RaiseIDHigh:
		done = v.high[op.Partition] >= op.High
	case *persistence.Announced:
		done = v.told[op.Partition] >= op.Through
	}
	if done {
		return committed()
	}
	return a
}

func (v *sight) resolveAdmit(writer int64, op *persistence.Admit) (a persistence.Answer) {
	claimed := false
	if op.Dedupe != nil {
		var first attune.ID
		if first, claimed = v.firsts[op.Dedupe.Hash()]; claimed && first != op.ID() {
			return persistence.Answer{Outcome: persistence.Duplicate, First: first}
		}
	}
	done := false
	switch {
	case op.Event != nil:
		e, there := v.events[op.Event.ID]
		done = there && e.writer == writer
	case op.Dedupe != nil:
		done = claimed
	default:
		done = v.written(writer, op.Enforcements, op.Executions)
	}
	if !done {
		return a
	}
	return v.afterwards(op.Enforcements)
}

func (v *sight) resolveExtend(writer int64, op *persistence.Extend) (a persistence.Answer) {
	e, done := v.events[op.Event.ID]
	switch {
	case !done:
	case op.Event.Evaluated.IsZero():
		done = v.written(writer, op.Enforcements, op.Executions)
	default:
		done = e == judged{persistence.Millis(op.Event.Evaluated), writer}
	}
	if !done {
		return a
	}
	return v.afterwards(op.Enforcements)
}

func (v *sight) resolveRerun(op *persistence.Rerun) (a persistence.Answer) {
	stored, there := v.enforcements[op.Enforcement.ID]
	switch {
	case !there || stored.status == attune.EnforcementFailed:
		return a
	case stored.execution == op.Execution.ID:
		return committed()
	}
	return persistence.Answer{Outcome: persistence.Duplicate, First: attune.ID(stored.execution)}
}

// written reports that a row of the group is there as the group has it.
func (v *sight) written(writer int64, ens []*attune.Enforcement, exs []*attune.Execution) bool {
	for _, e := range ens {
		if v.pairs[pair{e.Event, e.Rule}] == e.ID {
			return true
		}
	}
	for _, x := range exs {
		if v.executions[x.ID] == (stamp{x.Version, writer}) {
			return true
		}
	}
	return false
}

// afterwards is the answer of a group that was committed: the rules whose
// enforcement is another one had been skipped.
func (v *sight) afterwards(ens []*attune.Enforcement) persistence.Answer {
	a := committed()
	for _, e := range ens {
		if v.pairs[pair{e.Event, e.Rule}] != e.ID {
			a.Skipped = append(a.Skipped, e.Rule)
		}
	}
	return a
}

// forget makes the next flush read its lease again.
func (s *Store) forget(incarnation string) {
	s.state.Lock()
	defer s.state.Unlock()
	delete(s.writers, incarnation)
}
