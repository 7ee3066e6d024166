package memory

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/attune-automation/attune"
)

var errClosed = errors.New("the store is closed")

// table is rows by id, with the ids in order.
type table[K cmp.Ordered, V any] struct {
	rows map[K]V
	ids  []K // rising
}

func newTable[K cmp.Ordered, V any]() table[K, V] { return table[K, V]{rows: map[K]V{}} }

func (t *table[K, V]) put(id K, row V) {
	if _, ok := t.rows[id]; !ok {
		t.ids = add(t.ids, id)
	}
	t.rows[id] = row
}

func (t *table[K, V]) drop(id K) {
	delete(t.rows, id)
	t.ids = remove(t.ids, id)
}

// newest calls yield for the rows with ids at least from and below to, the
// newest first, until it says no.
func (t *table[K, V]) newest(from, to K, yield func(V) bool) {
	n, _ := slices.BinarySearch(t.ids, to)
	for n--; n >= 0 && t.ids[n] >= from; n-- {
		if !yield(t.rows[t.ids[n]]) {
			return
		}
	}
}

// add puts an id into a rising slice. Ids come nearly in order, so that little
// has to move.
func add[K cmp.Ordered](ids []K, id K) []K {
	i, found := slices.BinarySearch(ids, id)
	if found {
		return ids
	}
	return slices.Insert(ids, i, id)
}

func remove[K cmp.Ordered](ids []K, id K) []K {
	if i, found := slices.BinarySearch(ids, id); found {
		return slices.Delete(ids, i, i+1)
	}
	return ids
}

// The copies below are what a store with columns gives back: whole
// milliseconds in UTC, and nil for what is empty.

func copyEvent(e *attune.Event) *attune.Event {
	c := *e
	c.Payload = document(c.Payload)
	c.Accepted, c.OccurredAt, c.Evaluated = stored(c.Accepted), stored(c.OccurredAt), stored(c.Evaluated)
	return &c
}

func copyEnforcement(e *attune.Enforcement) *attune.Enforcement {
	c := *e
	c.Created = stored(c.Created)
	c.Evaluation = document(c.Evaluation)
	c.Failure = copyFailure(c.Failure)
	return &c
}

func copyExecution(x *attune.Execution) *attune.Execution {
	c := x.Clone()
	c.Parameters, c.Result, c.History = document(c.Parameters), document(c.Result), document(c.History)
	c.Requested, c.Limits.Deadline = stored(c.Requested), stored(c.Limits.Deadline)
	c.Until, c.Started, c.Finished = stored(c.Until), stored(c.Started), stored(c.Finished)
	c.Failure = copyFailure(c.Failure)
	return c
}

// saved is a copy of old with the fields that [persistence.Save] writes.
func saved(old, x *attune.Execution) *attune.Execution {
	c := *old
	c.Version, c.Status, c.Cause, c.Attempt = x.Version, x.Status, x.Cause, x.Attempt
	c.Worker, c.Incarnation, c.Reason, c.Until = x.Worker, x.Incarnation, x.Reason, x.Until
	c.Started, c.Finished, c.Result, c.Failure = x.Started, x.Finished, x.Result, x.Failure
	c.FinishNumber, c.History = x.FinishNumber, x.History
	return copyExecution(&c)
}

func copyWorker(w *attune.Worker) *attune.Worker {
	c := *w
	c.Runners = append([]string(nil), w.Runners...)
	c.Labels = nil
	if len(w.Labels) > 0 {
		c.Labels = make(map[string]string, len(w.Labels))
		for k, v := range w.Labels {
			c.Labels[k] = v
		}
	}
	c.Registered, c.Changed = stored(c.Registered), stored(c.Changed)
	c.Lease = c.Lease.Truncate(time.Millisecond)
	return &c
}

func copyToken(t attune.AccessToken) attune.AccessToken {
	t.Roles = append([]attune.Role(nil), t.Roles...)
	t.Created, t.Expires = stored(t.Created), stored(t.Expires)
	return t
}

func copyFailure(f *attune.Failure) *attune.Failure {
	if f == nil {
		return nil
	}
	c := *f
	return &c
}

func document[B ~[]byte](b B) B {
	if len(b) == 0 {
		return nil
	}
	return b[:len(b):len(b)]
}
