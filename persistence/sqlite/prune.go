package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

const (
	// looks bounds how many trees or streams one slice looks at, lookPage how
	// many at a time: a slice is full of fewer, where they go.
	looks, lookPage = 512, 64
	// dedupeLooks is the same for dedupe keys: 35 bytes each, side by side.
	dedupeLooks = 4096
	// pruneBytes bounds the output that one slice deletes: each page of it is
	// put on the list of free ones.
	pruneBytes = 4 << 20
)

// Prune implements [persistence.Retention]. It looks through a reading
// connection, which nobody waits for, and takes the writing one for as long as
// the deletion itself lasts.
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
	err = s.write(ctx, "prune "+string(p.Shelf), func(t *tx) error {
		if _, err := t.writer(incarnation); err != nil {
			return err
		}
		out, err = t.prune(d)
		return err
	})
	return out, err
}

// doomed is what a slice is to delete, by row ids.
type doomed struct {
	outputs, executions, enforcements, events []int64
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
	args    []any
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

// finishHigh keeps the highest finish number of the partitions of executions
// that are to go.
const finishHigh = "UPDATE partition SET finish_high = max(finish_high, coalesce((" +
	"SELECT max(finish_number) FROM execution WHERE (execution.id >> 12) & 1023 = +partition.id AND finish_number > 0), 0)) " +
	"WHERE id IN (SELECT DISTINCT (value >> 12) & 1023 FROM json_each(?1))"

// prune deletes, from below. Where an execution was begun for one of the events
// since the reader looked, nothing is deleted; the next pass looks again.
func (t *tx) prune(d *doomed) (out persistence.Pruned, err error) {
	out.Next, out.Workers = d.next, d.workers
	if len(d.whole) > 0 {
		t.text(list(d.whole))
		n, err := t.count("SELECT count(*) FROM json_each(?1) e CROSS JOIN execution x ON x.event = e.value AND x.event > 0")
		if err != nil || int64(n) != d.topped {
			return persistence.Pruned{Next: d.next}, err
		}
	}
	if len(d.executions) > 0 {
		t.text(list(d.executions))
		if _, err := t.exec(finishHigh); err != nil {
			return out, err
		}
	}
	for _, one := range []struct {
		table persistence.Table
		query string
		ids   []int64
	}{
		{persistence.OutputTable, "DELETE FROM output WHERE rowid IN (SELECT value FROM json_each(?1))", d.outputs},
		{persistence.ExecutionTable, "DELETE FROM execution WHERE id IN (SELECT value FROM json_each(?1))", d.executions},
		{persistence.EnforcementTable, "DELETE FROM enforcement WHERE id IN (SELECT value FROM json_each(?1))", d.enforcements},
		{persistence.EventTable, "DELETE FROM event WHERE id IN (SELECT value FROM json_each(?1))", d.events},
	} {
		if len(one.ids) == 0 {
			continue
		}
		t.text(list(one.ids))
		n, err := t.exec(one.query)
		if err != nil {
			return out, err
		}
		out.Count(one.table, n)
		t.deleted += n
	}
	for _, one := range d.deletes {
		for _, v := range one.args {
			t.bind(v)
		}
		n, err := t.exec(one.query)
		if err != nil {
			return out, err
		}
		out.Count(one.table, n)
		t.deleted += n
	}
	return out, nil
}

// list is ids as a JSON document, for json_each.
func list(ids []int64) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	b.WriteByte(']')
	return b.String()
}

func texts(words []string) string {
	b, _ := json.Marshal(words) // of strings: it cannot fail
	return string(b)
}

// ids reads a column of integers.
func (s *Store) ids(ctx context.Context, operation, query string, args ...any) (all []int64, err error) {
	err = s.read(ctx, operation, query, args, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		all = append(all, id)
		return err
	})
	return all, err
}

func cursor(after string) int64 {
	n, _ := strconv.ParseInt(after, 10, 64)
	return n
}

const dedupeRange = "FROM dedupe WHERE hash > ?1 AND hash <= ?2 AND first < ?3"

