package scheduler_test

import (
	"container/heap"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// ending is when a run ends, in virtual time.
type ending struct {
	at time.Duration
	id attune.ExecutionID
}

type endings []ending

func (e endings) Len() int { return len(e) }
func (e endings) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].id < e[j].id
}
func (e endings) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *endings) Push(x any)   { *e = append(*e, x.(ending)) }
func (e *endings) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// TestThreeWorkersOfMixedSizes drives 600 runs of mixed durations through
// workers of 1, 4 and 16 slots. A scheduler that splits the runs evenly, or in
// turn, leaves the big worker idle behind the small one.
func TestThreeWorkersOfMixedSizes(t *testing.T) {
	b := newBench(t)
	for name, limit := range map[string]int{"one": 1, "four": 4, "sixteen": 16} {
		b.join(name, limit)
	}
	r := rand.New(rand.NewPCG(1, 1))
	runners := map[attune.ExecutionID]string{}
	var total, now time.Duration
	var ends endings
	started := 0
	follow := func() {
		for _, id := range b.order[started:] {
			d := []time.Duration{time.Millisecond, 20 * time.Millisecond, time.Second}[r.IntN(3)]
			total += d
			heap.Push(&ends, ending{now + d, id})
		}
		started = len(b.order)
		b.check(runners)
	}
	var asked []attune.ExecutionID
	for range 600 {
		id := b.id()
		asked = append(asked, id)
		runners[id] = "noop"
		b.do(&messages.Place{ID: id, Attempt: 1, Runner: "noop"})
		follow()
	}
	for len(ends) > 0 {
		e := heap.Pop(&ends).(ending)
		now = e.at
		b.end(e.id)
		follow()
	}
	if !slices.Equal(b.order, asked) {
		t.Error("the runs did not start in the order of their requests")
	}
	if bound := total/21 + time.Second; now > bound { // all slots always full, but for the last runs
		t.Errorf("%s of work on 21 slots took %s, more than %s", total, now, bound)
	}
}

// chaos is a random life of the scheduler.
type chaos struct {
	*bench
	rand    *rand.Rand
	runners map[attune.ExecutionID]string
	serials int
}

var allRunners = []string{"noop", "echo", "process", "python"}

func (c *chaos) step() string {
	switch n := c.rand.IntN(100); {
	case n < 45:
		id := c.id()
		c.runners[id] = allRunners[c.rand.IntN(len(allRunners))]
		c.do(&messages.Place{ID: id, Attempt: 1, Runner: c.runners[id]})
		return "place " + c.runners[id]
	case n < 80:
		if id, ok := pick(c.rand, c.at); ok {
			c.end(id)
			return "end"
		}
	case n < 86:
		if id, ok := pick(c.rand, c.waiting); ok {
			c.do(&messages.Withdraw{ID: id})
			delete(c.waiting, id)
			return "withdraw"
		}
	case n < 90:
		if id, ok := pick(c.rand, c.waiting); ok {
			c.do(&messages.Place{ID: id, Attempt: 1, Runner: c.runners[id]})
			return "place again"
		}
	case n < 93:
		if len(c.workers) < 6 {
			c.serials++
			runners := slices.Clone(allRunners[:1+c.rand.IntN(3)]) // nobody has python
			c.join(fmt.Sprintf("w%d", c.serials), 1+c.rand.IntN(8), runners...)
			return "join"
		}
	case n < 95:
		if len(c.workers) > 0 {
			w := c.workers[c.rand.IntN(len(c.workers))]
			c.lose(w)
			return "lose"
		}
	case n < 97:
		if len(c.workers) > 0 {
			w := c.workers[c.rand.IntN(len(c.workers))]
			c.do(&messages.ReturnSlots{Worker: w.name, Incarnation: w.incarnation})
			c.do(c.granted(w, true))
			return "return and reset"
		}
	case n < 98:
		c.fail = true
		c.do(&messages.Withdraw{}) // lost
		for _, id := range slices.Sorted(maps.Keys(c.waiting)) {
			c.do(&messages.Place{ID: id, Attempt: 1, Runner: c.runners[id]})
		}
		return "restart"
	}
	return "nothing"
}

// lose takes a worker away; its runs are placed nowhere any more.
func (c *chaos) lose(w *slots) {
	c.do(&messages.RevokeSlots{Worker: w.name, Incarnation: w.incarnation})
	c.workers = slices.DeleteFunc(c.workers, func(o *slots) bool { return o == w })
	for id, p := range c.at {
		if p.Worker == w.name {
			delete(c.at, id)
		}
	}
}

func pick[V any](r *rand.Rand, m map[attune.ExecutionID]V) (attune.ExecutionID, bool) {
	if len(m) == 0 {
		return 0, false
	}
	ids := slices.Sorted(maps.Keys(m))
	return ids[r.IntN(len(ids))], true
}

// fewest checks a placement against the loads before it: of the workers that
// had a free slot and the runner, none had fewer in flight.
func (c *chaos) fewest(id attune.ExecutionID, before map[string]int) {
	c.t.Helper()
	p := c.at[id]
	for _, w := range c.workers {
		if before[w.name] < w.limit && slices.Contains(w.runners, c.runners[id]) && before[w.name] < before[p.Worker] {
			c.t.Fatalf("%s went to %s with %d in flight, %s had %d", id, p.Worker, before[p.Worker], w.name, before[w.name])
		}
	}
	if w := c.worker(p.Worker); w == nil || !slices.Contains(w.runners, c.runners[id]) {
		c.t.Fatalf("%s went to %s, which has not the runner %s", id, p.Worker, c.runners[id])
	}
}

func TestSchedulerProperties(t *testing.T) {
	for seed := range uint64(15) {
		c := &chaos{bench: newBench(t), rand: rand.New(rand.NewPCG(seed, 5)), runners: map[attune.ExecutionID]string{}}
		var log []string
		for range 400 {
			before, placed := map[string]int{}, len(c.order)
			for _, w := range c.workers {
				before[w.name] = len(w.taken)
			}
			log = append(log, c.step())
			c.check(c.runners)
			if len(c.order) == placed+1 && strings.HasPrefix(log[len(log)-1], "place") {
				c.fewest(c.order[placed], before)
			}
			if t.Failed() {
				t.Fatalf("seed %d, after %v", seed, log[max(0, len(log)-10):])
			}
		}
		for _, w := range c.workers { // in the end everything that can run does
			c.do(c.granted(w, true))
		}
		for len(c.at) > 0 {
			id, _ := pick(c.rand, c.at)
			c.end(id)
			c.check(c.runners)
		}
		for id := range c.waiting {
			for _, w := range c.workers {
				if slices.Contains(w.runners, c.runners[id]) {
					t.Errorf("seed %d: %s (%s) waits for ever", seed, id, c.runners[id])
				}
			}
		}
	}
}
