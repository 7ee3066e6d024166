package postgres

import (
	"context"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

const (
	eventColumns       = "SELECT id, trigger, evaluated, payload, spec FROM event "
	enforcementColumns = "SELECT id, event, rule, action, status, evaluation, spec, again FROM enforcement "
	executionColumns   = "SELECT id, version, status, finished, finish_number, event, enforcement, parent, action, rule, trigger, worker, incarnation, " +
		"parameters, spec, state, result FROM execution "

	liveExecutions = "WHERE (id >> 12) & 1023 = $1 AND id > $2 AND finished IS NULL ORDER BY id LIMIT $3"
	unannounced    = "WHERE (id >> 12) & 1023 = $1 AND finish_number > 0 AND finish_number > $2 ORDER BY finish_number, id LIMIT $3"
)

func (s *Store) events(ctx context.Context, operation, where string, args ...value) (page []*attune.Event, err error) {
	err = s.read(ctx, operation, eventColumns+where, func(r row) error {
		e := &attune.Event{ID: attune.EventID(r.number(0)), Trigger: r.text(1), Evaluated: persistence.FromMillis(r.number(2)), Payload: r.blob(3)}
		page = append(page, e)
		return persistence.DecodeEvent(r[4], e)
	}, args...)
	return page, err
}

func (s *Store) enforcements(ctx context.Context, operation, where string, args ...value) (page []*attune.Enforcement, err error) {
	err = s.read(ctx, operation, enforcementColumns+where, func(r row) error {
		e := &attune.Enforcement{ID: attune.EnforcementID(r.number(0)), Event: attune.EventID(r.number(1)), Rule: r.text(2), Action: r.text(3),
			Status: attune.EnforcementStatus(r.number(4)), Evaluation: r.blob(5)}
		page = append(page, e)
		if err := persistence.DecodeEnforcement(r[6], e); err != nil || r.null(7) {
			return err
		}
		var again attune.Enforcement
		err := persistence.DecodeEnforcement(r[7], &again)
		e.RuleHash, e.Execution, e.Failure = again.RuleHash, again.Execution, again.Failure
		return err
	}, args...)
	return page, err
}

func (s *Store) executions(ctx context.Context, operation, where string, args ...value) (page []*attune.Execution, err error) {
	err = s.read(ctx, operation, executionColumns+where, func(r row) error {
		x := &attune.Execution{ID: attune.ExecutionID(r.number(0)), Version: r.number(1), Status: attune.Status(r.number(2)), Finished: persistence.FromMillis(r.number(3)),
			FinishNumber: r.number(4), Event: attune.EventID(r.number(5)), Enforcement: attune.EnforcementID(r.number(6)), Parent: attune.ExecutionID(r.number(7)),
			Action: r.text(8), Rule: r.text(9), Trigger: r.text(10), Worker: r.text(11), Incarnation: r.text(12), Parameters: r.blob(13), Result: r.blob(16)}
		page = append(page, x)
		return persistence.DecodeExecution(r[14], r[15], x)
	}, args...)
	return page, err
}

// one is the only row of a page, or the error of what is missing.
func one[R any](page []*R, err error, what string) (*R, error) {
	if err != nil {
		return nil, err
	}
	if len(page) == 0 {
		return nil, persistence.Missing(what)
	}
	return page[0], nil
}

// Event implements [persistence.Reader].
func (s *Store) Event(ctx context.Context, id attune.EventID) (*attune.Event, error) {
	page, err := s.events(ctx, "read event "+id.String(), "WHERE id = $1", number(int64(id)))
	return one(page, err, "event "+id.String())
}

// Enforcement implements [persistence.Reader].
func (s *Store) Enforcement(ctx context.Context, id attune.EnforcementID) (*attune.Enforcement, error) {
	page, err := s.enforcements(ctx, "read enforcement "+id.String(), "WHERE id = $1", number(int64(id)))
	return one(page, err, "enforcement "+id.String())
}

// Execution implements [persistence.Reader].
func (s *Store) Execution(ctx context.Context, id attune.ExecutionID) (*attune.Execution, error) {
	page, err := s.executions(ctx, "read execution "+id.String(), "WHERE id = $1", number(int64(id)))
	return one(page, err, "execution "+id.String())
}

// Live implements [persistence.Loader].
func (s *Store) Live(ctx context.Context, partition int, after attune.ExecutionID, limit int) (page []persistence.Live, err error) {
	var whole []int64
	err = s.read(ctx, "load live executions", "SELECT id, status, spec, state FROM execution "+liveExecutions, func(r row) error {
		l := persistence.Live{ID: attune.ExecutionID(r.number(0)), Status: attune.Status(r.number(1))}
		if err := persistence.DecodeLive(r[2], r[3], &l); err != nil {
			return err
		}
		page = append(page, l)
		if !l.OnlyWaits() {
			whole = append(whole, int64(l.ID))
		}
		return nil
	}, number(int64(partition)), number(int64(after)), number(int64(limit)))
	if err != nil || len(whole) == 0 {
		return page, err
	}
	rows, err := s.executions(ctx, "load live executions", "WHERE id = ANY($1)", numbers(whole))
	if err != nil {
		return nil, err
	}
	of := make(map[attune.ExecutionID]*attune.Execution, len(rows))
	for _, x := range rows {
		of[x.ID] = x
	}
	for i := range page {
		if !page[i].OnlyWaits() {
			page[i].Whole = of[page[i].ID]
		}
	}
	return page, nil
}

// UnevaluatedEvents implements [persistence.Loader].
func (s *Store) UnevaluatedEvents(ctx context.Context, partition, limit int) ([]*attune.Event, error) {
	return s.events(ctx, "load unevaluated events", "WHERE evaluated IS NULL AND (id >> 12) & 1023 = $1 ORDER BY id LIMIT $2", number(int64(partition)), number(int64(limit)))
}

// Unannounced implements [persistence.Loader].
func (s *Store) Unannounced(ctx context.Context, partition int, after int64, limit int) ([]*attune.Execution, error) {
	return s.executions(ctx, "load unannounced ends", unannounced, number(int64(partition)), number(after), number(int64(limit)))
}

// ExecutionsOn implements [persistence.Loader]. It looks at all live executions.
func (s *Store) ExecutionsOn(ctx context.Context, incarnation string) ([]*attune.Execution, error) {
	if incarnation == "" {
		return nil, nil
	}
	return s.executions(ctx, "load the executions on "+incarnation, "WHERE finished IS NULL AND incarnation = $1 ORDER BY id", text(incarnation))
}

// Workers implements [persistence.Loader].
func (s *Store) Workers(ctx context.Context) (page []*attune.Worker, err error) {
	err = s.read(ctx, "load the workers", `SELECT name, version, body FROM worker ORDER BY name COLLATE "C"`, func(r row) error {
		w := &attune.Worker{Name: r.text(0), Version: r.number(1)}
		page = append(page, w)
		return persistence.DecodeWorker(r[2], w)
	})
	return page, err
}
