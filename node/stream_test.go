package node_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/core"
)

// served is a node with its API on a real connection.
type served struct {
	embedded
	url, token string
}

func serve(ctx context.Context, t *testing.T) served {
	t.Helper()
	e := open(ctx, t, node.EmbeddedConfig{Data: t.TempDir(), Packs: []*attune.Pack{packs.LoadFS(core.Files, core.Ref, "")}, Slots: 4,
		KeeperArgs: []string{"keeper"}, Mode: contained(t)})
	t.Cleanup(func() { e.close(context.Background()) })
	secret, token := api.NewToken("reader", attune.RoleOperator)
	if err := e.Store.PutAccessToken(ctx, token); err != nil {
		t.Fatal(err)
	}
	handler, err := api.New(api.Config{Engine: e.Node, Store: e.Store, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Now: time.Now,
		AfterFunc: func(d time.Duration, f func()) attune.Timer { return time.AfterFunc(d, f) }})
	if err != nil {
		t.Fatal(err)
	}
	requests, end := context.WithCancel(context.Background())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, BaseContext: func(net.Listener) context.Context { return requests }} //nolint:gosec // loopback, in a test
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() { end(); _ = server.Close(); serving.Wait() })
	return served{e, "http://" + listener.Addr().String(), secret}
}

// run asks for so many executions, some at a time, and returns their ids when
// they are durable.
func (s served) run(ctx context.Context, count int) map[string]bool {
	s.t.Helper()
	var mu sync.Mutex
	ids := map[string]bool{}
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for range count / 8 {
				receipt, err := s.RequestExecution(ctx, api.ExecutionRequest{Action: "core.noop", Chain: attune.Chain{Principal: "me"}})
				if err != nil {
					s.t.Error(err)
					return
				}
				mu.Lock()
				ids[receipt.ID.String()] = true
				mu.Unlock()
			}
		})
	}
	senders.Wait()
	return ids
}

// breaking is a way to a server on which every connection breaks after some
// bytes.
func breaking(t *testing.T, target string, limit func() int64) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var ways sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); ways.Wait() })
	ways.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			bytes := limit()
			ways.Go(func() {
				defer near.Close()
				far, err := net.Dial("tcp", strings.TrimPrefix(target, "http://"))
				if err != nil {
					return
				}
				defer far.Close()
				ways.Go(func() { _, _ = io.Copy(far, near); _ = far.Close() })
				_, _ = io.CopyN(near, far, bytes)
			})
		}
	})
	return "http://" + listener.Addr().String()
}

// A stream over a connection that breaks again and again, anywhere, shows every
// change once and none twice.
func TestAStreamIsWholeOverBrokenConnections(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s := serve(ctx, t)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // one seed is one run
	way := breaking(t, s.url, func() int64 { return 500 + random.Int64N(40_000) })
	c, err := client.New(way, s.token)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	last, connections, opened := "", 0, make(chan struct{})
	ended, lastNumber := map[string]int{}, int64(-1)
	var want map[string]bool
	asked := make(chan map[string]bool, 1)
	follow := func() error {
		stream, err := c.Changes(ctx, nil, last)
		if err != nil {
			return err
		}
		defer stream.Close()
		connections++
		for {
			m, err := stream.Next()
			last = stream.Last()
			if err != nil {
				return err
			}
			var number int64
			if _, err := fmt.Sscanf(m.ID[strings.LastIndex(m.ID, ":")+1:], "%d", &number); err != nil {
				t.Fatal(err)
			}
			switch m.Event {
			case api.StreamOpen:
				if lastNumber < 0 {
					lastNumber = number
					close(opened)
				}
			case api.StreamReset:
				t.Fatalf("a gap at %s", m.ID)
			default:
				if number != lastNumber+1 {
					t.Fatalf("%d after %d", number, lastNumber)
				}
				lastNumber = number
				var v api.ChangeView
				if err := m.Into(&v); err != nil {
					t.Fatal(err)
				}
				if v.Terminal {
					ended[v.ID]++
				}
			}
			select {
			case want = <-asked:
			default:
			}
			if want != nil && len(ended) == len(want) {
				return nil
			}
		}
	}
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() {
		select {
		case <-opened:
			asked <- s.run(ctx, 1600)
		case <-ctx.Done():
		}
	})
	for err := follow(); err != nil; err = follow() {
		if ctx.Err() != nil {
			t.Fatalf("%d of %d have ended on the stream: %v", len(ended), len(want), err)
		}
	}
	for id, times := range ended {
		if times != 1 || !want[id] {
			t.Errorf("%s has ended %d times", id, times)
		}
	}
	if connections < 10 || len(ended) != 1600 {
		t.Errorf("%d executions over %d connections", len(ended), connections)
	}
	t.Logf("%d changes of %d executions over %d connections", lastNumber, len(ended), connections)
}

// Naively, a reader that does not read holds the engine up, or what it leaves
// unread piles up.
func TestAStreamThatIsNotReadCostsTheEngineNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s := serve(ctx, t)
	for range 20 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", s.token)
		if _, err := io.ReadFull(conn, make([]byte, 20)); err != nil { // it is open, and nothing more is read
			t.Fatal(err)
		}
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for id := range s.run(ctx, 1600) {
		parsed, err := attune.ParseExecutionID(id)
		if err != nil {
			t.Fatal(err)
		}
		if x := s.wait(ctx, parsed); x.Status != attune.Completed {
			t.Errorf("%s is %s", id, x.Status)
		}
	}
	// All of it, written for each of them, would be 20 MB and more.
	if after := heap(); after > before+12<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
}

// The command that the page on the API shows does what the page says.
func TestTheExampleOfTheStreamWorks(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("left out: curl: it is not installed")
	}
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^curl .*/api/v1/stream.*$`).FindString(string(page))
	if command == "" {
		t.Fatal("the page shows no stream")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := serve(ctx, t)
	shell := exec.CommandContext(ctx, "sh", "-c", "exec "+command)
	shell.Env = []string{"ATTUNE_SERVER=" + s.url, "ATTUNE_TOKEN=" + s.token, "PATH=" + os.Getenv("PATH")}
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatalf("%s: %v", curl, err)
	}
	defer func() { _ = shell.Process.Kill(); _ = shell.Wait() }()
	lines := bufio.NewScanner(out)
	until := func(what string) string {
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), what) {
				return lines.Text()
			}
		}
		t.Fatalf("it ended before %q", what)
		return ""
	}
	until("event: open")
	receipt, err := s.RequestExecution(ctx, api.ExecutionRequest{Action: "core.noop", Chain: attune.Chain{Principal: "me"}})
	if err != nil {
		t.Fatal(err)
	}
	until("event: execution")
	if got := until("data: "); !strings.Contains(got, `"id":"`+receipt.ID.String()+`","status":"completed"`) {
		t.Error(got)
	}
}
