package sim

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"sort"
	"strings"
	"sync"
	"testing"
)

var (
	seed  = flag.Uint64("seed", 0, "run this seed alone")
	from  = flag.Uint64("from", 1, "the first seed")
	seeds = flag.Uint64("seeds", 300, "how many seeds")
	first = flag.Bool("first", false, "end at the first seed that is wrong")
	story = flag.String("story", "", "with -seed: write the trace to this file, - is stderr")
)

// TestSeeds runs many seeds, each a world of its own, and judges each; then
// that together they met everything that is worth meeting.
func TestSeeds(t *testing.T) {
	if *seed != 0 {
		one(t)
		return
	}
	var mu sync.Mutex
	total, steps, wrong := map[string]int{}, 0, 0
	next := make(chan uint64)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for n := range next {
				o := Run(n, nil)
				mu.Lock()
				steps += o.Steps
				if o.Input != nil {
					for word, times := range o.Input.Counts {
						total[word] += times
					}
				}
				if len(o.Faults) > 0 {
					wrong++
					t.Errorf("seed %d (replay: make sim SEED=%d):\n\t%s", n, n, strings.Join(o.Faults, "\n\t"))
				}
				mu.Unlock()
			}
		})
	}
	for n := *from; n < *from+*seeds; n++ {
		mu.Lock()
		enough := *first && wrong > 0
		mu.Unlock()
		if enough {
			break
		}
		next <- n
	}
	close(next)
	workers.Wait()
	together(t, total)
	words := make([]string, 0, len(total))
	for word, times := range total {
		words = append(words, fmt.Sprintf("%s %d", word, times))
	}
	sort.Strings(words)
	t.Logf("%d steps, %d of %d seeds wrong; met: %s", steps, wrong, *seeds, strings.Join(words, ", "))
}

// together proves that the seeds met everything that is worth meeting. A short
// range need not.
func together(t *testing.T, total map[string]int) {
	if *seeds < 300 {
		return
	}
	for _, word := range []string{"node crash", "node freeze", "node failed", "thaw", "fenced flush", "take-over", "worker crash", "worker machine crash",
		"worker freeze", "worker drain", "drained", "store outage", "store away", "unknown commit", "conflict", "link outage", "message lost",
		"message doubled", "message late", "answer lost", "duplicate", "slice", "cancel answered", "run killed", "keeper fault", "unstorable result",
		"poison", "retry", "retried and completed", "deadline passed", "start put off", "passive", "prune", "event pruned", "pass answered", "panic of execution", "panic of partition", "panic of partitions", "panic of scheduler", "panic of worker", "panic of workers",
		"panic of broker", "panic of rules", "panic of output", "panic of retention", "panic of writer", "panic of lease"} {
		if total[word] == 0 {
			t.Errorf("all seeds together never met: %s", word)
		}
	}
}

// one replays a seed.
func one(t *testing.T) {
	var out io.Writer
	switch *story {
	case "":
	case "-":
		out = os.Stderr
	default:
		f, err := os.Create(*story)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}()
		out = f
	}
	o := Run(*seed, out)
	for _, fault := range o.Faults {
		t.Error(fault)
	}
	if o.Input != nil {
		t.Logf("%d steps, %s, met: %v", o.Steps, o.Took, o.Input.Counts)
	}
}

// TestQuiet runs without faults: then everything is simple.
func TestQuiet(t *testing.T) {
	o := simulate(1, nil, func(*queue) plan { return quiet() })
	for _, f := range o.Faults {
		t.Error(f)
	}
}

// TestSameSeedSameTrace is what makes a seed worth a bug report.
func TestSameSeedSameTrace(t *testing.T) {
	for n := uint64(1); n <= 6; n++ {
		var a, b bytes.Buffer
		Run(n, &a)
		Run(n, &b)
		x, y := a.String(), b.String()
		if x == y {
			continue
		}
		xs, ys := strings.Split(x, "\n"), strings.Split(y, "\n")
		for i := range min(len(xs), len(ys)) {
			if xs[i] != ys[i] {
				t.Fatalf("seed %d: line %d differs:\n%s\n%s", n, i+1, xs[i], ys[i])
			}
		}
		t.Fatalf("seed %d: one trace is longer", n)
	}
}