// oldDedupe looks at the keys in the order of their hashes, which is that of the
// table. An index by age would cost each key more than it costs to look at all
// of them once per pass.
func (s *Store) oldDedupe(ctx context.Context, p persistence.Prune) (*doomed, error) {
	after, err := hex.DecodeString(p.After)
	if err != nil {
		return nil, attune.NewError(attune.Invalid, "invalid_cursor", "this is not where a slice ended")
	}
	until := int64(persistence.FirstIDAt(p.Before))
	d, seen, old := &doomed{}, 0, int64(0)
	last := slices.Clone(after)
	err = s.read(ctx, "look at dedupe keys", "SELECT hash, first FROM dedupe WHERE hash > ? ORDER BY hash LIMIT ?", []any{after, dedupeLooks}, func(scan func(...any) error) error {
		var hash sql.RawBytes
		var first int64
		if err := scan(&hash, &first); err != nil || old == int64(p.Rows) {
			return err
		}
		seen++
		last = append(last[:0], hash...)
		if first < until {
			old++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if seen == dedupeLooks || old == int64(p.Rows) {
		d.next = hex.EncodeToString(last)
	}
	if old > 0 {
		d.deletes = []deletion{{persistence.DedupeTable, "DELETE " + dedupeRange, []any{after, last, until}, old}}
	}
	return d, nil
}

// oldDefinitions are few: a pass is one slice.
func (s *Store) oldDefinitions(ctx context.Context, p persistence.Prune) (*doomed, error) {
	const where = "FROM definition WHERE superseded > 0 AND superseded < ?1 AND superseded < coalesce((" +
		"SELECT min(id) FROM (SELECT min(id) AS id FROM event UNION ALL SELECT min(id) FROM execution)) >> 22, 1 << 60) + ?2 AND kind IN (SELECT value FROM json_each(?3))"
	args := []any{p.Before.UnixMilli(), attune.Epoch.UnixMilli() - persistence.DefinitionMargin.Milliseconds(), texts(persistence.PrunedKinds)}
	n, err := s.ids(ctx, "look at definitions", "SELECT count(*) "+where, args...)
	if err != nil || n[0] == 0 {
		return &doomed{}, err
	}
	return &doomed{deletes: []deletion{{persistence.DefinitionTable, "DELETE " + where, args, n[0]}}}, nil
}

func (s *Store) lostWorkers(ctx context.Context, p persistence.Prune) (*doomed, error) {
	rows, err := s.Workers(ctx)
	if err != nil {
		return nil, err
	}
	d := &doomed{}
	for _, w := range rows {
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
		d.deletes = append(d.deletes, deletion{persistence.WorkerTable, "DELETE FROM worker WHERE name = ? AND version = ?", []any{w.Name, w.Version}, 1})
	}
	return d, nil
}

func (s *Store) oldLeases(ctx context.Context, p persistence.Prune, me string) (*doomed, error) {
	const where = "FROM lease WHERE expires < ?1 AND incarnation NOT IN (SELECT owner FROM partition) AND incarnation <> ?2"
	args := []any{p.Before.UnixMilli(), me}
	n, err := s.ids(ctx, "look at leases", "SELECT count(*) "+where, args...)
	if err != nil || n[0] == 0 {
		return &doomed{}, err
	}
	return &doomed{deletes: []deletion{{persistence.LeaseTable, "DELETE " + where, args, n[0]}}}, nil
}

// oldAudit looks at the oldest entries above p.After; the first that is not old
// ends it.
func (s *Store) oldAudit(ctx context.Context, p persistence.Prune) (*doomed, error) {
	after, _ := strconv.ParseInt(p.After, 10, 64)
	last, old, young := after, int64(0), false
	const oldest = "SELECT number, at FROM audit WHERE number > ? ORDER BY number LIMIT ?"
	err := s.read(ctx, "look at the audit", oldest, []any{after, p.Rows}, func(scan func(...any) error) error {
		var number, at int64
		err := scan(&number, &at)
		if young = young || at >= p.Before.UnixMilli(); !young {
			last, old = number, old+1
		}
		return err
	})
	if err != nil || old == 0 {
		return &doomed{}, err
	}
	d := &doomed{deletes: []deletion{{persistence.AuditTable, "DELETE FROM audit WHERE number > ? AND number <= ? AND at < ?", []any{after, last, p.Before.UnixMilli()}, old}}}
	if old == int64(p.Rows) {
		d.next = strconv.FormatInt(last, 10)
	}
	return d, nil
}

// Supersede implements [persistence.Retention].
func (s *Store) Supersede(ctx context.Context, incarnation string, current []string) error {
	now := max(1, s.cfg.Now().UnixMilli())
	return s.write(ctx, "supersede definitions", func(t *tx) error {
		if _, err := t.writer(incarnation); err != nil {
			return err
		}
		t.text(texts(current))
		t.text(texts(persistence.PrunedKinds))
		t.int(now)
		n, err := t.exec("UPDATE definition SET superseded = iif(superseded = 0, ?3, 0) WHERE kind IN (SELECT value FROM json_each(?2)) " +
			"AND (superseded = 0) <> (hash IN (SELECT value FROM json_each(?1)))")
		t.rows += n
		return err
	})
}

// oldestRows are least ids: the first leaf of a table or index.
const oldestRows = "SELECT 'event', min(id) FROM event UNION ALL SELECT 'enforcement', min(id) FROM enforcement " +
	"UNION ALL SELECT 'execution', min(id) FROM execution UNION ALL SELECT 'output', min(execution) FROM output"

// Oldest implements [persistence.Retention].
func (s *Store) Oldest(ctx context.Context) (map[persistence.Table]time.Time, error) {
	oldest := map[persistence.Table]time.Time{}
	err := s.read(ctx, "find the oldest rows", oldestRows, nil, func(scan func(...any) error) error {
		var table persistence.Table
		var id sql.NullInt64
		err := scan(&table, &id)
		if id.Valid {
			oldest[table] = attune.ID(id.Int64).Time()
		}
		return err
	})
	return oldest, err
}
