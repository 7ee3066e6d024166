package retention

import (
	"time"

	"github.com/attune-automation/attune/persistence"
)

// Ages say how long what is kept. A zero age is its default, [Forever] is for
// ever. Shorter than it takes to look at what happened helps nobody; longer
// costs disk.
type Ages struct {
	// Executions is for events with their enforcements and executions, counted
	// from the last end; 30 days. What only they could name goes after them:
	// definitions, workers that are lost, leases.
	Executions time.Duration
	// Output is for what attempts printed; 14 days. It never outlives its
	// execution.
	Output time.Duration
	// Dedupe is the window in which a request that is sent again is the same;
	// 7 days.
	Dedupe time.Duration
	// Audit is for who did what by request; 90 days.
	Audit time.Duration
}

// Forever keeps for ever.
const Forever time.Duration = -1

const day = 24 * time.Hour

// WithDefaults are the ages with those that are not said.
func (a Ages) WithDefaults() Ages {
	for _, one := range []struct {
		age    *time.Duration
		unsaid time.Duration
	}{{&a.Executions, 30 * day}, {&a.Output, 14 * day}, {&a.Dedupe, 7 * day}, {&a.Audit, 90 * day}} {
		if *one.age == 0 {
			*one.age = one.unsaid
		}
	}
	return a
}

// before is the moment before which what is on the shelf may go, and whether
// there is one.
func (a Ages) before(shelf persistence.Shelf, now time.Time) (time.Time, bool) {
	age := a.Executions
	switch shelf {
	case persistence.Outputs:
		age = a.Output
		if age < 0 || a.Executions >= 0 && a.Executions < age {
			age = a.Executions
		}
	case persistence.DedupeKeys:
		age = a.Dedupe
	case persistence.OldAudit:
		age = a.Audit
	}
	return now.Add(-age), age >= 0
}
