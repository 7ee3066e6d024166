package brokertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Outpost is a broker that clients outside can reach.
type Outpost interface {
	messages.Broker
	messages.Inbox
}

// RunInbox runs the suite of [messages.Inbox]; its arguments are those of [Run].
func RunInbox(t *testing.T, open func(t testing.TB) Outpost, settle func()) {
	if settle == nil {
		settle = func() {}
	}
	for _, c := range []struct {
		name string
		test func(*post)
	}{
		{"a message arrives as it was published", whole},
		{"a message waits for somebody who takes it", waits},
		{"an acknowledged message is gone", acknowledged},
		{"a returned message comes again and is counted", returned},
		{"no more than the prefetch is unsettled", prefetched},
		{"what is unsettled at the end of a subscription comes again", unsettled},
		{"what was acknowledged just before the end is gone", justBefore},
		{"what is settled twice, or after the end, does nothing", settledTwice},
		{"two who take from one queue share it", shared},
		{"each key reaches its queue, and an unknown one is unroutable", routed},
		{"what is returned too often is a dead letter", tooOften},
		{"a closed broker takes nothing", closedInbox},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &post{t, open(t), settle}
			defer func() {
				if err := p.broker.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}()
			c.test(p)
		})
	}
}

type post struct {
	*testing.T
	broker Outpost
	settle func()
}

func (p *post) publish(exchange messages.Exchange, key, body string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	defer cancel()
	if err := p.broker.Publish(ctx, exchange, key, messages.Outside{ID: "id-" + body, Body: []byte(body)}); err != nil {
		p.Fatalf("publish to %s %q: %v", exchange, key, err)
	}
}

func (p *post) event(body string) {
	p.Helper()
	p.publish(messages.Events, "event.created", body)
}

func (p *post) consume(queue messages.Queue, prefetch int) (chan *messages.Delivery, messages.Subscription) {
	p.Helper()
	in := make(chan *messages.Delivery, 100)
	s, err := p.broker.Consume(queue, prefetch, func(d *messages.Delivery) { in <- d })
	if err != nil {
		p.Fatalf("consume from %s: %v", queue, err)
	}
	return in, s
}

// next waits for a delivery, of one of several streams.
func (p *post) next(in ...chan *messages.Delivery) *messages.Delivery {
	p.Helper()
	p.settle()
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	defer cancel()
	second := in[len(in)-1]
	select {
	case d := <-in[0]:
		return d
	case d := <-second:
		return d
	case <-ctx.Done():
		p.Fatal("nothing is delivered")
		return nil
	}
}

func (p *post) expect(in chan *messages.Delivery, body string) *messages.Delivery {
	p.Helper()
	d := p.next(in)
	if string(d.Body) != body {
		p.Fatalf("got %q, want %q", d.Body, body)
	}
	return d
}

func whole(p *post) {
	in, _ := p.consume(messages.EventQueue, 10)
	sent := messages.Outside{ID: "m-1", ContentType: "text/x", Headers: map[string]string{"source": "a", "empty": ""}, Body: []byte("hello\x00")}
	if err := p.broker.Publish(p.Context(), messages.Events, "event.created", sent); err != nil {
		p.Fatal(err)
	}
	d := p.next(in)
	if d.ID != sent.ID || d.ContentType != sent.ContentType || !maps.Equal(d.Headers, sent.Headers) || string(d.Body) != string(sent.Body) ||
		d.Exchange != messages.Events || d.Key != "event.created" || d.Deliveries != 1 {
		p.Fatalf("got %+v", d)
	}
	d.Ack()
	p.event("plain")
	if d = p.expect(in, "plain"); d.ContentType != "application/json" {
		p.Fatalf("without a content type it is %q", d.ContentType)
	}
}

func waits(p *post) {
	p.event("one")
	p.event("two")
	in, _ := p.consume(messages.EventQueue, 10)
	p.expect(in, "one").Ack()
	p.expect(in, "two").Ack()
}

func acknowledged(p *post) {
	in, s := p.consume(messages.EventQueue, 1)
	p.event("one")
	p.event("two")
	p.expect(in, "one").Ack()
	p.expect(in, "two") // so the first is acknowledged
	s.Stop()
	again, _ := p.consume(messages.EventQueue, 10)
	p.expect(again, "two").Ack()
	p.event("three")
	p.expect(again, "three")
}

func returned(p *post) {
	in, _ := p.consume(messages.EventQueue, 1)
	p.event("one")
	for n := 1; n <= 4; n++ {
		d := p.expect(in, "one")
		if d.Deliveries != n || d.ID != "id-one" || d.Key != "event.created" {
			p.Fatalf("delivery %d: %+v", n, d)
		}
		d.Return()
	}
	p.expect(in, "one").Ack()
	p.event("two")
	if d := p.expect(in, "two"); d.Deliveries != 1 {
		p.Fatalf("the next one comes for the %d. time", d.Deliveries)
	}
}

