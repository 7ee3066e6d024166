package runners_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/keeper"
	"github.com/attune-automation/attune/worker/runners"
)

// asksFor is a sudo that asks for a password, and trusts does not. Both say that
// they were there, and stay, so that the command can look at them.
const (
	sudoOptions = `#!/bin/sh
asked=; line=
while :; do case $1 in
-S) asked=yes;;
-p) shift;;
-n|-E) ;;
--) shift; break;;
*) echo "what is $1" >&2; exit 9;;
esac; shift; done
`
	asksFor = sudoOptions + `[ -z "$asked" ] || read -r line
[ "$line" = 'pass word' ] || { echo "no password" >&2; exit 1; }
SUDO=asked "$@"
`
	trusts = sudoOptions + `SUDO=trusted "$@"
`
)

// openWithSudo is open with a sudo of that text on the worker's PATH, or none.
func openWithSudo(t *testing.T, sudo string) *runners.Processes {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"sh", "cat", "tr", "env", "sleep"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	if sudo != "" {
		if err := os.WriteFile(filepath.Join(bin, "sudo"), []byte(sudo), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	return open(t, t.TempDir())
}

func TestSudo(t *testing.T) {
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "sudo"), []byte("#!/bin/sh\necho caught; cat\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	path := os.Getenv("PATH")
	for _, c := range []struct {
		name, sudo string
		parameters object
		end        messages.ReportKind
		code       string
		stdout     string
	}{
		{"without a password, where none is asked for", trusts, object{"cmd": "echo $SUDO $A; cat", "env": object{"A": "x"}}, messages.Finished, "", "trusted x"},
		{"without one, where it is asked for", asksFor, object{"cmd": "echo no"}, messages.FailedRun, "exit_code", ""},
		{"with the right one", asksFor, object{"cmd": "echo $SUDO; cat", "sudo_password": "pass word"}, messages.Finished, "", "asked"},
		{"with a wrong one", asksFor, object{"cmd": "echo no", "sudo_password": "word"}, messages.FailedRun, "exit_code", ""},
		{"a password that is not asked for is not the command's input", trusts, object{"cmd": "echo $SUDO; cat", "sudo_password": "pass word"}, messages.Finished, "", "trusted"},
		{"a password of two lines", trusts, object{"cmd": "true", "sudo_password": "a\nb"}, messages.RefusedRun, "", ""},
		{"the PATH of env names no sudo", trusts, object{"cmd": "echo $SUDO", "env": object{"PATH": other + ":" + path}, "sudo_password": "pass word"}, messages.Finished, "", "trusted"},
		{"where there is none", "", object{"cmd": "true"}, messages.RefusedRun, "no_sudo", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.parameters["sudo"] = true
			p := openWithSudo(t, c.sudo)
			e := start(t, p.Shell(), dispatch(1, c.parameters)).ended()
			code, result := "", struct{ Stdout string }{}
			if e.Failure != nil {
				code = e.Failure.Code
			}
			_ = json.Unmarshal(e.Result, &result) // a refusal has none
			if e.End != c.end || code != c.code || result.Stdout != c.stdout || (e.End == messages.RefusedRun) != (e.Reason != "") {
				t.Errorf("%s (%s) %v %s", e.End, e.Reason, e.Failure, e.Result)
			}
		})
	}
}

// What others on the machine can read, arguments and environment of sudo and of
// what it starts, does not hold the password.
func TestASudoPasswordIsInNoArgumentAndNoVariable(t *testing.T) {
	p := openWithSudo(t, asksFor)
	look := `for pid in $$ $PPID; do cat /proc/$pid/cmdline /proc/$pid/environ | tr '\0' '\n'; done`
	e := start(t, p.Shell(), dispatch(1, object{"cmd": look, "sudo": true, "sudo_password": "pass word"})).ended()
	if said := string(e.Result); e.End != messages.Finished || !strings.Contains(said, "-S") || !strings.Contains(said, "SUDO=asked") || strings.Contains(said, "pass word") {
		t.Errorf("%s %s", e.End, e.Result)
	}
}

func TestAScriptWithSudoKeepsItsArguments(t *testing.T) {
	for _, password := range []string{"", "pass word"} {
		p, pack := openWithSudo(t, trusts), t.TempDir()
		if err := os.WriteFile(filepath.Join(pack, "args.sh"), []byte(tellArguments), 0o600); err != nil {
			t.Fatal(err)
		}
		d := dispatch(1, object{"a": "$(id) 'x\" --", "sudo": true, "sudo_password": password})
		d.EntryPoint, d.Dir = "args.sh", pack
		e := start(t, p.Script(), d).ended()
		if want := `"stdout":"[--a=$(id) 'x\" --]"`; e.End != messages.Finished || !strings.Contains(string(e.Result), want) {
			t.Errorf("%s (%s) %s", e.End, e.Reason, e.Result)
		}
	}
}

func TestTheRealSudo(t *testing.T) {
	if path, err := exec.LookPath("sudo"); err != nil {
		leaveOut(t, "sudo", err)
	} else if err := exec.Command(path, "-n", "true").Run(); err != nil {
		leaveOut(t, "sudo", err)
	}
	p := open(t, t.TempDir())
	for n, password := range []string{"", "unused"} {
		e := start(t, p.Shell(), dispatch(n+1, object{"cmd": "id -u; cat; echo $A", "env": object{"A": "x"}, "sudo": true, "sudo_password": password})).ended()
		if want := `"stdout":"0\nx"`; e.End != messages.Finished || !strings.Contains(string(e.Result), want) {
			t.Errorf("%s (%s) %s", e.End, e.Reason, e.Result)
		}
	}
	run := start(t, p.Shell(), dispatch(9, object{"cmd": "trap '' TERM; sleep 1000 & sleep 1000", "sudo": true}))
	run.next()
	p.Shell().Stop(token(9), 50*time.Millisecond)
	if e := run.ended(); e.End != messages.StoppedRun {
		t.Errorf("%s %s", e.End, e.Reason)
	}
}

// A worker that is not root ends root's processes with cgroup v2, and refuses
// sudo without. The sudo here is this very binary, with the rights to become
// root.
func TestSudoOfAWorkerThatIsNotRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		leaveOut(t, "root", errors.New("not root"))
	}
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"nobody": 0o755, "sudo": 0o755 | os.ModeSetuid} {
		if err := os.WriteFile(filepath.Join(dir, name), binary, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for mode, want := range map[keeper.Mode]string{keeper.ByReaper: "refused sudo_unkillable", keeper.ByCgroup: "stopped as 0"} {
		t.Run(string(mode), func(t *testing.T) {
			attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			if mode == keeper.ByCgroup {
				attr.UseCgroupFD, attr.CgroupFD = true, lentGroup(t)
			}
			worker := exec.Command(filepath.Join(dir, "nobody"), "nobody", string(mode), filepath.Join(dir, string(mode)))
			worker.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
			worker.SysProcAttr = attr
			out, err := worker.CombinedOutput()
			if got := strings.TrimSpace(string(out)); err != nil || got != want {
				t.Errorf("it says %q, %v, want %q", got, err, want)
			}
		})
	}
}

// lentGroup is a control group that belongs to nobody.
func lentGroup(t *testing.T) int {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[2] != "cgroup2" {
			continue
		}
		dir := filepath.Join(fields[1], "attune-test-"+strconv.Itoa(os.Getpid()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			leaveOut(t, "cgroup2", err)
		}
		t.Cleanup(func() {
			_ = os.Remove(filepath.Join(dir, "attune-worker")) // where it moved, if there are controllers
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		})
		for _, name := range []string{"", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads", "cgroup.kill"} {
			if err := os.Chown(filepath.Join(dir, name), 65534, 65534); err != nil {
				leaveOut(t, "cgroup2", err)
			}
		}
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		return fd
	}
	leaveOut(t, "cgroup2", errors.New("it is not mounted"))
	return -1
}

// becomeRoot is what a sudo does: it is called as one, with the rights of one.
func becomeRoot(args []string) int {
	at := slices.Index(args, "--")
	if at < 0 || unix.Setresgid(0, 0, 0) != nil || unix.Setresuid(0, 0, 0) != nil {
		return 1
	}
	_ = unix.Exec(args[at+1], args[at+1:], os.Environ())
	return 1
}

// nobody is a worker that runs a stubborn command by sudo, stops it, and says
// what happened.
func nobody(mode keeper.Mode, dir string, out io.Writer) int {
	self, err := os.Executable()
	if err != nil {
		return 1
	}
	p := runners.NewProcesses(runners.ProcessConfig{Dir: dir, Executable: self, Args: []string{"keeper"}, Mode: mode, Env: runners.Environment()})
	if err := p.Begin("i"); err != nil {
		_, _ = io.WriteString(out, err.Error())
		return 1
	}
	p.Extend(time.Duration(keeper.BoottimeNow()) + time.Minute)
	events := make(chan worker.Event, 100)
	d := dispatch(1, object{"cmd": "trap '' TERM; id -u; sleep 1000 & sleep 1000", "sudo": true})
	p.Shell().Start(&d, func(e worker.Event) { e.Data = bytes.Clone(e.Data); events <- e })
	for e := range events {
		if e.Kind == worker.Wrote {
			p.Shell().Stop(token(1), 50*time.Millisecond)
		}
		if e.Kind != worker.Ended {
			continue
		}
		var result struct{ Stdout json.RawMessage }
		said := e.End.String()
		if json.Unmarshal(e.Result, &result) == nil {
			said += " as " + string(result.Stdout)
		} else if e.Failure != nil {
			said += " " + e.Failure.Code
		}
		_, _ = io.WriteString(out, said+"\n")
		break
	}
	if p.Close(context.Background()) != nil {
		return 1
	}
	return 0
}
