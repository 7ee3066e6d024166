package sqlite_test

import (
	"fmt"
	"testing"

	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/sqlite"
	"github.com/attune-automation/attune/persistence/storetest"
)

// The folder is closed and opened again between slices.
func TestNothingLiveIsPrunedAndAllThatIsOldIs(t *testing.T) {
	seeds := uint64(20)
	if raced || testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dir := t.TempDir()
			fast := func() *sqlite.Store {
				s := open(t, dir)
				if err := s.Script("PRAGMA synchronous = off"); err != nil {
					t.Fatal(err)
				}
				return s
			}
			storetest.Keep(t, fast(), seed, func(s persistence.Store) persistence.Store {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				return fast()
			})
		})
	}
}
