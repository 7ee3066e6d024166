package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/attune-automation/attune/internal/servers/pgtest"
)

// busy takes all connections of a pool.
func busy(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	for range pool.Config().MaxConns {
		c, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Release)
	}
}

// Whatever else is at work: a lease is renewed, and one that is held by a frozen
// client is taken over.
func TestLeasesWaitForNoOtherWork(t *testing.T) {
	url := pgtest.URL(t)
	s, err := Open(t.Context(), Config{URL: url, Migrate: true, Statement: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, name := range []string{"node-1", "node-2"} {
		if _, err := s.Acquire(t.Context(), name, name, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.TakeOver(t.Context(), "", "node-1", []int{3}); err != nil {
		t.Fatal(err)
	}
	if err := s.Resign(t.Context(), "node-1"); err != nil {
		t.Fatal(err)
	}
	frozen, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer frozen.Close(context.Background())
	if _, err := frozen.Exec(t.Context(), "BEGIN; SELECT 1 FROM lease WHERE incarnation = 'node-1' FOR KEY SHARE"); err != nil {
		t.Fatal(err)
	}
	busy(t, s.aside)
	if err := s.TakeOver(t.Context(), "node-1", "node-2", []int{3}); err != nil {
		t.Fatal("all that write are busy:", err)
	}
	busy(t, s.leases)
	if _, err := s.Renew(t.Context(), "node-2", time.Hour); err != nil {
		t.Fatal("take-overs are under way:", err)
	}
}
