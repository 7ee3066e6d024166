package https_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/brokertest"
	"github.com/attune-automation/attune/messages/https"
	"github.com/attune-automation/attune/messages/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var began = time.Now()

func mono() time.Duration { return time.Since(began) + time.Second }

// Both are brokers like any other where the first way carries everything.
func TestContract(t *testing.T) {
	t.Run("desk", func(t *testing.T) {
		brokertest.Run(t, func(testing.TB) messages.Broker { return https.NewDesk(memory.New(memory.Config{}), mono) }, nil)
	})
	t.Run("way", func(t *testing.T) {
		brokertest.Run(t, func(testing.TB) messages.Broker {
			return https.New(https.Config{Worker: "w", Broker: memory.New(memory.Config{}), Mono: mono, Client: &http.Client{}})
		}, nil)
	})
}

// nodes are servers by their host: each is a desk, or an error.
type nodes struct {
	mu    sync.Mutex
	desks map[string]*https.Desk
	asked []string
	// answer, if set, is what every server answers.
	answer func(*http.Request) (*http.Response, error)
}

func (n *nodes) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	n.asked = append(n.asked, r.URL.Host)
	desk, answer := n.desks[r.URL.Host], n.answer
	n.mu.Unlock()
	if answer != nil {
		return answer(r)
	}
	if desk == nil {
		return nil, errors.New("connection refused")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	brought, err := messages.DecodeParcels(body)
	if err != nil {
		return nil, err
	}
	wait, _ := strconv.Atoi(r.URL.Query().Get("wait"))
	all, err := desk.Call(r.Context(), "w", r.URL.Query().Get("session"), brought, time.Duration(wait)*time.Second)
	if err != nil {
		return nil, err
	}
	out, err := messages.EncodeParcels(all)
	return &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(out))}, err
}

func bundle(from string, items ...any) messages.Bundle {
	return messages.Bundle{From: from, Items: items}
}

// collect notes who sent the bundles of a subscription.
type collect struct {
	mu  sync.Mutex
	all []string
}

func (c *collect) take(m any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, m.(messages.Bundle).From)
}

func (c *collect) got() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

// A server that does not answer is followed by the next; what it was to carry
// is lost.
func TestServersAreTriedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New(memory.Config{})
		desk := https.NewDesk(inner, mono)
		n := &nodes{desks: map[string]*https.Desk{"b": desk}}
		w := https.New(https.Config{Worker: "w", Session: "1", Servers: []string{"https://a", "https://b/"}, Client: &http.Client{Transport: n}, Mono: mono})
		var toNode, toWorker collect
		must(t, subscribe(desk, messages.Reports, "n", toNode.take))
		must(t, subscribe(w, messages.ToWorkers, "w", toWorker.take))
		time.Sleep(time.Second)
		must(t, w.Send(messages.Reports, "n", bundle("w-1", messages.Report{Worker: "w"})))
		must(t, desk.Send(messages.ToWorkers, "w", bundle("n-1", messages.ReportAck{Worker: "w"})))
		must(t, w.Sync(t.Context()))
		synctest.Wait()
		if got := fmt.Sprint(toNode.got(), toWorker.got()); got != "[w-1] [n-1]" {
			t.Errorf("got %s", got)
		}
		must(t, w.Close())
		must(t, inner.Close())
		if n.asked[0] != "a" || !slices.Contains(n.asked, "b") {
			t.Errorf("asked %v", n.asked)
		}
	})
}

// Many bundles that are there at once go by few requests, and none is lost
// though an answer carries a bounded number.
func TestWhatWaitsGoesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New(memory.Config{})
		desk := https.NewDesk(inner, mono)
		n := &nodes{desks: map[string]*https.Desk{"a": desk}}
		w := https.New(https.Config{Worker: "w", Session: "1", Servers: []string{"https://a"}, Client: &http.Client{Transport: n}, Mono: mono})
		var toNode, toWorker collect
		must(t, subscribe(desk, messages.Heartbeats, "", toNode.take))
		must(t, subscribe(w, messages.ToWorkers, "w", toWorker.take))
		synctest.Wait()
		before := len(n.asked)
		for i := range 900 {
			must(t, w.Send(messages.Heartbeats, "", bundle(strconv.Itoa(i), messages.Heartbeat{Worker: "w"})))
			must(t, desk.Send(messages.ToWorkers, "w", bundle(strconv.Itoa(i), messages.HeartbeatAck{Worker: "w"})))
		}
		must(t, w.Sync(t.Context()))
		time.Sleep(time.Second)
		for _, got := range [][]string{toNode.got(), toWorker.got()} {
			seen := map[string]bool{}
			for _, from := range got {
				seen[from] = true
			}
			if len(got) != 900 || len(seen) != 900 {
				t.Errorf("%d came, %d of them different", len(got), len(seen))
			}
		}
		if requests := len(n.asked) - before; requests > 60 {
			t.Errorf("%d requests", requests)
		}
		must(t, w.Close())
		must(t, inner.Close())
	})
}