func prefetched(p *post) {
	in, _ := p.consume(messages.EventQueue, 2)
	p.event("one")
	p.event("two")
	p.event("three")
	one := p.expect(in, "one")
	p.expect(in, "two")
	// A third would come before an answer of the broker to something later.
	p.publish(messages.Executions, "execution.requested", "other")
	requests, _ := p.consume(messages.RequestQueue, 1)
	p.expect(requests, "other")
	if len(in) != 0 {
		p.Fatal("more than the prefetch is delivered")
	}
	one.Ack()
	p.expect(in, "three")
}

func unsettled(p *post) {
	in, s := p.consume(messages.EventQueue, 10)
	p.event("one")
	p.event("two")
	p.expect(in, "one")
	p.expect(in, "two").Ack()
	p.event("three")
	p.expect(in, "three")
	s.Stop()
	s.Stop()
	again, _ := p.consume(messages.EventQueue, 10)
	got := map[string]int{}
	for range 2 {
		d := p.next(again)
		got[string(d.Body)] = d.Deliveries
		d.Ack()
	}
	if got["one"] != 2 || got["three"] != 2 {
		p.Fatalf("came again: %v", got)
	}
}

func justBefore(p *post) {
	in, s := p.consume(messages.EventQueue, 10)
	for _, body := range []string{"one", "two", "three"} {
		p.event(body)
	}
	for _, body := range []string{"one", "two", "three"} {
		p.expect(in, body).Ack()
	}
	s.Stop()
	again, _ := p.consume(messages.EventQueue, 10)
	p.event("four")
	p.expect(again, "four")
}

func settledTwice(p *post) {
	in, s := p.consume(messages.EventQueue, 10)
	p.event("one")
	d := p.expect(in, "one")
	d.Ack()
	d.Ack()
	d.Return()
	p.event("two")
	d = p.expect(in, "two")
	s.Stop()
	again, _ := p.consume(messages.EventQueue, 10)
	p.expect(again, "two")
	d.Ack() // of the ended subscription
	d.Return()
	p.event("three")
	p.expect(again, "three")
}

func shared(p *post) {
	one, _ := p.consume(messages.EventQueue, 5)
	two, _ := p.consume(messages.EventQueue, 5)
	var want, got []string
	for i := range 40 {
		want = append(want, fmt.Sprintf("%02d", i))
		p.event(want[i])
	}
	for range want {
		d := p.next(one, two)
		got = append(got, string(d.Body))
		d.Ack()
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		p.Fatalf("got %v", got)
	}
}

func routed(p *post) {
	events, _ := p.consume(messages.EventQueue, 10)
	requests, _ := p.consume(messages.RequestQueue, 10)
	dead, _ := p.consume(messages.DeadQueue, 10)
	for _, c := range []struct {
		exchange messages.Exchange
		key      string
		in       chan *messages.Delivery
	}{
		{messages.Events, "event.created", events},
		{messages.Executions, "enforcement.created", requests},
		{messages.Executions, "execution.requested", requests},
		{messages.Executions, "execution.cancel.requested", requests},
		{messages.Dead, "event.created", dead},
		{messages.Dead, "anything.at.all", dead},
	} {
		p.publish(c.exchange, c.key, c.key)
		d := p.expect(c.in, c.key)
		if d.Exchange != c.exchange || d.Key != c.key {
			p.Fatalf("%+v", d)
		}
		d.Ack()
	}
	if err := p.broker.Publish(p.Context(), messages.Events, "event.unknown", messages.Outside{}); !errors.Is(err, messages.ErrUnroutable) {
		p.Fatalf("an unknown key: %v", err)
	}
	if err := p.broker.Publish(p.Context(), "attune.nowhere", "k", messages.Outside{}); attune.KindOf(err) != attune.Invalid {
		p.Fatalf("an unknown exchange: %v", err)
	}
	if _, err := p.broker.Consume("attune.nothing", 1, func(*messages.Delivery) {}); attune.KindOf(err) != attune.Invalid {
		p.Fatalf("an unknown queue: %v", err)
	}
}

func tooOften(p *post) {
	in, _ := p.consume(messages.EventQueue, 1)
	dead, _ := p.consume(messages.DeadQueue, 1)
	p.event("bad")
	for range messages.DeliveryLimit + 1 {
		p.expect(in, "bad").Return()
	}
	d := p.expect(dead, "bad")
	if d.Key != "event.created" || d.Exchange != messages.Dead || d.ID != "id-bad" {
		p.Fatalf("the dead letter: %+v", d)
	}
	for range messages.DeliveryLimit + 5 { // which is never too often here
		d.Return()
		d = p.expect(dead, "bad")
	}
	d.Ack()
	p.event("good")
	p.expect(in, "good").Ack()
}

func closedInbox(p *post) {
	in, _ := p.consume(messages.EventQueue, 10)
	p.event("one")
	d := p.expect(in, "one")
	if err := p.broker.Close(); err != nil {
		p.Fatal(err)
	}
	d.Ack()
	d.Return()
	if err := p.broker.Publish(p.Context(), messages.Events, "event.created", messages.Outside{}); err == nil {
		p.Fatal("a closed broker took a message")
	}
	if _, err := p.broker.Consume(messages.EventQueue, 1, func(*messages.Delivery) {}); err == nil {
		p.Fatal("a closed broker took a subscription")
	}
	p.settle()
	if len(in) != 0 {
		p.Fatal("a message arrived after Close")
	}
}
