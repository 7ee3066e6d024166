package sqlite

import (
	"context"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// narrowed is the end of a list's query. A list walks the table from the newest
// row backwards and stops at a full page, or looks at a chain through its
// index; a filter that few rows meet may walk far, for about a microsecond a
// row, until the caller's context ends it. An index for each filter would cost
// every execution more than that.
type narrowed struct {
	terms []string
	args  []any
}

func narrow(q persistence.Query) *narrowed {
	n := &narrowed{}
	from, to := q.Bounds()
	n.by("id < ?", int64(to), true)
	n.by("id >= ?", int64(from), from > 0)
	return n
}

func (n *narrowed) by(term string, value any, set bool) {
	if set {
		n.terms = append(n.terms, term)
		n.args = append(n.args, value)
	}
}

func (n *narrowed) where(limit int) string {
	n.args = append(n.args, limit)
	return "WHERE " + strings.Join(n.terms, " AND ") + " ORDER BY id DESC LIMIT ?"
}

// Events implements [persistence.Reader].
func (s *Store) Events(ctx context.Context, q persistence.Query) ([]*attune.Event, error) {
	if err := q.Check(attune.KindEvent); err != nil {
		return nil, err
	}
	n := narrow(q)
	n.by("id = ?", int64(q.Event), q.Event != 0)
	n.by("trigger = ?", q.Trigger, q.Trigger != "")
	return s.events(ctx, "list events", n.where(q.Limit), n.args...)
}

// Enforcements implements [persistence.Reader].
func (s *Store) Enforcements(ctx context.Context, q persistence.Query) ([]*attune.Enforcement, error) {
	if err := q.Check(attune.KindEnforcement); err != nil {
		return nil, err
	}
	n := narrow(q)
	n.by("event = ?", int64(q.Event), q.Event != 0)
	n.by("id = ?", int64(q.Enforcement), q.Enforcement != 0)
	n.by("rule = ?", q.Rule, q.Rule != "")
	n.by("action = ?", q.Action, q.Action != "")
	return s.enforcements(ctx, "list enforcements", n.where(q.Limit), n.args...)
}

// Executions implements [persistence.Reader].
func (s *Store) Executions(ctx context.Context, q persistence.Query) ([]*attune.Execution, error) {
	if err := q.Check(attune.KindExecution); err != nil {
		return nil, err
	}
	n := narrowExecutions(q)
	return s.executions(ctx, "list executions", n.where(q.Limit), n.args...)
}

func narrowExecutions(q persistence.Query) *narrowed {
	n := narrow(q)
	// The terms with > 0 let SQLite see that the partial index holds all rows.
	n.by("event = ? AND event > 0", int64(q.Event), q.Event != 0)
	n.by("parent = ? AND parent > 0", int64(q.Parent), q.Parent != 0)
	// Its event is the enforcement's, so that the index of events finds it.
	n.by("enforcement = ?", int64(q.Enforcement), q.Enforcement != 0)
	n.by("event = (SELECT event FROM enforcement WHERE id = ?) AND event > 0", int64(q.Enforcement), q.Enforcement != 0 && q.Event == 0)
	n.by("rule = ?", q.Rule, q.Rule != "")
	n.by("action = ?", q.Action, q.Action != "")
	n.by("trigger = ?", q.Trigger, q.Trigger != "")
	n.by("worker = ?", q.Worker, q.Worker != "")
	n.by("status = ?", int64(q.Status), q.Status != attune.NoStatus)
	return n
}
