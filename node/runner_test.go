package node_test

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker"
)

// settings are the parameters of the actions of these tests.
type settings struct {
	// MS is how long it runs; below zero until it is stopped.
	MS int `json:"ms"`
	// Stubborn runs are not ended by a stop.
	Stubborn bool `json:"stubborn"`
	// Fail makes it fail at its end.
	Fail bool `json:"fail"`
	// Print is how many chunks it writes.
	Print int `json:"print"`
	// Pad only makes the parameters longer.
	Pad string `json:"pad,omitempty"`
}

// machine is where a worker's runs are: it outlives the worker, and is the
// keeper that ends them with the lease. Runs are timers.
type machine struct {
	name   string
	ledger *ledger
	began  time.Time
	mu     sync.Mutex
	runs   map[attune.Token]*run // guarded by mu
	lease  *time.Timer           // guarded by mu
}

func newMachine(name string, slots int, l *ledger) *machine {
	l.mu.Lock()
	l.slots[name] = slots
	l.mu.Unlock()
	return &machine{name: name, ledger: l, began: time.Now(), runs: map[attune.Token]*run{}}
}

func (m *machine) mono() time.Duration { return time.Since(m.began) }

// Begin implements worker.Keeper.
func (m *machine) Begin(string) error {
	m.killAll()
	return nil
}

// Extend implements worker.Keeper.
func (m *machine) Extend(until time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lease != nil {
		m.lease.Stop()
	}
	m.lease = time.AfterFunc(until-m.mono(), m.killAll)
}

// killAll ends what runs without a word to the worker: as one that is gone.
func (m *machine) killAll() {
	m.mu.Lock()
	all := slices.Collect(maps.Values(m.runs))
	if m.lease != nil {
		m.lease.Stop()
	}
	m.mu.Unlock()
	for _, r := range all {
		r.stop(messages.LostRun, false)
	}
}

// timed is a runner whose runs last as long as their parameters say.
type timed struct {
	*machine
	pure bool
}

// Pure implements worker.Runner.
func (t timed) Pure() bool { return t.pure }

// Start implements worker.Runner.
func (t timed) Start(d *messages.Dispatch, events func(worker.Event)) {
	r := &run{token: d.Token, worker: t.name}
	if err := json.Unmarshal(d.Parameters, &r.parameters); err != nil {
		events(worker.Event{Kind: worker.Ended, End: messages.RefusedRun, Reason: err.Error()})
		return
	}
	r.stop = func(how messages.ReportKind, told bool) {
		if !t.ledger.end(r, how) {
			return
		}
		t.mu.Lock()
		delete(t.runs, r.token)
		t.mu.Unlock()
		if told {
			e := worker.Event{Kind: worker.Ended, End: how}
			if how == messages.FailedRun {
				e.Failure = &attune.Failure{Code: "exit_code", Message: "it failed"}
			} else if how == messages.Finished {
				e.Result = []byte(`{"ok":true}`)
			}
			events(e)
		}
	}
	t.mu.Lock()
	t.runs[r.token] = r
	t.mu.Unlock()
	t.ledger.begin(r)
	events(worker.Event{Kind: worker.Started})
	for range r.parameters.Print {
		events(worker.Event{Kind: worker.Wrote, Stream: worker.Stdout, Data: []byte("chunk\n")})
	}
	how := messages.Finished
	if r.parameters.Fail {
		how = messages.FailedRun
	}
	if r.parameters.MS >= 0 {
		time.AfterFunc(time.Duration(r.parameters.MS)*time.Millisecond, func() { r.stop(how, true) })
	}
	if !r.parameters.Stubborn && d.Timeout > 0 {
		time.AfterFunc(d.Timeout, func() { r.stop(messages.TimedOutRun, true) })
	}
}

// Stop implements worker.Runner.
func (t timed) Stop(token attune.Token, _ time.Duration) {
	t.mu.Lock()
	r := t.runs[token]
	t.mu.Unlock()
	if r != nil && !r.parameters.Stubborn {
		r.stop(messages.StoppedRun, true)
	}
}
