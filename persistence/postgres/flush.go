package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// fence fails, with a division by zero, unless the lease lives and the flush is
// of its session. It has to fail: what follows is on its way already. The lock
// lets renewals pass and holds a take-over back until the commit.
const fence = ", 1 / (SELECT count(*) FROM (SELECT 1 FROM lease WHERE incarnation = $4 AND session = $5 AND NOT dead FOR KEY SHARE) l)"

// flushGrace is how much longer than its statements a flush is waited for.
const flushGrace = 5 * time.Second

// lockTries is how often the one operation that waits for a lock is tried.
const lockTries = 3

// Flush implements [persistence.Flusher]. It looks at ctx before it begins and
// not afterwards: what is sent is committed, and its outcome is wanted.
func (s *Store) Flush(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, persistence.Away("flush", err)
	}
	answers := make([]persistence.Answer, len(ops))
	var open []int
	for i, op := range ops { // before the mutex: it reads every byte
		if reason := persistence.Check(op); reason != "" {
			answers[i] = persistence.Answer{Outcome: persistence.Rejected, Reason: reason}
		} else {
			open = append(open, i)
		}
	}
	w, err := s.writer(ctx, incarnation)
	if err != nil {
		return nil, err
	}
	if w.id == 0 {
		return nil, persistence.LeaseDead(incarnation)
	}
	if err := s.barred("flush"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &flush{s: s, ctx: context.WithoutCancel(ctx), incarnation: incarnation, writer: w, ops: ops, answers: answers}
	if err := f.halves(open, lockTries); err != nil {
		return nil, err
	}
	return answers, nil
}

// flush is the work of one call.
type flush struct {
	s           *Store
	ctx         context.Context //nolint:containedctx // of one call, without its end
	incarnation string
	writer      writer
	ops         []persistence.Op
	answers     []persistence.Answer
	// committed says that a transaction of the flush is: an error later leaves
	// the outcome of all to Resolve.
	committed bool
	// unprepared is why a statement could not be prepared.
	unprepared error
}

// halves flushes the operations of these places together. Where one row is
// refused, or waits for a lock that another node has, both halves go by
// themselves, down to the one that is at fault. So it is where they take too long
// together: each half may not.
func (f *flush) halves(places []int, tries int) error {
	err := f.whole(places)
	switch {
	case err == nil:
		return nil
	case at(err) == 0 || !refused(err) && !is(err, lockNotAvailable, queryCanceled):
	case len(places) > 1:
		half := len(places) / 2
		if err := f.halves(places[:half], tries); err != nil {
			return err
		}
		return f.halves(places[half:], tries)
	case is(err, lockNotAvailable) && tries > 1:
		return f.halves(places, tries-1)
	case refused(err):
		f.answers[places[0]] = persistence.Answer{Outcome: persistence.Rejected, Reason: "the database refuses it: " + err.Error()}
		return nil
	}
	return f.failure(err)
}

// failure is what the flush answers an error with.
func (f *flush) failure(err error) error {
	switch {
	case is(err, divisionByZero):
		f.s.forget(f.incarnation)
		return persistence.LeaseDead(f.incarnation)
	case broken(err) && sent(err), f.committed:
		return unknown{f.s.away("flush", err)}
	}
	return f.s.away("flush", err)
}

// whole is one transaction. Where an id is there already it is rolled back, and
// the rows are looked at before they are written.
func (f *flush) whole(places []int) error {
	err := f.once(places, f.together)
	if is(err, uniqueViolation) {
		err = f.once(places, f.carefully)
	}
	return err
}

// once runs a transaction on the writing connection, and again at once where the
// server rolled it back for the sake of another one.
func (f *flush) once(places []int, how func(ctx context.Context, places []int) error) error {
	for tries := 3; ; tries-- {
		ctx, cancel := context.WithTimeout(f.ctx, f.s.cfg.Statement+f.s.grace)
		err := f.s.dial(ctx)
		if err == nil {
			err = how(ctx, places)
		}
		cancel()
		if err == nil {
			f.committed = true
			_ = f.s.noteFull(nil)
			return nil
		}
		if f.s.w != nil && (broken(err) || f.s.w.IsClosed()) {
			f.s.hangUp()
		}
		if tries == 0 || !is(err, serializationFailure, deadlockDetected) {
			return err
		}
	}
}

