package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds what must happen soon. It is long because a busy machine is
// not what is tested.
const patience = 60 * time.Second

// world is what one test has for itself.
type world struct {
	t *testing.T
	// dir is above everything else, and known to every process of this world
	// by its environment, its program or its arguments.
	dir, home, data, packs string
	// program is this world's link to attune.
	program string
	// servers is nil on attune dev.
	servers *servers
	// env is what more every process finds in its environment.
	env     []string
	started []*process
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: dir, home: filepath.Join(dir, "home"), data: filepath.Join(dir, "data"),
		packs: filepath.Join(dir, "packs"), program: filepath.Join(dir, "attune")}
	must(t, os.MkdirAll(filepath.Join(dir, "tmp"), 0o700))
	must(t, os.MkdirAll(w.home, 0o700))
	must(t, os.CopyFS(w.packs, os.DirFS("testdata/packs")))
	place(t, built.attune, w.program)
	place(t, built.action, filepath.Join(w.packs, "load", "actions", "program"))
	if onServers() {
		w.needServers()
	}
	t.Cleanup(w.end)
	return w
}

// place makes a program appear under another name.
func place(t *testing.T, from, to string) {
	t.Helper()
	if os.Link(from, to) == nil {
		return
	}
	source, err := os.Open(from)
	must(t, err)
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	must(t, err)
	_, err = io.Copy(target, source)
	must(t, err)
	must(t, target.Close())
}

// end ends what the test has started, and finds it guilty of anything left.
func (w *world) end() {
	w.servers.end()
	for _, p := range w.started {
		if p.running() {
			p.signal(syscall.SIGTERM)
		}
	}
	for _, p := range w.started {
		if !p.endsWithin(patience) {
			w.t.Errorf("%s does not end after SIGTERM:\n%s", p, p.talk)
			p.signal(syscall.SIGKILL)
			<-p.ended
		}
	}
	var left []found
	if !eventually(patience, func() bool { left = processesOf(w.dir); return len(left) == 0 }) {
		w.t.Errorf("processes are left: %v", left)
	}
	for _, p := range left {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
	if w.t.Failed() {
		for _, p := range w.started {
			w.t.Logf("%s, exit code %d, said:\n%s", p, p.code, tail(p.talk.String()))
		}
	}
}

// tail is as much of a log as helps.
func tail(s string) string {
	const most = 4 << 10
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}

// found is a living process.
type found struct {
	pid  int
	what string
}

func (f found) String() string { return fmt.Sprintf("%d %s", f.pid, f.what) }

// processesOf are the living processes that a word gives away: in environment,
// arguments, or the name of their program. A zombie does not live.
func processesOf(word string) []found {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		panic(err)
	}
	var all []found
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		dir := "/proc/" + e.Name() + "/"
		environment, _ := os.ReadFile(dir + "environ")
		arguments, _ := os.ReadFile(dir + "cmdline")
		program, _ := os.Readlink(dir + "exe")
		if bytes.Contains(environment, []byte(word)) || bytes.Contains(arguments, []byte(word)) || strings.Contains(program, word) {
			all = append(all, found{pid, program + ": " + string(bytes.ReplaceAll(arguments, []byte{0}, []byte{' '}))})
		}
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually asks again until the answer is yes or the time is up.
func eventually(limit time.Duration, ask func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(limit); !ask(); <-tick.C {
		if time.Now().After(until) {
			return false
		}
	}
	return true
}

// await fails the test unless something comes true.
func await(t *testing.T, what string, ask func() bool) {
	t.Helper()
	if !eventually(patience, ask) {
		t.Fatalf("waited %s in vain for: %s", patience, what)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// touch makes an empty file, which somebody waits for.
func touch(t *testing.T, path string) {
	t.Helper()
	must(t, os.WriteFile(path, nil, 0o600))
}

// contains fails the test unless text has all the parts.
func contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not say %q:\n%s", what, part, text)
		}
	}
}
