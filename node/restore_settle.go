package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/cluster"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/sqlite"
)

// idsAhead is how far above the present the ids of a restored node begin: what
// ran on after the backup may have made ids half a minute ahead of its clock.
const idsAhead = 31 * time.Second

// settle makes the store fit to be started on: no id that was made after the
// backup is made again, and what waited is cancelled if that is wanted. What had
// been sent out needs nothing: the worker it was sent to is gone with its
// journal, so it is declared lost in the ordinary way, and nothing of it is
// started again.
func (r *Restored) settle(ctx context.Context, c RestoreConfig, part string) (err error) {
	store, err := sqlite.Open(ctx, sqlite.Config{Dir: part, Now: c.Now})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, store.Close(), os.Remove(filepath.Join(part, "attune.lock")))
	}()
	me := "restore-" + randomID()
	if _, err := store.Acquire(ctx, me, "restore", cluster.LeaseTTL); err != nil {
		return err
	}
	rows, err := store.PartitionRows(ctx)
	if err != nil {
		return err
	}
	high := c.Now().Add(idsAhead).Sub(attune.Epoch).Milliseconds()
	for _, p := range rows {
		ops := []persistence.Op{&persistence.RaiseIDHigh{Partition: p.ID, High: high}}
		if err := flushAll(ctx, store, me, ops); err != nil {
			return err
		}
		if c.CancelWaiting {
			if err := r.cancelWaiting(ctx, store, me, p, c.Now()); err != nil {
				return err
			}
		}
	}
	return store.Resign(ctx, me)
}

func flushAll(ctx context.Context, store *sqlite.Store, me string, ops []persistence.Op) error {
	answers, err := store.Flush(ctx, me, ops)
	for _, a := range answers {
		if a.Outcome != persistence.Committed {
			err = errors.Join(err, fmt.Errorf("%s: %s", a.Outcome, a.Reason))
		}
	}
	return err
}

// cancelWaiting ends what had not been sent out. The ends are announced by the
// first owner.
func (r *Restored) cancelWaiting(ctx context.Context, store *sqlite.Store, me string, p persistence.Partition, now time.Time) error {
	number, after := max(p.FinishNumber, p.AnnouncedTo), attune.ExecutionID(0)
	for {
		page, err := store.Live(ctx, p.ID, after, 500)
		if err != nil || len(page) == 0 {
			return err
		}
		var ops []persistence.Op
		for _, live := range page {
			after = live.ID
			if live.Status.Assigned() {
				continue
			}
			x, err := store.Execution(ctx, live.ID)
			if err != nil {
				return err
			}
			if _, err := x.Apply(attune.Input{Signal: attune.Cancel, At: now, Reason: "it waited when the backup was taken"}); err != nil {
				continue // it does not wait
			}
			number++
			x.Version++
			x.FinishNumber = number
			ops = append(ops, &persistence.Save{Execution: x})
		}
		if err := flushAll(ctx, store, me, ops); err != nil {
			return err
		}
		r.Cancelled += len(ops)
	}
}
