package postgres_test

import (
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/internal/servers/pgtest"
	"github.com/attune-automation/attune/internal/servers/proxy"
	"github.com/attune-automation/attune/persistence/postgres"
)

// A server that takes everything and answers nothing is away, for whoever waits
// without an end of his own too.
func TestASilentServerIsAway(t *testing.T) {
	p, where := behind(t, pgtest.URL(t))
	s := with(t, postgres.Config{URL: where})
	flush(t, s, "node-1", admission(0))
	p.Freeze(proxy.Both)
	began := time.Now()
	if _, err := s.Event(t.Context(), admission(0).Event.ID); attune.KindOf(err) != attune.Unavailable {
		t.Fatal(err)
	}
	if _, err := s.Renew(t.Context(), "node-1", time.Hour); attune.KindOf(err) != attune.Unavailable {
		t.Fatal(err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Fatal(took)
	}
	p.Thaw()
	patiently(t, "read", func() error { _, err := s.Event(t.Context(), admission(0).Event.ID); return err })
}
