package losing_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds what must happen soon. It is long because a busy machine is
// not what is tested.
const patience = 60 * time.Second

// process is a running attune, whose words go to a file.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   string
	ended chan struct{} // closed when it has
}

// start starts attune and does not wait for it.
func (r *rig) start(name string, args ...string) *process {
	p, err := r.tryStart(name, args...)
	must(r.t, err)
	return p
}

func (r *rig) tryStart(name string, args ...string) (*process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starts++
	p := &process{name: name, cmd: exec.Command(r.program, args...), ended: make(chan struct{}),
		log: filepath.Join(r.dir, fmt.Sprintf("%02d-%s.log", r.starts, name))}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + r.home, "TMPDIR=" + filepath.Join(r.dir, "tmp")}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = r.dir, log, log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	r.processes = append(r.processes, p)
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	return p, nil
}

// everything are all processes that were ever started.
func (r *rig) everything() []*process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.processes)
}

// supervised is a node that is started again when it ends, as systemd does it.
type supervised struct {
	mu      sync.Mutex
	process *process
	starts  int
	asked   bool          // its end was
	over    chan struct{} // closed when it has ended for good
}

// supervise has attune server run on a data folder and an address.
func (r *rig) supervise(name, data, address string, more ...string) *supervised {
	r.t.Helper()
	s := &supervised{over: make(chan struct{})}
	args := append([]string{"server", "--name", name, "--data", data, "--listen", address, "--packs", filepath.Join(r.packs, "lose"),
		"--database", r.databaseURL, "--broker", r.brokerURL, "--log-format", "text", "--migrate"}, more...)
	begin := func() error {
		p, err := r.tryStart(name, args...)
		if err == nil {
			s.process = p
			s.starts++
		}
		return err
	}
	must(r.t, begin())
	r.supervised = append(r.supervised, s)
	go func() {
		defer close(s.over)
		for {
			<-s.now().ended
			<-time.After(200 * time.Millisecond)
			s.mu.Lock()
			if s.asked || begin() != nil {
				s.mu.Unlock()
				return
			}
			s.mu.Unlock()
		}
	}()
	return s
}

// now is the process that runs, or did last.
func (s *supervised) now() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// again is how often it was started again.
func (s *supervised) again() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.starts - 1
}

// retire lets it end for good when it ends.
func (s *supervised) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = true
}

// stop ends it in order and for good.
func (s *supervised) stop(t *testing.T) {
	t.Helper()
	s.retire()
	s.now().stop(t)
	<-s.over
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// kill ends the process as nobody can prevent, and returns when it is dead.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// stop ends the process in order, or fails the test.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGCONT)
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Errorf("%s does not end after SIGTERM", p.name)
		p.kill()
	}
}

// said is the end of what the process said.
func (p *process) said() string {
	const most = 6 << 10
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if len(content) > most {
		content = append([]byte("…"), content[len(content)-most:]...)
	}
	return string(content)
}

// found is a living process.
type found struct {
	pid, parent int
	what        string
}

func (f found) String() string { return fmt.Sprintf("%d %s", f.pid, f.what) }

// processesOf are the living processes that a word gives away: in environment,
// arguments, or the name of their program. A zombie does not live.
func processesOf(word string) (all []found) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		panic(err)
	}
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
			all = append(all, found{pid, parentOf(dir), program + ": " + string(bytes.ReplaceAll(arguments, []byte{0}, []byte{' '}))})
		}
	}
	return all
}

func parentOf(dir string) int {
	status, _ := os.ReadFile(dir + "status")
	_, after, _ := strings.Cut(string(status), "\nPPid:\t")
	line, _, _ := strings.Cut(after, "\n")
	pid, _ := strconv.Atoi(line)
	return pid
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually asks again until the answer is yes or the time is up.
func eventually(limit time.Duration, ask func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
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

// pass lets time pass while the load goes on.
func pass(d time.Duration) { <-time.After(d) }
