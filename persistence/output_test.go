package persistence_test

import (
	"slices"
	"testing"

	"github.com/attune-automation/attune/persistence"
)

func TestOutputIsWrittenInSlices(t *testing.T) {
	chunk := func(kilobytes int) persistence.OutputChunk {
		return persistence.OutputChunk{Stream: persistence.Stdout, Data: make([]byte, kilobytes<<10)}
	}
	var sizes []int
	write := func(some []persistence.OutputChunk) error { sizes = append(sizes, len(some)); return nil }
	chunks := []persistence.OutputChunk{chunk(600), chunk(400), chunk(100), chunk(2000), chunk(1)}
	if err := persistence.InSlices(chunks, write); err != nil || !slices.Equal(sizes, []int{2, 1, 1, 1}) {
		t.Errorf("slices of %v chunks (%v)", sizes, err)
	}
	sizes = nil
	if err := persistence.InSlices(append(chunks, persistence.OutputChunk{}), write); err == nil || sizes != nil {
		t.Errorf("with one that no store can hold, %v are written (%v)", sizes, err)
	}
}
