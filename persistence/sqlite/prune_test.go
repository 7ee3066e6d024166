package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

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

// A database of before the marks on definitions is brought up to date, and none
// of them is taken for superseded.
func TestADatabaseWithoutMarksIsBroughtUpToDate(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	if err := first.PutDefinitions(t.Context(), []persistence.Definition{{Hash: "h", Kind: "action", Ref: "p.a", Body: []byte(`{}`)}}); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	change(t, filepath.Join(dir, "attune.db"), "ALTER TABLE definition DROP COLUMN superseded; DELETE FROM schema WHERE version >= 4")
	s := open(t, dir)
	acquire(t, s, "n")
	out, err := s.Prune(t.Context(), "n", persistence.Prune{Shelf: persistence.Definitions, Before: time.Now().AddDate(100, 0, 0), Rows: 10})
	if _, derr := s.Definition(t.Context(), "h"); err != nil || derr != nil || len(out.Rows) > 0 {
		t.Fatal(out, err, derr)
	}
}
