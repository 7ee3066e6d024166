package examples

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds what must happen soon. It is long because a busy machine is
// not what is tested.
const patience = 90 * time.Second

// session is a shell in a folder of its own, and the server of the page.
type session struct {
	t       *testing.T
	dir     string
	env     []string
	shell   *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	steps   int
	server  *exec.Cmd
	heard   chan struct{} // closed when the server has said all
	address string        // where it listens
	token   string        // what it wants to see
	names   names
	sample  map[string]string // ids that stand for those a page only mentions
}

// open starts the shell, with the program on its PATH.
func open(t *testing.T, program string) *session {
	t.Helper()
	dir := t.TempDir()
	s := &session{t: t, dir: dir, names: names{}, sample: map[string]string{}}
	home, tmp := filepath.Join(dir, "home"), filepath.Join(dir, "tmp")
	for _, folder := range []string{home, tmp} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.env = []string{"PATH=" + filepath.Dir(program) + ":/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "TMPDIR=" + tmp, "LC_ALL=C.UTF-8",
		"ATTUNE_DATA=" + filepath.Join(dir, "data")}
	s.shell = exec.Command("bash", "--noprofile", "--norc")
	s.shell.Dir, s.shell.Env = dir, s.env
	s.shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what hangs is ended with the shell
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.shell.Stdout, s.shell.Stderr = writer, writer
	if s.in, err = s.shell.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.shell.Start(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close()
	s.out = bufio.NewReader(reader)
	t.Cleanup(func() {
		_ = s.in.Close()
		_ = s.shell.Wait()
		_ = reader.Close()
		s.stop()
	})
	return s
}

// types enters a command and returns what came back, and its exit code.
func (s *session) types(command string) (answer []string, code int) {
	s.t.Helper()
	s.steps++
	mark := fmt.Sprintf("--- end of step %d: ", s.steps)
	if s.address != "" {
		command = strings.ReplaceAll(command, "127.0.0.1:9370", s.address)
	}
	if _, err := fmt.Fprintf(s.in, "{ %s\n} </dev/null\nprintf '\\n%s%%d\\n' $?\n", command, mark); err != nil {
		s.t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { _ = syscall.Kill(-s.shell.Process.Pid, syscall.SIGKILL) })
	defer late.Stop()
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			s.t.Fatalf("the shell ended, or %q did not end within %s; it said:\n%s", command, patience, strings.Join(answer, "\n"))
		}
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, mark); ok {
			_, _ = fmt.Sscan(rest, &code)
			return answer, code
		}
		if s.address != "" {
			line = strings.ReplaceAll(line, s.address, "127.0.0.1:9370")
		}
		answer = append(answer, line)
	}
}

var listens = regexp.MustCompile(`API +http://(127\.0\.0\.1:\d+)`)

// serves starts the server that a page starts, in the folder where the shell
// is, and ends the one before.
func (s *session) serves(command string) {
	s.t.Helper()
	s.stop()
	where, code := s.types("pwd; echo $ATTUNE_DATA")
	if code != 0 || len(where) < 2 {
		s.t.Fatalf("where is the shell? %q", where)
	}
	command, _, _ = strings.Cut(command, " #")
	if !strings.Contains(command, "--listen") {
		command += " --listen 127.0.0.1:0"
	}
	s.server = exec.Command("bash", "-c", "exec "+command)
	s.server.Dir, s.server.Env = where[0], slices.Concat(s.env, []string{"ATTUNE_DATA=" + where[1]})
	said, err := s.server.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.server.Start(); err != nil {
		s.t.Fatal(err)
	}
	found, talk, heard := make(chan string, 1), &bytes.Buffer{}, make(chan struct{})
	s.heard = heard
	go func() {
		defer close(heard)
		for lines := bufio.NewScanner(said); lines.Scan(); {
			fmt.Fprintln(talk, lines.Text())
			if m := listens.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
			}
		}
		close(found)
	}()
	address, ok := <-found
	if !ok {
		s.t.Fatalf("%s ended:\n%s", command, talk)
	}
	s.address = address
	s.await("the server to be ready", func() bool {
		r, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			return false
		}
		_ = r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	token, err := os.ReadFile(filepath.Join(where[1], "token"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.token = strings.TrimSpace(string(token))
	s.await("its worker to be there", func() bool { return strings.Contains(s.asks("/api/v1/workers"), `"alive"`) })
}

// asks is what the server answers to a question.
func (s *session) asks(path string) string {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+s.address+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}

// settles waits until nothing is on its way, as it is when a person has read an
// answer and types the next line.
func (s *session) settles() {
	s.t.Helper()
	if s.server == nil {
		return
	}
	s.await("what was begun to run or to end", func() bool {
		for _, status := range []string{"scheduling", "scheduled", "stopping"} {
			if strings.Contains(s.asks("/api/v1/executions?status="+status), `"ex-`) {
				return false
			}
		}
		return true
	})
}

func (s *session) await(what string, ask func() bool) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(patience); !ask(); <-tick.C {
		if time.Now().After(until) {
			s.t.Fatalf("waited %s in vain for %s", patience, what)
		}
	}
}

// stop ends the server as Ctrl-C does.
func (s *session) stop() {
	if s.server == nil {
		return
	}
	_ = s.server.Process.Signal(syscall.SIGINT)
	late := time.AfterFunc(patience, func() { _ = s.server.Process.Kill() })
	defer late.Stop()
	<-s.heard // its pipe is read to the end before Wait closes it
	if err := s.server.Wait(); err != nil {
		s.t.Errorf("the server did not end well: %v", err)
	}
	s.server, s.address = nil, ""
}

// furnish gives the page a server with a pack and one order that was packed, so
// that it can speak of an event and an execution.
func (s *session) furnish() {
	s.t.Helper()
	if err := os.CopyFS(filepath.Join(s.dir, "packs"), os.DirFS("testdata/packs")); err != nil {
		s.t.Fatal(err)
	}
	s.serves("attune dev --packs packs")
	for _, command := range []string{
		`attune event send shop.order --json '{"body": {"order": "A-1000", "paid": true, "items": 1}}'`,
		`attune execution wait "$(attune execution list -o name)"`,
	} {
		if answer, code := s.types(command); code != 0 {
			s.t.Fatalf("%s: exit code %d:\n%s", command, code, strings.Join(answer, "\n"))
		}
	}
	for kind, noun := range map[string]string{"ev": "event", "en": "enforcement", "ex": "execution"} {
		answer, _ := s.types("attune " + noun + " list -o name")
		s.sample[kind] = strings.TrimSpace(answer[0])
	}
}

// run runs a block. A server that it starts goes on.
func (s *session) run(page string, b Block) {
	s.t.Helper()
	for _, step := range b.Steps {
		where := fmt.Sprintf("%s:%d", page, step.Line)
		if startsServer(step.Typed) {
			s.serves(step.Typed)
			continue
		}
		s.settles()
		command := s.names.typed(step.Typed, func(id string) string { return s.sample[id[:2]] })
		answer, code := s.types(command)
		switch {
		case b.Checked:
			if err := s.names.compare(step.Answer, answer); err != nil {
				s.t.Fatalf("%s: %s: %v\nall that came:\n%s", where, step.Typed, err, strings.Join(answer, "\n"))
			}
		case code != 0:
			s.t.Fatalf("%s: exit code %d of\n%s\n%s", where, code, command, strings.Join(answer, "\n"))
		}
	}
}
