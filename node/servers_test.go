package node_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/cluster"
	"github.com/attune-automation/attune/internal/servers/mqtest"
	"github.com/attune-automation/attune/internal/servers/pgtest"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/core"
	"github.com/attune-automation/attune/persistence/postgres"
)

// nowhere is where no server listens.
const nowhere = "127.0.0.1:1"

// onServers says how to open a node on a database and a broker.
func onServers(t *testing.T, database, broker string) node.ServersConfig {
	t.Helper()
	return node.ServersConfig{OpenConfig: node.OpenConfig{Name: "one", Data: t.TempDir(), Packs: []*attune.Pack{packs.LoadFS(core.Files, core.Ref, "")}},
		Database: database, BrokerURL: broker, Migrate: true}
}

func openServers(t *testing.T, c node.ServersConfig) *node.Opened {
	t.Helper()
	n, err := node.OpenServers(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(context.Background()); err != nil {
			t.Errorf("the end of the node: %v", err)
		}
	})
	return n
}

// part is the health of one part.
func part(n *node.Opened, name string) api.PartHealth {
	for _, p := range n.Parts() {
		if p.Part == name {
			return p
		}
	}
	return api.PartHealth{}
}

// within waits until something is true, and returns how long that took.
func within(t *testing.T, limit time.Duration, what string, ask func() bool) time.Duration {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for !ask() {
		if <-tick.C; time.Since(began) > limit {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
	return time.Since(began)
}

func request(t *testing.T, n *node.Opened) attune.ExecutionID {
	t.Helper()
	r, err := n.RequestExecution(t.Context(), api.ExecutionRequest{Action: "core.noop"})
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

// What a node that was killed leaves is a lease that lives on. The next one owns
// everything as soon as that ends.
func TestANodeTakesOverWhenTheLeaseOfAKilledOneEnds(t *testing.T) {
	c := onServers(t, pgtest.URL(t), "amqp://guest:guest@"+nowhere)
	began := time.Now()
	first, err := node.OpenServers(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	usual := time.Since(began) // this machine may be slow
	var ids []attune.ExecutionID
	for range 600 { // over more than one partition: 256 requests in a row go to one
		ids = append(ids, request(t, first))
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	store, err := postgres.Open(t.Context(), postgres.Config{URL: c.Database})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]int, attune.Partitions)
	for i := range all {
		all[i] = i
	}
	if _, err = store.Acquire(t.Context(), "one-killed", "one", cluster.LeaseTTL); err == nil {
		err = store.TakeOver(t.Context(), first.Node.Node().Incarnation, "one-killed", all)
	}
	killed := time.Now()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	n := openServers(t, c)
	within(t, 10*time.Second, "all partitions are the node's", func() bool { return part(n, "partitions").State == api.PartOK })
	if took := time.Since(killed); took < cluster.LeaseTTL-time.Second || took > cluster.LeaseTTL+time.Second+usual {
		t.Errorf("it took %s, and the lease lived %s", took, cluster.LeaseTTL)
	}
	for _, id := range ids {
		x, err := n.Cancel(t.Context(), id, "", "test")
		if err != nil || x.Status != attune.Cancelled {
			t.Fatalf("%s: %v, %+v", id, err, x)
		}
	}
}

func TestANodeWaitsForItsDatabase(t *testing.T) {
	server := pgtest.Private(t)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	var reason atomic.Pointer[string]
	c := onServers(t, server.URL(), "amqp://guest:guest@"+nowhere)
	c.Waits = func(why string) { reason.Store(&why) }
	opened := make(chan *node.Opened, 1)
	go func() { opened <- openServers(t, c) }()
	within(t, 10*time.Second, "it says that the database is away", func() bool { r := reason.Load(); return r != nil && strings.Contains(*r, "database") })
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := <-opened; part(n, "store").State != api.PartOK {
		t.Errorf("%+v", n.Parts())
	}
	ctx, stop := context.WithCancelCause(t.Context())
	stop(context.Canceled)
	c.Data, c.Database = t.TempDir(), "postgres://"+nowhere+"/attune"
	if _, err := node.OpenServers(ctx, c); err == nil || ctx.Err() == nil {
		t.Errorf("it does not end with its context: %v", err)
	}
}

// Without the broker a node takes what it is asked for, and keeps it.
func TestANodeTakesRequestsWithoutItsBroker(t *testing.T) {
	n := openServers(t, onServers(t, pgtest.URL(t), "amqp://guest:guest@"+nowhere))
	if p := part(n, "broker"); p.State != api.PartDegraded || n.Ready() != nil {
		t.Errorf("%+v, %v", p, n.Ready())
	}
	id := request(t, n)
	if x, err := n.Store.Execution(t.Context(), id); err != nil || x.Status != attune.Scheduling {
		t.Errorf("%+v, %v", x, err)
	}
}

func TestANodeKnowsThatItsBrokerIsThere(t *testing.T) {
	n := openServers(t, onServers(t, pgtest.URL(t), mqtest.URL(t)))
	within(t, 30*time.Second, "the broker is there", func() bool { return part(n, "broker").State == api.PartOK })
}

// One data folder is of one process, whatever that is.
func TestASecondNodeOnADataFolderIsRefused(t *testing.T) {
	c := onServers(t, pgtest.URL(t), "amqp://guest:guest@"+nowhere)
	openServers(t, c)
	if _, err := node.OpenServers(t.Context(), c); attune.KindOf(err) != attune.Conflict {
		t.Errorf("a second node: %v", err)
	}
	if _, err := node.OpenEmbedded(t.Context(), node.EmbeddedConfig{Data: c.Data, KeeperArgs: []string{"keeper"}}); attune.KindOf(err) != attune.Conflict {
		t.Errorf("attune dev on the same folder: %v", err)
	}
}

func TestAKeyThatIsNamedIsNotMade(t *testing.T) {
	c := onServers(t, pgtest.URL(t), "amqp://guest:guest@"+nowhere)
	c.KeyFile = c.Data + "/shared.key"
	if _, err := node.OpenServers(t.Context(), c); attune.KindOf(err) != attune.NotFound {
		t.Errorf("a key that is not there: %v", err)
	}
}

func TestTheBrokersCountsAreMetrics(t *testing.T) {
	n := openServers(t, onServers(t, pgtest.URL(t), mqtest.URL(t)))
	read := func(name, outcome string) (sum float64) {
		all, err := n.Metrics().Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			for _, m := range f.GetMetric() {
				if labels := m.GetLabel(); f.GetName() == name && (len(labels) == 0 || labels[0].GetValue() == outcome) {
					sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
				}
			}
		}
		return sum
	}
	within(t, 30*time.Second, "the broker is up", func() bool { return read("attune_broker_up", "") == 1 })
	within(t, 30*time.Second, "the proof of the topology is counted", func() bool { return read("attune_broker_messages_total", "published") > 0 })
}
