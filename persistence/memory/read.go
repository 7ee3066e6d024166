package memory

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Live implements [persistence.Loader].
func (s *Store) Live(ctx context.Context, partition int, after attune.ExecutionID, limit int) (page []persistence.Live, err error) {
	if err := s.begin(ctx, "load live executions"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	live := s.partitions[partition].live
	n, _ := slices.BinarySearch(live, after+1)
	for _, id := range live[n:min(len(live), n+limit)] {
		x := s.executions.rows[id].row
		l := persistence.LiveOf(x)
		if !l.OnlyWaits() {
			l.Whole = copyExecution(x)
		}
		page = append(page, l)
	}
	return page, nil
}

// UnevaluatedEvents implements [persistence.Loader].
func (s *Store) UnevaluatedEvents(ctx context.Context, partition, limit int) (page []*attune.Event, err error) {
	if err := s.begin(ctx, "load unevaluated events"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	ids := s.partitions[partition].unevaluated
	for _, id := range ids[:min(len(ids), limit)] {
		page = append(page, copyEvent(s.events.rows[id].row))
	}
	return page, nil
}

// Unannounced implements [persistence.Loader].
func (s *Store) Unannounced(ctx context.Context, partition int, after int64, limit int) (page []*attune.Execution, err error) {
	if err := s.begin(ctx, "load unannounced ends"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	ends := s.partitions[partition].ends
	n, _ := slices.BinarySearchFunc(ends, end{number: after + 1}, compareEnds)
	for _, e := range ends[n:min(len(ends), n+limit)] {
		page = append(page, copyExecution(s.executions.rows[e.execution].row))
	}
	return page, nil
}

// ExecutionsOn implements [persistence.Loader].
func (s *Store) ExecutionsOn(ctx context.Context, incarnation string) (page []*attune.Execution, err error) {
	if err := s.begin(ctx, "load the executions on "+incarnation); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for i := range s.partitions {
		for _, id := range s.partitions[i].live {
			if x := s.executions.rows[id].row; incarnation != "" && x.Incarnation == incarnation {
				page = append(page, copyExecution(x))
			}
		}
	}
	slices.SortFunc(page, func(a, b *attune.Execution) int { return cmp.Compare(a.ID, b.ID) })
	return page, nil
}

// Workers implements [persistence.Loader].
func (s *Store) Workers(ctx context.Context) ([]*attune.Worker, error) {
	if err := s.begin(ctx, "load the workers"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.workerRows(), nil
}

func (s *Store) workerRows() (rows []*attune.Worker) {
	for _, w := range s.workers {
		rows = append(rows, copyWorker(w.row))
	}
	slices.SortFunc(rows, func(a, b *attune.Worker) int { return strings.Compare(a.Name, b.Name) })
	return rows
}

// Event implements [persistence.Reader].
func (s *Store) Event(ctx context.Context, id attune.EventID) (*attune.Event, error) {
	if err := s.begin(ctx, "read event "+id.String()); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if e := s.events.rows[id]; e != nil {
		return copyEvent(e.row), nil
	}
	return nil, persistence.Missing("event " + id.String())
}

// Enforcement implements [persistence.Reader].
func (s *Store) Enforcement(ctx context.Context, id attune.EnforcementID) (*attune.Enforcement, error) {
	if err := s.begin(ctx, "read enforcement "+id.String()); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if e := s.enforcements.rows[id]; e != nil {
		return copyEnforcement(e), nil
	}
	return nil, persistence.Missing("enforcement " + id.String())
}

// Execution implements [persistence.Reader].
func (s *Store) Execution(ctx context.Context, id attune.ExecutionID) (*attune.Execution, error) {
	if err := s.begin(ctx, "read execution "+id.String()); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if x := s.executions.rows[id]; x != nil {
		return copyExecution(x.row), nil
	}
	return nil, persistence.Missing("execution " + id.String())
}

// Events implements [persistence.Reader].
func (s *Store) Events(ctx context.Context, q persistence.Query) (page []*attune.Event, err error) {
	if err := q.Check(attune.KindEvent); err != nil {
		return nil, err
	}
	if err := s.begin(ctx, "list events"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	from, to := q.Bounds()
	s.events.newest(attune.EventID(from), attune.EventID(to), func(e *event) bool {
		if is(q.Trigger, e.row.Trigger) && is(q.Event, e.row.ID) {
			page = append(page, copyEvent(e.row))
		}
		return len(page) < q.Limit
	})
	return page, nil
}

// Enforcements implements [persistence.Reader].
func (s *Store) Enforcements(ctx context.Context, q persistence.Query) (page []*attune.Enforcement, err error) {
	if err := q.Check(attune.KindEnforcement); err != nil {
		return nil, err
	}
	if err := s.begin(ctx, "list enforcements"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	from, to := q.Bounds()
	s.enforcements.newest(attune.EnforcementID(from), attune.EnforcementID(to), func(e *attune.Enforcement) bool {
		if is(q.Rule, e.Rule) && is(q.Action, e.Action) && is(q.Event, e.Event) && is(q.Enforcement, e.ID) {
			page = append(page, copyEnforcement(e))
		}
		return len(page) < q.Limit
	})
	return page, nil
}

// Executions implements [persistence.Reader].
func (s *Store) Executions(ctx context.Context, q persistence.Query) (page []*attune.Execution, err error) {
	if err := q.Check(attune.KindExecution); err != nil {
		return nil, err
	}
	if err := s.begin(ctx, "list executions"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	from, to := q.Bounds()
	s.executions.newest(attune.ExecutionID(from), attune.ExecutionID(to), func(e *execution) bool {
		x := e.row
		if is(q.Trigger, x.Trigger) && is(q.Rule, x.Rule) && is(q.Action, x.Action) && is(q.Worker, x.Worker) && is(q.Status, x.Status) &&
			is(q.Event, x.Event) && is(q.Enforcement, x.Enforcement) && is(q.Parent, x.Parent) {
			page = append(page, copyExecution(x))
		}
		return len(page) < q.Limit
	})
	return page, nil
}

// is reports that a filter is not set, or met.
func is[T comparable](filter, have T) bool {
	var zero T
	return filter == zero || filter == have
}