// Two processes of one name both hear everything, so that the second can be told
// that it is one too many; neither takes what is for the other.
func TestProcessesOfOneNameBothHear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New(memory.Config{})
		desk := https.NewDesk(inner, mono)
		n := &nodes{desks: map[string]*https.Desk{"a": desk}}
		var heard [2]collect
		var ways [2]*https.Way
		for i := range ways {
			ways[i] = https.New(https.Config{Worker: "w", Session: strconv.Itoa(i), Servers: []string{"https://a"}, Client: &http.Client{Transport: n}, Mono: mono})
			must(t, subscribe(ways[i], messages.ToWorkers, "w", heard[i].take))
		}
		synctest.Wait()
		for i := range 20 {
			must(t, desk.Send(messages.ToWorkers, "w", bundle(strconv.Itoa(i), messages.ReportAck{Worker: "w"})))
		}
		time.Sleep(time.Second)
		for i := range ways {
			if got := heard[i].got(); len(got) != 20 {
				t.Errorf("process %d heard %d", i, len(got))
			}
			must(t, ways[i].Close())
		}
		must(t, inner.Close())
	})
}

// A worker that calls no more is not sent to by this way; what waits for one that
// does is bounded.
func TestWhoDoesNotCallGetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New(memory.Config{})
		desk := https.NewDesk(inner, mono)
		ack := bundle("n", messages.ReportAck{Worker: "w"})
		if err := desk.Send(messages.ToWorkers, "w", ack); !errors.Is(err, messages.ErrUnroutable) {
			t.Errorf("before the first call: %v", err)
		}
		if all, err := desk.Call(t.Context(), "w", "1", nil, 0); err != nil || len(all) != 0 {
			t.Errorf("%v, %v", all, err)
		}
		lost := 0
		for range 1200 {
			if desk.Send(messages.ToWorkers, "w", ack) != nil {
				lost++
			}
		}
		if lost != 200 {
			t.Errorf("%d of 1200 did not fit", lost)
		}
		time.Sleep(6 * time.Second)
		if err := desk.Send(messages.ToWorkers, "w", ack); !errors.Is(err, messages.ErrUnroutable) {
			t.Errorf("6 s after the last call: %v", err)
		}
		if desk.Called("w") == 0 || desk.Called("v") != 0 {
			t.Errorf("called at %s and %s", desk.Called("w"), desk.Called("v"))
		}
		must(t, inner.Close())
	})
}

func TestWhatAWorkerMayNotBring(t *testing.T) {
	desk := https.NewDesk(memory.New(memory.Config{}), mono)
	defer desk.Close()
	var heard collect
	must(t, subscribe(desk, messages.Heartbeats, "", heard.take))
	good := messages.Parcel{Exchange: messages.Heartbeats, Message: bundle("w-1", messages.Heartbeat{Worker: "w"})}
	for _, c := range []struct {
		name string
		p    messages.Parcel
		kind attune.ErrorKind
	}{
		{"words of another worker", messages.Parcel{Exchange: messages.Reports, Key: "n", Message: bundle("v-1", messages.Report{Worker: "v"})}, attune.Denied},
		{"one word of another among its own", messages.Parcel{Exchange: messages.Heartbeats, Message: bundle("w-1", messages.Heartbeat{Worker: "w"}, messages.Registered{Worker: "v"})}, attune.Denied},
		{"words of nodes", messages.Parcel{Exchange: messages.Heartbeats, Message: bundle("n", messages.HeartbeatAck{Worker: "w"})}, attune.Invalid},
		{"messages to workers", messages.Parcel{Exchange: messages.ToWorkers, Key: "w", Message: bundle("w-1")}, attune.Invalid},
		{"announcements", messages.Parcel{Exchange: messages.Executions, Key: "execution.completed", Message: bundle("w-1")}, attune.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := desk.Call(t.Context(), "w", "1", []messages.Parcel{good, c.p}, 0); attune.KindOf(err) != c.kind {
				t.Errorf("%v", err)
			}
		})
	}
	if got := heard.got(); len(got) != 0 {
		t.Errorf("%v was taken although something else was refused", got)
	}
}

