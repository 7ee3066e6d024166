package attune_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/attune-automation/attune"
)

var noon = attune.Epoch.AddDate(1, 6, 0)

func millis(t time.Time) int64 { return t.Sub(attune.Epoch).Milliseconds() }

func TestSequenceNeedsItsMark(t *testing.T) {
	s := attune.NewSequence(3, 0)
	if id := s.Next(noon); id != 0 {
		t.Fatalf("%d is handed out before a mark is stored", id)
	}
	high := s.HighFor(noon, true)
	if want := millis(noon) + 30_001; high != want {
		t.Errorf("the mark is %d, want %d", high, want)
	}
	if id := s.Next(noon); id != 0 {
		t.Fatalf("%d is handed out before the mark is raised", id)
	}
	s.Raise(high)
	s.Raise(high - 5000) // an answer that comes late
	if id := s.Next(noon); id.Partition() != 3 || id.Millis() != millis(noon) {
		t.Errorf("the first id is of partition %d at %d, want 3 at %d", id.Partition(), id.Millis(), millis(noon))
	}
	if id := s.Next(noon.Add(30 * time.Second)); id == 0 {
		t.Error("an id below the mark is refused")
	}
	if id := s.Next(noon.Add(30*time.Second + time.Millisecond)); id != 0 {
		t.Errorf("%d reaches the mark", id)
	}
}

func TestSequenceLow(t *testing.T) {
	s := attune.NewSequence(0, 0)
	s.Raise(s.HighFor(noon, true))
	for after, want := range map[time.Duration]bool{0: false, 15*time.Second + time.Millisecond: false, 15*time.Second + 2*time.Millisecond: true, time.Hour: true} {
		if got := s.Low(noon.Add(after)); got != want {
			t.Errorf("%s later: low is %v, want %v", after, got, want)
		}
	}
	if high := s.HighFor(noon.Add(-time.Hour), false); high != millis(noon)+30_001 {
		t.Errorf("a mark falls to %d", high)
	}
}

func TestSequenceHoldsMoreThanAMillisecond(t *testing.T) {
	s := attune.NewSequence(127, 0)
	s.Raise(s.HighFor(noon, true))
	last := attune.ID(0)
	for i := range 3*(attune.MaxSequence+1) + 10 {
		id := s.Next(noon)
		if id <= last || id.Partition() != 127 {
			t.Fatalf("id %d is %d of partition %d, after %d", i, id, id.Partition(), last)
		}
		last = id
	}
	if ahead := s.Ahead(noon); ahead != 3*time.Millisecond {
		t.Errorf("three milliseconds are used up and it is %s ahead", ahead)
	}
	if id := s.Next(noon.Add(-time.Hour)); id <= last {
		t.Errorf("a clock that goes back makes %d after %d", id, last)
	}
}

// TestSequenceProperties walks through owners, clocks that stand still, jump
// and go back between owners, marks that are raised late, and bursts.
func TestSequenceProperties(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 9))
		partition := r.IntN(attune.Partitions)
		now := noon
		stored := int64(0) // the mark in the store
		last := attune.ID(0)
		for range 6 { // owners
			s := attune.NewSequence(partition, stored)
			if id := s.Next(now); id != 0 {
				t.Fatalf("seed %d: a new owner hands out %d before it stored a mark", seed, id)
			}
			before := stored
			stored = s.HighFor(now, true)
			if stored < before+1000 {
				t.Fatalf("seed %d: a new owner's mark is %d, the old one's was %d", seed, stored, before)
			}
			s.Raise(stored)
			for range 50 {
				now = now.Add(time.Duration(r.IntN(2000)) * time.Millisecond * time.Duration(r.IntN(2)))
				for range r.IntN(200) {
					id := s.Next(now)
					if id == 0 {
						break
					}
					if id <= last || id.Partition() != partition || id.Millis() >= stored {
						t.Fatalf("seed %d: id %d (partition %d, %d ms) after %d, the mark is %d", seed, id, id.Partition(), id.Millis(), last, stored)
					}
					if id.Millis() < millis(now) {
						t.Fatalf("seed %d: id %d is older than now", seed, id)
					}
					last = id
				}
				if s.Low(now) && r.IntN(3) > 0 {
					high := s.HighFor(now, false)
					if high < stored {
						t.Fatalf("seed %d: the mark falls from %d to %d", seed, stored, high)
					}
					stored = high
					s.Raise(high)
					if s.Low(now) || s.Next(now) == 0 {
						t.Fatalf("seed %d: the mark was raised and ids are still low", seed)
					}
				}
			}
			if r.IntN(2) == 0 {
				now = now.Add(-time.Duration(r.IntN(60)) * time.Second) // the next owner's clock
			}
		}
	}
}
