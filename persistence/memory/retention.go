package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Prune implements [persistence.Retention]. A slice ends with a tree, so it may
// delete more rows than it was asked for.
func (s *Store) Prune(ctx context.Context, incarnation string, p persistence.Prune) (out persistence.Pruned, err error) {
	if err := p.Check(); err != nil {
		return out, err
	}
	if err := s.begin(ctx, "prune "+string(p.Shelf)); err != nil {
		return out, err
	}
	defer s.mu.Unlock()
	if l := s.leases[incarnation]; l == nil || l.Dead {
		return out, persistence.LeaseDead(incarnation)
	}
	p.Before = stored(p.Before)
	d := &pruning{Prune: p, s: s, me: incarnation, until: persistence.FirstIDAt(p.Before)}
	after, _ := strconv.ParseInt(p.After, 10, 64)
	switch p.Shelf {
	case persistence.Events:
		d.trees(slices.Clone(s.events.ids), attune.EventID(after))
	case persistence.Requests:
		prune(d, slices.Clone(s.executions.ids), attune.ExecutionID(after), func(id attune.ExecutionID) {
			if x := s.executions.rows[id]; x != nil && x.row.Event == 0 && x.row.Parent == 0 {
				d.tree(0, []attune.ExecutionID{id})
			}
		})
	case persistence.Outputs:
		d.outputs(attune.ExecutionID(after))
	case persistence.DedupeKeys:
		d.dedupe(attune.ID(after))
	case persistence.Definitions:
		d.definitions()
	case persistence.LostWorkers:
		d.workers()
	case persistence.OldLeases:
		d.leases()
	case persistence.OldAudit:
		d.audit(after)
	}
	s.wrote(d.deleted, 0)
	s.stats.Rows -= int64(d.deleted) // they are not rows written
	return d.out, nil
}

// pruning is one slice.
type pruning struct {
	persistence.Prune
	s       *Store
	me      string
	until   attune.ID // the ids of what is old are below it
	out     persistence.Pruned
	counted int // all rows, also where they are only counted
	deleted int
}

// gone counts rows, and says whether to delete them.
func (d *pruning) gone(t persistence.Table, n int) bool {
	d.out.Count(t, int64(n))
	d.counted += n
	if !d.Try {
		d.deleted += n
	}
	return !d.Try
}

// prune looks at the old ids above after until the slice is full.
func prune[K ~int64](d *pruning, ids []K, after K, look func(K)) {
	n, _ := slices.BinarySearch(ids, after+1)
	for _, id := range ids[n:] {
		if attune.ID(id) >= d.until {
			return
		}
		if d.counted >= d.Rows {
			d.out.Next = strconv.FormatInt(int64(after), 10)
			return
		}
		look(id)
		after = id
	}
}

func (d *pruning) trees(ids []attune.EventID, after attune.EventID) {
	tops := map[attune.EventID][]attune.ExecutionID{}
	for _, id := range d.s.executions.ids {
		if e := d.s.executions.rows[id].row.Event; e != 0 {
			tops[e] = append(tops[e], id)
		}
	}
	prune(d, ids, after, func(id attune.EventID) {
		if !d.s.events.rows[id].row.Evaluated.IsZero() {
			d.tree(id, tops[id])
		}
	})
}

// tree deletes what hangs below the executions, with their event where there is
// one, if all of it may go.
func (d *pruning) tree(event attune.EventID, tops []attune.ExecutionID) {
	members := map[attune.ExecutionID]bool{}
	for todo := tops; len(todo) > 0; todo = todo[1:] {
		x := d.s.executions.rows[todo[0]]
		if x == nil || members[todo[0]] {
			continue
		}
		if !x.row.Status.Terminal() || !x.row.Finished.Before(d.Before) || x.row.FinishNumber > d.s.partition(x.row.ID).row.AnnouncedTo {
			return
		}
		members[todo[0]] = true
		for _, id := range d.s.executions.ids {
			if d.s.executions.rows[id].row.Parent == todo[0] {
				todo = append(todo, id)
			}
		}
	}
	for key, chunks := range d.s.output {
		if !d.Try && members[key.token.Execution] && d.gone(persistence.OutputTable, len(chunks)) {
			delete(d.s.output, key)
		}
	}
	if d.gone(persistence.ExecutionTable, len(members)) {
		for id := range members {
			p := d.s.partition(id)
			p.ends = slices.DeleteFunc(p.ends, func(e end) bool { return e.execution == id })
			d.s.executions.drop(id)
		}
	}
	if event == 0 {
		return
	}
	for _, id := range slices.Clone(d.s.enforcements.ids) {
		if e := d.s.enforcements.rows[id]; e.Event == event && d.gone(persistence.EnforcementTable, 1) {
			delete(d.s.pairs, pair{e.Event, e.Rule})
			d.s.enforcements.drop(id)
		}
	}
	if d.gone(persistence.EventTable, 1) {
		d.s.events.drop(event)
	}
}

