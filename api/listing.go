package api

import (
	"fmt"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Page is part of the input of every list.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Size of the page"`
	Cursor string `query:"cursor" doc:"The field next of the page before"`
}

// query begins the query of a list of live rows. One more row than the page has
// is asked for, to know whether another page follows.
func (p Page) query(since string) (persistence.Query, error) {
	q := persistence.Query{Limit: min(p.Limit+1, 1000)}
	if p.Cursor != "" {
		_, id, err := attune.ParseID(p.Cursor)
		if err != nil {
			return q, err
		}
		q.Before = id
	}
	if since != "" {
		t, err := time.Parse(time.RFC3339, since)
		if err != nil {
			return q, &attune.Error{Kind: attune.Invalid, Code: "invalid_time", Message: fmt.Sprintf("%q is not a time", since), Where: "query.since",
				Try: "RFC 3339, such as 2026-01-31T12:00:00Z"}
		}
		q.Since = t
	}
	return q, nil
}

// paged cuts rows to the page and makes views of them.
func paged[R, V any](p Page, rows []R, cursor func(R) string, view func(R) V) List[V] {
	l := List[V]{Items: []V{}}
	// A full answer at the largest limit may be followed by another page.
	more := len(rows) > p.Limit || len(rows) == 1000
	for _, r := range rows[:min(len(rows), p.Limit)] {
		l.Items = append(l.Items, view(r))
		l.Next = cursor(r)
	}
	if !more {
		l.Next = ""
	}
	return l
}

// after pages through what is held in memory, sorted by its key.
func after[R, V any](p Page, all []R, key func(R) string, view func(R) V) List[V] {
	var rows []R
	for _, r := range all {
		if key(r) > p.Cursor && len(rows) <= p.Limit {
			rows = append(rows, r)
		}
	}
	l := paged(p, rows, key, view)
	if len(rows) <= p.Limit {
		l.Next = ""
	}
	return l
}

// filterIDs reads ids that narrow a list; empty ones do not.
func filterIDs(q *persistence.Query, event, parent string) error {
	if err := q.Event.UnmarshalText([]byte(event)); err != nil {
		return err
	}
	return q.Parent.UnmarshalText([]byte(parent))
}
