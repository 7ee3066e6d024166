// Package brokertest is the contract of [messages.Broker] as a suite that every
// transport runs.
package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/attune-automation/attune/messages"
)

// patience is how long the suite waits for a message before it fails.
const patience = 10 * time.Second

// Run runs the suite. open gives a broker that nothing else uses; settle, which
// may be nil, lets a broker that is driven from outside deliver what it holds.
func Run(t *testing.T, open func(t testing.TB) messages.Broker, settle func()) {
	if settle == nil {
		settle = func() {}
	}
	for _, c := range []struct {
		name string
		test func(*bench)
	}{
		{"a direct exchange reaches the key and no other", direct},
		{"two subscriptions to one key both get every message", both},
		{"a fan-out exchange reaches everybody", fanOut},
		{"a topic exchange takes patterns", topic},
		{"messages of one subscription arrive in order, one at a time", order},
		{"a message to nobody is taken or unroutable", nobody},
		{"a subscription stops from within deliver, and twice", stopWithin},
		{"a stopped subscription gets nothing more", stopOutside},
		{"sync returns, unless its context is done", syncs},
		{"a closed broker takes nothing and delivers nothing", closes},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bench{t, open(t), settle}
			defer func() {
				if err := b.broker.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}()
			c.test(b)
		})
	}
}

type bench struct {
	*testing.T
	broker messages.Broker
	settle func()
}

// inbox collects who sent the bundles a subscription got.
type inbox chan string

func (b *bench) subscribe(exchange messages.Exchange, key string) (inbox, messages.Subscription) {
	b.Helper()
	in := make(inbox, 1000)
	s, err := b.broker.Subscribe(exchange, key, func(m any) { in <- m.(messages.Bundle).From })
	if err != nil {
		b.Fatalf("subscribe to %s %q: %v", exchange, key, err)
	}
	return in, s
}

func (b *bench) send(exchange messages.Exchange, key, from string) {
	b.Helper()
	if err := b.broker.Send(exchange, key, messages.Bundle{From: from, Items: []any{messages.Heartbeat{Worker: from}}}); err != nil {
		b.Fatalf("send %s to %s %q: %v", from, exchange, key, err)
	}
}

// expect waits for these bundles, in this order.
func (b *bench) expect(in inbox, want ...string) {
	b.Helper()
	b.settle()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var got []string
	for range want {
		select {
		case from := <-in:
			got = append(got, from)
		case <-ctx.Done():
			b.Fatalf("got %v, want %v", got, want)
		}
	}
	if !slices.Equal(got, want) {
		b.Fatalf("got %v, want %v", got, want)
	}
}

func direct(b *bench) {
	one, _ := b.subscribe(messages.ToWorkers, "w1")
	two, _ := b.subscribe(messages.ToWorkers, "w2")
	other, _ := b.subscribe(messages.Reports, "w1")
	b.send(messages.ToWorkers, "w1", "first")
	b.send(messages.ToWorkers, "w2", "second")
	b.send(messages.Reports, "w1", "third")
	b.expect(one, "first")
	b.expect(two, "second")
	b.expect(other, "third")
}

// both: two processes may have one worker's name, and each must hear that.
func both(b *bench) {
	one, _ := b.subscribe(messages.ToWorkers, "w")
	two, _ := b.subscribe(messages.ToWorkers, "w")
	b.send(messages.ToWorkers, "w", "first")
	b.send(messages.ToWorkers, "w", "second")
	b.expect(one, "first", "second")
	b.expect(two, "first", "second")
}

func fanOut(b *bench) {
	one, _ := b.subscribe(messages.Heartbeats, "")
	two, _ := b.subscribe(messages.Heartbeats, "")
	b.send(messages.Heartbeats, "", "beat")
	b.expect(one, "beat")
	b.expect(two, "beat")
}

func topic(b *bench) {
	completed, _ := b.subscribe(messages.Executions, "execution.completed")
	statuses, _ := b.subscribe(messages.Executions, "execution.status.*")
	all, _ := b.subscribe(messages.Executions, "#")
	b.send(messages.Executions, "execution.status.running", "running")
	b.send(messages.Executions, "execution.completed", "completed")
	b.send(messages.Executions, "execution.status.failed", "failed")
	b.expect(completed, "completed")
	b.expect(statuses, "running", "failed")
	b.expect(all, "running", "completed", "failed")
}

func order(b *bench) {
	const n = 500
	var inside atomic.Int32
	in := make(inbox, n)
	_, err := b.broker.Subscribe(messages.Reports, "n", func(m any) {
		if inside.Add(1) != 1 {
			b.Error("deliver was called while it ran")
		}
		in <- m.(messages.Bundle).From
		inside.Add(-1)
	})
	if err != nil {
		b.Fatal(err)
	}
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint(i))
		b.send(messages.Reports, "n", want[i])
	}
	b.expect(in, want...)
}

func nobody(b *bench) {
	err := b.broker.Send(messages.Reports, "nobody", messages.Bundle{From: "x"})
	if err != nil && !errors.Is(err, messages.ErrUnroutable) {
		b.Fatalf("send to nobody: %v", err)
	}
}

func stopWithin(b *bench) {
	in := make(inbox, 10)
	ready := make(chan messages.Subscription, 1)
	s, err := b.broker.Subscribe(messages.Reports, "n", func(m any) {
		s := <-ready
		s.Stop()
		s.Stop()
		in <- m.(messages.Bundle).From
	})
	if err != nil {
		b.Fatal(err)
	}
	ready <- s
	last, _ := b.subscribe(messages.Reports, "n2")
	b.send(messages.Reports, "n", "first")
	_ = b.broker.Send(messages.Reports, "n", messages.Bundle{From: "second"}) // may find nobody by now
	b.expect(in, "first")
	b.send(messages.Reports, "n2", "end")
	b.expect(last, "end")
	if len(in) != 0 {
		b.Fatal("a message arrived after Stop")
	}
}

func stopOutside(b *bench) {
	in, s := b.subscribe(messages.Reports, "n")
	b.send(messages.Reports, "n", "first")
	b.expect(in, "first")
	s.Stop()
	s.Stop()
	again, _ := b.subscribe(messages.Reports, "n")
	b.send(messages.Reports, "n", "second")
	b.expect(again, "second")
	if len(in) != 0 {
		b.Fatal("a message arrived after Stop")
	}
}

func syncs(b *bench) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	if err := b.broker.Sync(ctx); err != nil {
		b.Fatalf("sync: %v", err)
	}
	cancel()
	if err := b.broker.Sync(ctx); !errors.Is(err, context.Canceled) {
		b.Fatalf("sync with a done context: %v", err)
	}
}

func closes(b *bench) {
	in, _ := b.subscribe(messages.Reports, "n")
	b.send(messages.Reports, "n", "first")
	b.expect(in, "first")
	if err := b.broker.Close(); err != nil {
		b.Fatalf("close: %v", err)
	}
	if err := b.broker.Send(messages.Reports, "n", messages.Bundle{}); err == nil {
		b.Fatal("a closed broker took a message")
	}
	if _, err := b.broker.Subscribe(messages.Reports, "n", func(any) {}); err == nil {
		b.Fatal("a closed broker took a subscription")
	}
	if err := b.broker.Sync(context.Background()); err == nil {
		b.Fatal("a closed broker proved something")
	}
	b.settle()
	if len(in) != 0 {
		b.Fatal("a message arrived after Close")
	}
}
