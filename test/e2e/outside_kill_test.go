package e2e_test

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/internal/servers/mqtest"
)

// insistent is a client that sends each message until the broker's server has
// confirmed it, whatever becomes of its connections.
type insistent struct {
	t         *testing.T
	url       string
	confirmed atomic.Int64
}

// send sends requests with these numbers as keys.
func (c *insistent) send(from, to int) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 4*patience)
	defer cancel()
	for n := from; n < to && ctx.Err() == nil; {
		if n = c.connected(ctx, n, to); n < to {
			select {
			case <-ctx.Done():
				c.t.Errorf("%d of %d are not confirmed", to-n, to-from)
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

// connected sends as long as one connection stands, and returns the number of the
// first that is not confirmed.
func (c *insistent) connected(ctx context.Context, n, to int) int {
	conn, err := amqp.Dial(c.url)
	if err != nil {
		return n
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil || ch.Confirm(false) != nil {
		return n
	}
	for ; n < to; n++ {
		body := fmt.Sprintf(`{"message_type": "execution.requested", "version": 1, "payload": {"action": "core.echo", "parameters": {"message": "%d"}, "dedupe": "request %d"}}`, n, n)
		d, err := ch.PublishWithDeferredConfirmWithContext(ctx, "attune.executions", "execution.requested", true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(body)})
		if err != nil {
			return n
		}
		if ok, err := d.WaitContext(ctx); err != nil || !ok {
			return n
		}
		c.confirmed.Add(1)
	}
	return n
}

// A message that is confirmed becomes one execution, whatever is killed: the
// broker's server, or that and the node.
func TestConfirmedMessagesSurviveTheirServers(t *testing.T) {
	t.Parallel()
	serversOnly(t)
	if testing.Short() {
		t.Skip("left out: kill -9 of the broker: -short")
	}
	const requests = 150
	w := newWorld(t)
	server := mqtest.Private(t)
	w.servers.broker = mqtest.Host(t, server)
	d := w.dev()
	// RabbitMQ 3.10 writes down which quorum queues there are within three minutes,
	// or at an orderly end: one that is younger does not come back from a kill.
	must(t, server.Stop(t.Context()))
	must(t, server.Start(t.Context()))
	var clients sync.WaitGroup
	defer clients.Wait()
	c := &insistent{t: t, url: w.servers.broker}
	for part := range 3 {
		clients.Go(func() { c.send(part*requests/3, (part+1)*requests/3) })
	}
	confirmed := func(n int64) {
		t.Helper()
		if !eventually(2*patience, func() bool { return c.confirmed.Load() >= n }) {
			t.Fatalf("only %d messages are confirmed, not %d", c.confirmed.Load(), n)
		}
	}
	confirmed(requests / 4)
	must(t, server.Kill())
	must(t, server.Start(t.Context()))
	confirmed(requests / 2)
	must(t, server.Kill())
	d.kill()
	must(t, server.Start(t.Context()))
	d = w.dev()
	clients.Wait()
	w.await(d, requests)
	if left := all[api.DeadLetterView](d, "/deadletters", nil); len(left) != 0 {
		t.Errorf("%+v are set aside", left)
	}
}

// await waits until there are so many executions and all have ended well, and
// finds out whether there come to be more.
func (w *world) await(d *dev, want int) {
	w.t.Helper()
	var found []api.ExecutionView
	if !eventually(2*patience, func() bool {
		found = all[api.ExecutionView](d, "/executions", url.Values{"limit": {"1000"}, "payload": {"true"}})
		ended := 0
		for _, x := range found {
			if x.Terminal {
				ended++
			}
		}
		return ended >= want
	}) {
		w.t.Fatalf("%d executions, not %d", len(found), want)
	}
	seen := map[string]string{}
	for _, x := range found {
		if before := seen[string(x.Parameters)]; before != "" || x.Status != "completed" {
			w.t.Errorf("%s is %s, and %s has the same parameters %s", x.ID, x.Status, before, x.Parameters)
		}
		seen[string(x.Parameters)] = x.ID
	}
	if len(seen) != want {
		w.t.Errorf("%d different executions, not %d", len(seen), want)
	}
}
