package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

const (
	// connectTimeout bounds one attempt to connect, cancelGrace how long a
	// statement that was cancelled has to end before its connection is closed.
	connectTimeout, cancelGrace = 5 * time.Second, 2 * time.Second
	// poolIdle is how long a connection is kept that nobody needs.
	poolIdle = 5 * time.Minute
)

// config is how all connections are made.
func config(url string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		var bad *pgconn.ParseConfigError
		if errors.As(err, &bad) {
			err = bad.Unwrap() // the text of the other names the whole string
		}
		return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_database_url", Message: "the database's connection string cannot be read", Cause: err,
			Try: "postgres://USER:PASSWORD@HOST:5432/DATABASE"}
	}
	if c.ConnectTimeout == 0 || c.ConnectTimeout > connectTimeout {
		c.ConnectTimeout = connectTimeout
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "attune"
	}
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	c.StatementCacheCapacity, c.DescriptionCacheCapacity = 0, 0
	// A context that ends asks the server to stop the statement. To close the
	// connection instead would cost a new one each time, in the very moment when
	// all is slow.
	c.BuildContextWatcherHandler = func(pc *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: pc, DeadlineDelay: cancelGrace}
	}
	return c, nil
}

// where is a URL without its secrets, for people.
func where(url string) string {
	c, err := pgconn.ParseConfig(url)
	if err != nil {
		return "the database"
	}
	return "database " + c.Database + " on " + c.Host
}

func (s *Store) pool(conns int) (*pgxpool.Pool, error) {
	conn, err := config(s.cfg.URL)
	if err != nil {
		return nil, err
	}
	c, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, err
	}
	c.ConnConfig = conn
	c.MaxConns, c.MaxConnIdleTime, c.PingTimeout = int32(conns), poolIdle, cancelGrace
	return pgxpool.NewWithConfig(context.Background(), c)
}

// on runs f with a connection of a pool.
func on(ctx context.Context, pool *pgxpool.Pool, f func(c *pgconn.PgConn) error) error {
	c, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return f(c.Conn().PgConn())
}

// patiently bounds what waits for the server by more than a statement may take: a
// server that has gone silent ends no statement.
func (s *Store) patiently(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.limits.statement+flushGrace)
}

// read runs a query on a reading connection and calls each for each row. Where
// the connection turns out to be dead it is tried once more on another one.
func (s *Store) read(ctx context.Context, operation, query string, each func(r row) error, args ...value) error {
	ctx, cancel := s.patiently(ctx)
	defer cancel()
	for again := true; ; again = false {
		begun := false
		err := on(ctx, s.readers, func(c *pgconn.PgConn) error {
			var b batch
			b.set(s.limits)
			b.add(query, func(r row) error { begun = true; return each(r) }, args...)
			return b.run(ctx, c)
		})
		if err == nil {
			return nil
		}
		if errors.Is(err, persistence.ErrEncoding) {
			return attune.NewError(attune.Internal, "damaged_row", operation+": "+err.Error())
		}
		if is(err, badText) {
			return nil // no row can hold what was asked for
		}
		if !again || begun || ctx.Err() != nil || !broken(err) {
			return s.away(operation, err)
		}
	}
}

// write runs one transaction beside the flush. Where the server rolled it back
// for the sake of another one it is done again at once.
func (s *Store) write(ctx context.Context, operation string, fill func(b *batch)) error {
	return s.writeOn(ctx, s.aside, operation, fill)
}

func (s *Store) writeOn(ctx context.Context, pool *pgxpool.Pool, operation string, fill func(b *batch)) error {
	ctx, cancel := s.patiently(ctx)
	defer cancel()
	for tries := 3; ; tries-- {
		err := on(ctx, pool, func(c *pgconn.PgConn) error {
			var b batch
			b.set(s.limits)
			fill(&b)
			return b.run(ctx, c)
		})
		if err == nil {
			return nil
		}
		if tries == 0 || !is(err, serializationFailure, deadlockDetected) {
			return s.away(operation, err)
		}
	}
}
