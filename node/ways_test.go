package node_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/https"
)

// linked is a broker whose server can be away: what is sent meanwhile is lost.
type linked struct {
	messages.Broker
	away *atomic.Bool
}

func (l linked) Up() bool { return !l.away.Load() }

func (l linked) Send(exchange messages.Exchange, key string, m any) error {
	if l.away.Load() {
		return attune.NewError(attune.Unavailable, "away", "the broker is away")
	}
	return l.Broker.Send(exchange, key, m)
}

func (l linked) Sync(ctx context.Context) error {
	if l.away.Load() {
		return attune.NewError(attune.Unavailable, "away", "the broker is away")
	}
	return l.Broker.Sync(ctx)
}

// lent is a broker that is not closed with who uses it.
type lent struct{ linked }

func (lent) Close() error { return nil }

// door carries the requests of workers to the node that lives, without a
// network. It counts them.
type door struct {
	*rig
	calls atomic.Int64
	shut  atomic.Bool
}

func (d *door) RoundTrip(r *http.Request) (*http.Response, error) {
	d.calls.Add(1)
	n := d.Node
	if d.shut.Load() || n == nil {
		return nil, attune.NewError(attune.Unavailable, "no_door", "nobody listens")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	brought, err := messages.DecodeParcels(body)
	if err != nil {
		return nil, err
	}
	wait, err := strconv.Atoi(r.URL.Query().Get("wait"))
	if err != nil {
		return nil, err
	}
	all, err := n.LinkWorker(r.Context(), strings.Split(r.URL.Path, "/")[4], r.URL.Query().Get("session"), brought, time.Duration(wait)*time.Second)
	if err != nil {
		return nil, err
	}
	answer, err := messages.EncodeParcels(all)
	return &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(answer))}, err
}

// open gives all workers the second way, and the broker unless without.
func (r *rig) open(without bool) *door {
	d := &door{rig: r}
	session := 0
	r.via = func(name string, mono func() time.Duration) messages.Broker {
		session++
		c := https.Config{Worker: name, Session: strconv.Itoa(session), Servers: []string{"http://node"}, Client: &http.Client{Transport: d}, Mono: mono, Log: r.log}
		if !without {
			c.Broker = lent{r.broker.(linked)}
		}
		return https.New(c)
	}
	return d
}

// A worker that knows no broker does all that a worker does.
func TestAWorkerWithoutABrokerDoesEverything(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.open(true)
		r.work("w", 3)
		prints, fails, long := r.must(settings{MS: 20, Print: 5}), r.must(settings{MS: 20, Fail: true}), r.must(settings{MS: -1})
		r.reaches(prints, attune.Completed, 5*time.Second)
		r.reaches(fails, attune.Failed, 5*time.Second)
		r.reaches(long, attune.Running, 5*time.Second)
		time.Sleep(30 * time.Second) // its lease goes on
		if x := r.row(long); x.Status != attune.Running {
			t.Errorf("after 30 s it is %s: %s", x.Status, x.Reason)
		}
		r.mustCancel(long)
		r.reaches(long, attune.Cancelled, 5*time.Second)
		for range 20 {
			r.must(settings{MS: 10, Print: 1})
		}
		r.allOnce(20 * time.Second)
		if err := r.workers["w"].Drain(r.Context()); err != nil {
			t.Error(err)
		}
		r.until("it has left", 5*time.Second, func() bool { return r.workerNamed("w").State == attune.WorkerLeft })
	})
}

