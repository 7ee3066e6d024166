package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/attune-automation/attune/persistence"
)

// Config says where the store is.
type Config struct {
	// URL is a connection string or URL of libpq: its user owns the schema.
	URL string
	// Migrate brings an older schema up to date, and makes a new one. Otherwise
	// an older schema is refused.
	Migrate bool
	// ReadConns is the number of reading connections; default 4. Fewer make
	// readers wait for each other, each costs the server about 10 MB.
	ReadConns int
	// Statement is how long one statement may take, Lock how long it waits for a
	// lock; defaults 10 s and 2 s. Lock is below the time a lease lives.
	Statement, Lock time.Duration
	// Now is the clock of this process: ranges are made by it, and a disk that was
	// full is tried again. Default [time.Now].
	Now func() time.Time
	// Log is told what operators must know; default none.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.ReadConns == 0 {
		c.ReadConns = 4
	}
	if c.Statement == 0 {
		c.Statement = 10 * time.Second
	}
	if c.Lock == 0 {
		c.Lock = 2 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Store is a [persistence.Store] in a database.
type Store struct {
	cfg                    Config
	limits                 limits
	grace                  time.Duration // flushGrace
	readers, aside, leases *pgxpool.Pool

	mu sync.Mutex
	// All that follows is guarded by mu: the flush.
	w      *pgconn.PgConn // nil until the next flush needs one
	closed bool
	forms  forms
	// prepared are the statements that w knows; unnamed says that connections are
	// handed around, so that names are of no use.
	prepared statements
	unnamed  bool

	state sync.Mutex
	// All that follows is guarded by state, which is never held for long.
	writers map[string]writer // by incarnation
	stats   persistence.Stats
	full    time.Time // when the server last said that its disk is; zero when it is not
}

var (
	_ persistence.Store    = (*Store)(nil)
	_ persistence.Fillable = (*Store)(nil)
)

var errClosed = errors.New("the store is closed")

// Open connects, refuses a schema newer than this program with
// [persistence.ErrNewer] before it changes anything, and one that is older
// unless it may bring it up to date.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	s := &Store{cfg: cfg, limits: limits{statement: cfg.Statement, lock: cfg.Lock}, grace: flushGrace, writers: map[string]writer{}, forms: newForms()}
	var err error
	for pool, conns := range map[**pgxpool.Pool]int{&s.readers: cfg.ReadConns, &s.aside: 2, &s.leases: 2} {
		if *pool, err = s.pool(conns); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store in %s: %w", where(cfg.URL), err), s.Close())
	}
	return s, nil
}

func (s *Store) ready(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	return s.Maintain(ctx)
}

// Close ends all connections. It waits for a flush under way.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.hangUp()
	for _, pool := range []*pgxpool.Pool{s.readers, s.aside, s.leases} {
		if pool != nil {
			pool.Close()
		}
	}
	return nil
}

// Stats implements [persistence.Store]. It cannot tell FileBytes: the log is the
// server's.
func (s *Store) Stats() persistence.Stats {
	s.state.Lock()
	defer s.state.Unlock()
	return s.stats
}

// wrote counts a transaction that changed rows.
func (s *Store) wrote(rows, bytes int64) {
	if rows == 0 {
		return
	}
	s.state.Lock()
	defer s.state.Unlock()
	s.stats.Commits++
	s.stats.Rows += rows
	s.stats.Bytes += bytes
}

// deleted counts a transaction whose rows are none written.
func (s *Store) deleted(rows int64) {
	s.wrote(rows, 0)
	s.state.Lock()
	defer s.state.Unlock()
	s.stats.Rows -= rows
}
