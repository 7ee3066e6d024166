package e2e_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/attune-automation/attune/api"
)

var seed = flag.Uint64("seed", 0, "of the moments at which attune dev is killed; 0 takes a new one")

const (
	// kills is how often attune dev is killed; in so many of them, at least,
	// each phase must have been met. On servers each takes the life of a lease more.
	kills, enough           = 20, 2
	serverKills, serverOnce = 10, 1
	// slots is how many actions run at a time: fewer than there is work for.
	slots = "6"
	// burst is how many requests are under way when it is killed.
	burst = 12
)

// kill -9 of attune dev under load, 20 times at seeded moments: every
// acknowledged event has exactly its enforcements, each at most one execution;
// everything ends; no attempt is started twice, and attempts of one execution
// never overlap.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("left out: kill -9 of attune dev, 20 times: -short")
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	t.Logf("again: go test ./test/e2e -run TestKill -seed %d", *seed)
	w := newWorld(t)
	l := newLoad(w, rand.New(rand.NewPCG(*seed, 0)))
	rounds, least := kills, enough
	if onServers() {
		rounds, least = serverKills, serverOnce
	}
	d := w.dev("--slots", slots)
	l.serve(d)
	met := census{}
	var slowest time.Duration
	for round := range rounds {
		killed := l.round(d, round)
		met.add(l.look(killed))
		d = w.dev("--slots", slots)
		l.serve(d)
		slowest = max(slowest, d.opened)
	}
	l.senders.Wait()
	t.Logf("%d operations; phases met, in kills and in runs: %s; slowest restart %s", len(l.operations), met, slowest.Round(time.Millisecond))
	for _, phase := range phases {
		if met[phase].kills < least {
			t.Errorf("thin: only %d kills met a run that was %s", met[phase].kills, phase)
		}
	}
	quiesce(d)
	for _, o := range l.operations[:10] { // what was acknowledged is known for ever
		if id, duplicate, err := l.post(o); err != nil || !duplicate || id != o.id {
			t.Errorf("%s was acknowledged as %s, and is now %s (duplicate: %v, %v)", o.key, o.id, id, duplicate, err)
		}
	}
	d.stop()
	judge(t, l)
}

// round loads the node, and kills it at a seeded moment: while requests are
// under way, and actions end. It returns the moment.
func (l *load) round(d *dev, round int) time.Time {
	// Some lives are too short to learn what became of the runs before, some
	// are not.
	life := time.Duration(150+l.random.IntN(3000)) * time.Millisecond
	aim := time.Duration(l.random.IntN(12_000)) * time.Microsecond
	gate := fmt.Sprintf("gate-%d", round)
	for range 3 { // they end when the kill comes
		l.operate(operation{kind: "request", ms: 5000, gate: gate})
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.NewTimer(life); ; {
		select {
		case <-tick.C:
			l.operate(l.any())
			continue
		case <-end.C:
		}
		break
	}
	touch(l.t, filepath.Join(l.home, gate))
	for range burst {
		l.operate(l.any())
	}
	<-time.After(aim)
	killed := time.Now()
	d.kill()
	return killed
}

// quiesce waits until nothing lives any more.
func quiesce(d *dev) {
	d.t.Helper()
	for _, status := range []string{"requested", "delayed", "scheduling", "scheduled", "running", "paused", "stopping"} {
		for _, x := range all[api.ExecutionView](d, "/executions", url.Values{"status": {status}}) {
			d.ends(x.ID)
		}
	}
}

// operation is one thing asked for, with a key of its own.
type operation struct {
	// kind is even or odd, an event; or request, an execution.
	kind, key, gate string
	ms              int
	// id is what was acknowledged; written by its sender alone.
	id string
}

// load asks for things, again and again until they are acknowledged.
type load struct {
	*world
	random *rand.Rand
	// operations are written by the test's goroutine alone; senders are those
	// that are not acknowledged yet.
	operations []*operation
	senders    sync.WaitGroup

	mu     sync.Mutex
	node   *dev
	served chan struct{} // closed when there is another node
	// under are the requests without an answer, by key, with the moment they
	// were sent.
	under map[string]time.Time
	// broken are the requests whose answer a kill took, by key, with the
	// moment they were first sent.
	broken map[string]time.Time

	// counted are the assignments that a census has met, by execution and
	// incarnation of the worker.
	counted map[string]bool
}
