package postgres

import (
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// The SQLSTATE that something is decided by.
const (
	divisionByZero       = "22012"
	badText              = "22021"
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	diskFull             = "53100"
	lockNotAvailable     = "55P03"
	queryCanceled        = "57014"
)

// state is the SQLSTATE of an error, or "".
func state(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func is(err error, states ...string) bool {
	have := state(err)
	for _, s := range states {
		if have == s {
			return true
		}
	}
	return false
}

// at is the place of the statement that failed, or -1.
func at(err error) int {
	var f failed
	if errors.As(err, &f) {
		return f.at
	}
	return -1
}

// broken reports that the connection is of no more use, so that nobody knows what
// became of what was sent. Everything else the server has said itself, in a
// transaction that it rolled back.
func broken(err error) bool {
	var e *pgconn.PgError
	return !errors.As(err, &e) || e.Severity == "FATAL" || e.Severity == "PANIC"
}

// refused reports that the server cannot take a row as it is, whenever it is
// sent: what halving finds.
func refused(err error) bool {
	s := state(err)
	return strings.HasPrefix(s, "22") || strings.HasPrefix(s, "54") || strings.HasPrefix(s, "23")
}

// away is the error of an operation that failed and changed nothing, or of which
// nothing depends on whether it did. One of ours stays as it is.
func (s *Store) away(operation string, err error) error {
	var known *attune.Error
	if errors.As(err, &known) {
		return err
	}
	if s.noteFull(err) {
		return persistence.StoreFull(operation, err)
	}
	return persistence.Away(operation, err)
}

// fullRetry is how long nothing is written after the server said that its disk is
// full: what fails costs it a transaction each time, and readers still need it.
const fullRetry = time.Second

// noteFull notes whether the disk is full, by what became of a write. The log is
// told of each change once.
func (s *Store) noteFull(err error) bool {
	full := is(err, diskFull)
	s.state.Lock()
	was := !s.full.IsZero()
	switch {
	case full:
		s.full = s.cfg.Now()
	case err == nil:
		s.full = time.Time{}
	}
	s.state.Unlock()
	switch {
	case full && !was:
		s.cfg.Log.Error("the disk of the database is full: nothing is written until there is room", "code", "store_full", "error", err)
	case err == nil && was:
		s.cfg.Log.Info("the database has room again: writing goes on")
	}
	return full
}

// Full implements [persistence.Fillable].
func (s *Store) Full() bool {
	s.state.Lock()
	defer s.state.Unlock()
	return !s.full.IsZero()
}

// barred is the error of a flush while the disk is full; nil when it is time to
// try.
func (s *Store) barred(operation string) error {
	s.state.Lock()
	defer s.state.Unlock()
	if s.full.IsZero() || s.cfg.Now().Sub(s.full) >= fullRetry {
		return nil
	}
	return persistence.StoreFull(operation, nil)
}

// sent reports that something may have reached the server. Whether the library
// takes an error for safe to retry does not say that: of a connection that broke
// in the middle of an answer it does.
func sent(err error) bool {
	var n notSent
	return !errors.As(err, &n)
}
