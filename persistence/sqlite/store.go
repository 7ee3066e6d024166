package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	driversqlite "modernc.org/sqlite"

	"github.com/attune-automation/attune/persistence"
)

// Config says where the store is.
type Config struct {
	// Dir is the data folder; it is made, readable by its owner alone, where
	// it is not there.
	Dir string
	// ReadConns is the number of reading connections; default 4. Fewer make
	// readers wait for each other, more cost about 8 MB each.
	ReadConns int
	// Now is database time; default [time.Now].
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.ReadConns == 0 {
		c.ReadConns = 4
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Store is a [persistence.Store] in a folder.
type Store struct {
	cfg     Config
	lock    *os.File
	readers *sql.DB

	mu sync.Mutex
	// All that follows is guarded by mu.
	w     *session // nil once closed
	stats persistence.Stats
}

var _ persistence.Store = (*Store)(nil)

var errClosed = errors.New("the store is closed")

// shared are the settings of every connection: wait for a lock, sort in memory,
// read through a map of up to 256 MB.
const shared = "?_pragma=busy_timeout(10000)&_pragma=temp_store(memory)&_pragma=mmap_size(268435456)"

// writing are those of the one that writes. A commit is synced, so that it
// survives the loss of power. The log is folded in every 4,000 pages (16 MB):
// at the default of 1,000 every second flush would wait for it.
const writing = shared + "&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=wal_autocheckpoint(4000)" +
	"&_pragma=journal_size_limit(67108864)&_pragma=cache_size(-32768)"

const reading = shared + "&mode=ro&_pragma=query_only(1)&_pragma=cache_size(-8192)"

// Open locks the folder, refuses a database newer than this program with
// [persistence.ErrNewer] before it changes anything, and brings an older one up
// to date. A folder that another process uses is a Conflict at once,
// "data_folder_in_use".
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg}
	if s.lock, err = lock(dir); err != nil {
		return nil, err
	}
	if err := s.open(ctx, filepath.Join(dir, "attune.db")); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store in %s: %w", dir, err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err == nil {
		if err := refuseNewer(path); err != nil {
			return err
		}
	}
	var err error
	if s.w, err = openSession("file:" + escape(path) + writing); err != nil {
		return err
	}
	if err := migrate(s.w); err != nil {
		return err
	}
	connector, err := driversqlite.NewConnector("file:" + escape(path) + reading)
	if err != nil {
		return err
	}
	s.readers = sql.OpenDB(connector)
	s.readers.SetMaxOpenConns(s.cfg.ReadConns)
	s.readers.SetMaxIdleConns(s.cfg.ReadConns)
	return s.readers.PingContext(ctx)
}

// Close lets the folder go. It waits for a flush under way.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.w != nil {
		errs = append(errs, s.w.close())
		s.w = nil
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
		s.lock = nil
	}
	return errors.Join(errs...)
}

// Stats implements [persistence.Store]. FileBytes counts the pages written to
// the log, and not those that are folded into the database later.
func (s *Store) Stats() persistence.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	if s.w != nil {
		if pages, _, err := s.w.conn.(driversqlite.DBStatus).Status(driversqlite.DBStatusCacheWrite, false); err == nil {
			stats.FileBytes = int64(pages) * pageBytes
		}
	}
	return stats
}

// pageBytes is a page and its header in the log.
const pageBytes = 4096 + 24
