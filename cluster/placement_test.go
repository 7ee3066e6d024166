package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/cluster"
)

const most = 20 // members in the largest cluster tried

// families are ways to name members that differ in as little as names can.
var families = map[string]func(i int) string{
	"consecutive ports":    func(i int) string { return fmt.Sprintf("127.0.0.1:%d", 7946+i) },
	"one letter":           func(i int) string { return string(rune('a' + i)) },
	"last octet":           func(i int) string { return fmt.Sprintf("10.0.0.%d", i) },
	"first byte":           func(i int) string { return fmt.Sprintf("%c-node.example.org", 'a'+i) },
	"repeated letter":      func(i int) string { return strings.Repeat("a", i+1) },
	"stateful set":         func(i int) string { return fmt.Sprintf("attune-%d.attune.svc", i) },
	"one name, restarted":  func(i int) string { return fmt.Sprintf("node-1/%08x", i) },
	"bytes that are names": func(i int) string { return string([]byte{0, byte(i)}) },
}

func names(family func(int) string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = family(i)
	}
	return all
}

func count(owners []string) map[string]int {
	held := map[string]int{}
	for _, owner := range owners {
		held[owner]++
	}
	return held
}

func TestNobodyHoldsMoreThanOnePartitionMoreThanAnother(t *testing.T) {
	for family, name := range families {
		for n := 1; n <= most; n++ {
			for _, partitions := range []int{1, 7, n, attune.Partitions} {
				members := names(name, n)
				owners := cluster.Place(members, partitions)
				if len(owners) != partitions {
					t.Fatalf("%s: %d entries for %d partitions", family, len(owners), partitions)
				}
				held, sum := count(owners), 0
				for _, member := range members {
					sum += held[member]
					if least := partitions / n; held[member] < least || held[member] > least+1 {
						t.Errorf("%s: %s of %d holds %d of %d", family, member, n, held[member], partitions)
					}
				}
				if sum != partitions {
					t.Errorf("%s: %d of %d partitions belong to members", family, sum, partitions)
				}
			}
		}
	}
}

func TestOrderAndRepetitionOfMembersDoNotMatter(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for family, name := range families {
		for n := 1; n <= most; n++ {
			members := names(name, n)
			want := cluster.Place(members, attune.Partitions)
			mixed := append(slices.Clone(members), members[random.IntN(n)], "")
			random.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			given := slices.Clone(mixed)
			if got := cluster.Place(mixed, attune.Partitions); !slices.Equal(got, want) {
				t.Errorf("%s: %d members in another order are placed otherwise", family, n)
			}
			if !slices.Equal(mixed, given) {
				t.Errorf("%s: Place changed its argument", family)
			}
		}
	}
}

// Place is a function of the set, so that a join and a leave of the same member
// move the same partitions: one walk over the sizes shows both.
func TestAJoinOrLeaveMovesLittleMoreThanItMust(t *testing.T) {
	const worst, mean = 15, 7.0 // partitions beyond those of the member that came or went
	cases, excess := 0, 0
	for family, name := range families {
		for n := 1; n < most; n++ {
			all := names(name, n+1)
			with := cluster.Place(all, attune.Partitions)
			for gone := 0; gone <= n; gone += 1 + n/8 { // enough of them, and quick under the race detector
				member := all[gone]
				rest := slices.Delete(slices.Clone(all), gone, gone+1)
				without := cluster.Place(rest, attune.Partitions)
				moved, own := 0, 0
				for p := range with {
					if with[p] == member {
						own++
					} else if with[p] != without[p] {
						moved++
					}
				}
				if own < attune.Partitions/(n+1) {
					t.Errorf("%s: %s of %d was given %d", family, member, n+1, own)
				}
				if moved > worst {
					t.Errorf("%s: %d beyond the %d of %s moved between %d and %d members",
						family, moved, own, member, n, n+1)
				}
				cases++
				excess += moved
			}
		}
	}
	if got := float64(excess) / float64(cases); got > mean {
		t.Errorf("%.1f partitions moved in the mean beyond those that had to, want at most %.1f", got, mean)
	}
}

func TestTwoMembersThatBecomeOneOrThreeKeepWhatTheyCan(t *testing.T) {
	two := cluster.Place([]string{"a", "b"}, attune.Partitions)
	for p, owner := range cluster.Place([]string{"b"}, attune.Partitions) {
		if owner != "b" {
			t.Fatalf("partition %d of a lone member belongs to %q", p, owner)
		}
	}
	kept := 0
	for p, owner := range cluster.Place([]string{"a", "b", "c"}, attune.Partitions) {
		if owner == two[p] {
			kept++
		}
	}
	if kept < 80 { // hashing modulo n keeps about 43
		t.Errorf("%d of %d partitions stayed where they were", kept, attune.Partitions)
	}
}

func TestWithoutMembersOrPartitionsNobodyOwnsAnything(t *testing.T) {
	for _, members := range [][]string{nil, {}, {""}} {
		owners := cluster.Place(members, 3)
		if !slices.Equal(owners, []string{"", "", ""}) {
			t.Errorf("%q own %q", members, owners)
		}
	}
	for _, partitions := range []int{0, -1} {
		if owners := cluster.Place([]string{"a"}, partitions); len(owners) != 0 {
			t.Errorf("%d partitions became %q", partitions, owners)
		}
	}
}

func BenchmarkPlace(b *testing.B) {
	members := names(families["consecutive ports"], most)
	for b.Loop() {
		cluster.Place(members, attune.Partitions)
	}
}
