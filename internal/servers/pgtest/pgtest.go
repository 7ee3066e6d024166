package pgtest

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// shared is the server of the test program. It is not closed: it ends with the
// program.
var shared struct {
	sync.Once
	server *Server
	err    error
}

// URL is a new database for this test, dropped at its end. Where the machine has
// no PostgreSQL the test is left out.
func URL(t testing.TB) string {
	t.Helper()
	where, drop, err := Shared(t).Database(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return where
}

// Shared is the server of the test program. Other tests use it too: it is not to
// be stopped.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.Do(func() { shared.server, shared.err = Open(context.Background(), Config{}) })
	leaveOut(t, shared.err)
	return shared.server
}

// Private is a server of the test's own, which it may stop, kill and start.
func Private(t testing.TB) *Server {
	t.Helper()
	s, err := Start(context.Background(), Config{})
	leaveOut(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func leaveOut(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrNone) {
		t.Skipf("left out: postgres: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
