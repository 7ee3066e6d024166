package postgres_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/attune-automation/attune/internal/servers/pgtest"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/postgres"
	"github.com/attune-automation/attune/persistence/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t testing.TB) persistence.Store { return open(t, pgtest.URL(t)) })
}
