package mqtest

import (
	"context"
	"sync"
	"testing"
)

// shared is the one server of the tests of a program. It ends with the program.
var shared = sync.OnceValues(func() (*Server, error) { return Open(context.Background()) })

// URL is a fresh virtual host with its user, on the shared server; it is dropped
// when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	return Host(t, Shared(t))
}

// Shared is the server that [URL] gives virtual hosts of.
func Shared(t testing.TB) *Server {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Skipf("left out: rabbitmq: %v", err)
	}
	return s
}

// Host is a fresh virtual host of a server, dropped when the test ends.
func Host(t testing.TB, s *Server) string {
	t.Helper()
	url, err := s.VirtualHost(context.Background())
	if err != nil {
		t.Fatalf("a virtual host: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Drop(context.Background(), url); err != nil && s.PID() != 0 {
			t.Errorf("dropping the virtual host: %v", err)
		}
	})
	return url
}

// Private is a server of the test's own, which ends with it.
func Private(t testing.TB) *Server {
	t.Helper()
	s, err := OpenPrivate(context.Background())
	if err != nil {
		t.Skipf("left out: rabbitmq: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("ending the private server: %v", err)
		}
	})
	return s
}
