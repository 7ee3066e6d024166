package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
)

// watchedLines is a watch under way.
type watchedLines struct {
	testing.TB
	lines *bufio.Scanner
	stop  context.CancelCauseFunc
	ended chan int
	talk  *bytes.Buffer
}

// watch begins attune execution watch with its output in a pipe.
func watch(t *testing.T, server, token string, args ...string) *watchedLines {
	t.Helper()
	ctx, stop := context.WithCancelCause(t.Context())
	r, w := io.Pipe()
	l := &watchedLines{TB: t, lines: bufio.NewScanner(r), stop: stop, ended: make(chan int, 1), talk: &bytes.Buffer{}}
	go func() {
		code := execute(ctx, append([]string{"execution", "watch", "--server", server, "--token", token}, args...),
			streams{out: w, talk: l.talk, env: func(string) string { return "" }})
		_ = w.Close()
		l.ended <- code
	}()
	t.Cleanup(func() { stop(errInterrupted); _ = r.Close(); l.ended <- <-l.ended })
	return l
}

func (l *watchedLines) expect(want string) {
	l.Helper()
	if !l.lines.Scan() {
		l.Fatalf("it has ended: %v\n%s", l.lines.Err(), l.talk)
	}
	if got := l.lines.Text(); !strings.Contains(got, want) {
		l.Fatalf("%q, want %q", got, want)
	}
}

func (l *watchedLines) code(want int) {
	l.Helper()
	code := <-l.ended
	if l.ended <- code; code != want {
		l.Errorf("exit code %d, want %d: %s", code, want, l.talk)
	}
}

// stored makes an execution move on, and tells of it.
func stored(w *apitest.World, x *attune.Execution) {
	w.Store.Put(x)
	w.Engine.Tell(api.Change{At: apitest.Noon, Kind: api.ChangeOfExecution, ID: attune.ID(x.ID), Execution: x.ID, Status: x.Status.String(),
		Terminal: x.Status.Terminal(), Version: x.Version, Attempt: x.Attempt, Worker: x.Worker, Action: x.Action, Requested: x.Requested})
}

func TestAWatchShowsWhatIsAndWhatComes(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted)
	w.Store.Put(x)
	l := watch(t, w.URL, w.Viewer, "--action", "demo.greet")
	l.expect("ex-03z9gs2000m01 demo.greet scheduling: waiting for a free slot")
	apitest.Apply(t, x, apitest.Assigned)
	stored(w, x)
	l.expect("ex-03z9gs2000m01 demo.greet scheduled attempt 1 on w1")
	y := apitest.Execution(t, 2)
	stored(w, y)
	l.expect("ex-03z9gs2000m02 demo.greet requested")
	l.stop(errInterrupted)
	l.code(exitInterrupted)
	if n := l.talk.String(); n != "interrupted\n" {
		t.Errorf("said %q", n)
	}
}

func TestAWatchOfOneEndsWithIt(t *testing.T) {
	w := apitest.New(t)
	x, other := apitest.Execution(t, 1, apitest.Admitted, apitest.Assigned), apitest.Execution(t, 2)
	w.Store.Put(x)
	l := watch(t, w.URL, w.Viewer, x.ID.String(), "-o", "json")
	l.expect(`"status":"scheduled"`)
	stored(w, other)
	apitest.Apply(t, x, apitest.Failed)
	stored(w, x)
	l.expect(`"status":"failed"`)
	l.code(exitFailed)
}

// cutter stands before a server, and cuts or refuses connections.
type cutter struct {
	*httptest.Server
	refuse atomic.Bool
	cuts   chan context.CancelFunc
}

func newCutter(t *testing.T, server string) *cutter {
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{cuts: make(chan context.CancelFunc, 64)}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	transport := &http.Transport{DisableKeepAlives: true}
	proxy.Transport = transport
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cut := context.WithCancel(r.Context())
		defer cut()
		if c.refuse.Load() {
			panic(http.ErrAbortHandler)
		}
		if strings.HasSuffix(r.URL.Path, "/stream") {
			c.cuts <- cut
		}
		proxy.ServeHTTP(w, r.WithContext(ctx))
	}))
	c.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(c.Close)
	return c
}

// What happened while the connection was broken is shown after it, once.
func TestAWatchSurvivesACut(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted)
	w.Store.Put(x)
	c := newCutter(t, w.URL)
	l := watch(t, c.URL, w.Viewer)
	l.expect("scheduling")
	apitest.Apply(t, x, apitest.Assigned)
	stored(w, x)
	l.expect("scheduled")
	c.refuse.Store(true)
	(<-c.cuts)()
	apitest.Apply(t, x, apitest.Started)
	stored(w, x)
	apitest.Apply(t, x, apitest.Finished)
	stored(w, x)
	c.refuse.Store(false)
	l.expect("running")
	l.expect("completed")
}

