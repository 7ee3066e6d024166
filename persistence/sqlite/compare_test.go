package sqlite_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/internal/servers/pgtest"
	"github.com/attune-automation/attune/persistence/memory"
	"github.com/attune-automation/attune/persistence/postgres"
	"github.com/attune-automation/attune/persistence/storetest"
)

type clock struct{}

func (clock) Now() time.Time { return time.Now() }

func (clock) AfterFunc(time.Duration, func()) attune.Timer { panic("a store sets no timer") }

// The memory store is the model: whatever is done to both, nobody can tell them
// apart.
func TestIsTheModel(t *testing.T) {
	seeds := 60
	if raced || testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			model := memory.New(memory.Config{Clock: clock{}, Exclusive: true})
			storetest.Compare(t, uint64(seed), 12, model, unsynced(t))
		})
	}
}

// Three stores are driven with the same 2,000 random sequences of up to a dozen
// operations, 100 after each other in stores of their own: nobody can tell them
// apart. It stands here, with the store that takes long, and not with PostgreSQL's:
// under the race detector there would be few.
func TestThreeStoresAreOne(t *testing.T) {
	lives := 20
	if raced || testing.Short() {
		lives = 1
	}
	for life := range lives {
		t.Run(fmt.Sprint(life), func(t *testing.T) {
			server, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.URL(t), Migrate: true})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			seeds := make([]uint64, 100)
			for i := range seeds {
				seeds[i] = uint64(life*len(seeds) + i)
			}
			storetest.CompareMany(t, seeds, 1, memory.New(memory.Config{Clock: clock{}, Exclusive: true}), unsynced(t), server)
		})
	}
}
