package postgres

import (
	"context"
	"strconv"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// below is the rest of a query over trees: which executions hang below the tops,
// a list of events or of executions.
const below = " UNION SELECT t.top, x.id FROM tree t JOIN execution x ON x.parent = t.id AND x.parent > 0) " +
	"SELECT t.top, x.id, x.event, x.finished, x.finish_number FROM tree t JOIN execution x ON x.id = t.id ORDER BY t.top, x.id DESC"

// ofEvents are the executions of the events: those that an enforcement names, and
// those that none does.
const ofEvents = "(SELECT x.event, x.id FROM enforcement e JOIN execution x ON x.id = e.execution AND x.event = e.event WHERE e.event = ANY($1) " +
	"UNION SELECT x.event, x.id FROM execution x WHERE x.loose AND x.event = ANY($1))"

const (
	belowEvents     = "WITH RECURSIVE tree (top, id) AS (" + ofEvents + below
	belowExecutions = "WITH RECURSIVE tree (top, id) AS (SELECT v, v FROM unnest($1) v" + below
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
	err = s.read(ctx, "look at trees", query, func(r row) error {
		t, id := all[r.number(0)], r.number(1)
		t.executions = append(t.executions, id)
		if r.number(2) == r.number(0) {
			t.topped++
		}
		if r.null(3) || r.number(3) >= before || r.number(4) > announced[attune.ID(id).Partition()] {
			t.stays = true
		}
		return nil
	}, numbers(tops))
	return all, err
}

// slice gathers what is to go until it is full.
type slice struct {
	*doomed
	store *Store
	left  int // rows, or with Try as many as there are
	bytes int64
	try   bool
	// counts says that output is counted, also with try.
	counts bool
}

func newSlice(s *Store, p persistence.Prune) *slice {
	return &slice{doomed: &doomed{}, store: s, left: p.Rows, bytes: pruneBytes, try: p.Try}
}

// take adds rows of one kind and says whether there was room for all.
func (c *slice) take(to *[]int64, ids []int64) bool {
	n := len(ids)
	if !c.try {
		n = min(n, c.left)
	}
	*to = append(*to, ids[:n]...)
	c.left -= n
	return n == len(ids)
}

// chunk is a row of output.
type chunk struct{ execution, attempt, stream, begins, size int64 }

func chunkRows(all []chunk) *rows {
	r := newRows("execution, attempt, stream, begins", int8s, int8s, int2s, int8s)
	for _, c := range all {
		r.number(c.execution)
		r.number(c.attempt)
		r.small(int16(c.stream))
		r.number(c.begins)
	}
	return r
}

// printed reads the output of executions, as much as there may be room for. It
// comes in the order of the executions, which is that in which they are taken:
// what is left out here is beyond what fits.
func (c *slice) printed(ctx context.Context, executions []int64) (map[int64][]chunk, error) {
	of := map[int64][]chunk{}
	if c.try && !c.counts || len(executions) == 0 {
		return of, nil
	}
	query := "SELECT o.execution, o.attempt, o.stream, o.begins, length(o.data) FROM unnest($1) WITH ORDINALITY AS v (id, place) JOIN output o ON o.execution = v.id ORDER BY v.place"
	if !c.try {
		query += " LIMIT " + strconv.Itoa(c.left+1)
	}
	err := c.store.read(ctx, "look at output", query, func(r row) error {
		one := chunk{r.number(0), r.number(1), r.number(2), r.number(3), r.number(4)}
		of[one.execution] = append(of[one.execution], one)
		return nil
	}, numbers(executions))
	return of, err
}

// takeOutput adds chunks, and says whether there was room for all.
func (c *slice) takeOutput(chunks []chunk) bool {
	for _, one := range chunks {
		if !c.try && (c.left <= 0 || c.bytes <= 0) {
			return false
		}
		c.outputs = append(c.outputs, one)
		c.left, c.bytes = c.left-1, c.bytes-one.size
	}
	return true
}

// takeTree adds a tree, output first, and says whether there was room for all.
func (c *slice) takeTree(t *tree, output map[int64][]chunk) bool {
	for _, x := range t.executions {
		if !c.takeOutput(output[x]) {
			return false
		}
	}
	return c.take(&c.executions, t.executions)
}

// going are the executions of the trees that may go, in the order of the tops.
func going(tops []int64, all map[int64]*tree) (executions []int64) {
	for _, top := range tops {
		if t := all[top]; !t.stays {
			executions = append(executions, t.executions...)
		}
	}
	return executions
}

// look calls a page of a shelf after the other until the slice is full, which a
// page says by false, or enough was looked at. A page returns the last id that
// it looked at, or none when there are no more.
func (c *slice) look(ctx context.Context, p persistence.Prune, page func(ctx context.Context, after, until int64) (last int64, room bool, err error)) (*doomed, error) {
	after, until := cursor(p.After), int64(persistence.FirstIDAt(p.Before))
	for range looks / lookPage {
		last, room, err := page(ctx, after, until)
		if err != nil {
			return nil, err
		}
		if last == 0 && room {
			return c.doomed, nil
		}
		after = max(after, last)
		if !room {
			break
		}
	}
	c.next = strconv.FormatInt(after, 10)
	return c.doomed, nil
}

func (s *Store) oldEvents(ctx context.Context, p persistence.Prune) (*doomed, error) {
	c := newSlice(s, p)
	return c.look(ctx, p, func(ctx context.Context, after, until int64) (last int64, room bool, err error) {
		var events []int64
		waits := map[int64]bool{}
		err = s.read(ctx, "look at events", "SELECT id, evaluated FROM event WHERE id > $1 AND id < $2 ORDER BY id LIMIT "+strconv.Itoa(lookPage), func(r row) error {
			events, waits[r.number(0)] = append(events, r.number(0)), r.null(1)
			return nil
		}, number(after), number(until))
		if err != nil || len(events) == 0 {
			return 0, true, err
		}
		all, err := s.trees(ctx, belowEvents, events, p)
		if err != nil {
			return 0, false, err
		}
		for id, t := range all {
			t.stays = t.stays || waits[id]
		}
		matches := map[int64][]int64{}
		err = s.read(ctx, "look at enforcements", "SELECT event, id FROM enforcement WHERE event = ANY($1)", func(r row) error {
			matches[r.number(0)] = append(matches[r.number(0)], r.number(1))
			return nil
		}, numbers(events))
		if err != nil {
			return 0, false, err
		}
		output, err := c.printed(ctx, going(events, all))
		if err != nil {
			return 0, false, err
		}
		for _, id := range events {
			if t := all[id]; !t.stays {
				c.whole, c.topped = append(c.whole, id), c.topped+t.topped
				if !c.takeTree(t, output) || !c.take(&c.enforcements, matches[id]) || !c.take(&c.events, []int64{id}) {
					return last, false, nil
				}
			}
			last = id
		}
		return last, true, nil
	})
}

// oldRequests looks at all old executions that are left, and those of events are
// few by then.
func (s *Store) oldRequests(ctx context.Context, p persistence.Prune) (*doomed, error) {
	c := newSlice(s, p)
	return c.look(ctx, p, func(ctx context.Context, after, until int64) (last int64, room bool, err error) {
		var seen, tops []int64
		err = s.read(ctx, "look at executions", "SELECT id, event, parent FROM execution WHERE id > $1 AND id < $2 ORDER BY id LIMIT "+strconv.Itoa(lookPage), func(r row) error {
			seen = append(seen, r.number(0))
			if r.number(1) == 0 && r.number(2) == 0 {
				tops = append(tops, r.number(0))
			}
			return nil
		}, number(after), number(until))
		if err != nil || len(seen) == 0 {
			return 0, true, err
		}
		all, err := s.trees(ctx, belowExecutions, tops, p)
		if err != nil {
			return 0, false, err
		}
		output, err := c.printed(ctx, going(tops, all))
		if err != nil {
			return 0, false, err
		}
		for _, id := range tops {
			if t := all[id]; !t.stays && !c.takeTree(t, output) {
				return last, false, nil
			}
			last = id
		}
		return seen[len(seen)-1], true, nil
	})
}

// printedBy are executions with output; one that is not there any more printed
// after it was deleted. Its output goes once it and all above it have ended.
const printedBy = "SELECT o.execution, NOT EXISTS (WITH RECURSIVE up (id) AS (SELECT o.execution " +
	"UNION SELECT x.parent FROM up JOIN execution x ON x.id = up.id WHERE x.parent > 0) " +
	"SELECT 1 FROM up JOIN execution x ON x.id = up.id WHERE x.finished IS NULL OR x.finished >= $3) " +
	"FROM (SELECT DISTINCT execution FROM output WHERE execution > $1 AND execution < $2 ORDER BY execution LIMIT $4) o ORDER BY o.execution"

func (s *Store) oldOutputs(ctx context.Context, p persistence.Prune) (*doomed, error) {
	c := newSlice(s, p)
	c.counts = true
	return c.look(ctx, p, func(ctx context.Context, after, until int64) (last int64, room bool, err error) {
		var seen, old []int64
		err = s.read(ctx, "look at output", printedBy, func(r row) error {
			seen = append(seen, r.number(0))
			if r.truth(1) {
				old = append(old, r.number(0))
			}
			return nil
		}, number(after), number(until), number(p.Before.UnixMilli()), number(lookPage))
		if err != nil || len(seen) == 0 {
			return 0, true, err
		}
		output, err := c.printed(ctx, old)
		if err != nil {
			return 0, false, err
		}
		for _, id := range old {
			if !c.takeOutput(output[id]) {
				return last, false, nil
			}
			last = id
		}
		return seen[len(seen)-1], true, nil
	})
}
