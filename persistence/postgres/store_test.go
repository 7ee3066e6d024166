package postgres_test

import (
	"context"
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
	s, err := postgres.Open(context.Background(), postgres.Config{URL: url, Migrate: true})
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

// emptied is an open store of a database that was used before.
func emptied(t testing.TB, url string) *postgres.Store {
	t.Helper()
	s := open(t, url)
	if err := s.Empty(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	url := pgtest.URL(t) // one for all: a database takes longer to make than a case
	storetest.Run(t, func(t testing.TB) persistence.Store { return emptied(t, url) })
}

// Trees of random shapes and ages, pruned in slices, with the store closed and
// opened between them.
func TestNothingLiveIsPrunedAndAllThatIsOldIs(t *testing.T) {
	url := pgtest.URL(t)
	for seed := range uint64(2) {
		storetest.Keep(t, emptied(t, url), seed, func(s persistence.Store) persistence.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, url)
		})
	}
}
