package sim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors"
	"github.com/attune-automation/attune/messages/memory"
	"github.com/attune-automation/attune/test/sim/check"
)

// world is one run.
type world struct {
	*queue
	plan      plan
	outside   *process // never dies: clients, machines, the broker, fate itself
	store     *recorder
	storeBack time.Duration // when the store's outage ends
	broker    *memory.Broker
	servers   []*server // alive, frozen ones too
	current   *server   // whom clients speak to, or nil
	boots     int
	machines  []*machine
	poisoned  map[string]int           // by path: how often its actor still panics
	panicNext map[string]time.Duration // by kind: not every node start ends in failure
	left      int                      // faults that are still to happen

	offers        []*offer
	cancels       []check.Cancel
	runs          []*check.Run
	announcements []check.Announcement
	counts        map[string]int
	out           io.Writer
}

// The bounds within which everything must come to rest after the last fault.
const (
	restTime  = 15 * time.Minute // virtual
	restSteps = 300_000
	afterRest = 45 * time.Second // for late messages, which must change nothing
)

// Outcome is a finished run.
type Outcome struct {
	// Faults are broken promises; empty is good.
	Faults []string
	// Input is what was judged.
	Input *check.Input
	// Steps and Took are how long the run was, Took in virtual time.
	Steps int
	Took  time.Duration
}

// Run runs a seed. A trace goes to out unless it is nil.
func Run(seed uint64, out io.Writer) Outcome { return simulate(seed, out, (*queue).draw) }

func simulate(seed uint64, out io.Writer, draw func(*queue) plan) (o Outcome) {
	q := &queue{random: rand.New(rand.NewPCG(seed, 0x61747475))}
	w := &world{queue: q, outside: q.process("outside"), counts: map[string]int{}, poisoned: map[string]int{}, panicNext: map[string]time.Duration{}, out: out}
	defer func() {
		if r := recover(); r != nil {
			o.Faults = append(o.Faults, fmt.Sprintf("the world broke down: %v\n%s", r, debug.Stack()))
		}
	}()
	w.plan = draw(q)
	w.calm = len(w.plan.faults)+w.plan.storeFaults == 0
	w.store = newRecorder(w, w.plan.exclusive)
	w.broker = memory.New(memory.Config{Lend: w.outside.lend})
	if err := w.listen(); err != nil {
		panic(err) // the broker is open
	}
	w.machines = []*machine{newMachine(w, "w1", 3, effect, pure), newMachine(w, "w2", 4, effect, pure, rare)}
	w.boot()
	for _, m := range w.machines {
		w.after(w.outside, w.between(0, 2*time.Second), m.start)
	}
	w.load()
	w.strike()
	o.Faults = w.live()
	o.Faults = append(o.Faults, w.store.buried.faults...)
	o.Input = w.collect()
	o.Faults = append(o.Faults, check.Check(o.Input)...)
	o.Steps, o.Took = w.steps, w.now
	return o
}

// live runs the world through its faults and until it rests. What it returns
// did not come to rest.
func (w *world) live() []string {
	for w.left > 0 || w.now < w.plan.loadUntil+10*time.Second {
		if !w.run() || w.steps > 4*restSteps {
			return append([]string{"stuck: the faults did not come to an end"}, w.store.waiting()...)
		}
		w.attend()
	}
	w.settle()
	until, most, looked := w.now+restTime, w.steps+restSteps, w.now
	rest := time.Duration(0)
	for rest == 0 || w.now < rest {
		if !w.run() || w.now > until || w.steps > most {
			return w.stuck()
		}
		w.attend()
		if rest == 0 && w.now-looked > time.Second {
			looked = w.now
			if w.atRest() {
				rest = w.now + afterRest
			}
		}
	}
	return nil
}

// settle ends all faults.
func (w *world) settle() {
	w.trace("all faults end")
	w.calm = true
	w.storeBack = 0
	for _, s := range append([]*server(nil), w.servers...) {
		s.link.down = false
		if s != w.current {
			s.kill()
		}
	}
	for _, m := range w.machines {
		m.link.down = false
		if m.process != nil && m.process.frozen {
			m.process.thaw()
		}
	}
}

func (w *world) atRest() bool {
	if len(w.store.live)+len(w.store.pending) > 0 {
		return false
	}
	for _, o := range w.offers {
		if !o.settled || o.asking > 0 {
			return false
		}
	}
	for _, m := range w.machines {
		if len(m.runs) > 0 {
			return false
		}
	}
	return w.store.announced()
}

// stuck says who waits.
func (w *world) stuck() []string {
	all := []string{fmt.Sprintf("stuck at %s after %d steps", w.now, w.steps)}
	for _, o := range w.offers {
		if !o.settled {
			all = append(all, fmt.Sprintf("offer %d waits after %d tries", o.N, o.tries))
		}
	}
	all = append(all, w.store.waiting()...)
	if !w.store.announced() {
		all = append(all, "an end is not proven announced")
	}
	if len(all) > 12 {
		all = append(all[:12], fmt.Sprintf("and %d more", len(all)-12))
	}
	return all
}

func (w *world) count(word string, happened bool) {
	if happened {
		w.counts[word]++
	}
}

// trace writes a line, if anybody wants it.
func (w *world) trace(format string, args ...any) {
	if w.out != nil {
		fmt.Fprintf(w.out, "%12.6f ", w.now.Seconds())
		fmt.Fprintf(w.out, format+"\n", args...)
	}
}

func executionID(id int64) attune.ExecutionID { return attune.ExecutionID(id) }

func executionPath(id attune.ExecutionID) string {
	return "node/partitions/" + actors.PartitionName(id.Partition()) + "/" + id.String()
}
