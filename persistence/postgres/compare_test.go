package postgres_test

import (
	"testing"

	"github.com/attune-automation/attune/internal/servers/pgtest"
	"github.com/attune-automation/attune/persistence/memory"
	"github.com/attune-automation/attune/persistence/storetest"
)

// The memory store is the model: whatever is done to both, nobody can tell them
// apart. The trial of all three stores is in trial_test.go.
func TestIsTheModel(t *testing.T) {
	s := open(t, pgtest.URL(t))
	for seed := range uint64(20) {
		if err := s.Empty(t.Context()); err != nil {
			t.Fatal(err)
		}
		storetest.Compare(t, seed, 12, memory.New(memory.Config{Clock: clock{}}), s)
	}
}
