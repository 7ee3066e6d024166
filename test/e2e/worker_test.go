package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/attune-automation/attune/api"
)

// token makes a worker's token and says how a command line gives it.
func (w *world) workerToken(name string) string {
	w.t.Helper()
	file := filepath.Join(w.dir, name+".token")
	must(w.t, os.WriteFile(file, []byte(w.run("token", "create", name, "--kind", "worker").exits(0).line()+"\n"), 0o600))
	return "@" + file
}

// worker starts a worker as a process of its own, with a folder of its own, and
// returns when it is alive. On attune dev the servers carry everything.
func (w *world) worker(d *dev, name, token string, flags ...string) *process {
	w.t.Helper()
	p := w.start(append([]string{"worker", "start", "--name", name, "--data", filepath.Join(w.dir, "of-"+name), "--server", d.url, "--token", token}, flags...)...)
	p.says(p.talk, "worker is registered")
	await(w.t, name+" to be alive", func() bool { return d.workerState(name) == "alive" })
	return p
}

// drainLocal leaves all work to other workers than the first.
func (d *dev) drainLocal() {
	d.t.Helper()
	await(d.t, "the first worker to be alive", func() bool { return d.workerState("local") == "alive" })
	d.run("worker", "drain", "local", "--wait", "10s").exits(0)
}

func (d *dev) workerState(name string) string {
	d.t.Helper()
	for _, v := range all[api.WorkerAnswer](d, "/workers", nil) {
		if v.Name == name {
			return v.State
		}
	}
	return ""
}

// A worker that is a process of its own does what the built-in one does: with
// packs that it fetches, secrets that it opens, output, limits, cancels.
func TestAWorkerOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	canary := newCanary()
	w.vault(canary)
	d := w.devWith("--packs", w.packs)
	d.drainLocal()
	worker := w.worker(d, "w1", w.workerToken("w1"), "--slots", "2", "--labels", "disk=ssd", "--zone", "a", "--key", filepath.Join(w.data, "attune.key"))
	contains(t, "its banner", worker.talk.String(), "worker      w1", "incarnation w1-", "server      "+d.url, "attune worker get w1")

	p := w.run("run", "core.local", "cmd=echo out; echo err >&2; exit 3").exits(1)
	contains(t, "the run", p.out.String(), "out")
	id := w.run("run", "load.work", "key=k", "ms=1", "--detach", "-o", "name").exits(0).line()
	if x := d.ends(id); x.Status != "completed" || x.Worker != "w1" {
		t.Errorf("%s on %s: %+v", x.Status, x.Worker, x.Error)
	}
	if x := d.ends(w.run("run", "vault.leak", "password="+canary.text, "--detach", "-o", "name").exits(0).line()); x.Worker != "w1" || x.Status != "completed" {
		t.Errorf("with a secret it is %s on %s: %+v", x.Status, x.Worker, x.Error)
	}
	canary.unseen(t, "the worker", worker.talk.String())

	hostile := w.run("run", "load.hostile", "--detach", "-o", "name").exits(0).line()
	await(t, "it to run", func() bool { return len(processesOf(hostile)) == 3 })
	w.run("execution", "cancel", hostile).exits(0)
	if x := d.ends(hostile); x.Status != "cancelled" || len(processesOf(hostile)) > 0 {
		t.Errorf("it is %s, and left: %v", x.Status, processesOf(hostile))
	}

	gate := filepath.Join(w.home, "gate")
	last := w.start("run", "core.local", "cmd=echo begun; while [ ! -e "+gate+" ]; do sleep 0.05; done; echo done")
	last.says(last.out, "begun")
	worker.signal(syscall.SIGTERM)
	worker.says(worker.talk, "draining")
	touch(t, gate)
	last.exits(0)
	worker.exits(0)
	await(t, "it to have left", func() bool { return d.workerState("w1") == "left" }) // it says so, and goes
	w.run("worker", "remove", "w1").exits(0)
	w.run("worker", "get", "w1").exits(3)
}