// The broker is away for 30 s, three leases: nothing is killed, and work goes on
// meanwhile. When it is back, the second way is left.
func TestAnOutageOfTheBrokerEndsNothing(t *testing.T) {
	inBubble(t, func(r *rig) {
		d := r.open(false)
		r.work("w", 4)
		long := r.must(settings{MS: 40_000})
		r.reaches(long, attune.Running, 5*time.Second)
		if n := d.calls.Load(); n != 0 {
			t.Errorf("%d requests while the broker carries everything", n)
		}
		r.cut.Store(true)
		time.Sleep(10 * time.Second)
		during := r.must(settings{MS: 10, Print: 2})
		r.reaches(during, attune.Completed, 5*time.Second)
		time.Sleep(20 * time.Second)
		r.cut.Store(false)
		time.Sleep(10 * time.Second)
		before := d.calls.Load()
		time.Sleep(10 * time.Second)
		if n := d.calls.Load() - before; n != 0 {
			t.Errorf("%d requests in 10 s although the broker is back", n)
		}
		r.reaches(long, attune.Completed, 5*time.Second)
		if v := r.workerNamed("w"); v.Incarnation != "w-1" || v.State != attune.WorkerAlive {
			t.Errorf("%s is %s", v.Incarnation, v.State)
		}
		r.allOnce(time.Second)
	})
}

// The broker stands, but the messages of nobody arrive: a worker notices by the
// silence.
func TestSilenceOpensTheSecondWay(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.open(false)
		r.work("w", 4)
		long := r.must(settings{MS: 30_000})
		r.reaches(long, attune.Running, 5*time.Second)
		r.lose.set(func(x messages.Exchange, _ string, _ any) bool { return x != messages.Executions })
		r.reaches(long, attune.Completed, time.Minute)
		r.lose.clear()
		r.allOnce(time.Second)
		if v := r.workerNamed("w"); v.Incarnation != "w-1" {
			t.Errorf("it became %s", v.Incarnation)
		}
	})
}

// A node that cannot hear because its own broker is away loses nobody, and gives
// a worker its whole lease to be heard afterwards. The naive way, to count from
// the last answer alone, declares the worker lost 12 s after that.
func TestADeafNodeLosesNobody(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2) // it knows the broker alone
		r.cut.Store(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		if v := r.workerNamed("w"); v.State != attune.WorkerAlive {
			t.Errorf("while the node is deaf, %s is %s", v.Incarnation, v.State)
		}
		r.cut.Store(false)
		time.Sleep(11 * time.Second)
		if v := r.workerNamed("w"); v.State != attune.WorkerAlive || v.Incarnation == "w-1" {
			t.Errorf("afterwards %s is %s", v.Incarnation, v.State) // its lease had ended: it is a new one
		}
		r.kill("w")
		time.Sleep(13 * time.Second)
		if v := r.workerNamed("w"); v.State != attune.WorkerLost {
			t.Errorf("13 s after its end it is %s", v.State)
		}
	})
}

// A worker that was heard by the second way is lost while the broker is away, as
// soon as it is silent.
func TestAWorkerIsLostDuringAnOutage(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.open(false)
		r.work("w", 2)
		long := r.must(settings{MS: -1})
		r.reaches(long, attune.Running, 5*time.Second)
		r.cut.Store(true)
		time.Sleep(20 * time.Second)
		r.kill("w")
		r.reaches(long, attune.Abandoned, 13*time.Second)
	})
}

// The lease is a setting of each worker: both sides count with it, also after a
// restart of the node.
func TestTheLeaseIsTheWorkersOwn(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.lease = 30 * time.Second
		r.work("w", 2)
		long := r.must(settings{MS: 60_000})
		r.reaches(long, attune.Running, 5*time.Second)
		r.lose.set(func(x messages.Exchange, _ string, _ any) bool { return x != messages.Executions })
		time.Sleep(25 * time.Second)
		r.lose.clear()
		r.reaches(long, attune.Completed, time.Minute)
		r.crash()
		r.start()
		time.Sleep(5 * time.Second) // it is heard again
		r.kill("w")
		time.Sleep(28 * time.Second)
		if v := r.workerNamed("w"); v.State != attune.WorkerAlive {
			t.Errorf("before its lease ends it is %s", v.State)
		}
		time.Sleep(4 * time.Second)
		if v := r.workerNamed("w"); v.State != attune.WorkerLost {
			t.Errorf("34 s after it was heard it is %s", v.State)
		}
		r.allOnce(time.Second)
	})
}
