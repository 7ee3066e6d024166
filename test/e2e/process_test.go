package e2e_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a running attune.
type process struct {
	*world
	cmd *exec.Cmd
	// out is its standard output, talk its standard error.
	out, talk *buffer
	// ended is closed when it has; then code is its exit code, -1 for a signal.
	ended chan struct{}
	code  int
}

// buffer is a bytes.Buffer that one may look into while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start starts attune and does not wait for it.
func (w *world) start(args ...string) *process {
	w.t.Helper()
	p := &process{world: w, cmd: exec.Command(w.program, args...), out: &buffer{}, talk: &buffer{}, ended: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + w.home, "ATTUNE_DATA=" + w.data, "TMPDIR=" + filepath.Join(w.dir, "tmp")},
		append(w.env, w.servers.environment()...)...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = w.dir, p.out, p.talk
	// An orphan may hold our pipes for longer than the program lives.
	p.cmd.WaitDelay = time.Second
	must(w.t, p.cmd.Start())
	w.started = append(w.started, p)
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
	}()
	return p
}

// run runs attune to its end.
func (w *world) run(args ...string) *process {
	w.t.Helper()
	p := w.start(args...)
	p.wait()
	return p
}

func (p *process) String() string { return "attune " + strings.Join(p.cmd.Args[1:], " ") }

// wait returns when the process has ended.
func (p *process) wait() {
	p.t.Helper()
	if !p.endsWithin(patience) {
		p.t.Fatalf("%s does not end; it said:\n%s%s", p, p.out, tail(p.talk.String()))
	}
}

func (p *process) endsWithin(limit time.Duration) bool {
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case <-p.ended:
		return true
	case <-late.C:
	}
	select { // of two that are ready the first select takes either
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) running() bool { return !p.endsWithin(0) }

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// says waits until the process has said something on a stream.
func (p *process) says(on *buffer, what string) {
	p.t.Helper()
	await(p.t, fmt.Sprintf("%s to say %q", p, what), func() bool {
		return strings.Contains(on.String(), what) || !p.running()
	})
	if !strings.Contains(on.String(), what) {
		p.t.Fatalf("%s ended with %d and did not say %q, but:\n%s%s", p, p.code, what, p.out, tail(p.talk.String()))
	}
}

// exits fails the test unless the process ended with the code.
func (p *process) exits(code int) *process {
	p.t.Helper()
	p.wait()
	if p.code != code {
		p.t.Fatalf("%s: exit code %d, not %d; it said:\n%s%s", p, p.code, code, p.out, tail(p.talk.String()))
	}
	return p
}

// stop ends the process in order.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	p.exits(0)
}

// line is what the process printed, without the end of the line.
func (p *process) line() string { return strings.TrimSuffix(p.out.String(), "\n") }
