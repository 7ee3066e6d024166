package postgres

import (
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

const (
	// looks bounds how many trees or streams one slice looks at, lookPage how
	// many at a time: a slice is full of fewer, where they go.
	looks, lookPage = 512, 64
	// dedupeLooks is the same for dedupe keys: small, and side by side.
	dedupeLooks = 4096
	// pruneBytes bounds the output that one slice deletes.
	pruneBytes = 4 << 20
)

// Prune implements [persistence.Retention]. It looks through a reading
// connection and deletes beside the flushes, which it locks nothing of but the
// lease, as they do.
func (s *Store) Prune(ctx context.Context, incarnation string, p persistence.Prune) (out persistence.Pruned, err error) {
	if err := p.Check(); err != nil {
		return out, err
	}
	look := map[persistence.Shelf]func(context.Context, persistence.Prune) (*doomed, error){
		persistence.Events: s.oldEvents, persistence.Requests: s.oldRequests, persistence.Outputs: s.oldOutputs, persistence.DedupeKeys: s.oldDedupe,
		persistence.Definitions: s.oldDefinitions, persistence.LostWorkers: s.lostWorkers,
		persistence.OldLeases: func(ctx context.Context, p persistence.Prune) (*doomed, error) {
			return s.oldLeases(ctx, p, incarnation)
		},
		persistence.OldAudit: s.oldAudit,
	}[p.Shelf]
	if look == nil {
		return out, attune.NewError(attune.Invalid, "unknown_shelf", "there is no shelf "+string(p.Shelf))
	}
	d, err := look(ctx, p)
	if err != nil {
		return out, err
	}
	if p.Try || d.empty() {
		return d.counted(), nil
	}
	return s.prune(ctx, incarnation, p.Shelf, d)
}

// doomed is what a slice is to delete.
type doomed struct {
	outputs                          []chunk
	executions, enforcements, events []int64
	// topped is how many executions the events have that are to go: one more,
	// and something began anew.
	topped int64
	whole  []int64 // the events that topped speaks of
	// deletes are statements for shelves that are no trees.
	deletes []deletion
	workers []string
	next    string
}

// deletion is a statement with its values; counted is how many rows it deletes,
// as far as the reader could tell.
type deletion struct {
	table   persistence.Table
	query   string
	args    []value
	counted int64
}

func (d *doomed) empty() bool {
	return len(d.outputs)+len(d.executions)+len(d.enforcements)+len(d.events)+len(d.deletes) == 0
}

// counted is what would be deleted.
func (d *doomed) counted() persistence.Pruned {
	out := persistence.Pruned{Next: d.next, Workers: d.workers}
	out.Count(persistence.OutputTable, int64(len(d.outputs)))
	out.Count(persistence.ExecutionTable, int64(len(d.executions)))
	out.Count(persistence.EnforcementTable, int64(len(d.enforcements)))
	out.Count(persistence.EventTable, int64(len(d.events)))
	for _, one := range d.deletes {
		out.Count(one.table, one.counted)
	}
	return out
}

// leaseFence is the fence of what does not flush.
const leaseFence = "SELECT 1 / (SELECT count(*) FROM (SELECT 1 FROM lease WHERE incarnation = $1 AND NOT dead FOR KEY SHARE) l)"

// topsFence fails unless the events have as many executions as were looked at.
const topsFence = "SELECT 1 / (SELECT (count(*) = $2)::int FROM " + ofEvents + " x)"

// The places of the fences in the batch, behind the limits.
const leasePlace, topsPlace = 1, 2

// finishHigh keeps the highest finish number of the partitions of executions that
// are to go.
const finishHigh = "UPDATE partition p SET finish_high = v.high FROM (SELECT (id >> 12) & 1023 AS id, max(finish_number) AS high FROM execution WHERE id = ANY($1) GROUP BY 1) v " +
	"WHERE p.id = v.id AND p.finish_high < v.high"

// prune deletes, from below. Where an execution was begun for one of the events
// since the reader looked, nothing is deleted; the next pass looks again.
func (s *Store) prune(ctx context.Context, incarnation string, shelf persistence.Shelf, d *doomed) (persistence.Pruned, error) {
	var tables []persistence.Table
	var counts []*int64
	err := s.write(ctx, "prune "+string(shelf), func(b *batch) {
		tables, counts = nil, nil
		remove := func(t persistence.Table, query string, args ...value) {
			n := new(int64)
			tables, counts = append(tables, t), append(counts, n)
			b.count(query, n, args...)
		}
		b.add(leaseFence, nil, text(incarnation))
		b.add(topsFence, nil, numbers(d.whole), number(d.topped))
		if len(d.executions) > 0 {
			b.add(finishHigh, nil, numbers(d.executions))
		}
		if len(d.outputs) > 0 {
			var q statement
			remove(persistence.OutputTable, "DELETE FROM output o USING "+q.unnest("v", chunkRows(d.outputs))+
				" WHERE o.execution = v.execution AND o.attempt = v.attempt AND o.stream = v.stream AND o.begins = v.begins", q.args...)
		}
		for _, one := range []struct {
			table persistence.Table
			query string
			ids   []int64
		}{
			{persistence.ExecutionTable, "DELETE FROM execution WHERE id = ANY($1)", d.executions},
			{persistence.EnforcementTable, "DELETE FROM enforcement WHERE id = ANY($1)", d.enforcements},
			{persistence.EventTable, "DELETE FROM event WHERE id = ANY($1)", d.events},
		} {
			if len(one.ids) > 0 {
				remove(one.table, one.query, numbers(one.ids))
			}
		}
		for _, one := range d.deletes {
			remove(one.table, one.query, one.args...)
		}
	})
	out := persistence.Pruned{Next: d.next, Workers: d.workers}
	switch {
	case is(err, divisionByZero) && at(err) == leasePlace:
		return out, persistence.LeaseDead(incarnation)
	case is(err, divisionByZero) && at(err) == topsPlace:
		return persistence.Pruned{Next: d.next}, nil
	case err != nil:
		return out, err
	}
	sum := int64(0)
	for i, t := range tables {
		out.Count(t, *counts[i])
		sum += *counts[i]
	}
	s.deleted(sum)
	return out, nil
}

// ids reads a column of integers.
func (s *Store) ids(ctx context.Context, operation, query string, args ...value) (all []int64, err error) {
	err = s.read(ctx, operation, query, func(r row) error { all = append(all, r.number(0)); return nil }, args...)
	return all, err
}

func cursor(after string) int64 {
	n, _ := strconv.ParseInt(after, 10, 64)
	return n
}

// key is a value of a dedupe key's hash.
func key(hash []byte) value { return value{uuids.oid, hash} }

// oldDedupe looks at the keys in the order of their hashes. An index by age would
// cost each key more than it costs to look at all of them once per pass.
func (s *Store) oldDedupe(ctx context.Context, p persistence.Prune) (*doomed, error) {
	after, err := hex.DecodeString(p.After)
	if err != nil || len(after) != 0 && len(after) != 16 {
		return nil, attune.NewError(attune.Invalid, "invalid_cursor", "this is not where a slice ended")
	}
	above := "hash > $1"
	if len(after) == 0 {
		after, above = make([]byte, 16), "hash >= $1"
	}
	until := int64(persistence.FirstIDAt(p.Before))
	d, seen, old := &doomed{}, 0, int64(0)
	last := slices.Clone(after)
	err = s.read(ctx, "look at dedupe keys", "SELECT hash, first FROM dedupe WHERE "+above+" ORDER BY hash LIMIT "+strconv.Itoa(dedupeLooks), func(r row) error {
		if old == int64(p.Rows) {
			return nil
		}
		seen++
		last = append(last[:0], r[0]...)
		if r.number(1) < until {
			old++
		}
		return nil
	}, key(after))
	if err != nil {
		return nil, err
	}
	if seen == dedupeLooks || old == int64(p.Rows) {
		d.next = hex.EncodeToString(last)
	}
	if old > 0 {
		d.deletes = []deletion{{persistence.DedupeTable, "DELETE FROM dedupe WHERE " + above + " AND hash <= $2 AND first < $3", []value{key(after), key(last), number(until)}, old}}
	}
	return d, nil
}

// oldDefinitions are few: a pass is one slice.
func (s *Store) oldDefinitions(ctx context.Context, p persistence.Prune) (*doomed, error) {
	const where = "FROM definition WHERE superseded > 0 AND superseded < $1 AND superseded < coalesce(least((SELECT min(id) FROM event), (SELECT min(id) FROM execution)) >> 22, 1::bigint << 60) + $2 " +
		"AND kind = ANY($3)"
	args := []value{number(p.Before.UnixMilli()), number(attune.Epoch.UnixMilli() - persistence.DefinitionMargin.Milliseconds()), words(persistence.PrunedKinds)}
	n, err := s.ids(ctx, "look at definitions", "SELECT count(*) "+where, args...)
	if err != nil || n[0] == 0 {
		return &doomed{}, err
	}
	return &doomed{deletes: []deletion{{persistence.DefinitionTable, "DELETE " + where, args, n[0]}}}, nil
}

func (s *Store) lostWorkers(ctx context.Context, p persistence.Prune) (*doomed, error) {
	all, err := s.Workers(ctx)
	if err != nil {
		return nil, err
	}
	d := &doomed{}
	for _, w := range all {
		if ended := w.State == attune.WorkerLost || w.State == attune.WorkerLeft; !ended || !w.Changed.Before(p.Before) {
			continue
		}
		live, err := s.ExecutionsOn(ctx, w.Incarnation)
		if err != nil {
			return nil, err
		}
		if len(live) > 0 {
			continue
		}
		d.workers = append(d.workers, w.Name)
		d.deletes = append(d.deletes, deletion{persistence.WorkerTable, "DELETE FROM worker WHERE name = $1 AND version = $2", []value{text(w.Name), number(w.Version)}, 1})
	}
	return d, nil
}

func (s *Store) oldLeases(ctx context.Context, p persistence.Prune, me string) (*doomed, error) {
	const where = "FROM lease WHERE expires < to_timestamp($1::bigint / 1000.0) AND incarnation NOT IN (SELECT owner FROM partition) AND incarnation <> $2"
	args := []value{number(p.Before.UnixMilli()), text(me)}
	n, err := s.ids(ctx, "look at leases", "SELECT count(*) "+where, args...)
	if err != nil || n[0] == 0 {
		return &doomed{}, err
	}
	return &doomed{deletes: []deletion{{persistence.LeaseTable, "DELETE " + where, args, n[0]}}}, nil
}

// oldAudit looks at the oldest entries above p.After; the first that is not old
// ends it.
func (s *Store) oldAudit(ctx context.Context, p persistence.Prune) (*doomed, error) {
	after := cursor(p.After)
	last, old, young := after, int64(0), false
	err := s.read(ctx, "look at the audit", "SELECT number, at FROM audit WHERE number > $1 ORDER BY number LIMIT $2", func(r row) error {
		if young = young || r.number(1) >= p.Before.UnixMilli(); !young {
			last, old = r.number(0), old+1
		}
		return nil
	}, number(after), number(int64(p.Rows)))
	if err != nil || old == 0 {
		return &doomed{}, err
	}
	d := &doomed{deletes: []deletion{{persistence.AuditTable, "DELETE FROM audit WHERE number > $1 AND number <= $2 AND at < $3",
		[]value{number(after), number(last), number(p.Before.UnixMilli())}, old}}}
	if old == int64(p.Rows) {
		d.next = strconv.FormatInt(last, 10)
	}
	return d, nil
}

// Supersede implements [persistence.Retention]. Every pass begins with it, and so
// it is when the ranges of ids are looked after.
func (s *Store) Supersede(ctx context.Context, incarnation string, current []string) error {
	var n int64
	err := s.write(ctx, "supersede definitions", func(b *batch) {
		b.add(leaseFence, nil, text(incarnation))
		b.count("UPDATE definition SET superseded = CASE WHEN superseded = 0 THEN (extract(epoch FROM clock_timestamp()) * 1000)::bigint ELSE 0 END "+
			"WHERE kind = ANY($2) AND (superseded = 0) <> (hash = ANY($1))", &n, words(current), words(persistence.PrunedKinds))
	})
	if is(err, divisionByZero) {
		return persistence.LeaseDead(incarnation)
	}
	if err != nil {
		return err
	}
	s.wrote(n, 8*n)
	return s.Maintain(ctx)
}

// Oldest implements [persistence.Retention].
func (s *Store) Oldest(ctx context.Context) (map[persistence.Table]time.Time, error) {
	oldest := map[persistence.Table]time.Time{}
	err := s.read(ctx, "find the oldest rows", "SELECT 'event', min(id) FROM event UNION ALL SELECT 'enforcement', (SELECT id FROM enforcement ORDER BY event LIMIT 1) "+
		"UNION ALL SELECT 'execution', min(id) FROM execution UNION ALL SELECT 'output', min(execution) FROM output", func(r row) error {
		if !r.null(1) {
			oldest[persistence.Table(r.text(0))] = attune.ID(r.number(1)).Time()
		}
		return nil
	})
	return oldest, err
}
