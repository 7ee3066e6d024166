package postgres_test

import (
	"testing"

	"github.com/attune-automation/attune/internal/servers/pgtest"
	"github.com/attune-automation/attune/persistence/memory"
	"github.com/attune-automation/attune/persistence/sqlite"
	"github.com/attune-automation/attune/persistence/storetest"
)

// Three stores are driven with the same 2,000 random sequences of up to a dozen
// operations, 20 after each other in stores of their own: nobody can tell them
// apart. The memory store is the model.
func TestThreeStoresAreOne(t *testing.T) {
	lives := 100
	if raced || testing.Short() {
		lives = 5
	}
	s := open(t, pgtest.URL(t))
	for life := range lives {
		if err := s.Empty(t.Context()); err != nil {
			t.Fatal(err)
		}
		file, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		seeds := make([]uint64, 20)
		for i := range seeds {
			seeds[i] = uint64(life*len(seeds) + i)
		}
		storetest.CompareMany(t, seeds, 1, memory.New(memory.Config{Clock: clock{}, Exclusive: true}), file, s)
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