func (d *pruning) outputs(after attune.ExecutionID) {
	of := map[attune.ExecutionID][]stream{}
	for key := range d.s.output {
		of[key.token.Execution] = append(of[key.token.Execution], key)
	}
	prune(d, slices.Sorted(maps.Keys(of)), after, func(id attune.ExecutionID) {
		for up := id; up != 0; {
			x := d.s.executions.rows[up]
			if x == nil {
				break
			}
			if !x.row.Status.Terminal() || !x.row.Finished.Before(d.Before) {
				return
			}
			up = x.row.Parent
		}
		for _, key := range of[id] {
			if d.gone(persistence.OutputTable, len(d.s.output[key])) {
				delete(d.s.output, key)
			}
		}
	})
}

func (d *pruning) dedupe(after attune.ID) {
	keys := map[attune.ID][]persistence.Dedupe{}
	for key, first := range d.s.dedupe {
		keys[first] = append(keys[first], key)
	}
	prune(d, slices.Sorted(maps.Keys(keys)), after, func(id attune.ID) {
		for _, key := range keys[id] {
			if d.gone(persistence.DedupeTable, 1) {
				delete(d.s.dedupe, key)
			}
		}
	})
}

func (d *pruning) definitions() {
	oldest := d.Before
	if len(d.s.events.ids) > 0 {
		oldest = earlier(oldest, attune.ID(d.s.events.ids[0]).Time().Add(-persistence.DefinitionMargin))
	}
	if len(d.s.executions.ids) > 0 {
		oldest = earlier(oldest, attune.ID(d.s.executions.ids[0]).Time().Add(-persistence.DefinitionMargin))
	}
	for _, hash := range slices.Sorted(maps.Keys(d.s.superseded)) {
		if d.s.superseded[hash].Before(oldest) && d.gone(persistence.DefinitionTable, 1) {
			delete(d.s.definitions, hash)
			delete(d.s.superseded, hash)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (d *pruning) workers() {
	busy := map[string]bool{}
	for i := range d.s.partitions {
		for _, id := range d.s.partitions[i].live {
			busy[d.s.executions.rows[id].row.Incarnation] = true
		}
	}
	for _, w := range d.s.workerRows() {
		ended := w.State == attune.WorkerLost || w.State == attune.WorkerLeft
		if ended && w.Changed.Before(d.Before) && !busy[w.Incarnation] && d.gone(persistence.WorkerTable, 1) {
			delete(d.s.workers, w.Name)
			d.out.Workers = append(d.out.Workers, w.Name)
		}
	}
}

func (d *pruning) leases() {
	for _, l := range d.s.leaseRows() {
		owns := slices.ContainsFunc(d.s.partitions[:], func(p partition) bool { return p.row.Owner == l.Incarnation })
		if l.Incarnation != d.me && l.Expires.Before(d.Before) && !owns && d.gone(persistence.LeaseTable, 1) {
			delete(d.s.leases, l.Incarnation)
		}
	}
}

// audit looks at the oldest entries above after; the first that is not old ends
// it.
func (d *pruning) audit(after int64) {
	var kept []persistence.AuditEntry
	looked := 0
	for i, e := range d.s.audit {
		if e.Number <= after {
			kept = append(kept, e)
			continue
		}
		if looked == d.Rows || !e.At.Before(d.Before) {
			kept = append(kept, d.s.audit[i:]...)
			break
		}
		looked++
		if d.out.Next = strconv.FormatInt(e.Number, 10); !d.gone(persistence.AuditTable, 1) {
			kept = append(kept, e)
		}
	}
	if looked < d.Rows {
		d.out.Next = ""
	}
	d.s.audit = kept
}

// Supersede implements [persistence.Retention].
func (s *Store) Supersede(ctx context.Context, incarnation string, current []string) error {
	if err := s.begin(ctx, "supersede definitions"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if l := s.leases[incarnation]; l == nil || l.Dead {
		return persistence.LeaseDead(incarnation)
	}
	now, rows := stored(s.cfg.Clock.Now()), 0
	for hash, d := range s.definitions {
		_, was := s.superseded[hash]
		switch is := slices.Contains(current, hash); {
		case !slices.Contains(persistence.PrunedKinds, d.Kind) || is != was:
			continue
		case is:
			delete(s.superseded, hash)
		default:
			s.superseded[hash] = now
		}
		rows++
	}
	s.wrote(rows, 8*rows)
	return nil
}

// Oldest implements [persistence.Retention].
func (s *Store) Oldest(ctx context.Context) (map[persistence.Table]time.Time, error) {
	if err := s.begin(ctx, "find the oldest rows"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	oldest := map[persistence.Table]time.Time{}
	first(oldest, persistence.EventTable, s.events.ids)
	first(oldest, persistence.EnforcementTable, s.enforcements.ids)
	first(oldest, persistence.ExecutionTable, s.executions.ids)
	var printed []attune.ExecutionID
	for key := range s.output {
		printed = append(printed, key.token.Execution)
	}
	if len(printed) > 0 {
		first(oldest, persistence.OutputTable, []attune.ExecutionID{slices.MinFunc(printed, cmp.Compare[attune.ExecutionID])})
	}
	return oldest, nil
}

func first[K ~int64](to map[persistence.Table]time.Time, t persistence.Table, ids []K) {
	if len(ids) > 0 {
		to[t] = attune.ID(ids[0]).Time()
	}
}
