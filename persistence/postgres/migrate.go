package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// migrations are applied in the order of their names, each in a transaction of
// its own that locks the table of versions. A file that was released never
// changes, and there is no way back.
//
//go:embed migrations/*.sql
var migrations embed.FS

// Step is one step from a version of the schema to the next.
type Step struct {
	// Version is what the schema has afterwards.
	Version int
	// Name is the file's.
	Name string
}

// Migrate brings the schema of a database to this program's version and says by
// which steps; with dryRun it only says. A newer schema is refused.
func Migrate(ctx context.Context, url string, dryRun bool) ([]Step, error) {
	c, err := connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	return migrate(ctx, c.PgConn(), dryRun)
}

func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := config(url)
	if err != nil {
		return nil, err
	}
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, persistence.Away("connect to the "+where(url), err)
	}
	return c, nil
}

// migrate is the store's own, at its opening.
func (s *Store) migrate(ctx context.Context) error {
	c, err := connect(ctx, s.cfg.URL)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	steps, err := migrate(ctx, c.PgConn(), !s.cfg.Migrate)
	if err != nil || len(steps) == 0 {
		return err
	}
	if !s.cfg.Migrate {
		return &attune.Error{Kind: attune.Conflict, Code: "schema_old",
			Message: fmt.Sprintf("the database has schema version %d and this program needs %d", steps[0].Version-1, steps[len(steps)-1].Version), Try: "attune admin migrate"}
	}
	s.cfg.Log.Info("the schema of the database is up to date", "version", steps[len(steps)-1].Version, "steps", len(steps))
	return nil
}

func migrate(ctx context.Context, c *pgconn.PgConn, dryRun bool) (done []Step, err error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	have, err := schemaVersion(ctx, c)
	if err != nil {
		return nil, err
	}
	if have > len(files) {
		return nil, &persistence.ErrNewer{Have: have, Know: len(files)}
	}
	for version := have + 1; version <= len(files); version++ {
		name := files[version-1].Name()
		script, err := migrations.ReadFile("migrations/" + name)
		if err != nil {
			return done, err
		}
		if !dryRun {
			err = apply(ctx, c, version, string(script))
		}
		if err != nil {
			return done, fmt.Errorf("migration %s: %w", name, err)
		}
		done = append(done, Step{version, name})
	}
	return done, nil
}

// apply makes one step, unless another program has made it meanwhile: whoever
// comes second waits for the table of versions, and finds that version there.
func apply(ctx context.Context, c *pgconn.PgConn, version int, script string) error {
	err := scripted(ctx, c, "SET LOCAL lock_timeout = '60s'; CREATE TABLE IF NOT EXISTS schema (version integer PRIMARY KEY); "+
		fmt.Sprintf("LOCK TABLE schema IN ACCESS EXCLUSIVE MODE; INSERT INTO schema (version) VALUES (%d);", version), script)
	if !is(err, uniqueViolation) {
		return err
	}
	have, again := schemaVersion(ctx, c)
	switch {
	case again != nil:
		return again
	case have >= version:
		return nil
	}
	return apply(ctx, c, version, script) // two made the table itself at once
}

// scripted runs statements that take no values and give no rows, in a transaction.
func scripted(ctx context.Context, c *pgconn.PgConn, statements ...string) error {
	_, err := c.Exec(ctx, "BEGIN;\n"+strings.Join(statements, "\n")+"\nCOMMIT;").ReadAll()
	if err != nil && !broken(err) {
		_, back := c.Exec(ctx, "ROLLBACK").ReadAll()
		return errors.Join(err, back)
	}
	return err
}

// schemaVersion is 0 for a database that is empty.
func schemaVersion(ctx context.Context, c *pgconn.PgConn) (version int, err error) {
	there := false
	var b batch
	b.add("SELECT to_regclass('schema') IS NOT NULL", func(r row) error { there = r.truth(0); return nil })
	if err := b.run(ctx, c); err != nil || !there {
		return 0, err
	}
	var v batch
	v.add("SELECT coalesce(max(version), 0) FROM schema", func(r row) error { version = int(r.number(0)); return nil })
	return version, v.run(ctx, c)
}
