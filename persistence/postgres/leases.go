package postgres

import (
	"context"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// writer is what rows name an incarnation by, and the session that its flushes
// name: see resolve.go.
type writer struct{ id, session int64 }

// clockNow is a moment of database time, one for the whole statement.
const clockNow = "(SELECT clock_timestamp() AS now) c"

const acquire = "INSERT INTO lease (incarnation, name, expires, dead, session) SELECT $1, $2, c.now + $3 * interval '1 microsecond', false, 0 FROM " + clockNow + " " +
	"ON CONFLICT (incarnation) DO UPDATE SET name = excluded.name, expires = excluded.expires WHERE NOT lease.dead " +
	"RETURNING id, session, expires - $3 * interval '1 microsecond'"

// Acquire implements [persistence.Leases].
func (s *Store) Acquire(ctx context.Context, incarnation, name string, ttl time.Duration) (at time.Time, err error) {
	var w writer
	err = s.writeOn(ctx, s.leases, "acquire the lease of "+incarnation, func(b *batch) {
		b.add(acquire, func(r row) error {
			w, at = writer{r.number(0), r.number(1)}, r.time(2)
			return nil
		}, text(incarnation), text(name), number(ttl.Microseconds()))
	})
	if err != nil || w.id == 0 {
		return at, orDead(err, incarnation)
	}
	s.remember(incarnation, w)
	s.wrote(1, int64(len(incarnation)+len(name)))
	return at, nil
}

func orDead(err error, incarnation string) error {
	if err != nil {
		return err
	}
	return persistence.LeaseDead(incarnation)
}

func (s *Store) remember(incarnation string, w writer) {
	s.state.Lock()
	defer s.state.Unlock()
	s.writers[incarnation] = w
}

// writer is that of an incarnation, which another program may have acquired; zero
// where there is none.
func (s *Store) writer(ctx context.Context, incarnation string) (w writer, err error) {
	s.state.Lock()
	w, ok := s.writers[incarnation]
	s.state.Unlock()
	if ok {
		return w, nil
	}
	err = s.read(ctx, "read the lease of "+incarnation, "SELECT id, session FROM lease WHERE incarnation = $1", func(r row) error {
		w = writer{r.number(0), r.number(1)}
		return nil
	}, text(incarnation))
	if err == nil && w.id != 0 {
		s.remember(incarnation, w)
	}
	return w, err
}

// Renew implements [persistence.Leases]. It passes a flush under way, which only
// wants the row to stay. After ttl it would be of no use: the next one, by
// another connection, may be.
func (s *Store) Renew(ctx context.Context, incarnation string, ttl time.Duration) (at time.Time, err error) {
	if ttl > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, ttl)
		defer cancel()
	}
	found := false
	err = s.writeOn(ctx, s.renewals, "renew the lease of "+incarnation, func(b *batch) {
		b.add("UPDATE lease SET expires = c.now + $2 * interval '1 microsecond' FROM "+clockNow+" WHERE incarnation = $1 AND NOT dead RETURNING c.now", func(r row) error {
			found, at = true, r.time(0)
			return nil
		}, text(incarnation), number(ttl.Microseconds()))
	})
	if err != nil || !found {
		return at, orDead(err, incarnation)
	}
	s.wrote(1, 8)
	return at, nil
}

// Resign implements [persistence.Leases].
func (s *Store) Resign(ctx context.Context, incarnation string) error {
	var n int64
	err := s.writeOn(ctx, s.leases, "resign the lease of "+incarnation, func(b *batch) {
		b.count("UPDATE lease SET expires = c.now FROM "+clockNow+" WHERE incarnation = $1 AND NOT dead AND expires > c.now", &n, text(incarnation))
	})
	s.wrote(n, 8*n)
	return err
}

// LeaseRows implements [persistence.Leases], by incarnation.
func (s *Store) LeaseRows(ctx context.Context) (rows []persistence.Lease, err error) {
	err = s.read(ctx, "read the leases", `SELECT incarnation, name, expires, dead FROM lease ORDER BY incarnation COLLATE "C"`, func(r row) error {
		rows = append(rows, persistence.Lease{Incarnation: r.text(0), Name: r.text(1), Expires: r.time(2), Dead: r.truth(3)})
		return nil
	})
	return rows, err
}

const partitionRows = "SELECT p.id, p.owner, p.epoch, p.id_high, greatest(p.finish_high, coalesce((" +
	"SELECT max(x.finish_number) FROM execution x WHERE (x.id >> 12) & 1023 = p.id::bigint AND x.finish_number > 0), 0)), p.announced_to FROM partition p ORDER BY p.id"

// PartitionRows implements [persistence.Leases].
func (s *Store) PartitionRows(ctx context.Context) (rows []persistence.Partition, err error) {
	err = s.read(ctx, "read the partitions", partitionRows, func(r row) error {
		rows = append(rows, persistence.Partition{ID: int(r.number(0)), Owner: r.text(1), Epoch: r.number(2), IDHigh: r.number(3), FinishNumber: r.number(4), AnnouncedTo: r.number(5)})
		return nil
	})
	return rows, err
}

func partitionNumbers(partitions []int) (all []int64, fault error) {
	for _, id := range partitions {
		if id < 0 || id >= attune.Partitions {
			return nil, unknownPartition(id)
		}
		all = append(all, int64(id))
	}
	return all, nil
}
