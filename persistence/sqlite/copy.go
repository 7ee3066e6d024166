package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"

	driversqlite "modernc.org/sqlite"

	"github.com/attune-automation/attune/persistence"
)

// File is the database's name in the data folder.
const File = "attune.db"

// aside opens a database for reading on a connection of its own.
func aside(path string) (*sql.DB, error) {
	connector, err := driversqlite.NewConnector("file:" + escape(path) + "?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, nil
}

// Copy writes the database as it is at one moment to a new file, without the
// pages that are free. Nobody waits for it; but what is written meanwhile stays
// in the log until it is done.
func (s *Store) Copy(ctx context.Context, to string) error {
	db, err := aside(filepath.Join(s.cfg.Dir, File))
	if err == nil {
		_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
		if cerr := db.Close(); err == nil {
			err = cerr
		}
	}
	if err != nil {
		return persistence.Away("copy the database", err)
	}
	return nil
}

// Hold takes the lock of a data folder, as a store does, and fails as that does.
// Closing it lets the folder go.
func Hold(dir string) (io.Closer, error) { return lock(dir) }

// Condition is what a database tells of itself.
type Condition struct {
	// Schema is its version, Know the newest that this program can use.
	Schema, Know int
	// Bytes is the size of the database, Free how much of it is free for new
	// rows, Log the size of the file of commits that are not folded in.
	Bytes, Free, Log int64
	// Faults are what an integrity check found; none is good.
	Faults []string
	// IDHigh is the mark of the partition that is furthest ahead, in
	// milliseconds since [attune.Epoch].
	IDHigh int64
	// Live is how many executions have not ended.
	Live int64
}

// Examine reads a database without changing it, also while a node uses it. A
// thorough look reads the indexes too, and takes as long as that.
func Examine(ctx context.Context, path string, thorough bool) (c Condition, err error) {
	if _, err := os.Stat(path); err != nil {
		return c, err
	}
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return c, err
	}
	c.Know = len(files)
	if log, err := os.Stat(path + "-wal"); err == nil {
		c.Log = log.Size()
	}
	db, err := aside(path)
	if err != nil {
		return c, err
	}
	defer db.Close()
	var page, pages, free int64
	for query, to := range map[string]any{"PRAGMA page_size": &page, "PRAGMA page_count": &pages, "PRAGMA freelist_count": &free} {
		if err := db.QueryRowContext(ctx, query).Scan(to); err != nil {
			return c, fmt.Errorf("%s: %w", query, err)
		}
	}
	c.Bytes, c.Free = page*pages, page*free
	if c.Faults, err = integrity(ctx, db, thorough); err != nil {
		return c, err
	}
	if err := db.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM schema").Scan(&c.Schema); err != nil {
		return c, fmt.Errorf("read the version of the schema: %w", err)
	}
	if c.Schema > c.Know {
		return c, nil // its tables may be others
	}
	err = db.QueryRowContext(ctx, "SELECT (SELECT max(id_high) FROM partition), (SELECT count(*) FROM execution WHERE finished IS NULL)").Scan(&c.IDHigh, &c.Live)
	return c, err
}

func integrity(ctx context.Context, db *sql.DB, thorough bool) (faults []string, err error) {
	query := "PRAGMA quick_check(10)"
	if thorough {
		query = "PRAGMA integrity_check(10)"
	}
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("check the database: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var said string
		if err := rows.Scan(&said); err != nil {
			return nil, err
		}
		if said != "ok" {
			faults = append(faults, said)
		}
	}
	return faults, rows.Err()
}
