package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/memory"
)

// link is a process's connection to the broker.
type link struct {
	messages.Broker
	world   *world
	process *process
	down    bool
	open    []messages.Subscription
}

func (w *world) connect(p *process) *link {
	return &link{Broker: memory.NewFaulty(w.broker, w.outside, w.fate), world: w, process: p}
}

// fate decides what becomes of a message. An announcement that the broker took
// is not lost: that is what its proof means.
func (w *world) fate(exchange messages.Exchange, _ string, _ any) memory.Fate {
	if w.calm {
		return memory.Passes
	}
	n := w.random.IntN(100)
	late := w.between(time.Millisecond, time.Second)
	if n < 2 {
		late = w.between(time.Second, 40*time.Second)
	}
	switch {
	case n == 99:
		w.count("message late", true)
		return memory.Fate{w.between(time.Second, 40*time.Second)}
	case n < 5:
		w.count("message doubled", true)
		return memory.Fate{0, late}
	case n < 10:
		w.count("message late", true)
		return memory.Fate{late}
	case n < 14 && exchange != messages.Executions:
		w.count("message lost", true)
		return nil
	}
	return memory.Passes
}

// Send implements messages.Broker.
func (l *link) Send(exchange messages.Exchange, key string, m any) error {
	if l.process.dead || l.down && exchange != messages.Executions {
		return nil
	}
	l.show(key, m)
	return l.Broker.Send(exchange, key, m)
}

// show traces what is said between nodes and workers.
func (l *link) show(key string, m any) {
	bundle, ok := m.(messages.Bundle)
	if !ok || l.world.out == nil {
		return
	}
	for _, item := range bundle.Items {
		text := fmt.Sprintf("%+v", item)
		if r, ok := item.(messages.Report); ok {
			text = fmt.Sprintf("%s %s %s", r.Kind, r.Token, r.Reason)
		}
		l.world.trace("%s to %s: %T %.200s", l.process.name, key, item, text)
	}
}

// Subscribe implements messages.Broker.
func (l *link) Subscribe(exchange messages.Exchange, key string, deliver func(any)) (messages.Subscription, error) {
	if l.down {
		return nil, errLink
	}
	s, err := l.Broker.Subscribe(exchange, key, func(m any) {
		if !l.down {
			deliver(m)
		}
	})
	if err == nil {
		l.open = append(l.open, s)
	}
	return s, err
}

// Sync implements messages.Broker.
func (l *link) Sync(ctx context.Context) error {
	if l.down {
		return errLink
	}
	return l.Broker.Sync(ctx)
}

var errLink = attune.NewError(attune.Unavailable, "link_down", "the broker cannot be reached")

// cut ends the connection of a process that died.
func (l *link) cut() {
	for _, s := range l.open {
		s.Stop()
	}
}
