package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/test/sim/check"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/journal"
)

// machine is where a worker lives: it has the keeper of the runs, which
// outlives the worker's process, the journal and the clock.
type machine struct {
	world   *world
	name    string
	slots   int
	runners []string
	origin  time.Duration // of its own clock
	journal *journal.Memory
	runs    []*run // under way, in the order of their starts
	lease   time.Duration
	// process and worker are nil while the worker is down.
	process  *process
	worker   *worker.Worker
	link     *link
	boots    int
	draining bool
}

func newMachine(w *world, name string, slots int, runners ...string) *machine {
	return &machine{world: w, name: name, slots: slots, runners: runners, origin: w.between(0, time.Hour), journal: journal.NewMemory(w.outside.lend)}
}

func (m *machine) mono() time.Duration { return m.origin + m.world.now }

// start begins the worker's process.
func (m *machine) start() {
	w := m.world
	m.boots++
	boot, incarnations := m.boots, 0
	m.draining = false
	m.process = w.process(fmt.Sprintf("%s.%d", m.name, boot))
	m.link = w.connect(m.process)
	runners := map[string]worker.Runner{}
	for _, name := range m.runners {
		runners[name] = &runner{machine: m, process: m.process, pure: name == pure}
	}
	var err error
	m.worker, err = worker.New(worker.Config{Name: m.name, Slots: m.slots, Broker: m.link, Clock: m.process, Mono: m.mono,
		Lend: m.process.lend, Journal: m.journal, Keeper: (*keeper)(m), Runners: runners,
		NewIncarnation: func() string {
			incarnations++
			return fmt.Sprintf("%s-%d.%d", m.name, boot, incarnations)
		}})
	if err == nil {
		err = m.worker.Start()
	}
	if err != nil {
		panic(fmt.Errorf("start worker %s: %w", m.name, err))
	}
	w.trace("worker %s starts", m.process.name)
}

// crash ends the worker's process, and with all also the machine: its runs, and
// what the journal had not written.
func (m *machine) crash(all bool) {
	if m.process == nil {
		return
	}
	m.world.trace("worker %s crashes, machine %v", m.process.name, all)
	m.worker.Stop()
	m.process.kill()
	m.link.cut()
	if all {
		m.journal.Crash()
	}
	for _, r := range append([]*run(nil), m.runs...) {
		if all || r.entry.Pure {
			r.end("killed", nil)
		}
	}
	m.process, m.worker = nil, nil
}

// keeper is the machine as the worker's keeper of processes.
type keeper machine

var errStubborn = errors.New("a process does not end")

// Begin implements worker.Keeper.
func (k *keeper) Begin(string) error {
	m := (*machine)(k)
	if w := m.world; !w.calm && w.chance(10) {
		w.count("keeper fault", true)
		return errStubborn
	}
	m.killAll()
	m.lease = 0
	return nil
}

// Extend implements worker.Keeper.
func (k *keeper) Extend(until time.Duration) {
	m := (*machine)(k)
	m.lease = until
	m.world.after(m.world.outside, until-m.mono(), func() {
		if m.mono() >= m.lease {
			m.killAll()
		}
	})
}

func (m *machine) killAll() {
	for _, r := range append([]*run(nil), m.runs...) {
		if !r.entry.Pure {
			m.world.count("run killed", true)
			r.end("killed", &worker.Event{Kind: worker.Ended, End: messages.LostRun})
		}
	}
}

// run is an attempt that really runs.
type run struct {
	machine *machine
	token   attune.Token
	entry   *check.Run
	over    bool
	events  func(worker.Event)
}

// end writes the end into the ledger and tells the worker.
func (r *run) end(outcome string, event *worker.Event) {
	if r.over {
		return
	}
	w := r.machine.world
	r.over = true
	r.entry.End, r.entry.EndSeq, r.entry.Outcome = w.now, w.next(), outcome
	w.trace("run %s %s", r.token, outcome)
	for i, other := range r.machine.runs {
		if other == r {
			r.machine.runs = append(r.machine.runs[:i], r.machine.runs[i+1:]...)
			break
		}
	}
	if event != nil {
		r.events(*event)
	}
}

