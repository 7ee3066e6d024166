package losing_test

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/attune-automation/attune/internal/servers/proxy"
	"github.com/attune-automation/attune/test/ledger"
)

// phase is where a kill meets an attempt.
type phase struct {
	name string
	// arm holds the worker so that attempts stay in the phase, and returns what
	// lets go of whatever outlives the worker.
	arm func(*worker) (release func())
	// met are the tokens of the incarnation that are in the phase.
	met func(*sight) []token
}

var phases = []phase{
	{"before the journal", func(w *worker) func() {
		p := w.process
		p.signal(syscall.SIGSTOP)
		return func() { p.signal(syscall.SIGCONT) }
	}, (*sight).unjournalled},
	{"journalled", (*worker).freezeKeepers, (*sight).journalled},
	{"running", func(*worker) func() { return func() {} }, (*sight).running},
	{"ended and unreported", func(w *worker) func() { return w.cutOff(proxy.ToServer) }, (*sight).unreported},
	// Nothing new comes then, and what runs is reported.
	{"reported and unacknowledged", func(w *worker) func() { return w.cutOff(proxy.ToClient) }, (*sight).unacknowledged},
}

// busy waits until the worker runs something that takes a while.
func (w *worker) busy() {
	r := w.rig
	r.t.Helper()
	for range 2 * slots {
		r.load.offer(&offer{Offer: offerOf("lose.again"), ms: 1200, quiet: true})
	}
	incarnation := r.known(w.name).Incarnation
	await(r.t, w.name+" to run something", func() bool { return len(w.look(incarnation).running()) > 0 })
}

// cutOff makes the worker's connections half open, when it runs something that
// takes a while.
func (w *worker) cutOff(way proxy.Way) (heals func()) {
	w.busy()
	w.toMQ.Freeze(way)
	w.toAPI.Freeze(way)
	return func() {
		heal(w.toMQ)
		heal(w.toAPI)
	}
}

// sight is what is known of a worker's tokens at a moment.
type sight struct {
	*worker
	incarnation string
	// assigned are those that the node waits for.
	assigned     map[token]bool
	said         map[token]string // the journal
	begun, ended map[token]bool   // the ledger
}

func (w *worker) look(incarnation string) *sight {
	w.rig.t.Helper()
	s := &sight{worker: w, incarnation: incarnation, assigned: map[token]bool{}, begun: map[token]bool{}, ended: map[token]bool{}}
	for _, x := range w.rig.assigned(incarnation) {
		if !actions[x.Action].Pure {
			s.assigned[token{x.ID, x.Attempt}] = true
		}
	}
	s.said = w.journal()
	lines, err := ledger.Read(w.rig.home)
	must(w.rig.t, err)
	for _, l := range lines {
		k := token{l.Execution, l.Attempt}
		s.begun[k], s.ended[k] = true, s.ended[k] || l.What == ledger.End
	}
	return s
}

func (s *sight) String() string {
	said := map[string]int{}
	for k, what := range s.said {
		if s.ended[k] {
			what += " and done"
		}
		said[what]++
	}
	return fmt.Sprintf("%d assigned, the journal says %v", len(s.assigned), said)
}

// those are the assigned tokens of which something is true.
func (s *sight) those(is func(token) bool) (all []token) {
	for k := range s.assigned {
		if is(k) {
			all = append(all, k)
		}
	}
	return all
}

func (s *sight) unjournalled() []token {
	return s.those(func(k token) bool { return s.said[k] == "" && !s.begun[k] })
}

func (s *sight) journalled() []token {
	return s.those(func(k token) bool { return s.said[k] == "started" && !s.begun[k] })
}

func (s *sight) running() []token {
	return s.those(func(k token) bool { return s.said[k] == "started" && s.begun[k] && !s.ended[k] })
}

func (s *sight) unreported() []token { return s.those(func(k token) bool { return s.ended[k] }) }

// unacknowledged are tokens whose end the worker keeps, and the node has.
func (s *sight) unacknowledged() (all []token) {
	for k, said := range s.said {
		if said != "ended" || !s.ended[k] {
			continue
		}
		x, err := s.rig.client.Execution(s.rig.t.Context(), k.execution)
		if err == nil && x.Terminal && x.Attempt == k.attempt && x.Incarnation == s.incarnation {
			all = append(all, k)
		}
	}
	return all
}

// killed is a worker after its kill.
type killed struct {
	*worker
	incarnation string
	phase       string
	at          time.Time
}

