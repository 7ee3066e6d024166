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

func TestContract(t *testing.T) {
	storetest.Run(t, func(t testing.TB) persistence.Store { return open(t, t.TempDir()) })
}