// runner is a runner whose attempts take seeded times and end as the seed says.
type runner struct {
	machine *machine
	process *process
	pure    bool
}

// Pure implements worker.Runner.
func (r *runner) Pure() bool { return r.pure }

// Start implements worker.Runner.
func (r *runner) Start(d *messages.Dispatch, events func(worker.Event)) {
	m, w := r.machine, r.machine.world
	if !r.pure && m.mono() >= m.lease {
		events(worker.Event{Kind: worker.Ended, End: messages.Returned, Reason: "the lease has ended"})
		return
	}
	if w.chance(40) {
		events(worker.Event{Kind: worker.Ended, End: messages.RefusedRun, Reason: "the program is not there"})
		return
	}
	entry := &check.Run{Execution: int64(d.Token.Execution), Attempt: d.Token.Attempt, Worker: m.name, Incarnation: d.Incarnation,
		Pure: r.pure, Start: w.now, StartSeq: w.next()}
	w.runs = append(w.runs, entry)
	w.trace("run %s starts on %s", d.Token, d.Incarnation)
	a := &run{machine: m, token: d.Token, entry: entry, events: events}
	w.count("overlap of runs", len(m.runs) > 0)
	m.runs = append(m.runs, a)
	events(worker.Event{Kind: worker.Started})
	of := w.outside
	if r.pure {
		of = r.process
	}
	if !r.pure && w.chance(5) {
		w.after(of, w.between(0, time.Second), func() {
			if !a.over {
				events(worker.Event{Kind: worker.Wrote, Stream: worker.Stdout, Data: []byte("hello from " + d.Token.String() + "\n")})
			}
		})
	}
	lasts, outcome, event := r.fate(d)
	w.after(of, lasts, func() { a.end(outcome, event) })
}

// fate is how long an attempt lasts and how it ends, if nobody stops it.
func (r *runner) fate(d *messages.Dispatch) (time.Duration, string, *worker.Event) {
	w := r.machine.world
	lasts := w.between(0, 50*time.Millisecond)
	switch n := w.random.IntN(20); {
	case r.pure:
		if n < 15 {
			lasts = 0
		}
	case n < 6:
		lasts = w.between(50*time.Millisecond, 3*time.Second)
	case n < 8:
		lasts = w.between(3*time.Second, 40*time.Second)
	}
	if d.Action == "sim.tired" && w.chance(2) {
		lasts = w.between(2*time.Second, 10*time.Second)
	}
	if limit := d.Timeout; limit > 0 && lasts > limit {
		if !w.chance(3) { // else nobody enforces it here, and the owner must
			return limit, "timed out", &worker.Event{Kind: worker.Ended, End: messages.TimedOutRun,
				Failure: &attune.Failure{Code: "timeout", Message: "it ran longer than its limit"}}
		}
	}
	of20 := w.random.IntN(20)
	if d.Action == "sim.hopeless" || d.Action == "sim.third" && d.Token.Attempt < 3 || d.Action == "sim.hurried" && of20 < 16 {
		of20 = 0
	}
	switch of20 {
	case 0, 1:
		return lasts, "failed", &worker.Event{Kind: worker.Ended, End: messages.FailedRun, Failure: &attune.Failure{Code: "exit_code", Message: "it ended with 1"}}
	case 2:
		if w.chance(3) {
			w.count("unstorable result", true)
			return lasts, "finished", &worker.Event{Kind: worker.Ended, End: messages.Finished, Result: []byte(`{"bad":"\u0000"}`)}
		}
	}
	return lasts, "finished", &worker.Event{Kind: worker.Ended, End: messages.Finished,
		Result: fmt.Appendf(nil, `{"execution":%q,"attempt":%d}`, d.Token.Execution, d.Token.Attempt)}
}

// Stop implements worker.Runner.
func (r *runner) Stop(token attune.Token, grace time.Duration) {
	w := r.machine.world
	for _, a := range r.machine.runs {
		if a.token == token {
			w.after(w.outside, w.between(0, max(grace, time.Millisecond)), func() {
				a.end("stopped", &worker.Event{Kind: worker.Ended, End: messages.StoppedRun})
			})
			return
		}
	}
}
