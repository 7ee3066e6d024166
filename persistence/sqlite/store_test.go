package sqlite_test

import (
	"testing"

	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/sqlite"
	"github.com/attune-automation/attune/persistence/storetest"
)

func open(t testing.TB, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
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

// unsynced is a store of its own that trusts the machine to stay up, for tests
// that open many.
func unsynced(t testing.TB) *sqlite.Store {
	t.Helper()
	s := open(t, t.TempDir())
	if err := s.Script("PRAGMA synchronous = off"); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t testing.TB) persistence.Store { return unsynced(t) })
}
