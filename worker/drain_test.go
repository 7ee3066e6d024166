package worker_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/memory"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/journal"
	"github.com/attune-automation/attune/worker/runners"
)

func TestADrainTakesNothingAndLosesNothing(t *testing.T) {
	r := newRig(t).start()
	r.send(r.dispatch(1, "held"))
	r.settle()
	left := 0
	r.worker.BeginDrain(func() { left++ })
	r.send(r.dispatch(2, "held"))
	r.advance(4 * time.Second)
	r.expect("says of what came late", r.reports(2), "[returned returned returned]")
	r.expect("heartbeats say it", r.lastBeat.Draining, true)
	r.expect("left with a run", left, 0)
	r.held.end(token(1), messages.Finished, "")
	r.settle()
	r.expect("left with a report", left, 0)
	r.acks = true
	r.advance(2 * time.Second)
	r.expect("left", left, 1)
	r.expect("draining, also to who dispatched in vain", all[messages.Draining](r), "[{w w-1 false} {w w-1 false} {w w-1 true}]")
	all[messages.Heartbeat](r)
	r.advance(time.Minute)
	r.expect("silent", len(all[messages.Heartbeat](r)), 0)
	r.expect("incarnations", r.number, 1)
	r.worker.BeginDrain(func() { left++ })
	r.settle()
	r.expect("left again", left, 2)
}

// wall is the clock of a synctest bubble.
type wall struct{}

func (wall) Now() time.Time { return time.Now() }

func (wall) AfterFunc(d time.Duration, f func()) attune.Timer { return time.AfterFunc(d, f) }

// With goroutines of its own, a worker does the same, and leaves none behind.
func TestAWorkerWithGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := memory.New(memory.Config{})
		defer broker.Close()
		begun := time.Now()
		w, err := worker.New(worker.Config{
			Name: "w", Slots: 100, NewIncarnation: func() string { return "i" }, Broker: broker, Clock: wall{},
			Mono: func() time.Duration { return time.Since(begun) }, Journal: journal.NewMemory(nil),
			Runners: map[string]worker.Runner{"noop": runners.Noop{}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		finished := map[attune.Token]bool{}
		node := func(m any) {
			for _, item := range m.(messages.Bundle).Items {
				switch m := item.(type) {
				case messages.Registered:
					_ = broker.Send(messages.ToWorkers, "w", messages.RegisterAck{Incarnation: "i", Sent: m.Sent})
				case messages.Heartbeat:
					_ = broker.Send(messages.ToWorkers, "w", messages.HeartbeatAck{Incarnation: "i", Sent: m.Sent})
				case messages.Report:
					if m.Kind == messages.Finished {
						mu.Lock()
						finished[m.Token] = true
						mu.Unlock()
						_ = broker.Send(messages.ToWorkers, "w", messages.ReportAck{Tokens: []attune.Token{m.Token}})
					}
				}
			}
		}
		for _, exchange := range []messages.Exchange{messages.Heartbeats, messages.Reports} {
			if _, err := broker.Subscribe(exchange, "n1", node); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for n := range 100 {
			_ = broker.Send(messages.ToWorkers, "w", messages.Dispatch{Token: token(n + 1), Worker: "w", Incarnation: "i", Node: "n1", Runner: "noop"})
		}
		synctest.Wait()
		if len(finished) != 100 {
			t.Fatalf("%d finished", len(finished))
		}
		time.Sleep(time.Minute)
		if err := w.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.Stop()
		w.Stop()
	})
}

func TestADrainIsBoundedByItsContext(t *testing.T) {
	r := newRig(t).start()
	r.send(r.dispatch(1, "held"))
	r.settle()
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	cancel(reason)
	if err := r.worker.Drain(ctx); !errors.Is(err, reason) {
		t.Fatal(err)
	}
}

func TestAWorkerIsConfigured(t *testing.T) {
	for _, spoil := range []func(*worker.Config){
		func(c *worker.Config) { c.Name = "" },
		func(c *worker.Config) { c.Slots = 0 },
		func(c *worker.Config) { c.Runners = nil },
		func(c *worker.Config) { c.Journal = nil },
	} {
		config := newRig(t).config
		spoil(&config)
		if _, err := worker.New(config); attune.KindOf(err) != attune.Invalid {
			t.Error(err)
		}
	}
}
