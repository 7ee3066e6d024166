package cluster_test

import (
	"fmt"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/cluster"
)

// Rows are found by these numbers: a change here strands what is stored.
func TestPartitionOfARefNeverChanges(t *testing.T) {
	for ref, want := range map[string]int{
		"":                 27,
		"core.local":       37,
		"core.remote":      3,
		"linux.diag":       42,
		"worker-1":         114,
		"worker-2":         22,
		"überwachung.höhe": 75,
	} {
		if got := cluster.PartitionOf(ref); got != want {
			t.Errorf("PartitionOf(%q) = %d, want %d", ref, got, want)
		}
	}
}

// Chi-squared over 128 cells has a mean of 127 and a deviation of 16. Too small is
// as wrong as too large: numbered names fall in step, as FNV-1a alone lets them (34
// for the third format), and then names of two kinds collide in step.
func TestRefsSpreadEvenlyOverThePartitions(t *testing.T) {
	const each = 100
	for _, format := range []string{"worker-%d", "127.0.0.1:%d", "pack.action_%05d", "%d.pack", "%c"} {
		var cells [attune.Partitions]int
		for i := range each * attune.Partitions {
			cells[cluster.PartitionOf(fmt.Sprintf(format, i+1))]++
		}
		squared := 0.0
		for _, n := range cells {
			squared += float64(n-each) * float64(n-each) / each
		}
		if squared > 127+5*16 || squared < 127-5*16 {
			t.Errorf("refs like %q: chi-squared %.0f over the partitions", format, squared)
		}
	}
}
