package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence"
)

// Keep fills an empty store with random trees of random ages and prunes it in
// slices of random sizes. Whatever a slice ends with, nothing of a tree that must
// stay is missing; in the end all that may go is gone, and a further pass finds
// nothing. reopen gives the store of the next process, or the same.
func Keep(t *testing.T, store persistence.Store, seed uint64, reopen func(persistence.Store) persistence.Store) {
	t.Helper()
	k := &forest{fixture: fixture{T: t, s: store, ctx: t.Context()}, rand: rand.New(rand.NewPCG(seed, 2))}
	k.acquire("node-1")
	for range 30 + k.rand.IntN(60) {
		k.plant()
	}
	k.announce()
	before := began.AddDate(0, 0, 50)
	for round := 0; ; round++ {
		for _, shelf := range []persistence.Shelf{persistence.Events, persistence.Requests, persistence.Outputs} {
			p := persistence.Prune{Shelf: shelf, Before: before, Rows: 1 + k.rand.IntN(12)}
			for more := true; more; {
				if k.rand.IntN(10) == 0 {
					p.After = "" // whoever prunes was restarted
				}
				if k.rand.IntN(40) == 0 {
					k.s = reopen(k.s)
					k.acquire(fmt.Sprintf("node-%d", 2+k.rand.IntN(1000)))
				}
				out, err := k.s.Prune(k.ctx, k.lead, p)
				k.ok(err)
				p.After, more = out.Next, out.Next != ""
				if k.rand.IntN(4) == 0 {
					k.unharmed(before)
				}
			}
		}
		k.unharmed(before)
		if k.gone(before) {
			break
		}
		if round > 3 {
			k.Fatalf("seed %d: something that may go is still there", seed)
		}
	}
	for _, shelf := range []persistence.Shelf{persistence.Events, persistence.Requests, persistence.Outputs} {
		k.stays(shelf, before)
	}
}

// forest is the trees, and what the rule says of each, in words of its own.
type forest struct {
	fixture
	rand  *rand.Rand
	trees []*planted
	ends  [attune.Partitions]int64
}

type planted struct {
	event        *attune.Event
	judged       bool
	enforcements []*attune.Enforcement
	executions   []*attune.Execution
	announced    bool
	last         time.Time // of the event or the last end
	live         bool
	printed      map[attune.ExecutionID]bool
}

// on is an id made on a day.
func (k *forest) on(day, partition int) attune.ID {
	k.ids++
	return attune.MakeID(began.AddDate(0, 0, day).Sub(attune.Epoch).Milliseconds()+int64(k.ids), partition, k.ids%7)
}

// plant stores a tree: an event or a request, made on some day, with executions
// and children that ended on the days after, or live.
func (k *forest) plant() {
	day, partition := k.rand.IntN(100), k.rand.IntN(3)
	p := &planted{judged: k.rand.IntN(8) > 0, announced: k.rand.IntN(8) > 0, printed: map[attune.ExecutionID]bool{}}
	admit := &persistence.Admit{}
	if k.rand.IntN(3) > 0 {
		p.event = k.newEvent(partition)
		p.event.ID = attune.EventID(k.on(day, partition))
		p.last = attune.ID(p.event.ID).Time()
		if !p.judged {
			p.event.Evaluated = persistence.FromMillis(0)
		}
		for i := range k.rand.IntN(5) {
			n, x := k.pair(p.event, fmt.Sprint("r", i))
			n.ID, x.ID = attune.EnforcementID(k.on(day, partition)), attune.ExecutionID(k.on(day, partition))
			n.Execution, x.Enforcement = x.ID, n.ID
			p.enforcements, p.executions = append(p.enforcements, n), append(p.executions, x)
		}
		admit.Event, admit.Enforcements = p.event, p.enforcements
	} else {
		x := k.newExecution(partition)
		x.ID = attune.ExecutionID(k.on(day, partition))
		p.judged, p.executions = true, []*attune.Execution{x}
	}
	for range k.rand.IntN(6) * min(1, len(p.executions)) {
		x, above := k.newExecution(partition), p.executions[k.rand.IntN(len(p.executions))]
		x.ID, x.Parent = attune.ExecutionID(k.on(day, partition)), above.ID
		if p.event != nil && k.rand.IntN(2) == 0 {
			x.Event = p.event.ID
		}
		p.executions = append(p.executions, x)
	}
	admit.Executions = p.executions
	if admit.Event == nil && k.rand.IntN(2) == 0 {
		admit.Dedupe = &persistence.Dedupe{Kind: "execution", Source: "core.local", Key: fmt.Sprint(k.ids)}
	}
	k.flush(admit)
	for i, x := range p.executions {
		if k.rand.IntN(3) == 0 {
			k.prints(x.ID, "hello")
			p.printed[x.ID] = true
		}
		if k.rand.IntN(25) == 0 {
			p.live = true
			continue
		}
		if p.announced {
			k.ends[partition]++
			x = finished(x, k.ends[partition])
		} else {
			x = finished(x, 1_000_000+int64(k.ids)*100+int64(i))
		}
		x.Finished = began.AddDate(0, 0, day+k.rand.IntN(20))
		if x.Finished.After(p.last) {
			p.last = x.Finished
		}
		p.executions[i] = x
		k.flush(save(x))
	}
	k.trees = append(k.trees, p)
}

func (k *forest) announce() {
	for partition, through := range k.ends[:3] {
		k.flush(&persistence.Announced{Partition: partition, Through: max(1, through)})
	}
}

// mayGo is the rule.
func (p *planted) mayGo(before time.Time) bool {
	return p.judged && !p.live && (p.announced || len(p.executions) == 0) && p.last.Before(before)
}

// unharmed wants every row of the trees that must stay.
func (k *forest) unharmed(before time.Time) {
	k.Helper()
	for _, p := range k.trees {
		if p.mayGo(before) {
			continue
		}
		if p.event != nil {
			same(&k.fixture, "event", k.event(p.event.ID), p.event)
		}
		for _, n := range p.enforcements {
			same(&k.fixture, "enforcement", k.enforcement(n.ID), n)
		}
		for _, x := range p.executions {
			same(&k.fixture, "execution", k.execution(x.ID), x)
			if want := p.printed[x.ID] && !x.Status.Terminal(); want && k.fixture.printed(x.ID) != "hello" {
				k.Fatalf("the output of %s, which is live, is gone", x.ID)
			}
		}
	}
}

// gone reports that nothing is left of the trees that may go.
func (k *forest) gone(before time.Time) bool {
	k.Helper()
	for _, p := range k.trees {
		if !p.mayGo(before) {
			continue
		}
		if p.event != nil {
			if _, err := k.s.Event(k.ctx, p.event.ID); err == nil {
				return false
			}
		}
		for _, n := range p.enforcements {
			if _, err := k.s.Enforcement(k.ctx, n.ID); err == nil {
				return false
			}
		}
		for _, x := range p.executions {
			if _, err := k.s.Execution(k.ctx, x.ID); err == nil || k.fixture.printed(x.ID) != "" {
				return false
			}
		}
	}
	return true
}