// killInEachPhase starts a worker for each phase, and kills it when it has an
// attempt there.
func (r *rig) killInEachPhase(round string) (all []killed) {
	for i := range phases {
		r.newWorker(fmt.Sprintf("%s-%d", round, i+1)).begin()
	}
	for i, p := range phases {
		w := r.workers[fmt.Sprintf("%s-%d", round, i+1)]
		await(r.t, w.name+" to work", func() bool { return r.isAlive(w.name) && len(w.journal()) >= 2*slots })
		k := killed{worker: w, phase: p.name}
		for range 5 { // all its slots may be taken by what is elsewhere
			k.incarnation = r.known(w.name).Incarnation
			release := p.arm(w)
			r.fill()
			met := eventually(2*time.Second, func() bool { return len(p.met(w.look(k.incarnation))) > 0 })
			if met {
				r.count("workers killed with an attempt " + p.name)
				k.at = time.Now()
				w.kill()
				w.process = nil
			}
			release()
			if met {
				break
			}
		}
		if k.at.IsZero() {
			r.t.Fatalf("thin: no attempt of %s was %s: %s", w.name, p.name, w.look(k.incarnation))
		}
		all = append(all, k)
	}
	return all
}

// fill offers as many attempts as all workers together take.
func (r *rig) fill() {
	for range len(r.standing()) * slots {
		r.load.offer(&offer{Offer: offerOf("lose.again"), ms: 300})
	}
}

// aliveLimit is how long a worker that is dead may be taken for alive: 13 s, and
// the slack of a machine that does much else.
const aliveLimit = 15 * time.Second

// A worker killed in each phase that never returns: it is lost within 13 s, and
// what it had is tried again or given up as the action says.
func (r *rig) loseWorkers() {
	over := r.harming()
	all := r.killInEachPhase("gone")
	await(r.t, "all killed workers to be lost", func() bool {
		all = slices.DeleteFunc(all, func(k killed) bool {
			if r.known(k.name).State != "lost" {
				return false
			}
			r.recovered(r.t, "a killed worker is lost", time.Since(k.at), aliveLimit)
			return true
		})
		return len(all) == 0
	})
	over()
}

// A worker killed in each phase that starts again at once: it says what its
// journal knows, and nothing waits for the lease.
func (r *rig) restartWorkers() {
	over := r.harming()
	all := r.killInEachPhase("back")
	for _, k := range all {
		k.begin()
	}
	begun := time.Now()
	await(r.t, "all attempts of killed workers to be settled", func() bool {
		all = slices.DeleteFunc(all, func(k killed) bool {
			if len(r.assigned(k.incarnation)) > 0 || !r.isAlive(k.name) {
				return false
			}
			r.recovered(r.t, "a killed worker is back and its attempts settled", time.Since(begun), 0)
			return true
		})
		return len(all) == 0
	})
	over()
	for _, w := range r.standing() {
		if w.name != "one" && w.name != "two" {
			w.stop(r.t)
			w.process = nil
		}
	}
}

// A worker frozen for 30 s: its runs are killed by the keeper before a successor
// starts, and it comes back as somebody else.
func (r *rig) freezeWorker() {
	w := r.workers["one"]
	over := r.harming()
	for range 2 * slots {
		r.load.offer(&offer{Offer: offerOf("lose.again"), ms: 12_000})
	}
	incarnation := r.known(w.name).Incarnation
	var had []token
	await(r.t, "long attempts to run on the worker", func() bool { had = w.look(incarnation).running(); return len(had) >= 2 && len(w.rig.runs(had)) >= 2 })
	w.signal(syscall.SIGSTOP)
	at := time.Now()
	r.count("workers frozen")
	await(r.t, "the keeper to kill what the frozen worker had", func() bool { return len(r.runs(had)) == 0 })
	r.recovered(r.t, "a frozen worker's runs are dead", time.Since(at), aliveLimit)
	await(r.t, "the frozen worker to be lost", func() bool { return r.known(w.name).State == "lost" })
	r.recovered(r.t, "a frozen worker is lost", time.Since(at), aliveLimit)
	pass(time.Until(at.Add(30 * time.Second)))
	w.signal(syscall.SIGCONT)
	at = time.Now()
	await(r.t, "the thawed worker to be back as another incarnation", func() bool { k := r.known(w.name); return k.State == "alive" && k.Incarnation != incarnation })
	r.recovered(r.t, "a thawed worker is back", time.Since(at), 0)
	over()
}

// runs are the processes of attempts.
func (r *rig) runs(of []token) (all []found) {
	for _, k := range of {
		all = append(all, processesOf("ATTUNE_EXECUTION_ID="+k.execution)...)
	}
	return all
}
