package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// stored is a time as a column of whole milliseconds keeps it.
func stored(t time.Time) time.Time { return persistence.FromMillis(persistence.Millis(t)) }

// Acquire implements [persistence.Leases].
func (s *Store) Acquire(ctx context.Context, incarnation, name string, ttl time.Duration) (time.Time, error) {
	if err := s.begin(ctx, "acquire the lease of "+incarnation); err != nil {
		return time.Time{}, err
	}
	defer s.mu.Unlock()
	now := s.cfg.Clock.Now()
	if l := s.leases[incarnation]; l != nil && l.Dead {
		return time.Time{}, persistence.LeaseDead(incarnation)
	}
	if s.cfg.Exclusive {
		for _, l := range s.leases {
			if l.Expires.After(now) {
				l.Expires = stored(now)
			}
		}
	}
	s.leases[incarnation] = &persistence.Lease{Incarnation: incarnation, Name: name, Expires: stored(now.Add(ttl))}
	s.wrote(1, len(incarnation)+len(name))
	return now, nil
}

// Renew implements [persistence.Leases].
func (s *Store) Renew(ctx context.Context, incarnation string, ttl time.Duration) (time.Time, error) {
	if err := s.begin(ctx, "renew the lease of "+incarnation); err != nil {
		return time.Time{}, err
	}
	defer s.mu.Unlock()
	l := s.leases[incarnation]
	if l == nil || l.Dead {
		return time.Time{}, persistence.LeaseDead(incarnation)
	}
	now := s.cfg.Clock.Now()
	l.Expires = stored(now.Add(ttl))
	s.wrote(1, 8)
	return now, nil
}

// Resign implements [persistence.Leases].
func (s *Store) Resign(ctx context.Context, incarnation string) error {
	if err := s.begin(ctx, "resign the lease of "+incarnation); err != nil {
		return err
	}
	defer s.mu.Unlock()
	now := s.cfg.Clock.Now()
	if l := s.leases[incarnation]; l != nil && !l.Dead && l.Expires.After(now) {
		l.Expires = stored(now)
		s.wrote(1, 8)
	}
	return nil
}

// LeaseRows implements [persistence.Leases], by incarnation.
func (s *Store) LeaseRows(ctx context.Context) ([]persistence.Lease, error) {
	if err := s.begin(ctx, "read the leases"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.leaseRows(), nil
}

func (s *Store) leaseRows() []persistence.Lease {
	rows := make([]persistence.Lease, 0, len(s.leases))
	for _, l := range s.leases {
		rows = append(rows, *l)
	}
	slices.SortFunc(rows, func(a, b persistence.Lease) int { return cmp.Compare(a.Incarnation, b.Incarnation) })
	return rows
}

// PartitionRows implements [persistence.Leases].
func (s *Store) PartitionRows(ctx context.Context) ([]persistence.Partition, error) {
	if err := s.begin(ctx, "read the partitions"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.partitionRows(), nil
}

func (s *Store) partitionRows() []persistence.Partition {
	rows := make([]persistence.Partition, 0, len(s.partitions))
	for i := range s.partitions {
		rows = append(rows, s.partitions[i].row)
	}
	return rows
}

// TakeOver implements [persistence.Leases].
func (s *Store) TakeOver(ctx context.Context, from, by string, partitions []int) error {
	if err := s.begin(ctx, "take over the partitions of "+from); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if l := s.leases[by]; l == nil || l.Dead {
		return persistence.LeaseDead(by)
	}
	loser := s.leases[from]
	if from == by || loser != nil && !loser.Dead && loser.Expires.After(s.cfg.Clock.Now()) {
		return persistence.LeaseLives(from)
	}
	for i, id := range partitions {
		if id < 0 || id >= attune.Partitions {
			return attune.NewError(attune.Invalid, "unknown_partition", fmt.Sprintf("there is no partition %d", id))
		}
		if owner := s.partitions[id].row.Owner; owner != from || slices.Contains(partitions[:i], id) {
			return persistence.OwnedBy(id, owner, from)
		}
	}
	if loser != nil {
		loser.Dead = true
	}
	for _, id := range partitions {
		s.partitions[id].row.Owner = by
		s.partitions[id].row.Epoch++
	}
	s.wrote(len(partitions)+1, 16*len(partitions))
	return nil
}