// A server that refuses the token is asked again, now and then, and what it says
// is in the log.
func TestARefusalIsNoEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int64
		n := &nodes{answer: func(*http.Request) (*http.Response, error) {
			count.Add(1)
			return &http.Response{StatusCode: 401, Status: "401 Unauthorized", Body: io.NopCloser(bytes.NewReader([]byte(`{"detail":"the token is unknown"}`)))}, nil
		}}
		w := https.New(https.Config{Worker: "w", Servers: []string{"https://a"}, Client: &http.Client{Transport: n}, Mono: mono})
		time.Sleep(10 * time.Second)
		if got := count.Load(); got < 10 || got > 30 {
			t.Errorf("asked %d times in 10 s", got)
		}
		must(t, w.Close())
	})
}

// A real server, with a certificate that only the given authority signed.
func TestCertificatesAreVerified(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "https://127.0.0.1:1/", http.StatusFound)
		}
	}))
	defer server.Close()
	stranger, err := https.NewClient(nil)
	must(t, err)
	if _, err := get(t, stranger, server.URL); err == nil {
		t.Error("a certificate of nobody is taken")
	}
	friend, err := https.NewClient(pemOf(server))
	must(t, err)
	defer friend.CloseIdleConnections()
	if _, err := get(t, friend, server.URL); err != nil {
		t.Error(err)
	}
	if _, err := get(t, friend, server.URL+"/away"); err == nil {
		t.Error("a redirect is followed, with the token")
	}
	if _, err := https.NewClient([]byte("no PEM")); attune.KindOf(err) != attune.Invalid {
		t.Error(err)
	}
}

func TestServersWithoutTLSAreWithinTheMachine(t *testing.T) {
	for server, good := range map[string]bool{
		"https://attune.example:9370": true, "https://10.0.0.1": true, "http://127.0.0.1:9370": true, "http://localhost:1": true, "http://[::1]:1": true,
		"http://attune.example": false, "http://10.0.0.1": false, "http://localhost.example": false, "ftp://127.0.0.1": false, "127.0.0.1:1": false, "": false,
		"https://user:pw@attune.example": false,
	} {
		if err := https.CheckServer(server); (err == nil) != good || err != nil && attune.KindOf(err) != attune.Invalid {
			t.Errorf("%q: %v", server, err)
		}
	}
}

// A URL is refused that bears a password, and the refusal goes to logs.
func TestARefusedServerDoesNotShowItsPassword(t *testing.T) {
	for _, server := range []string{"https://user:s3cr3t@attune.example", "https://s3cr3t@attune.example", "https://user:s3cr3t@attune.example:port",
		"ftp://user:s3cr3t@attune.example", "https://attune.example?token=s3cr3t", "https://user:s3cr3t%@attune.example"} {
		if err := https.CheckServer(server); err == nil || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: %v", server, err)
		}
	}
}

// A long lease leaves no worker waiting: when nothing comes by a broker that
// stands, it calls within seconds.
func TestALongLeaseDoesNotDelayTheSecondWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New(memory.Config{})
		desk := https.NewDesk(inner, mono)
		n := &nodes{desks: map[string]*https.Desk{"a": desk}}
		w := https.New(https.Config{Worker: "w", Session: "1", Servers: []string{"https://a"}, Broker: memory.New(memory.Config{}), // not the node's: nothing comes
			Client: &http.Client{Transport: n}, Mono: mono, Patience: 30 * time.Minute})
		var toWorker collect
		must(t, subscribe(w, messages.ToWorkers, "w", toWorker.take))
		time.Sleep(6 * time.Second)
		must(t, desk.Send(messages.ToWorkers, "w", bundle("n-1", messages.Dispatch{Worker: "w"})))
		time.Sleep(time.Second)
		if got := fmt.Sprint(toWorker.got()); got != "[n-1]" {
			t.Errorf("after 7 s of silence it has %s", got)
		}
		must(t, w.Close())
		must(t, inner.Close())
	})
}

// One process has two requests under way; many more are refused before they
// wait.
func TestCallsOfOneProcessAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		desk := https.NewDesk(memory.New(memory.Config{}), mono)
		call := func(name string) error {
			_, err := desk.Call(t.Context(), "w", name, nil, 5*time.Second)
			return err
		}
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if err := call("1"); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if err := call("1"); attune.KindOf(err) != attune.TooMuch {
			t.Errorf("the 17th: %v", err)
		}
		if err := call("2"); err != nil {
			t.Errorf("another process: %v", err)
		}
		all.Wait()
		if err := call("1"); err != nil {
			t.Errorf("when the others are answered: %v", err)
		}
		must(t, desk.Close())
	})
}

func subscribe(b messages.Broker, x messages.Exchange, key string, deliver func(any)) error {
	_, err := b.Subscribe(x, key, deliver)
	return err
}

func get(t *testing.T, c *http.Client, url string) (int, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	must(t, err)
	answer, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func pemOf(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}
