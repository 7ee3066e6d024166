package sim

import (
	"strings"
	"time"

	"github.com/attune-automation/attune/test/sim/check"
)

// plan is what a seed holds, drawn before anything runs.
type plan struct {
	events, requests, cancels int
	loadUntil                 time.Duration
	flood                     bool
	exclusive                 bool
	// warm is how many executions of a partition that wait for a slot keep their
	// actors: few, so that most become passive.
	warm int
	// faults are named by what they do; each happens, sooner or later.
	faults []fault
	// panics say once in how many messages an actor of a kind panics.
	panics      map[string]int
	storeFaults int // once in how many calls
}

type fault struct {
	word string
	at   time.Duration
}

// quiet is the plan of a run without faults.
func quiet() plan {
	return plan{events: 40, requests: 10, cancels: 3, loadUntil: 20 * time.Second, exclusive: true, warm: 2}
}

// draw makes the plan of a seed.
func (q *queue) draw() plan {
	p := plan{events: 45 + q.random.IntN(20), requests: 12 + q.random.IntN(8), cancels: 12, loadUntil: 40 * time.Second,
		flood: q.chance(8), exclusive: !q.chance(2), warm: 1 + q.random.IntN(3), panics: map[string]int{}, storeFaults: 30 + q.random.IntN(200)}
	add := func(word string, most int) {
		for range q.random.IntN(most + 1) {
			p.faults = append(p.faults, fault{word, q.between(3*time.Second, 50*time.Second)})
		}
	}
	add("node crash", 3)
	add("worker crash", 2)
	add("worker machine crash", 1)
	add("worker freeze", 2)
	add("worker drain", 1)
	add("store outage", 2)
	add("link outage", 2)
	add("poison", 3)
	add("prune", 4)
	if !p.exclusive {
		add("node freeze", 2)
	}
	for _, kind := range strings.Fields("execution partition partitions rules scheduler workers worker broker output retention writer lease") {
		if q.chance(2) {
			p.panics[kind] = 20 + q.random.IntN(400)
			if kind == "writer" || kind == "lease" || kind == "partitions" || kind == "workers" {
				p.panics[kind] *= 5
			}
			if kind == "retention" { // it has little to do
				p.panics[kind] = 2 + p.panics[kind]/20
			}
		}
	}
	return p
}

func (p *plan) check() check.Plan {
	least := map[string]int{"overlap of runs": 1}
	for _, f := range p.faults {
		least[f.word]++
	}
	if len(p.panics)+p.storeFaults > 0 {
		least["message lost"], least["message doubled"], least["message late"] = 1, 1, 1
	}
	return check.Plan{Events: p.events, Requests: p.requests, Counts: least}
}

// strike lets every planned fault happen, as soon as it can after its time.
func (w *world) strike() {
	w.left = len(w.plan.faults)
	for _, f := range w.plan.faults {
		var try func()
		try = func() {
			if !w.happen(f.word) {
				w.after(w.outside, 500*time.Millisecond, try)
				return
			}
			w.count(f.word, true)
			w.trace("fault: %s", f.word)
			w.left--
		}
		w.after(w.outside, f.at, try)
	}
}

// happen does one fault, or reports that it cannot be done now.
func (w *world) happen(word string) bool {
	m := w.machines[w.random.IntN(len(w.machines))]
	s := w.current
	up := s != nil && !s.process.frozen
	switch word {
	case "node crash":
		if up {
			s.restart(w.between(0, 6*time.Second))
		}
		return up
	case "node freeze":
		if up {
			w.freeze(s)
		}
		return up
	case "worker crash", "worker machine crash":
		if m.process == nil || m.process.frozen {
			return false
		}
		m.crash(word != "worker crash")
		w.after(w.outside, w.between(0, 20*time.Second), m.start)
		return true
	case "worker freeze":
		return w.freezeWorker(m)
	case "worker drain":
		return w.drain(m)
	case "store outage":
		w.storeBack = w.now + w.between(500*time.Millisecond, 12*time.Second)
		return true
	case "link outage":
		return w.outage(m)
	case "poison":
		return w.poison()
	case "prune":
		return w.prune()
	}
	panic("no fault is called " + word)
}

// freeze stops a node in its tracks and starts another, which takes over when
// the lease has ended. Only then the old one goes on, in the middle of whatever
// it did, until it notices or is ended.
func (w *world) freeze(s *server) {
	s.process.frozen = true
	w.current = nil
	w.after(w.outside, w.between(0, 5*time.Second), w.boot)
	var thaw func()
	thaw = func() {
		if s.process.dead {
			return
		}
		if !w.store.lost(s.process.name) {
			w.after(w.outside, 100*time.Millisecond, thaw)
			return
		}
		w.after(w.outside, w.between(0, 10*time.Second), func() {
			w.trace("node %s thaws", s.process.name)
			w.count("thaw", true)
			s.process.thaw()
			w.after(w.outside, w.between(0, 5*time.Second), func() {
				if !s.process.dead {
					s.kill()
				}
			})
		})
	}
	thaw()
}

func (w *world) freezeWorker(m *machine) bool {
	p := m.process
	if p == nil || p.frozen {
		return false
	}
	p.frozen = true
	w.after(w.outside, w.between(time.Second, 20*time.Second), p.thaw)
	return true
}

// drain lets a worker leave in order, and start again.
func (w *world) drain(m *machine) bool {
	p := m.process
	if p == nil || p.frozen || m.draining {
		return false
	}
	m.draining = true
	m.worker.BeginDrain(func() {
		w.count("drained", true)
		w.after(w.outside, w.between(0, 5*time.Second), func() {
			if m.process == p {
				m.crash(false)
				m.start()
			}
		})
	})
	return true
}

func (w *world) outage(m *machine) bool {
	l := m.link
	if w.chance(2) && w.current != nil {
		l = w.current.link
	}
	if l.down || l.process.dead {
		return false
	}
	l.down = true
	w.after(w.outside, w.between(500*time.Millisecond, 15*time.Second), func() { l.down = false })
	return true
}

// poison makes the actor of one live execution fail three times.
func (w *world) poison() bool {
	for i := len(w.store.versions) - 1; i >= 0; i-- {
		v := &w.store.versions[i]
		id := executionID(v.ID)
		if w.store.live[id] && w.current != nil {
			w.poisoned[executionPath(id)] = 3
			return true
		}
	}
	return w.now > w.plan.loadUntil+5*time.Second // nothing lives any more
}
