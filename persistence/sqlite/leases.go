package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Acquire implements [persistence.Leases]. Whoever held a lease was another
// process on this folder, and the lock proves that it is gone.
func (s *Store) Acquire(ctx context.Context, incarnation, name string, ttl time.Duration) (now time.Time, err error) {
	err = s.write(ctx, "acquire the lease of "+incarnation, func(t *tx) error {
		now = s.cfg.Now()
		t.text(incarnation)
		if dead, _, err := t.number("SELECT dead FROM lease WHERE incarnation = ?"); err != nil || dead != 0 {
			return orDead(err, incarnation)
		}
		t.int(now.UnixMilli())
		if _, err := t.exec("UPDATE lease SET expires = ?1 WHERE expires > ?1"); err != nil {
			return err
		}
		t.text(incarnation)
		t.text(name)
		t.int(now.Add(ttl).UnixMilli())
		n, err := t.exec("INSERT INTO lease (incarnation, name, expires, dead) VALUES (?1, ?2, ?3, 0) ON CONFLICT DO UPDATE SET name = ?2, expires = ?3")
		t.rows += n
		return err
	})
	return now, err
}

func orDead(err error, incarnation string) error {
	if err != nil {
		return err
	}
	return persistence.LeaseDead(incarnation)
}

// Renew implements [persistence.Leases].
func (s *Store) Renew(ctx context.Context, incarnation string, ttl time.Duration) (now time.Time, err error) {
	err = s.write(ctx, "renew the lease of "+incarnation, func(t *tx) error {
		now = s.cfg.Now()
		t.text(incarnation)
		t.int(now.Add(ttl).UnixMilli())
		n, err := t.exec("UPDATE lease SET expires = ?2 WHERE incarnation = ?1 AND dead = 0")
		if err != nil || n == 0 {
			return orDead(err, incarnation)
		}
		t.rows++
		return nil
	})
	return now, err
}

// Resign implements [persistence.Leases].
func (s *Store) Resign(ctx context.Context, incarnation string) error {
	return s.write(ctx, "resign the lease of "+incarnation, func(t *tx) error {
		t.text(incarnation)
		t.int(s.cfg.Now().UnixMilli())
		n, err := t.exec("UPDATE lease SET expires = ?2 WHERE incarnation = ?1 AND dead = 0 AND expires > ?2")
		t.rows += n
		return err
	})
}

// LeaseRows implements [persistence.Leases], by incarnation.
func (s *Store) LeaseRows(ctx context.Context) (rows []persistence.Lease, err error) {
	err = s.read(ctx, "read the leases", "SELECT incarnation, name, expires, dead FROM lease ORDER BY incarnation", nil, func(scan func(...any) error) error {
		var l persistence.Lease
		var expires int64
		err := scan(&l.Incarnation, &l.Name, &expires, &l.Dead)
		l.Expires = persistence.FromMillis(expires)
		rows = append(rows, l)
		return err
	})
	return rows, err
}

// The plus keeps SQLite from taking the partition's id for a column to look up:
// without it the index of ends is read from its end, for every partition.
const partitionRows = "SELECT id, owner, epoch, id_high, max(finish_high, coalesce((" +
	"SELECT max(finish_number) FROM execution WHERE (execution.id >> 12) & 1023 = +partition.id AND finish_number > 0), 0)), announced_to FROM partition ORDER BY id"

// PartitionRows implements [persistence.Leases].
func (s *Store) PartitionRows(ctx context.Context) (rows []persistence.Partition, err error) {
	err = s.read(ctx, "read the partitions", partitionRows, nil, func(scan func(...any) error) error {
		var p persistence.Partition
		err := scan(&p.ID, &p.Owner, &p.Epoch, &p.IDHigh, &p.FinishNumber, &p.AnnouncedTo)
		rows = append(rows, p)
		return err
	})
	return rows, err
}

// TakeOver implements [persistence.Leases].
func (s *Store) TakeOver(ctx context.Context, from, by string, partitions []int) error {
	return s.write(ctx, "take over the partitions of "+from, func(t *tx) error {
		if _, err := t.writer(by); err != nil {
			return err
		}
		t.text(from)
		t.int(s.cfg.Now().UnixMilli())
		alive, _, err := t.number("SELECT count(*) FROM lease WHERE incarnation = ? AND dead = 0 AND expires > ?")
		if err != nil {
			return err
		}
		if from == by || alive > 0 {
			return persistence.LeaseLives(from)
		}
		t.text(from)
		if _, err := t.exec("UPDATE lease SET dead = 1 WHERE incarnation = ?"); err != nil {
			return err
		}
		for _, id := range partitions {
			if err := t.take(id, from, by); err != nil {
				return err
			}
		}
		t.rows += int64(len(partitions)) + 1
		return nil
	})
}

func (t *tx) take(id int, from, by string) error {
	t.int(int64(id))
	t.text(from)
	t.text(by)
	n, err := t.exec("UPDATE partition SET owner = ?3, epoch = epoch + 1 WHERE id = ?1 AND owner = ?2")
	if err != nil || n == 1 {
		return err
	}
	owner, found := "", false
	t.int(int64(id))
	err = t.query("SELECT owner FROM partition WHERE id = ?", func(v []driver.Value) { owner, found = v[0].(string), true })
	if err == nil && !found {
		err = attune.NewError(attune.Invalid, "unknown_partition", fmt.Sprintf("there is no partition %d", id))
	}
	if err != nil {
		return err
	}
	return persistence.OwnedBy(id, owner, from)
}