// dial connects the writing connection where there is none.
func (s *Store) dial(ctx context.Context) error {
	if s.closed {
		return notSent{errClosed}
	}
	if s.w != nil && !s.w.IsClosed() {
		return nil
	}
	cfg, err := config(s.cfg.URL)
	if err != nil {
		return notSent{err}
	}
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return notSent{err}
	}
	s.w = c.PgConn()
	return nil
}

// hangUp closes the writing connection.
func (s *Store) hangUp() {
	if s.w != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.w.Close(ctx)
		s.w = nil
	}
}

// notSent is an error before anything was sent: nothing was written.
type notSent struct{ error }

func (n notSent) Unwrap() error { return n.error }

// unknown is a commit of which nobody knows the outcome.
type unknown struct{ cause error }

func (u unknown) Error() string   { return persistence.ErrUnknown.Error() + ": " + u.cause.Error() }
func (u unknown) Unwrap() []error { return []error{persistence.ErrUnknown, u.cause} }

func committed() persistence.Answer { return persistence.Answer{Outcome: persistence.Committed} }

func conflict(format string, args ...any) persistence.Answer {
	return persistence.Answer{Outcome: persistence.Conflict, Reason: fmt.Sprintf(format, args...)}
}

// begin appends the settings and the fence.
func (f *flush) begin(b *batch) {
	l := f.s.limits
	b.add("SELECT "+setPlanned+fence, nil, append(l.args(), text(f.incarnation), number(f.writer.session))...)
}

// together is the flush in one batch. Answers are kept back until it is
// committed.
func (f *flush) together(ctx context.Context, places []int) error {
	t := newTally(f, places)
	var b batch
	f.unprepared = nil
	f.prepare(ctx, &b)
	f.begin(&b)
	f.admit(&b, t)
	f.extend(&b, t)
	f.save(&b, t)
	f.workers(&b, t)
	f.marks(&b, t)
	f.rerun(&b, t)
	if f.unprepared != nil {
		return notSent{f.unprepared}
	}
	err := b.run(ctx, f.s.w)
	if is(err, unknownStatement, changedStatement) {
		f.s.unnamed = true
		return f.together(ctx, places)
	}
	if err != nil {
		return err
	}
	t.tell()
	return nil
}

// tally is what becomes of operations, while nothing is certain.
type tally struct {
	f           *flush
	places      []int
	answers     map[int]persistence.Answer
	done        []func() // read what the statements returned
	rows, bytes int64
}

func newTally(f *flush, places []int) *tally {
	return &tally{f: f, places: places, answers: make(map[int]persistence.Answer, len(places))}
}

// each calls do for the operations of one type.
func each[O persistence.Op](t *tally, do func(place int, op O)) {
	for _, i := range t.places {
		if op, ok := t.f.ops[i].(O); ok {
			do(i, op)
		}
	}
}

// later runs do once the flush is committed.
func (t *tally) later(do func()) { t.done = append(t.done, do) }

// tell gives the answers out, and counts.
func (t *tally) tell() {
	for _, do := range t.done {
		do()
	}
	for i, a := range t.answers {
		t.f.answers[i] = a
		if a.Outcome == persistence.Committed {
			_, n := t.f.ops[i].Size()
			t.bytes += int64(n)
		}
	}
	t.f.s.wrote(t.rows, t.bytes)
}

// own are the executions that ask for no enforcement, or for one of the group.
func own(ens []*attune.Enforcement, exs []*attune.Execution) []*attune.Execution {
	all := func(x *attune.Execution) bool {
		return x.Enforcement == 0 || slices.ContainsFunc(ens, func(e *attune.Enforcement) bool { return e.ID == x.Enforcement })
	}
	if !slices.ContainsFunc(exs, func(x *attune.Execution) bool { return !all(x) }) {
		return exs
	}
	var some []*attune.Execution
	for _, x := range exs {
		if all(x) {
			some = append(some, x)
		}
	}
	return some
}
