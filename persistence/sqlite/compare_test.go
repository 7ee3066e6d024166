package sqlite_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence/memory"
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
