package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/attune-automation/attune/api"
)

// attune run core.local cmd='echo hi' prints hi, exit 0.
func TestRunPrintsWhatTheActionPrints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dev()
	if p := w.run("run", "core.local", "cmd=echo hi; echo oh >&2").exits(0); p.out.String() != "hi\n" || !strings.Contains(p.talk.String(), "oh\n") {
		t.Errorf("printed %q and %q", p.out, p.talk)
	}
}

// attune run core.local cmd='exit 3' exits 1, and -o json shows failed with
// return_code 3.
func TestRunOfAFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dev()
	p := w.run("run", "core.local", "cmd=exit 3", "-o", "json").exits(1)
	x := decode[api.ExecutionView](t, p.out.String())
	var result struct {
		ReturnCode int `json:"return_code"`
	}
	if err := json.Unmarshal(x.Result, &result); err != nil || x.Status != "failed" || result.ReturnCode != 3 {
		t.Errorf("%s, %v:\n%s", x.Status, err, p.out)
	}
}

// attune run core.pause delay=30 --timeout 1s ends timeout, exit 124, and
// leaves no process.
func TestRunWithATimeLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.dev()
	p := w.run("run", "core.pause", "delay=30", "--timeout", "1s").exits(124)
	id := executionID(t, p.talk.String())
	if left := processesOf(id); len(left) > 0 { // it ended because there is none, so there is no waiting
		t.Errorf("left: %v", left)
	}
	if x := d.execution(id); x.Status != "timeout" {
		t.Errorf("the execution is %s", x.Status)
	}
	contains(t, "the command", p.talk.String(), id+" timeout after ")
}

// executionID is the first id that a command speaks of.
func executionID(t *testing.T, talk string) string {
	t.Helper()
	id := regexp.MustCompile(`ex-\w{13}`).FindString(talk)
	if id == "" {
		t.Fatalf("there is no id of an execution in:\n%s", talk)
	}
	return id
}

// Ctrl-C detaches and says how to attach again, exit 130; the execution goes
// on; attune execution logs -f attaches.
func TestCtrlCDetaches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.dev()
	gate := filepath.Join(w.home, "gate")
	p := w.start("run", "core.local", "cmd=echo begun; while [ ! -e "+gate+" ]; do sleep 0.05; done; echo done")
	p.says(p.out, "begun\n")
	p.signal(syscall.SIGINT)
	p.exits(130)
	id := executionID(t, p.talk.String())
	contains(t, "the command", p.talk.String(), "detached; "+id+" goes on", "attune execution logs -f "+id, "attune execution cancel "+id)
	if x := d.execution(id); x.Terminal {
		t.Fatalf("the execution does not go on: it is %s", x.Status)
	}
	logs := w.start("execution", "logs", "-f", id)
	logs.says(logs.out, "begun\n")
	if !logs.running() {
		t.Error("the logs ended before the execution")
	}
	touch(t, gate)
	logs.exits(0)
	if logs.out.String() != "begun\ndone\n" {
		t.Errorf("the logs are %q", logs.out)
	}
	if x := d.ends(id); x.Status != "completed" {
		t.Errorf("the execution is %s", x.Status)
	}
}

// A hostile action (double fork, setsid, ignores SIGTERM) is gone to the last
// process after cancel.
func TestAHostileActionIsGoneAfterCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.dev()
	id := w.run("run", "load.hostile", "--detach", "-o", "name").exits(0).line()
	await(t, "first process, child and orphan to be there", func() bool {
		pids, err := os.ReadFile(filepath.Join(w.home, "hostile"))
		return err == nil && strings.Count(string(pids), "\n") == 3
	})
	if n := len(processesOf(id)); n != 3 {
		t.Fatalf("the action has %d processes, not 3", n)
	}
	w.run("execution", "cancel", id).exits(0)
	x := d.ends(id)
	if left := processesOf(id); len(left) > 0 { // cancelled means that there is none
		t.Errorf("it is %s, and left: %v", x.Status, left)
	}
	if x.Status != "cancelled" {
		t.Errorf("the execution is %s", x.Status)
	}
	w.run("execution", "cancel", id).exits(0) // again changes nothing
	w.run("execution", "wait", id).exits(1)
}
