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
// backup is made again, what had been sent out is lost, and what waited is
// cancelled if that is wanted. The worker that ran the former is gone with its
// journal; it has gone on since, so it is not tried again, whatever its retry
// says.
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
	if err := loseWorkers(ctx, store, me, c.Now()); err != nil {
		return err
	}
	high := c.Now().Add(idsAhead).Sub(attune.Epoch).Milliseconds()
	for _, p := range rows {
		ops := []persistence.Op{&persistence.RaiseIDHigh{Partition: p.ID, High: high}}
		if err := flushAll(ctx, store, me, ops); err != nil {
			return err
		}
		if err := r.end(ctx, store, me, p, c); err != nil {
			return err
		}
	}
	return store.Resign(ctx, me)
}

// loseWorkers says of the workers of then that they are lost, so that nothing is
// sent to them.
func loseWorkers(ctx context.Context, store *sqlite.Store, me string, now time.Time) error {
	workers, err := store.Workers(ctx)
	if err != nil {
		return err
	}
	var ops []persistence.Op
	for _, w := range workers {
		if w.State == attune.WorkerAlive || w.State == attune.WorkerDraining {
			w.State, w.Changed = attune.WorkerLost, now
			w.Version++
			ops = append(ops, &persistence.SaveWorker{Worker: w})
		}
	}
	return flushAll(ctx, store, me, ops)
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

// end ends what had been sent out, and, if that is wanted, what had not. The ends
// are announced by the first owner.
func (r *Restored) end(ctx context.Context, store *sqlite.Store, me string, p persistence.Partition, c RestoreConfig) error {
	number, after := max(p.FinishNumber, p.AnnouncedTo), attune.ExecutionID(0)
	for {
		page, err := store.Live(ctx, p.ID, after, 500)
		if err != nil || len(page) == 0 {
			return err
		}
		var ops []persistence.Op
		for _, live := range page {
			after = live.ID
			if !live.Status.Assigned() && !c.CancelWaiting {
				continue
			}
			x, err := store.Execution(ctx, live.ID)
			if err != nil {
				return err
			}
			if _, err := x.Apply(restoredEnd(x, c.Now())); err != nil {
				continue // the engine runs it, and goes on
			}
			if !live.Status.Assigned() {
				r.Cancelled++
			}
			number++
			x.Version++
			x.FinishNumber = number
			ops = append(ops, &persistence.Save{Execution: x})
		}
		if err := flushAll(ctx, store, me, ops); err != nil {
			return err
		}
	}
}

// restoredEnd is how an execution ends that lived when the backup was taken.
func restoredEnd(x *attune.Execution, now time.Time) attune.Input {
	if !x.Status.Assigned() {
		return attune.Input{Signal: attune.Cancel, At: now, Reason: "it waited when the backup was taken"}
	}
	in := attune.Input{Signal: attune.Lose, At: now, Reason: "it was sent out when the backup was taken",
		Failure: &attune.Failure{Code: "worker_lost", Message: "it was sent out, or ran, when the backup was taken; what became of it is not known"}}
	if x.Cause == attune.CauseCancelled {
		in.Failure = &attune.Failure{Code: "cancelled", Message: "it was cancelled"}
	}
	return in
}
