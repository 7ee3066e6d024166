package sqlite

import (
	"context"
	"errors"

	"modernc.org/sqlite/lib"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// tx is one transaction, with what it has written so far.
type tx struct {
	*session
	rows, bytes int64
	deleted     int64 // rows; they count as no rows written
}

// write runs f in a transaction: it commits what f wrote and rolls back when f
// fails. An error of the commit itself is [persistence.ErrUnknown] as well as of
// kind Unavailable; any other means that nothing was written.
func (s *Store) write(ctx context.Context, operation string, f func(t *tx) error) error {
	if err := ctx.Err(); err != nil {
		return persistence.Away(operation, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		return persistence.Away(operation, errClosed)
	}
	t := &tx{session: s.w}
	t.unbind()
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		s.rollback() // a commit that failed may have left its transaction open
		if _, err = t.exec("BEGIN IMMEDIATE"); err != nil {
			return persistence.Away(operation, err)
		}
	}
	if err := f(t); err != nil {
		s.rollback()
		var known *attune.Error
		if errors.As(err, &known) {
			return err
		}
		return persistence.Away(operation, err)
	}
	if _, err := t.exec("COMMIT"); err != nil {
		s.rollback()
		if primary(err) == sqlite3.SQLITE_FULL { // said before the last page is in the log
			return persistence.Away(operation, err)
		}
		return unknown{persistence.Away(operation, err)}
	}
	if t.rows+t.deleted > 0 {
		s.stats.Commits++
		s.stats.Rows += t.rows
		s.stats.Bytes += t.bytes
	}
	return nil
}

// rollback ends a transaction, where there is one: SQLite has ended it by
// itself after some errors, and then says so.
func (s *Store) rollback() {
	_, _ = s.w.exec("ROLLBACK")
}

// unknown is a commit that failed.
type unknown struct{ cause error }

func (u unknown) Error() string   { return persistence.ErrUnknown.Error() + ": " + u.cause.Error() }
func (u unknown) Unwrap() []error { return []error{persistence.ErrUnknown, u.cause} }
