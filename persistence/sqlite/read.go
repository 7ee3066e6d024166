package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// read runs a query on a reading connection and calls row for each row. The
// context ends it at any moment.
func (s *Store) read(ctx context.Context, operation, query string, args []any, row func(scan func(...any) error) error) error {
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return persistence.Away(operation, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); errors.Is(err, persistence.ErrEncoding) {
			return attune.NewError(attune.Internal, "damaged_row", operation+": "+err.Error())
		} else if err != nil {
			return persistence.Away(operation, err)
		}
	}
	if err := rows.Err(); err != nil {
		return persistence.Away(operation, err)
	}
	return nil
}

const (
	eventColumns       = "SELECT id, trigger, evaluated, payload, spec FROM event "
	enforcementColumns = "SELECT id, event, rule, action, status, evaluation, spec FROM enforcement "
	executionColumns   = "SELECT id, version, status, finished, finish_number, event, enforcement, parent, action, rule, trigger, worker, incarnation, " +
		"parameters, spec, state, result FROM execution "

	liveColumns    = "SELECT id, status, spec, state FROM execution "
	liveExecutions = "INDEXED BY execution_live WHERE (id >> 12) & 1023 = ? AND id > ? AND finished IS NULL ORDER BY id LIMIT ?"
	unannounced    = "INDEXED BY execution_end WHERE (id >> 12) & 1023 = ? AND finish_number > 0 AND finish_number > ? ORDER BY finish_number, id LIMIT ?"
)

func (s *Store) events(ctx context.Context, operation, where string, args ...any) (page []*attune.Event, err error) {
	err = s.read(ctx, operation, eventColumns+where, args, func(scan func(...any) error) error {
		e := &attune.Event{}
		var evaluated int64
		var spec sql.RawBytes
		if err := scan(&e.ID, &e.Trigger, &evaluated, &e.Payload, &spec); err != nil {
			return err
		}
		e.Evaluated = persistence.FromMillis(evaluated)
		page = append(page, e)
		return persistence.DecodeEvent(spec, e)
	})
	return page, err
}

func (s *Store) enforcements(ctx context.Context, operation, where string, args ...any) (page []*attune.Enforcement, err error) {
	err = s.read(ctx, operation, enforcementColumns+where, args, func(scan func(...any) error) error {
		e := &attune.Enforcement{}
		var spec sql.RawBytes
		if err := scan(&e.ID, &e.Event, &e.Rule, &e.Action, &e.Status, &e.Evaluation, &spec); err != nil {
			return err
		}
		page = append(page, e)
		return persistence.DecodeEnforcement(spec, e)
	})
	return page, err
}

func (s *Store) executions(ctx context.Context, operation, where string, args ...any) (page []*attune.Execution, err error) {
	err = s.read(ctx, operation, executionColumns+where, args, func(scan func(...any) error) error {
		x := &attune.Execution{}
		var finished sql.NullInt64
		var spec, state sql.RawBytes
		if err := scan(&x.ID, &x.Version, &x.Status, &finished, &x.FinishNumber, &x.Event, &x.Enforcement, &x.Parent, &x.Action, &x.Rule, &x.Trigger,
			&x.Worker, &x.Incarnation, &x.Parameters, &spec, &state, &x.Result); err != nil {
			return err
		}
		x.Finished = persistence.FromMillis(finished.Int64)
		page = append(page, x)
		return persistence.DecodeExecution(spec, state, x)
	})
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
	page, err := s.events(ctx, "read event "+id.String(), "WHERE id = ?", int64(id))
	return one(page, err, "event "+id.String())
}

// Enforcement implements [persistence.Reader].
func (s *Store) Enforcement(ctx context.Context, id attune.EnforcementID) (*attune.Enforcement, error) {
	page, err := s.enforcements(ctx, "read enforcement "+id.String(), "WHERE id = ?", int64(id))
	return one(page, err, "enforcement "+id.String())
}

// Execution implements [persistence.Reader].
func (s *Store) Execution(ctx context.Context, id attune.ExecutionID) (*attune.Execution, error) {
	page, err := s.executions(ctx, "read execution "+id.String(), "WHERE id = ?", int64(id))
	return one(page, err, "execution "+id.String())
}

// Live implements [persistence.Loader].
func (s *Store) Live(ctx context.Context, partition int, after attune.ExecutionID, limit int) (page []persistence.Live, err error) {
	err = s.read(ctx, "load live executions", liveColumns+liveExecutions, []any{partition, int64(after), limit}, func(scan func(...any) error) error {
		var l persistence.Live
		var spec, state sql.RawBytes
		if err := scan(&l.ID, &l.Status, &spec, &state); err != nil {
			return err
		}
		if err := persistence.DecodeLive(spec, state, &l); err != nil {
			return err
		}
		page = append(page, l)
		return nil
	})
	for i := 0; err == nil && i < len(page); i++ {
		if !page[i].OnlyWaits() {
			page[i].Whole, err = s.Execution(ctx, page[i].ID)
		}
	}
	return page, err
}

// UnevaluatedEvents implements [persistence.Loader].
func (s *Store) UnevaluatedEvents(ctx context.Context, partition, limit int) ([]*attune.Event, error) {
	return s.events(ctx, "load unevaluated events", "INDEXED BY event_unevaluated WHERE evaluated = 0 AND (id >> 12) & 1023 = ? ORDER BY id LIMIT ?", partition, limit)
}

// Unannounced implements [persistence.Loader].
func (s *Store) Unannounced(ctx context.Context, partition int, after int64, limit int) ([]*attune.Execution, error) {
	return s.executions(ctx, "load unannounced ends", unannounced, partition, after, limit)
}

// ExecutionsOn implements [persistence.Loader]. It looks at all live executions.
func (s *Store) ExecutionsOn(ctx context.Context, incarnation string) ([]*attune.Execution, error) {
	if incarnation == "" {
		return nil, nil
	}
	return s.executions(ctx, "load the executions on "+incarnation, "INDEXED BY execution_live WHERE finished IS NULL AND incarnation = ? ORDER BY id", incarnation)
}

// Workers implements [persistence.Loader].
func (s *Store) Workers(ctx context.Context) (page []*attune.Worker, err error) {
	err = s.read(ctx, "load the workers", "SELECT name, version, body FROM worker ORDER BY name", nil, func(scan func(...any) error) error {
		w, body := &attune.Worker{}, sql.RawBytes{}
		if err := scan(&w.Name, &w.Version, &body); err != nil {
			return err
		}
		page = append(page, w)
		return persistence.DecodeWorker(body, w)
	})
	return page, err
}
