package keeper_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/attune-automation/attune/worker/keeper"
)

// patience bounds what must happen soon; only a broken keeper exceeds it.
const patience = 20 * time.Second

// TestMain makes this binary a keeper, or a worker that can be killed, when it
// starts itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "keeper":
			os.Exit(keeper.Main(os.Args[2:]))
		case "worker":
			os.Exit(victim(os.Args[2:]))
		}
	}
	goleak.VerifyTestMain(m)
}

// inBothModes runs a test once per containment.
func inBothModes(t *testing.T, test func(t *testing.T, mode keeper.Mode)) {
	for mode, word := range map[keeper.Mode]string{keeper.ByCgroup: "cgroup2", keeper.ByReaper: "reaper"} {
		t.Run(string(mode), func(t *testing.T) {
			need(t, mode, word)
			test(t, mode)
		})
	}
}

// need skips what the machine lacks.
func need(t *testing.T, mode keeper.Mode, word string) {
	t.Helper()
	if err := available[mode](); err != nil {
		leaveOut(t, word, err)
	}
}

func leaveOut(t *testing.T, word string, err error) {
	t.Helper()
	t.Skipf("left out: %s: %v", word, err)
}

// available says once per mode whether this machine has it.
var available = map[keeper.Mode]func() error{
	keeper.ByCgroup: sync.OnceValue(func() error { return try(keeper.ByCgroup) }),
	keeper.ByReaper: sync.OnceValue(func() error { return try(keeper.ByReaper) }),
}

func try(mode keeper.Mode) error {
	dir, err := os.MkdirTemp("", "keeper")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cfg := config(dir, mode)
	cfg.Events = func(keeper.Event) {}
	k, err := keeper.Open(context.Background(), cfg)
	if err != nil {
		return err
	}
	return k.Close(context.Background())
}

// config starts keepers through env(1), since nothing of our environment reaches
// them and a race detector sleeps a second before it lets a process exit.
func config(dir string, mode keeper.Mode) keeper.Config {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return keeper.Config{
		Executable: "/usr/bin/env", Args: []string{"GORACE=atexit_sleep_ms=0", self, "keeper"},
		Dir: dir, Mode: mode, Stderr: os.Stderr,
	}
}

// bench is a Keeper under test, and what it told.
type bench struct {
	*keeper.Keeper
	t      testing.TB
	dir    string
	events chan keeper.Event
	marker string // an entry of the environment of every run
}

func open(t testing.TB, mode keeper.Mode) *bench {
	t.Helper()
	b := openUnleased(t, mode)
	b.extend(time.Hour)
	return b
}

func openUnleased(t testing.TB, mode keeper.Mode) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), events: make(chan keeper.Event, 4096)}
	b.marker = "KEEPER_TEST=" + b.dir
	cfg := config(b.dir, mode)
	cfg.Events = func(e keeper.Event) { b.events <- e }
	k, err := keeper.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Keeper = k
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := k.Close(ctx); err != nil {
			t.Error(err)
		}
		if left := withMarker(b.marker); len(left) > 0 {
			t.Errorf("processes left: %v", left)
		}
		if entries, err := os.ReadDir(b.dir); err != nil || len(entries) > 0 {
			t.Errorf("files left: %v, %v", entries, err)
		}
	})
	return b
}

func (b *bench) extend(d time.Duration) {
	b.t.Helper()
	if err := b.Extend(keeper.BoottimeNow() + int64(d)); err != nil {
		b.t.Fatal(err)
	}
}

// start runs a shell script and returns what it will write.
func (b *bench) start(r keeper.Run, script string) *output {
	b.t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { reader.Close() })
	r.Argv = []string{"/bin/sh", "-c", script}
	r.Env = append(r.Env, "PATH="+os.Getenv("PATH"), b.marker)
	r.Stdout = writer
	if err := b.Start(r); err != nil {
		b.t.Fatal(err)
	}
	writer.Close()
	return &output{b.t, reader}
}

// any waits for an event.
func (b *bench) any() keeper.Event {
	b.t.Helper()
	select {
	case e := <-b.events:
		return e
	case <-time.After(patience):
		b.t.Fatal("no event")
	}
	panic("unreachable")
}

// next waits for an event, which must be of that kind and token.
func (b *bench) next(kind keeper.Kind, token string) keeper.Event {
	b.t.Helper()
	e := b.any()
	if e.Kind != kind || e.Token != token {
		b.t.Fatalf("got %+v, want %s %s", e, kind, token)
	}
	return e
}

