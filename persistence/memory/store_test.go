package memory_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/memory"
	"github.com/attune-automation/attune/persistence/storetest"
)

// clock moves when it is told to.
type clock struct{ ms atomic.Int64 }

func (c *clock) Now() time.Time {
	return attune.Epoch.AddDate(1, 0, 0).Add(time.Duration(c.ms.Load()) * time.Millisecond)
}

func (c *clock) AfterFunc(time.Duration, func()) attune.Timer { panic("a store sets no timer") }

func TestContract(t *testing.T) {
	for name, exclusive := range map[string]bool{"shared": false, "exclusive": true} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(testing.TB) persistence.Store {
				return memory.New(memory.Config{Clock: &clock{}, Exclusive: exclusive})
			})
		})
	}
}

func TestNothingLiveIsPrunedAndAllThatIsOldIs(t *testing.T) {
	for seed := range uint64(40) {
		storetest.Keep(t, memory.New(memory.Config{Clock: &clock{}, Exclusive: true}), seed, func(s persistence.Store) persistence.Store { return s })
	}
}
