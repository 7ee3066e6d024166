package sqlite

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// below is the head of a query over trees: which executions hang below the tops,
// a list of events or of executions. The joins are CROSS so that they begin with
// the few.
const below = " UNION SELECT t.top, x.id FROM tree t CROSS JOIN execution x ON x.parent = t.id AND x.parent > 0) " +
	"SELECT t.top, x.id, x.event, x.finished, x.finish_number FROM tree t CROSS JOIN execution x ON x.id = t.id ORDER BY t.top, x.id DESC"

const (
	belowEvents     = "WITH RECURSIVE tree (top, id) AS (SELECT e.value, x.id FROM json_each(?1) e CROSS JOIN execution x ON x.event = e.value AND x.event > 0" + below
	belowExecutions = "WITH RECURSIVE tree (top, id) AS (SELECT value, value FROM json_each(?1)" + below
)

// tree is what hangs below one event or execution, the newest first: those below
// come before those above.
type tree struct {
	executions []int64
	topped     int64 // how many of them name the event
	stays      bool
}

// trees reads what hangs below the tops, and judges it.
func (s *Store) trees(ctx context.Context, query string, tops []int64, p persistence.Prune) (map[int64]*tree, error) {
	announced, err := s.ids(ctx, "read what is announced", "SELECT announced_to FROM partition ORDER BY id")
	if err != nil {
		return nil, err
	}
	all, before := map[int64]*tree{}, p.Before.UnixMilli()
	for _, top := range tops {
		all[top] = &tree{}
	}
	err = s.read(ctx, "look at trees", query, []any{list(tops)}, func(scan func(...any) error) error {
		var top, id, event, number int64
		var finished sql.NullInt64
		if err := scan(&top, &id, &event, &finished, &number); err != nil {
			return err
		}
		t := all[top]
		t.executions = append(t.executions, id)
		if event == top {
			t.topped++
		}
		if !finished.Valid || finished.Int64 >= before || number > announced[attune.ID(id).Partition()] {
			t.stays = true
		}
		return nil
	})
	return all, err
}

// slice gathers what is to go until it is full.
type slice struct {
	*doomed
	store *Store
	left  int // rows, or with Try as many as there are
	bytes int64
	try   bool
}

func newSlice(s *Store, p persistence.Prune) *slice {
	return &slice{doomed: &doomed{}, store: s, left: p.Rows, bytes: pruneBytes, try: p.Try}
}

// take adds rows of one kind and says whether there was room for all.
func (c *slice) take(to *[]int64, rows []int64) bool {
	n := len(rows)
	if !c.try {
		n = min(n, c.left)
	}
	*to = append(*to, rows[:n]...)
	c.left -= n
	return n == len(rows)
}

// printed adds the output of executions, and says whether that is all of it.
func (c *slice) printed(ctx context.Context, executions []int64) (all bool, err error) {
	limit := max(0, c.left) + 1
	if c.try {
		limit = -1
	}
	all = true
	err = c.store.read(ctx, "look at output", "SELECT o.rowid, length(o.data) FROM json_each(?1) e CROSS JOIN output o ON o.execution = e.value LIMIT ?2",
		[]any{list(executions), limit}, func(scan func(...any) error) error {
			var row, size int64
			if err := scan(&row, &size); err != nil {
				return err
			}
			if !c.try && (c.left <= 0 || c.bytes <= 0) {
				all = false
				return nil
			}
			c.outputs = append(c.outputs, row)
			c.left, c.bytes = c.left-1, c.bytes-size
			return nil
		})
	return all, err
}

