package runners_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/keeper"
	"github.com/attune-automation/attune/worker/runners"
)

// patience bounds what must happen soon.
const patience = 20 * time.Second

// TestMain makes this binary a keeper, a sudo, or a worker of another user, when
// it starts itself.
func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == "sudo":
		os.Exit(becomeRoot(os.Args))
	case len(os.Args) > 1 && os.Args[1] == "keeper":
		os.Exit(keeper.Main(os.Args[2:]))
	case len(os.Args) == 4 && os.Args[1] == "nobody":
		os.Exit(nobody(keeper.Mode(os.Args[2]), os.Args[3], os.Stdout))
	}
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, dir string) *runners.Processes {
	t.Helper()
	p := runners.NewProcesses(runners.ProcessConfig{
		Dir: dir, Args: []string{"keeper"}, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, APIURL: "http://api",
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := p.Begin("i"); err != nil {
		t.Fatal(err)
	}
	p.Extend(time.Duration(keeper.BoottimeNow()) + time.Minute)
	return p
}

// running is a run, and what it tells.
type running struct {
	t      *testing.T
	events chan worker.Event
	stdout string
	wrote  int
}

func start(t *testing.T, r worker.Runner, d messages.Dispatch) *running {
	run := &running{t: t, events: make(chan worker.Event, 1000)}
	r.Start(&d, func(e worker.Event) {
		e.Data = append([]byte(nil), e.Data...)
		run.events <- e
	})
	return run
}

// next waits for an event that is no output.
func (r *running) next() worker.Event {
	r.t.Helper()
	for {
		select {
		case e := <-r.events:
			if e.Kind != worker.Wrote {
				return e
			}
			r.wrote += len(e.Data)
			if e.Stream == worker.Stdout && len(r.stdout) < 1000 {
				r.stdout += string(e.Data)
			}
		case <-time.After(patience):
			r.t.Fatal("no event")
		}
	}
}

func (r *running) ended() worker.Event {
	r.t.Helper()
	e := r.next()
	if e.Kind == worker.Started {
		e = r.next()
	}
	if e.Kind != worker.Ended || len(r.events) > 0 {
		r.t.Fatalf("%+v, and %d more", e, len(r.events))
	}
	return e
}

func token(n int) attune.Token {
	return attune.Token{Execution: attune.ExecutionID(attune.MakeID(int64(n), 1, 0)), Attempt: 2}
}

func dispatch(n int, parameters any) messages.Dispatch {
	b, err := json.Marshal(parameters)
	if err != nil {
		panic(err)
	}
	return messages.Dispatch{Token: token(n), Action: "p.a", Pack: "p", Rule: "p.r", Traceparent: "00-1", APIToken: "a-secret", Parameters: b, Grace: 5 * time.Second}
}

type object map[string]any

func TestShellCommands(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	const ok, bad = `,"return_code":0,"succeeded":true,"failed":false`, `,"succeeded":false,"failed":true`
	for n, c := range []struct {
		name       string
		parameters object
		end        messages.ReportKind
		result     string
	}{
		{"text", object{"cmd": "echo hello; echo oops >&2"}, messages.Finished, `{"stdout":"hello","stderr":"oops"` + ok + `}`},
		{"a number", object{"cmd": "echo 5"}, messages.Finished, `{"stdout":5,"stderr":""` + ok + `}`},
		{"a document", object{"cmd": `echo '{"b": [1], "a": null}'`}, messages.Finished, `{"stdout":{"b":[1],"a":null},"stderr":""` + ok + `}`},
		{"two lines", object{"cmd": "printf '1\\n2\\n\\n'"}, messages.Finished, `{"stdout":"1\n2\n","stderr":""` + ok + `}`},
		{"bytes that are no text", object{"cmd": `printf 'a\000b\377c'`}, messages.Finished, `{"stdout":"a` + "\uFFFDb\uFFFD" + `c","stderr":""` + ok + `}`},
		{"an exit code", object{"cmd": "exit 3"}, messages.FailedRun, `{"stdout":"","stderr":"","return_code":3` + bad + `,"error":"the exit code is 3"}`},
		{"a signal", object{"cmd": "kill -11 $$"}, messages.FailedRun, `{"stdout":"","stderr":"","return_code":-11` + bad + `,"error":"a signal ended the process: 11"}`},
		{"its folder and environment", object{"cmd": "pwd; echo $A", "cwd": "/usr", "env": object{"A": "x y"}}, messages.Finished, `{"stdout":"/usr\nx y","stderr":""` + ok + `}`},
		{"no input", object{"cmd": "cat"}, messages.Finished, `{"stdout":"","stderr":""` + ok + `}`},
		{"no cmd", object{}, messages.RefusedRun, ""},
		{"a folder that is not there", object{"cmd": "true", "cwd": "/nowhere"}, messages.RefusedRun, ""},
		{"a relative folder", object{"cmd": "true", "cwd": "x"}, messages.RefusedRun, ""},
		{"a name no environment holds", object{"cmd": "true", "env": object{"A=B": "c"}}, messages.RefusedRun, ""},
		{"parameters of another kind", object{"cmd": 5}, messages.RefusedRun, ""},
	} {
		e := start(t, p.Shell(), dispatch(n+1, c.parameters)).ended()
		if e.End != c.end || string(e.Result) != c.result || (e.End == messages.RefusedRun) != (e.Reason != "") {
			t.Errorf("%s: %s (%s)\ngot  %s\nwant %s", c.name, e.End, e.Reason, e.Result, c.result)
		}
		if (e.End == messages.FailedRun) != (e.Failure != nil) {
			t.Errorf("%s: failure %v", c.name, e.Failure)
		}
	}
}

func TestAnActionKnowsOnlyWhatItShould(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	t.Logf("%s", dir)
	e := start(t, open(t, dir).Shell(), dispatch(1, object{"cmd": "env | grep -v -e ^_= -e ^PWD= -e ^SHLVL= -e ^OLDPWD= | sort; ls /proc/self/fd | wc -l"})).ended()
	var result struct{ Stdout string }
	if err := json.Unmarshal(e.Result, &result); err != nil {
		t.Fatal(err)
	}
	id := token(1).Execution.String()
	want := strings.Join([]string{
		"ATTUNE_ACTION=p.a", "ATTUNE_API_TOKEN=a-secret", "ATTUNE_API_URL=http://api", "ATTUNE_ATTEMPT=2", "ATTUNE_EXECUTION_ID=" + id, "ATTUNE_PACK=p", "ATTUNE_RULE=p.r",
		"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "ST2_ACTION_API_URL=http://api", "ST2_ACTION_AUTH_TOKEN=a-secret", "ST2_ACTION_EXECUTION_ID=" + id, "ST2_ACTION_PACK_NAME=p",
		"TRACEPARENT=00-1", "4",
	}, "\n")
	if result.Stdout != want {
		t.Errorf("got\n%s\nwant\n%s", result.Stdout, want)
	}
}

func TestATimeoutAndAStop(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	d := dispatch(1, object{"cmd": "trap '' TERM; echo begun; sleep 100 & wait; sleep 100"})
	d.Timeout, d.Grace = 100*time.Millisecond, 50*time.Millisecond
	e := start(t, p.Shell(), d).ended()
	want := `{"stdout":"begun","stderr":"","return_code":-9,"succeeded":false,"failed":true,"error":"the action was ended after its time limit of 100ms"}`
	if e.End != messages.TimedOutRun || string(e.Result) != want || e.Failure.Code != "timeout" {
		t.Errorf("%s %s %v", e.End, e.Result, e.Failure)
	}

	run := start(t, p.Shell(), dispatch(2, object{"cmd": "trap 'echo bye; exit 0' TERM; echo begun; sleep 100 & wait"}))
	run.next()
	for run.stdout == "" {
		e := <-run.events
		run.stdout += string(e.Data)
	}
	p.Shell().Stop(token(2), 0)
	p.Shell().Stop(token(2), 0)
	if e := run.ended(); e.End != messages.StoppedRun || !strings.Contains(string(e.Result), `"stdout":"begun\nbye"`) {
		t.Errorf("%s %s", e.End, e.Result)
	}
}

// A stop that comes before the keeper knows the run must not be lost.
func TestAStopRightBehindTheStart(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir())
	for n := 1; n <= 20; n++ {
		run := start(t, p.Shell(), dispatch(n, object{"cmd": "sleep 100"}))
		p.Shell().Stop(token(n), 0)
		if e := run.ended(); e.End != messages.StoppedRun && e.End != messages.Returned {
			t.Errorf("%s %s", e.End, e.Reason)
		}
	}
}

func TestMuchOutputIsReadAndCut(t *testing.T) {
	t.Parallel()
	run := start(t, open(t, t.TempDir()).Shell(), dispatch(1, object{"cmd": "head -c 30000000 /dev/zero | tr '\\0' x"}))
	e := run.ended()
	if e.End != messages.Finished || len(e.Result) < 64<<10 || len(e.Result) > 65<<10 || !strings.Contains(string(e.Result), `"truncated":true`) {
		t.Errorf("%s: %d bytes", e.End, len(e.Result))
	}
	if run.wrote < worker.StreamBytes || run.wrote > worker.StreamBytes+64<<10 {
		t.Errorf("%d bytes told", run.wrote)
	}
}

func TestAtTheEndOfTheLeaseARunIsLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := runners.NewProcesses(runners.ProcessConfig{Dir: dir, Args: []string{"keeper"}})
	t.Cleanup(func() {
		if err := p.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	if e := start(t, p.Shell(), dispatch(1, object{"cmd": "true"})).ended(); e.End != messages.Returned {
		t.Errorf("before it began: %s", e.End)
	}
	if err := p.Begin("i"); err != nil {
		t.Fatal(err)
	}
	if e := start(t, p.Shell(), dispatch(2, object{"cmd": "true"})).ended(); e.End != messages.Returned {
		t.Errorf("without a lease: %s", e.End)
	}
	p.Extend(time.Duration(keeper.BoottimeNow()) + 500*time.Millisecond)
	run := start(t, p.Shell(), dispatch(3, object{"cmd": "sleep 100"}))
	if e := run.ended(); e.End != messages.LostRun {
		t.Errorf("%s %s", e.End, e.Reason)
	}
	if e := start(t, p.Shell(), dispatch(4, object{"cmd": "true"})).ended(); e.End != messages.Returned {
		t.Errorf("after the lease: %s", e.End)
	}
	if err := p.Begin("j"); err != nil {
		t.Fatal(err)
	}
	p.Extend(time.Duration(keeper.BoottimeNow()) + time.Minute)
	if e := start(t, p.Shell(), dispatch(5, object{"cmd": "true"})).ended(); e.End != messages.Finished {
		t.Errorf("in the next incarnation: %s %s", e.End, e.Reason)
	}
	run = start(t, p.Shell(), dispatch(6, object{"cmd": "sleep 100"}))
	run.next()
	if err := p.Begin("k"); err != nil {
		t.Fatal(err)
	}
	if e := run.ended(); e.End != messages.LostRun {
		t.Errorf("a run of the incarnation before: %s", e.End)
	}
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	dir, pack := t.TempDir(), t.TempDir()
	p := open(t, dir)
	files := 0
	script := func(mode os.FileMode, text string) string {
		files++
		name := fmt.Sprintf("a%d", files)
		if err := os.WriteFile(filepath.Join(pack, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return name
	}
	const bad = `,"succeeded":false,"failed":true`
	const ok = `,"stderr":"","return_code":0,"succeeded":true,"failed":false`
	for n, c := range []struct {
		name   string
		entry  string
		end    messages.ReportKind
		result string
	}{
		{"echoes its parameters", script(0o755, "#!/bin/sh\necho working; cat\n"), messages.Finished, `{"result":{"p":"x"},"stdout":"working\n"` + ok + `}`},
		{"is not executable", script(0o644, "#!/bin/sh -e\necho '[1]'\n"), messages.Finished, `{"result":[1],"stdout":""` + ok + `}`},
		{"writes text", script(0o755, "#!/bin/sh\necho done\n"), messages.Finished, `{"stdout":"done\n"` + ok + `}`},
		{"writes a file", script(0o755, "#!/bin/sh\necho '{\"a\":1}' > $ATTUNE_OUTPUT; echo 5\n"), messages.Finished, `{"result":{"a":1},"stdout":"5\n"` + ok + `}`},
		{"writes text to a file", script(0o755, "#!/bin/sh\nprintf hi > $ATTUNE_OUTPUT\n"), messages.Finished, `{"result":"hi","stdout":""` + ok + `}`},
		{"removes the file", script(0o755, "#!/bin/sh\nrm $ATTUNE_OUTPUT; echo 1\n"), messages.Finished, `{"result":1,"stdout":""` + ok + `}`},
		{"puts a pipe in its place", script(0o755, "#!/bin/sh\nrm $ATTUNE_OUTPUT; mkfifo $ATTUNE_OUTPUT\n"), messages.FailedRun, ""},
		{"writes too much", script(0o755, "#!/bin/sh\nhead -c 1100000 /dev/zero > $ATTUNE_OUTPUT\n"), messages.FailedRun, ""},
		{"fails with a result", script(0o755, "#!/bin/sh\necho 7; exit 4\n"), messages.FailedRun, `{"result":7,"stdout":"","stderr":"","return_code":4` + bad + `,"error":"the exit code is 4"}`},
		{"is missing", "nothing", messages.RefusedRun, ""},
		{"is outside", "../x", messages.RefusedRun, ""},
		{"is a folder", ".", messages.RefusedRun, ""},
		{"is no program", script(0o644, "hello"), messages.RefusedRun, ""},
		{"names no interpreter that is there", script(0o644, "#!/nowhere/sh\n"), messages.RefusedRun, ""},
	} {
		d := dispatch(n+1, object{"p": "x"})
		d.EntryPoint, d.Dir = c.entry, pack
		e := start(t, p.Program(), d).ended()
		if e.End != c.end || string(e.Result) != c.result || (e.End == messages.RefusedRun) != (e.Reason != "") {
			t.Errorf("%s: %s (%s) %v\ngot  %s\nwant %s", c.name, e.End, e.Reason, e.Failure, e.Result, c.result)
		}
	}
	d := dispatch(100, object{"p": strings.Repeat("x", 1<<20)}) // more than a pipe holds, and nobody reads
	d.EntryPoint, d.Dir = script(0o755, "#!/bin/sh\nexec <&-; head -c 100000 /dev/zero | tr '\\0' y; echo; echo '{\"a\": 2}'\n"), pack
	e := start(t, p.Program(), d).ended()
	want := `{"result":{"a":2},"stdout":"` + strings.Repeat("y", 64<<10) + `","stderr":"","return_code":0,"succeeded":true,"failed":false,"truncated":true}`
	if e.End != messages.Finished || string(e.Result) != want {
		t.Errorf("%s %v %.100s", e.End, e.Failure, e.Result)
	}
	if files, err := os.ReadDir(filepath.Join(dir, "output")); err != nil || len(files) > 0 {
		t.Error(files, err)
	}
}
