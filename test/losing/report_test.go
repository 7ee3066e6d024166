package losing_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune/test/losing/check"
)

// report is what happened, over all scenarios.
type report struct {
	// counts are losses and coincidences, by word.
	counts map[string]int
	// harm are the times in which workers were harmed.
	harm []check.Window
	// recoveries are how long it took until work went on, by what was lost.
	recoveries map[string][]time.Duration
	// lines are one for each scenario.
	lines []string
	// last is what the checker said last, of everything there is.
	offers, executions int
	findings           []check.Finding
	told               map[check.Finding]bool
}

func newReport() report {
	return report{counts: map[string]int{}, recoveries: map[string][]time.Duration{}, told: map[check.Finding]bool{}}
}

func (r *report) count(word string) { r.counts[word]++ }

// recovered notes how long something took, and fails the test beyond a limit; a
// limit of 0 is none.
func (r *report) recovered(t *testing.T, what string, took, limit time.Duration) {
	t.Helper()
	r.recoveries[what] = append(r.recoveries[what], took)
	if limit > 0 && took > limit {
		t.Errorf("%s took %s, and may take %s", what, took, limit)
	}
}

// harming is a span of time in which a worker is harmed, until the returned
// function is called; its attempts may be given up until then.
func (r *report) harming() (over func()) {
	from := time.Now().Add(-time.Second)
	return func() { r.harm = append(r.harm, check.Window{From: from, To: time.Now().Add(time.Second)}) }
}

func (r *report) judged(t *testing.T, name string, begun time.Time, in *check.Input, found []check.Finding) {
	t.Helper()
	fresh := 0
	for _, f := range found { // what a scenario before was blamed for is not this one's
		if r.told[f] {
			continue
		}
		r.told[f] = true
		if fresh++; fresh <= 20 {
			t.Error(f)
		}
	}
	if fresh > 20 {
		t.Errorf("and %d more", fresh-20)
	}
	r.offers, r.executions, r.findings = len(in.Offers), len(in.Executions), found
	r.lines = append(r.lines, fmt.Sprintf("%-28s %4.0f s  %5d executions so far; %s", name, time.Since(begun).Seconds(), len(in.Executions), verdict(found)))
}

func verdict(found []check.Finding) string {
	return fmt.Sprintf("%d lost, %d doubled, %d stuck, %d other findings", check.Count(found, check.Lost), check.Count(found, check.Doubled), check.Count(found, check.Stuck),
		len(found)-check.Count(found, check.Lost)-check.Count(found, check.Doubled)-check.Count(found, check.Stuck))
}

// print says what happened.
func (r *report) print(t *testing.T) {
	var b strings.Builder
	fmt.Fprintln(&b, "what was lost:")
	for _, line := range r.lines {
		fmt.Fprintln(&b, "  "+line)
	}
	for _, word := range slices.Sorted(maps.Keys(r.counts)) {
		fmt.Fprintf(&b, "  %5d %s\n", r.counts[word], word)
	}
	fmt.Fprintln(&b, "how long it took:")
	for _, what := range slices.Sorted(maps.Keys(r.recoveries)) {
		all := slices.Sorted(slices.Values(r.recoveries[what]))
		at := func(q float64) time.Duration { return all[int(q*float64(len(all)-1)+0.5)].Round(time.Millisecond) }
		fmt.Fprintf(&b, "  %-58s p50 %8s  p95 %8s  max %8s  (%d)\n", what, at(0.5), at(0.95), at(1), len(all))
	}
	fmt.Fprintf(&b, "%d offers, %d executions: %s", r.offers, r.executions, verdict(r.findings))
	t.Log(b.String())
}
