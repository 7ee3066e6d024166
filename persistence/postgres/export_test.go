package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Script runs statements behind the store's back.
func (s *Store) Script(ctx context.Context, statements ...string) error {
	return on(ctx, s.aside, func(c *pgconn.PgConn) error { return scripted(ctx, c, statements...) })
}

// Empty makes the store as new, for tests that open many.
func (s *Store) Empty(ctx context.Context) error {
	s.state.Lock()
	clear(s.writers)
	s.state.Unlock()
	return s.Script(ctx, "DELETE FROM lease; DELETE FROM dedupe; DELETE FROM event; DELETE FROM enforcement; DELETE FROM execution; DELETE FROM output; DELETE FROM worker; "+
		"DELETE FROM definition; DELETE FROM access_token; DELETE FROM applied_rule; DELETE FROM rule_switch; TRUNCATE audit RESTART IDENTITY; "+
		"UPDATE partition SET owner = '', epoch = 0, id_high = 0, finish_high = 0, announced_to = 0;")
}

// PID is the session of the writing connection, 0 where there is none.
func (s *Store) PID() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		return 0
	}
	return s.w.PID()
}

// Impatient makes flushes be given up soon.
func (s *Store) Impatient() { s.grace = 100 * time.Millisecond }

// Deallocate makes the writing connection forget its statements, as one that a
// pooler hands around does.
func (s *Store) Deallocate(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return scripted(ctx, s.w, "DEALLOCATE ALL;")
}

// Session is what is set on the writing connection.
func (s *Store) Session(ctx context.Context, name string) (set string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b batch
	b.add("SELECT current_setting($1)", func(r row) error { set = r.text(0); return nil }, text(name))
	return set, b.run(ctx, s.w)
}

// Unnamed tells whether the store has given up prepared statements.
func (s *Store) Unnamed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unnamed
}

// Ranges is how many parts a table has, without the rest.
func (s *Store) Ranges(ctx context.Context) (names []string, err error) {
	err = s.read(ctx, "read the ranges", "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'execution'::regclass AND c.relkind = 'r' ORDER BY 1",
		func(r row) error { names = append(names, r.text(0)); return nil })
	return names, err
}