// ended waits for started and ended.
func (b *bench) ended(token string) keeper.Event {
	b.t.Helper()
	b.next(keeper.Started, token)
	return b.next(keeper.Ended, token)
}

// output is the reading end of a pipe that a whole tree may hold.
type output struct {
	t    testing.TB
	file *os.File
}

// await waits until n bytes were written.
func (o *output) await(n int) string {
	o.t.Helper()
	b := make([]byte, n)
	o.file.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(o.file, b); err != nil {
		o.t.Fatalf("read output: %v (got %q)", err, b)
	}
	return string(b)
}

// rest waits until nobody holds the writing end.
func (o *output) rest() string {
	o.t.Helper()
	o.file.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(o.file)
	if err != nil {
		o.t.Fatalf("the output was not closed: %v", err)
	}
	return string(b)
}

// withMarker lists the living processes with an entry in their environment.
func withMarker(marker string) []string {
	var found []string
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environs {
		env, err := os.ReadFile(path)
		if err == nil && bytes.Contains(append(env, 0), append([]byte(marker), 0)) {
			name, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
			found = append(found, fmt.Sprintf("%s %q", filepath.Base(filepath.Dir(path)), name))
		}
	}
	return found
}

// hostile is an action of five processes that are hard to find: none listens to
// SIGTERM; two lead sessions of their own, two have lost their parent. Each
// writes an x when it is there.
const hostile = `
trap '' TERM HUP INT
stay='echo x; exec sleep 1000'
setsid sh -c "$stay" &
( ( sh -c "$stay" ) & )
setsid sh -c "( sh -c '$stay' & ); $stay" &
eval "$stay"
`

// coverable is a run that a dead keeper leaves no process of: with a sub-reaper
// five that stay in the session, see the package comment, else the hostile one.
func coverable(mode keeper.Mode) string {
	if mode == keeper.ByCgroup {
		return hostile
	}
	return strings.ReplaceAll(hostile, "setsid ", "")
}

// victim is a worker in a process of its own, which the test kills or freezes:
// DIR MODE LEASE SCRIPT. Its run has descriptor 3 as its output.
func victim(args []string) int {
	lease, err := time.ParseDuration(args[2])
	if err != nil {
		return 2
	}
	events := make(chan keeper.Event, 10)
	k, err := keeper.Open(context.Background(), keeper.Config{
		Args: []string{"keeper"}, Dir: args[0], Mode: keeper.Mode(args[1]),
		Events: func(e keeper.Event) { events <- e },
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	out := os.NewFile(3, "output")
	err = k.Start(keeper.Run{Token: "v", Argv: []string{"/bin/true"}})
	if e := <-events; err != nil || e.Refusal != keeper.RefusedLease {
		fmt.Fprintln(os.Stderr, "started without a lease", err, e)
		return 2
	}
	if err := k.Extend(keeper.BoottimeNow() + int64(lease)); err != nil {
		return 2
	}
	err = k.Start(keeper.Run{
		Token: "v", Argv: []string{"/bin/sh", "-c", args[3]}, Stdout: out,
		Env: []string{"PATH=" + os.Getenv("PATH"), "KEEPER_TEST=" + args[0]},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	out.Close()
	for range time.Tick(victimBeat) {
		if err := k.Extend(keeper.BoottimeNow() + int64(lease)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			break
		}
	}
	return 2
}

// victimBeat is how often a victim extends its lease.
const victimBeat = 50 * time.Millisecond

// startVictim starts a victim and waits until its five processes are there.
func startVictim(t *testing.T, dir string, mode keeper.Mode, lease time.Duration, script string) (*exec.Cmd, *output) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	cmd := exec.Command("/proc/self/exe", "worker", dir, string(mode), lease.String(), script)
	cmd.ExtraFiles = []*os.File{writer}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	out := &output{t, reader}
	out.await(5 * len("x\n"))
	return cmd, out
}

// awaitKeepers waits until no keeper holds a lock in dir.
func awaitKeepers(t *testing.T, dir string) {
	t.Helper()
	locks, err := filepath.Glob(filepath.Join(dir, "*.lock"))
	if err != nil || len(locks) == 0 {
		t.Fatal("no lock files", err)
	}
	for _, lock := range locks {
		file, err := os.Open(lock)
		if err != nil {
			t.Fatal(err)
		}
		free := make(chan error, 1)
		go func() { free <- unix.Flock(int(file.Fd()), unix.LOCK_EX) }()
		select {
		case err := <-free:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(patience):
			t.Fatal("a keeper does not end")
		}
		file.Close()
	}
}
