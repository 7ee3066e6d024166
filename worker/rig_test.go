package worker_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/memory"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/journal"
	"github.com/attune-automation/attune/worker/runners"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a machine without goroutines: a queue of steps and a clock.
type world struct {
	steps     []func()
	now       time.Duration
	suspended time.Duration // passed without the timers' knowledge
	timers    []*timer
	made      int
}

type timer struct {
	at      time.Duration
	number  int
	f       func()
	stopped bool
}

func (t *timer) Stop() bool {
	before := t.stopped
	t.stopped = true
	return !before
}

func (w *world) Now() time.Time      { return attune.Epoch.Add(w.now) }
func (w *world) mono() time.Duration { return time.Hour + w.now + w.suspended }
func (w *world) lend(f func())       { w.steps = append(w.steps, f) }

func (w *world) AfterFunc(d time.Duration, f func()) attune.Timer {
	t := &timer{at: w.now + max(d, 0), number: w.made, f: f}
	w.made++
	w.timers = append(w.timers, t)
	return t
}

// step runs one step and reports whether there was one.
func (w *world) step() bool {
	if len(w.steps) == 0 {
		return false
	}
	f := w.steps[0]
	w.steps = w.steps[1:]
	f()
	return true
}

func (w *world) settle() {
	for w.step() {
	}
}

// advance lets time pass, with all that comes of it.
func (w *world) advance(d time.Duration) {
	end := w.now + d
	for w.settle(); ; w.settle() {
		slices.SortFunc(w.timers, func(a, b *timer) int { return cmp.Or(cmp.Compare(a.at, b.at), a.number-b.number) })
		if len(w.timers) == 0 || w.timers[0].at > end {
			break
		}
		t := w.timers[0]
		w.timers = w.timers[1:]
		w.now = t.at
		if !t.stopped {
			t.f()
		}
	}
	w.now = end
}

// held is a runner whose runs last until the test ends them.
type held struct {
	t       testing.TB
	pure    bool
	started []attune.Token
	stops   []attune.Token
	events  map[attune.Token]func(worker.Event)
	check   func()
}

func (h *held) Pure() bool { return h.pure }

func (h *held) Start(d *messages.Dispatch, events func(worker.Event)) {
	h.started = append(h.started, d.Token)
	h.events[d.Token] = events
	if h.check != nil {
		h.check()
	}
	events(worker.Event{Kind: worker.Started})
}

func (h *held) Stop(token attune.Token, _ time.Duration) { h.stops = append(h.stops, token) }

func (h *held) end(token attune.Token, kind messages.ReportKind, result string) {
	h.t.Helper()
	events := h.events[token]
	if events == nil {
		h.t.Fatalf("%s does not run", token)
	}
	delete(h.events, token)
	events(worker.Event{Kind: worker.Ended, End: kind, Result: []byte(result)})
}

func (h *held) write(token attune.Token, stream uint8, data []byte) {
	h.events[token](worker.Event{Kind: worker.Wrote, Stream: stream, Data: data})
}

// kept is a keeper of the held runs: it kills them when it begins.
type kept struct {
	runs   []*held
	begins int
	fails  int // how many begins fail
	until  time.Duration
}

func (k *kept) Begin(string) error {
	if k.fails > 0 {
		k.fails--
		return errors.New("a process does not die")
	}
	k.begins++
	k.until = 0
	for _, h := range k.runs {
		clear(h.events)
	}
	return nil
}

// Labels implements worker.Describer.
func (k *kept) Labels() map[string]string {
	return map[string]string{"begins": strconv.Itoa(k.begins), "zone": "the machine's"}
}

func (k *kept) Extend(until time.Duration) { k.until = until }

// rig is a worker, and a node that the test plays.
type rig struct {
	*testing.T
	*world
	broker  messages.Broker
	journal worker.Journal
	keeper  *kept
	held    *held
	idle    *held // pure
	config  worker.Config
	worker  *worker.Worker
	number  int // of incarnations made

	slow   bool // the journal's disk stands still
	writes []func()

	deaf     bool // the node answers nothing
	acks     bool // it acknowledges reports
	saves    bool // and output
	heard    []any
	lastBeat messages.Heartbeat
	lastSeen messages.Registered
}