// A server that does not remember where the watch was says so, and the watch
// lists anew: it shows what it has not shown.
func TestAWatchListsAnewBehindAGap(t *testing.T) {
	gap, place := make(chan bool), "n-1:1"
	mux := http.NewServeMux()
	var lists atomic.Int64
	mux.HandleFunc("GET /api/v1/executions", func(w http.ResponseWriter, _ *http.Request) {
		n := lists.Add(1)
		_ = json.NewEncoder(w).Encode(api.List[api.ExecutionView]{Items: []api.ExecutionView{
			{ID: "ex-03z9gs2000m02", Version: n, Status: fmt.Sprintf("seen-%d", n)}, {ID: "ex-03z9gs2000m01", Version: 1, Status: "old"}}})
	})
	mux.HandleFunc("GET /api/v1/stream", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "id: %s\nevent: open\ndata: {}\n\n", place)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-gap:
			fmt.Fprint(w, "id: n-1:900\nevent: reset\ndata: {\"code\":\"forgotten\"}\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case <-r.Context().Done():
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	l := watch(t, server.URL, "t")
	l.expect("m01  old")
	l.expect("m02  seen-1")
	gap <- true
	l.expect("m02  seen-2")
	l.stop(errInterrupted)
	l.code(exitInterrupted)
}

func TestAWatchWithoutItsTokenEnds(t *testing.T) {
	w := apitest.New(t)
	l := watch(t, w.URL, "attune_viewer_wrong")
	l.code(exitDenied)
}

// terminal is a pseudo-terminal: what is written to it, and how to resize it.
type terminal struct {
	*os.File // the program's side
	mine     *os.File
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	mine, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("left out: terminal: ", err)
	}
	t.Cleanup(func() { mine.Close() })
	if err := unix.IoctlSetPointerInt(int(mine.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip("left out: terminal: ", err)
	}
	n, err := unix.IoctlGetInt(int(mine.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("left out: terminal: ", err)
	}
	t.Cleanup(func() { program.Close() })
	term := &terminal{program, mine}
	term.resize(t, 100, 20)
	return term
}

func (p *terminal) resize(t *testing.T, width, height uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(p.mine.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: width, Row: height}); err != nil {
		t.Fatal(err)
	}
}

// until reads what the program shows until it shows that.
func (p *terminal) until(t *testing.T, what string) string {
	t.Helper()
	var seen strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(seen.String(), what) {
		n, err := p.mine.Read(buf)
		if err != nil {
			t.Fatalf("%v before %q in %q", err, what, seen.String())
		}
		seen.Write(buf[:n])
	}
	return seen.String()
}

func TestAWatchOnATerminalIsATableThatIsDrawnAnew(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted)
	w.Store.Put(x)
	term := newTerminal(t)
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	ended := make(chan int, 1)
	var talk bytes.Buffer
	go func() {
		ended <- execute(ctx, []string{"execution", "watch", "--server", w.URL, "--token", w.Viewer},
			streams{out: term.File, talk: &talk, env: func(string) string { return "" }})
	}()
	if seen := term.until(t, "waiting for a free slot"); !strings.Contains(seen, enterScreen) || !strings.Contains(seen, "ID                ACTION") {
		t.Errorf("%q", seen)
	}
	apitest.Apply(t, x, apitest.Assigned)
	stored(w, x)
	if seen := term.until(t, "scheduled"); !strings.Contains(seen, home) {
		t.Errorf("it is not drawn anew: %q", seen)
	}
	term.resize(t, 36, 20)
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	term.until(t, "sched…")
	stop(errInterrupted)
	seen := term.until(t, leaveScreen)
	if code := <-ended; code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	if _, after, _ := strings.Cut(seen, leaveScreen); !strings.Contains(after, "ex-03z9gs2000m01") { // and the last table stays
		term.until(t, "ex-03z9gs2000m01")
	}
}

func TestOnlyATerminalIsAScreen(t *testing.T) {
	none := func(string) string { return "" }
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if screenOf(null, none) != nil || screenOf(&bytes.Buffer{}, none) != nil {
		t.Error("that is no terminal")
	}
	term := newTerminal(t)
	if screenOf(term.File, none) == nil || screenOf(term.File, func(string) string { return "dumb" }) != nil {
		t.Error("a terminal is one, unless it is dumb")
	}
	if width, height := screenOf(term.File, none).size(); width != 100 || height != 20 {
		t.Errorf("%d × %d", width, height)
	}
}
