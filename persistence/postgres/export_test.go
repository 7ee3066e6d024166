package postgres

import (
	"context"

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