// Without the key a worker refuses what is sealed, and says why.
func TestAWorkerWithoutTheKeyRefusesSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vault(newCanary())
	d := w.devWith("--packs", w.packs)
	d.drainLocal()
	worker := w.worker(d, "w1", w.workerToken("w1"))
	contains(t, "its banner", worker.talk.String(), "secrets     none can be opened")
	x := d.ends(w.run("run", "vault.leak", "password=x", "--detach", "-o", "name").exits(0).line())
	if x.Status != "failed" || x.Error == nil || x.Error.Code != "secret_unreadable" {
		t.Errorf("it is %s: %+v", x.Status, x.Error)
	}
	if v := fetch[api.WorkerAnswer](d, "/workers/w1", nil); v.Labels["secrets"] != "none" {
		t.Errorf("its labels are %v", v.Labels)
	}
}

// Of two processes of one name the second is refused while the first lives, and
// does the first no harm; when that is killed, its run is ended by its keeper,
// abandoned within 13 s, and the second goes on. Two on one folder is an error.
func TestTwoWorkersOfOneName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.dev()
	d.drainLocal()
	token := w.workerToken("w1")
	first := w.worker(d, "w1", token)
	w.run("worker", "start", "--name", "w1", "--data", filepath.Join(w.dir, "of-w1"), "--server", d.url, "--token", token).exits(5)
	long := d.begin("core.local", `{"cmd":"while true; do sleep 0.05; done"}`)
	await(t, "it to run", func() bool { return d.execution(long).Status == "running" })
	second := w.start("worker", "start", "--name", "w1", "--data", filepath.Join(w.dir, "of-another"), "--server", d.url, "--token", token)
	second.says(second.talk, "is refused")
	began := time.Now()
	await(t, "the first to be heard for longer than a lease beside the second", func() bool {
		heard, err := time.Parse(time.RFC3339, fetch[api.WorkerAnswer](d, "/workers/w1", nil).LastHeard)
		return err == nil && heard.Sub(began) > 12*time.Second
	})
	if x := d.execution(long); x.Status != "running" {
		t.Fatalf("beside a second process it is %s: %+v", x.Status, x.Error)
	}
	w.run("worker", "remove", "w1").exits(5)
	first.signal(syscall.SIGKILL)
	killed := time.Now()
	x := d.ends(long)
	if took := time.Since(killed); x.Status != "abandoned" || took > 13*time.Second {
		t.Errorf("it is %s after %s", x.Status, took)
	}
	if left := processesOf(long); len(left) > 0 {
		t.Errorf("of the run are left: %v", left)
	}
	second.says(second.talk, "worker is registered")
	if x := d.ends(d.begin("core.local", `{"cmd":"echo hi"}`)); x.Status != "completed" {
		t.Errorf("on the second it is %s", x.Status)
	}
}

// What an operator types wrong is said at once, with exit code 64; a worker that
// finds nobody goes on trying.
func TestStartingAWorkerWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.servers = nil // or the environment would name a broker
	for _, c := range [][]string{
		{"worker", "begin"}, {"worker", "start"}, {"worker", "start", "x"}, {"worker", "start", "--server", "http://192.0.2.1:1", "--token", "t"},
		{"worker", "start", "--server", "http://127.0.0.1:1"}, {"worker", "start", "--name", "No Name", "--broker", "amqp://x"},
		{"worker", "start", "--broker", "http://x"}, {"worker", "start", "--broker", "amqp://127.0.0.1:1", "--lease", "1s"},
		{"worker", "start", "--broker", "amqp://127.0.0.1:1", "--labels", "x"}, {"worker", "start", "--broker", "amqp://127.0.0.1:1", "--packs", w.home},
		{"worker", "start", "--server", "http://127.0.0.1:1", "--token", "t", "--ca", "/nowhere"},
	} {
		p := w.run(c...).exits(64)
		if said := p.talk.String(); !strings.HasPrefix(said, "error: ") || !strings.Contains(said, "\n  try: ") && !strings.Contains(said, "\n  - ") {
			t.Errorf("%s says %q", p, said)
		}
	}
	p := w.start("worker", "start", "--name", "w1", "--broker", "amqp://guest:hidden@127.0.0.1:1/", "--server", "http://127.0.0.1:1", "--token", "secret")
	p.says(p.talk, "attune worker get w1")
	p.says(p.talk, "cannot be reached by HTTPS either")
	if said := p.talk.String(); strings.Contains(said, "hidden") || strings.Contains(said, "secret\"") {
		t.Errorf("it says a secret: %s", said)
	}
	p.stop() // nothing runs on it
}
