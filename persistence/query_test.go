package persistence_test

import (
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

func TestSinceRoundsUpToAWholeMillisecond(t *testing.T) {
	for since, want := range map[time.Time]int64{
		{}:                                       0,
		attune.Epoch.Add(-time.Hour):             0,
		attune.Epoch.Add(5 * time.Millisecond):   5,
		attune.Epoch.Add(5*time.Millisecond + 1): 6,
	} {
		if from, _ := (persistence.Query{Since: since}).Bounds(); from.Millis() != want {
			t.Errorf("since %s: from millisecond %d, want %d", since, from.Millis(), want)
		}
	}
}

func TestMillisKeepsTheZeroTime(t *testing.T) {
	for _, at := range []time.Time{{}, attune.Epoch, attune.Epoch.Add(-60 * 365 * 24 * time.Hour)} {
		if got := persistence.FromMillis(persistence.Millis(at)); !got.Equal(at) || got.IsZero() != at.IsZero() {
			t.Errorf("%s became %s", at, got)
		}
	}
}
