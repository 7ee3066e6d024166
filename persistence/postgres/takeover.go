package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

const (
	// firstLock is how long a lease is waited for that a flush under way holds,
	// lastLock how long once its holders are being ended.
	firstLock, lastLock = 300 * time.Millisecond, 3 * time.Second
	// endings is how often those who hold it are looked for meanwhile.
	endings, endingPause = 40, 0.05
)

func unknownPartition(id int) error {
	return attune.NewError(attune.Invalid, "unknown_partition", fmt.Sprintf("there is no partition %d", id))
}

// TakeOver implements [persistence.Leases]. A client that froze in the middle of
// what it sent holds the lock of its lease, and no timeout ends it: where the
// lock is not had soon, the sessions that hold it are ended.
func (s *Store) TakeOver(ctx context.Context, from, by string, partitions []int) error {
	ids, fault := partitionNumbers(partitions)
	if fault != nil {
		return fault
	}
	operation := "take over the partitions of " + from
	var n int64
	take := func(c *pgconn.PgConn) (err error) {
		n, err = s.take(ctx, c, from, by, ids)
		return err
	}
	err := s.locked(ctx, operation, []string{from, by}, from, take)
	if err != nil {
		return err
	}
	s.wrote(n+1, 16*n)
	return nil
}

// locked runs f in a transaction that has the rows of the leases, in the order of
// their incarnations: that of whole for update, so that nobody flushes under it,
// the others as a flush has them. Where whole cannot be had soon, whoever has it
// is ended.
func (s *Store) locked(ctx context.Context, operation string, incarnations []string, whole string, f func(c *pgconn.PgConn) error) error {
	ctx, cancel := s.patiently(ctx)
	defer cancel()
	try := func(wait time.Duration, meanwhile func(pid int64) error) error {
		return on(ctx, s.leases, func(c *pgconn.PgConn) error {
			return s.transaction(ctx, c, wait, func(pid int64) error {
				if err := lockLeases(ctx, c, incarnations, whole, func() error { return meanwhile(pid) }); err != nil {
					return err
				}
				return f(c)
			})
		})
	}
	err := try(firstLock, func(int64) error { return nil })
	if is(err, lockNotAvailable) {
		err = try(lastLock, func(pid int64) error { return s.endHolders(ctx, pid) })
	}
	if err != nil {
		return s.away(operation, err)
	}
	return nil
}

// transaction is one of several batches, for what is rare: it knows its own
// session, and is rolled back unless f succeeds.
func (s *Store) transaction(ctx context.Context, c *pgconn.PgConn, wait time.Duration, f func(pid int64) error) error {
	var pid int64
	var b batch
	b.add("BEGIN", nil)
	b.set(limits{statement: s.limits.statement, lock: wait})
	b.add("SELECT pg_backend_pid()", func(r row) error { pid = r.number(0); return nil })
	err := b.run(ctx, c)
	if err == nil {
		err = f(pid)
	}
	var end batch
	if err == nil {
		end.add("COMMIT", nil)
		return end.run(ctx, c)
	}
	end.add("ROLLBACK", nil)
	_ = end.run(context.WithoutCancel(ctx), c) // where it fails the connection is of no more use, and the pool sees that
	return err
}

// lockLeases locks the rows. The answer is waited for after meanwhile.
func lockLeases(ctx context.Context, c *pgconn.PgConn, incarnations []string, whole string, meanwhile func() error) error {
	var b batch
	b.add(`SELECT 1 FROM lease WHERE incarnation = ANY($1) AND incarnation < $2 COLLATE "C" ORDER BY incarnation COLLATE "C" FOR KEY SHARE`, nil, words(incarnations), text(whole))
	b.add("SELECT 1 FROM lease WHERE incarnation = $1 FOR UPDATE", nil, text(whole))
	b.add(`SELECT 1 FROM lease WHERE incarnation = ANY($1) AND incarnation > $2 COLLATE "C" ORDER BY incarnation COLLATE "C" FOR KEY SHARE`, nil, words(incarnations), text(whole))
	results := c.ExecBatch(ctx, &b.Batch)
	if err := meanwhile(); err != nil {
		_ = results.Close()
		return err
	}
	return b.results(results)
}

// endHolders ends, from a connection of its own, the sessions that a session
// waits for, until it waits for none.
func (s *Store) endHolders(ctx context.Context, pid int64) error {
	waits := false
	for range endings {
		var ended int64
		err := on(ctx, s.aside, func(c *pgconn.PgConn) error {
			var b batch
			b.set(s.limits)
			b.add("SELECT count(pg_terminate_backend(p)) FROM unnest(pg_blocking_pids($1)) p", func(r row) error { ended = r.number(0); return nil }, integer(int32(pid)))
			b.add(fmt.Sprintf("SELECT pg_sleep(%v)", endingPause), nil)
			return b.run(ctx, c)
		})
		if err != nil {
			return err
		}
		if ended > 0 {
			waits = true
			s.cfg.Log.Warn("ended the sessions that held the lease of a node that is being taken over", "sessions", ended)
		} else if waits {
			return nil
		}
	}
	return nil
}

// take does it, with both leases locked, and says how many partitions changed
// their owner.
func (s *Store) take(ctx context.Context, c *pgconn.PgConn, from, by string, ids []int64) (n int64, err error) {
	takes, lives := false, false
	var b batch
	b.add("SELECT EXISTS (SELECT 1 FROM lease WHERE incarnation = $1 AND NOT dead), EXISTS (SELECT 1 FROM lease WHERE incarnation = $2 AND NOT dead AND expires > clock_timestamp())",
		func(r row) error { takes, lives = r.truth(0), r.truth(1); return nil }, text(by), text(from))
	if err := b.run(ctx, c); err != nil {
		return 0, err
	}
	switch {
	case !takes:
		return 0, persistence.LeaseDead(by)
	case lives || from == by:
		return 0, persistence.LeaseLives(from)
	}
	var foreign error
	var w batch
	w.add("SELECT id, owner FROM partition WHERE id = ANY($1) AND owner <> $2 ORDER BY id LIMIT 1", func(r row) error {
		foreign = persistence.OwnedBy(int(r.number(0)), r.text(1), from)
		return nil
	}, numbers(ids), text(from))
	w.add("UPDATE lease SET dead = true WHERE incarnation = $1", nil, text(from))
	w.count("UPDATE partition SET owner = $3, epoch = epoch + 1 WHERE id = ANY($1) AND owner = $2", &n, numbers(ids), text(from), text(by))
	if err := w.run(ctx, c); err != nil {
		return 0, err
	}
	if foreign == nil && n != int64(len(ids)) {
		foreign = persistence.OwnedBy(int(ids[0]), by, from) // it was named twice
	}
	return n, foreign
}