func (s *Store) oldEvents(ctx context.Context, p persistence.Prune) (*doomed, error) {
	c, after := newSlice(s, p), cursor(p.After)
	var events []int64
	judged := map[int64]bool{}
	err := s.read(ctx, "look at events", "SELECT id, evaluated FROM event WHERE id > ? AND id < ? ORDER BY id LIMIT ?",
		[]any{after, int64(persistence.FirstIDAt(p.Before)), looks}, func(scan func(...any) error) error {
			var id, evaluated int64
			err := scan(&id, &evaluated)
			events, judged[id] = append(events, id), evaluated > 0
			return err
		})
	if err != nil || len(events) == 0 {
		return c.doomed, err
	}
	all, err := s.trees(ctx, belowEvents, events, p)
	if err != nil {
		return nil, err
	}
	for _, id := range events {
		if t := all[id]; judged[id] && !t.stays {
			matches, err := s.ids(ctx, "look at enforcements", "SELECT id FROM enforcement WHERE event = ?", id)
			if err != nil {
				return nil, err
			}
			done, err := c.tree(ctx, t)
			if err != nil {
				return nil, err
			}
			c.whole, c.topped = append(c.whole, id), c.topped+t.topped
			if !done || !c.take(&c.enforcements, matches) || !c.take(&c.events, []int64{id}) {
				c.next = strconv.FormatInt(after, 10)
				return c.doomed, nil
			}
		}
		after = id
	}
	if len(events) == looks {
		c.next = strconv.FormatInt(after, 10)
	}
	return c.doomed, nil
}

// tree adds a tree, output first, and says whether there was room for all of it.
func (c *slice) tree(ctx context.Context, t *tree) (bool, error) {
	if len(t.executions) == 0 {
		return true, nil
	}
	if !c.try {
		all, err := c.printed(ctx, t.executions)
		if err != nil || !all {
			return false, err
		}
	}
	return c.take(&c.executions, t.executions), nil
}

// oldRequests looks at all old executions that are left, and those of events are
// few by then.
func (s *Store) oldRequests(ctx context.Context, p persistence.Prune) (*doomed, error) {
	c, after := newSlice(s, p), cursor(p.After)
	var seen, tops []int64
	err := s.read(ctx, "look at executions", "SELECT id, event, parent FROM execution WHERE id > ? AND id < ? ORDER BY id LIMIT ?",
		[]any{after, int64(persistence.FirstIDAt(p.Before)), looks}, func(scan func(...any) error) error {
			var id, event, parent int64
			err := scan(&id, &event, &parent)
			seen = append(seen, id)
			if event == 0 && parent == 0 {
				tops = append(tops, id)
			}
			return err
		})
	if err != nil || len(seen) == 0 {
		return c.doomed, err
	}
	all, err := s.trees(ctx, belowExecutions, tops, p)
	if err != nil {
		return nil, err
	}
	for _, id := range tops {
		if t := all[id]; !t.stays {
			done, err := c.tree(ctx, t)
			if err != nil {
				return nil, err
			}
			if !done {
				c.next = strconv.FormatInt(after, 10)
				return c.doomed, nil
			}
		}
		after = id
	}
	if len(seen) == looks {
		c.next = strconv.FormatInt(seen[len(seen)-1], 10)
	}
	return c.doomed, nil
}

// printedBy are executions with output; one that is not there any more printed
// after it was deleted. Its output goes once it and all above it have ended.
const printedBy = "SELECT o.execution, NOT EXISTS (WITH RECURSIVE up (id) AS (SELECT o.execution " +
	"UNION SELECT x.parent FROM up CROSS JOIN execution x ON x.id = up.id WHERE x.parent > 0) " +
	"SELECT 1 FROM up CROSS JOIN execution x ON x.id = up.id WHERE x.finished IS NULL OR x.finished >= ?4) " +
	"FROM (SELECT DISTINCT execution FROM output WHERE execution > ?1 AND execution < ?2 ORDER BY execution LIMIT ?3) o"

func (s *Store) oldOutputs(ctx context.Context, p persistence.Prune) (*doomed, error) {
	c, after := newSlice(s, p), cursor(p.After)
	type row struct {
		id  int64
		old bool
	}
	var seen []row
	err := s.read(ctx, "look at output", printedBy, []any{after, int64(persistence.FirstIDAt(p.Before)), looks, p.Before.UnixMilli()}, func(scan func(...any) error) error {
		var r row
		err := scan(&r.id, &r.old)
		seen = append(seen, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, r := range seen {
		if r.old {
			all, err := c.printed(ctx, []int64{r.id})
			if err != nil {
				return nil, err
			}
			if !all {
				c.next = strconv.FormatInt(after, 10)
				return c.doomed, nil
			}
		}
		after = r.id
	}
	if len(seen) == looks {
		c.next = strconv.FormatInt(after, 10)
	}
	return c.doomed, nil
}
