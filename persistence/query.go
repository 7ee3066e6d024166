package persistence

import (
	"fmt"
	"time"

	"github.com/attune-automation/attune"
)

// MaxPage is the largest page of a list.
const MaxPage = 1000

// Check refuses, as invalid, a page size out of bounds and a field by which
// rows of the kind cannot be narrowed. Events know Trigger and Event;
// enforcements Rule, Action, Event and Enforcement; executions all. Every store
// asks it.
func (q Query) Check(kind attune.Kind) error {
	if q.Limit < 1 || q.Limit > MaxPage {
		return attune.NewError(attune.Invalid, "invalid_limit", fmt.Sprintf("a page has 1 to %d rows, not %d", MaxPage, q.Limit))
	}
	field := ""
	if kind != attune.KindExecution {
		switch {
		case q.Worker != "":
			field = "worker"
		case q.Status != attune.NoStatus:
			field = "status"
		case q.Parent != 0:
			field = "parent"
		}
	}
	switch {
	case field != "":
	case kind == attune.KindEnforcement && q.Trigger != "":
		field = "trigger"
	case kind == attune.KindEvent && q.Rule != "":
		field = "rule"
	case kind == attune.KindEvent && q.Action != "":
		field = "action"
	case kind == attune.KindEvent && q.Enforcement != 0:
		field = "enforcement"
	}
	if field == "" {
		return nil
	}
	return attune.NewError(attune.Invalid, "invalid_filter", fmt.Sprintf("rows of kind %q are not narrowed by %s", kind, field))
}

// Bounds are the ids of the page: at least from, below to.
func (q Query) Bounds() (from, to attune.ID) {
	to = q.Before
	if to == 0 {
		to = 1<<63 - 1
	}
	if d := q.Since.Sub(attune.Epoch); !q.Since.IsZero() && d > 0 {
		from = attune.MakeID(int64((d+time.Millisecond-1)/time.Millisecond), 0, 0)
	}
	return from, to
}

// Millis is how stores keep a time: in whole milliseconds since 1970, and the
// zero time as 0.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMillis is the time that [Millis] keeps, in UTC.
func FromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
