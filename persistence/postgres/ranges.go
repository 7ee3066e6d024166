package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// split are the tables that are kept in ranges of ids, of which column, and how
// their parts differ from them.
var split = []struct{ table, column, with, unique string }{
	{"event", "id", "", ""},
	{"enforcement", "event", "", "id"},
	{"execution", "id", " WITH (fillfactor = 50)", ""},
	{"output", "execution", "", ""},
}

const (
	// ahead is how long before its first id a range is made.
	ahead = 8 * day
	// settled is how long after its last id an empty range goes.
	settled = 2 * day
	day     = 24 * time.Hour
	// maxRanges and the rest are the 30 parts that a table has at most: each costs
	// every statement that does not name its ids.
	maxRanges = 29
	// rangeLock is short: whoever comes behind one that waits for a whole table, or
	// has it, waits too.
	rangeLock = "SET LOCAL lock_timeout = '500ms'; SET LOCAL statement_timeout = '2s';"
)

// idRange is a range of ids: a part of each table that is split.
type idRange struct {
	name         string
	begins, ends int64
}

// width is that of a new range: a week, and more where many are kept, so that
// however long that is there are never too many.
func width(have int) time.Duration {
	switch {
	case have < 16:
		return 7 * day
	case have < 24:
		return 28 * day
	}
	return 364 * day
}

// Maintain makes ranges ahead of time and drops those of the past that are
// empty. It may be called at any time, by several nodes at once; what it cannot
// do now it does the next time, and rows that find no range go to the rest. A
// range is dropped by a lock of its table that lasts as long as the removal of a
// file, and is waited for half a second at most.
func (s *Store) Maintain(ctx context.Context) error {
	return on(ctx, s.aside, func(c *pgconn.PgConn) error {
		have, err := ranges(ctx, c)
		if err != nil {
			return s.away("read the ranges of ids", err)
		}
		var faults []error
		now := s.cfg.Now()
		for len(have) < maxRanges && (len(have) == 0 || have[len(have)-1].ends < firstID(now.Add(ahead))) {
			next := after(have, now)
			if err := scripted(ctx, c, fmt.Sprintf("INSERT INTO id_range VALUES ('%s', %d, %d) ON CONFLICT DO NOTHING;", next.name, next.begins, next.ends)); err != nil {
				return s.away("make a range of ids", err)
			}
			have = append(have, next)
		}
		for _, r := range have {
			do := attach
			if r.ends < firstID(now.Add(-settled)) {
				do = drop
			}
			ctx, cancel := s.patiently(ctx)
			faults = append(faults, do(ctx, c, r))
			cancel()
		}
		if err := errors.Join(faults...); err != nil {
			s.cfg.Log.Warn("the ranges of ids are not all as they should be; rows go to the rest", "error", err)
		}
		return nil
	})
}

func firstID(t time.Time) int64 { return int64(persistence.FirstIDAt(t)) }

// after is the range behind those that there are: it begins where they end, or
// with the day.
func after(have []idRange, now time.Time) idRange {
	begins := now.UTC().Truncate(day)
	if len(have) > 0 {
		begins = attune.ID(have[len(have)-1].ends).Time()
	}
	return idRange{begins.Format("20060102"), firstID(begins), firstID(begins.Add(width(len(have))))}
}

// ranges reads them, in order.
func ranges(ctx context.Context, c *pgconn.PgConn) (all []idRange, err error) {
	var b batch
	b.add("SELECT name, begins, ends FROM id_range ORDER BY begins", func(r row) error {
		all = append(all, idRange{r.text(0), r.number(1), r.number(2)})
		return nil
	})
	return all, b.run(ctx, c)
}

// attach makes the parts of a range that are not there.
func attach(ctx context.Context, c *pgconn.PgConn, r idRange) error {
	var faults []error
	for _, t := range split {
		part := t.table + "_" + r.name
		if there, err := truly(ctx, c, "SELECT to_regclass('"+part+"') IS NOT NULL"); err != nil || there {
			if err != nil {
				return err
			}
			continue
		}
		// Rows that are in the rest are there to stay, until they are pruned: the
		// server would look through them to refuse the range, with the table locked.
		taken, err := truly(ctx, c, fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %[1]s_rest WHERE %[2]s >= %[3]d AND %[2]s < %[4]d)", t.table, t.column, r.begins, r.ends))
		if err != nil {
			return err
		}
		if taken {
			faults = append(faults, fmt.Errorf("%s is not made: the rest has rows of it", part))
			continue
		}
		err = scripted(ctx, c, rangeLock,
			fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL)%s;", part, t.table, t.with), unique(part, t.unique),
			fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d);", t.table, part, r.begins, r.ends))
		if err != nil {
			return fmt.Errorf("make %s: %w", part, err)
		}
	}
	return errors.Join(faults...)
}

// unique is the index that a part has and its table cannot: of a column by which
// it is not split.
func unique(part, column string) string {
	if column == "" {
		return ""
	}
	return fmt.Sprintf("CREATE UNIQUE INDEX ON %s (%s);", part, column)
}

// drop removes a range whose parts are all empty. No id of it is made any more.
func drop(ctx context.Context, c *pgconn.PgConn, r idRange) error {
	for _, t := range split {
		part := t.table + "_" + r.name
		there, err := truly(ctx, c, "SELECT to_regclass('"+part+"') IS NOT NULL")
		if err == nil && there {
			there, err = truly(ctx, c, "SELECT EXISTS (SELECT 1 FROM "+part+")")
			if there {
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
	for _, t := range split {
		part := t.table + "_" + r.name
		err := scripted(ctx, c, rangeLock, fmt.Sprintf(`DO $$ BEGIN
			IF to_regclass('%[1]s') IS NOT NULL THEN
				LOCK TABLE %[1]s IN ACCESS EXCLUSIVE MODE;
				IF EXISTS (SELECT 1 FROM %[1]s) THEN RAISE 'it is not empty any more'; END IF;
				DROP TABLE %[1]s;
			END IF;
		END $$;`, part))
		if err != nil {
			return fmt.Errorf("drop %s: %w", part, err)
		}
	}
	return scripted(ctx, c, fmt.Sprintf("DELETE FROM id_range WHERE name = '%s';", r.name))
}

func truly(ctx context.Context, c *pgconn.PgConn, query string) (is bool, err error) {
	var b batch
	b.add(query, func(r row) error { is = r.truth(0); return nil })
	return is, b.run(ctx, c)
}
