package rabbitmq

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Prove shows that the topology works, for the start of a node: exchanges and
// queues are as the tables say, or can be made so; a probe reaches each of our
// subscriptions that has one key or is to a fan-out exchange; a probe published
// to each queue of messages from outside, dead letters included, is routed and
// confirmed. An error says which step failed; it waits for a connection until
// ctx is done.
//
// A probe ends at the first subscription that sees it, of any node, and nobody is
// told. One to the dead letters, which nobody may take from for long, expires at
// once; in the other queues it would be a dead letter then, and waits.
func (b *Broker) Prove(ctx context.Context) error {
	err := b.prove(ctx)
	b.stats.proven.Store(err == nil)
	return err
}

func (b *Broker) prove(ctx context.Context) error {
	if err := b.standing(ctx); err != nil {
		return unproven("a connection", err)
	}
	for queue := range messages.Queues {
		if err := b.confirmed.declare(ctx, b, queue); err != nil {
			return unproven("the queue "+string(queue), err)
		}
	}
	for queue, binding := range messages.Queues {
		for _, key := range binding.Keys {
			if key == "#" {
				key = "attune.probe"
			}
			probe := amqp.Publishing{ContentType: probeType, Body: []byte(rand.Text()), DeliveryMode: amqp.Transient}
			if queue == messages.DeadQueue {
				probe.Expiration = "0"
			}
			if err := b.confirmed.publish(ctx, b, binding.Exchange, key, &probe); err != nil {
				return unproven(fmt.Sprintf("%s under %s to the queue %s", binding.Exchange, key, queue), err)
			}
		}
	}
	for _, s := range b.probed() {
		if err := b.probe(ctx, s); err != nil {
			return unproven(fmt.Sprintf("%s under %q to ourselves", s.exchange, s.key), err)
		}
	}
	return nil
}

func unproven(what string, err error) error {
	return &attune.Error{Kind: attune.Unavailable, Code: "broker_unproven", Message: "the broker's topology is not as it must be", Where: what,
		Try: "compare exchanges and queues with docs/protocols.md; one that was made otherwise must be deleted", Cause: err}
}

// standing waits for both connections.
func (b *Broker) standing(ctx context.Context) error {
	for {
		changed := b.bell.heard()
		switch {
		case b.connections.Err() != nil:
			return errClosed
		case ctx.Err() != nil:
			return errors.Join(errAway, ctx.Err())
		case b.Up():
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-b.connections.Done():
		}
	}
}

// The times of keepProving: subscriptions have proveAfter to come up, a proof
// may take proveTime, and one that failed is repeated.
const (
	proveAfter = time.Second
	proveTime  = 20 * time.Second
	proveAgain = 30 * time.Second
)

// keepProving proves the topology after each time that the connections came up.
func (b *Broker) keepProving(ctx context.Context) {
	for b.standing(ctx) == nil {
		changed := b.bell.heard()
		pause(ctx, proveAfter)
		limited, cancel := context.WithTimeout(ctx, proveTime)
		err := b.Prove(limited)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			b.config.Log.Info("broker topology proven")
			select {
			case <-ctx.Done():
			case <-changed:
			}
		case b.Up():
			b.config.Log.Error("the broker cannot be used as it is", slog.String("error", err.Error()))
			pause(ctx, proveAgain)
		}
	}
}

// probed are the subscriptions that a probe can be sent to.
func (b *Broker) probed() []*bundles {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []*bundles
	for _, s := range b.own {
		if messages.Topology[s.exchange] != messages.Topic {
			all = append(all, s)
		}
	}
	return all
}

// probe sends one to a subscription, which others may see too.
func (b *Broker) probe(ctx context.Context, s *bundles) error {
	id := s.queue + " " + rand.Text()
	arrived := b.probes.expect(id)
	defer b.probes.forget(id)
	p := amqp.Publishing{ContentType: probeType, Body: []byte(id), DeliveryMode: amqp.Transient}
	if err := b.confirmed.publish(ctx, b, s.exchange, s.key, &p); err != nil {
		return err
	}
	select {
	case <-arrived:
		return nil
	case <-s.ctx.Done(): // it was stopped
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// probes are the probes under way.
type probes struct {
	mu   sync.Mutex
	sent map[string]chan struct{}
}

// probeType is the content type of a probe: nobody is told of it.
const probeType = "application/vnd.attune.probe"

func (p *probes) expect(id string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent == nil {
		p.sent = map[string]chan struct{}{}
	}
	arrived := make(chan struct{})
	p.sent[id] = arrived
	return arrived
}

// arrived is called with the id of a probe and the queue it came by.
func (p *probes) arrived(id, queue string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.sent[id]; c != nil && strings.HasPrefix(id, queue+" ") {
		close(c)
		delete(p.sent, id)
	}
}

func (p *probes) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sent, id)
}
