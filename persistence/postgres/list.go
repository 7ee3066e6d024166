package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// narrowed is the end of a list's query. A list walks the table from the newest
// row backwards and stops at a full page, or looks at a chain through its
// index; a filter that few rows meet may walk far, until the caller's context
// ends it. An index for each filter would cost every execution more than that.
type narrowed struct {
	statement
	terms []string
}

func narrow(q persistence.Query) *narrowed {
	n := &narrowed{}
	from, to := q.Bounds()
	n.by("id < ?", number(int64(to)), true)
	n.by("id >= ?", number(int64(from)), from > 0)
	return n
}

// by adds a term where it is set; its ? or ?1 is the value.
func (n *narrowed) by(term string, v value, set bool) {
	if set {
		place := n.arg(v)
		n.terms = append(n.terms, strings.ReplaceAll(strings.ReplaceAll(term, "?1", place), "?", place))
	}
}

func (n *narrowed) where(limit int) string {
	return "WHERE " + strings.Join(n.terms, " AND ") + " ORDER BY id DESC LIMIT " + strconv.Itoa(limit)
}

// Events implements [persistence.Reader].
func (s *Store) Events(ctx context.Context, q persistence.Query) ([]*attune.Event, error) {
	if err := q.Check(attune.KindEvent); err != nil {
		return nil, err
	}
	n := narrow(q)
	n.by("id = ?", number(int64(q.Event)), q.Event != 0)
	n.by("trigger = ?", text(q.Trigger), q.Trigger != "")
	return s.events(ctx, "list events", n.where(q.Limit), n.args...)
}

// Enforcements implements [persistence.Reader].
func (s *Store) Enforcements(ctx context.Context, q persistence.Query) ([]*attune.Enforcement, error) {
	if err := q.Check(attune.KindEnforcement); err != nil {
		return nil, err
	}
	n := narrow(q)
	n.by("event = ?", number(int64(q.Event)), q.Event != 0)
	n.by("id = ?", number(int64(q.Enforcement)), q.Enforcement != 0)
	n.by("rule = ?", text(q.Rule), q.Rule != "")
	n.by("action = ?", text(q.Action), q.Action != "")
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
	n.by("event = ?", number(int64(q.Event)), q.Event != 0)
	n.by("id = ANY (ARRAY(SELECT execution FROM enforcement WHERE event = ?1 UNION ALL SELECT id FROM execution WHERE loose AND event = ?1))", number(int64(q.Event)), q.Event != 0)
	// The term with > 0 lets the server see that the partial index holds all rows.
	n.by("parent = ? AND parent > 0", number(int64(q.Parent)), q.Parent != 0)
	n.by("enforcement = ?", number(int64(q.Enforcement)), q.Enforcement != 0)
	n.by("id = ANY (ARRAY(SELECT execution FROM enforcement WHERE id = ?1 UNION ALL SELECT x.id FROM execution x JOIN enforcement e ON x.event = e.event AND x.loose WHERE e.id = ?1))",
		number(int64(q.Enforcement)), q.Enforcement != 0 && q.Event == 0)
	n.by("rule = ?", text(q.Rule), q.Rule != "")
	n.by("action = ?", text(q.Action), q.Action != "")
	n.by("trigger = ?", text(q.Trigger), q.Trigger != "")
	n.by("worker = ?", text(q.Worker), q.Worker != "")
	n.by("status = ?", small(int16(q.Status)), q.Status != attune.NoStatus)
	return n
}