func newRig(t *testing.T) *rig {
	r := &rig{T: t, world: &world{}}
	r.broker = memory.New(memory.Config{Lend: r.lend})
	r.journal = journal.NewMemory(func(f func()) {
		if r.slow {
			r.writes = append(r.writes, f)
			return
		}
		r.lend(f)
	})
	r.restartConfig()
	for _, exchange := range []messages.Exchange{messages.Heartbeats, messages.Reports} {
		for _, node := range []string{"n1", "n2"} {
			if exchange == messages.Heartbeats && node == "n2" {
				continue
			}
			if _, err := r.broker.Subscribe(exchange, node, func(m any) { r.node(node, m.(messages.Bundle)) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	return r
}

func (r *rig) restartConfig() {
	r.held = &held{t: r, events: map[attune.Token]func(worker.Event){}}
	r.idle = &held{t: r, pure: true, events: map[attune.Token]func(worker.Event){}}
	r.keeper = &kept{runs: []*held{r.held, r.idle}}
	r.config = worker.Config{
		Name: "w", Slots: 2, Labels: map[string]string{"zone": "the operator's"}, Broker: r.broker, Clock: r.world, Mono: r.mono, Lend: r.lend, Journal: r.journal, Keeper: r.keeper,
		Runners: map[string]worker.Runner{"held": r.held, "idle": r.idle, "noop": runners.Noop{}, "echo": runners.Echo{}},
		NewIncarnation: func() string {
			r.number++
			return fmt.Sprintf("w-%d", r.number)
		},
	}
}

// start starts the worker; with a node that hears, it is registered then.
func (r *rig) start() *rig {
	r.Helper()
	var err error
	if r.worker, err = worker.New(r.config); err != nil {
		r.Fatal(err)
	}
	if err := r.worker.Start(); err != nil {
		r.Fatal(err)
	}
	r.settle()
	return r
}

// crash drops the worker and all its runs' memory; start starts another.
func (r *rig) crash() {
	r.worker.Stop()
	r.restartConfig()
	r.heard = nil
}

func (r *rig) node(name string, b messages.Bundle) {
	if len(b.Items) > messages.MaxBundle {
		r.Errorf("a bundle of %d", len(b.Items))
	}
	for _, item := range b.Items {
		r.heard = append(r.heard, item)
		if r.deaf {
			continue
		}
		switch m := item.(type) {
		case messages.Registered:
			r.lastSeen = m
			r.send(messages.RegisterAck{Worker: m.Worker, Incarnation: m.Incarnation, Sent: m.Sent, Node: name})
		case messages.Heartbeat:
			r.lastBeat = m
			r.send(messages.HeartbeatAck{Worker: m.Worker, Incarnation: m.Incarnation, Sent: m.Sent, Node: name})
		case messages.Report:
			if r.acks && m.Kind != messages.Started && m.Kind != messages.NotMine {
				r.send(messages.ReportAck{Worker: m.Worker, Tokens: []attune.Token{m.Token}})
			}
		case messages.Output:
			if r.saves {
				r.send(messages.OutputAck{Token: m.Token, Worker: m.Worker, Stream: m.Stream, Through: m.Offset + int64(len(m.Data))})
			}
		}
	}
}

// thaw lets the journal's disk go on.
func (r *rig) thaw() {
	r.slow = false
	r.steps = append(r.steps, r.writes...)
	r.writes = nil
	r.settle()
}

func (r *rig) send(items ...any) {
	err := r.broker.Send(messages.ToWorkers, "w", messages.Bundle{From: "n1", Items: items})
	if err != nil && !errors.Is(err, messages.ErrUnroutable) {
		r.Fatal(err)
	}
}

// token is an attempt of an execution of partition n modulo 8.
func token(n int) attune.Token {
	return attune.Token{Execution: attune.ExecutionID(attune.MakeID(int64(n), n%8, 0)), Attempt: 1}
}

// dispatch is addressed to the newest incarnation, in epoch 1.
func (r *rig) dispatch(n int, runner string) messages.Dispatch {
	return messages.Dispatch{Token: token(n), Worker: "w", Incarnation: fmt.Sprintf("w-%d", r.number), Node: "n1", Epoch: 1,
		Runner: runner, Parameters: []byte(`{"message":"hello"}`)}
}

func (r *rig) query(n int, incarnation string) messages.StateQuery {
	return messages.StateQuery{Worker: "w", Node: "n1", Asked: []messages.TokenAt{{Token: token(n), Incarnation: incarnation, Epoch: 1}}}
}

// reports are the kinds reported of a token since the last call, in order.
func (r *rig) reports(n int) string {
	var kinds []string
	r.heard = slices.DeleteFunc(r.heard, func(m any) bool {
		report, ok := m.(messages.Report)
		if !ok || report.Token != token(n) {
			return false
		}
		kinds = append(kinds, report.Kind.String()+string(report.Result))
		return true
	})
	return fmt.Sprint(kinds)
}

// all takes everything of a kind that was heard since the last call.
func all[T any](r *rig) []T {
	var found []T
	r.heard = slices.DeleteFunc(r.heard, func(m any) bool {
		t, ok := m.(T)
		if ok {
			found = append(found, t)
		}
		return ok
	})
	return found
}

func (r *rig) expect(what string, got, want any) {
	r.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.Fatalf("%s: got %v, want %v", what, got, want)
	}
}
