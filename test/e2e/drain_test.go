package e2e_test

import (
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// gated is a command that says so when it begins, waits for a file, and says
// so when it ends.
func (w *world) gated(name string) (parameters, begun, gate, ended string) {
	at := func(what string) string { return filepath.Join(w.home, name+"-"+what) }
	begun, gate, ended = at("begun"), at("gate"), at("ended")
	return `{"cmd": "echo x >> ` + begun + `; while [ ! -e ` + gate + ` ]; do sleep 0.02; done; echo x >> ` + ended + `"}`, begun, gate, ended
}

// The first SIGTERM drains (G12): what runs finishes, nothing new starts,
// waiting work is there after the restart.
func TestTheFirstSignalDrains(t *testing.T) {
	embeddedOnly(t, "there what runs goes on without the node, see TestANodeDrainsAndItsWorkersGoOn")
	for name, signal := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			d := w.dev("--slots", "1")
			parameters, begun, gate, ended := w.gated("first")
			first := d.begin("core.local", parameters)
			await(t, "the first to run", func() bool { return exists(begun) })
			parameters, secondBegun, secondGate, _ := w.gated("second")
			touch(t, secondGate)
			second := d.begin("core.local", parameters)
			d.signal(signal)
			d.says(d.talk, "draining")
			await(t, "it not to be ready", func() bool { return d.askAs("", http.MethodGet, "/readyz", "").status != http.StatusOK })
			r := d.ask(http.MethodPost, "/api/v1/executions", `{"action": "core.noop"}`)
			if r.status != http.StatusServiceUnavailable {
				t.Errorf("a request while it drains: %d %s", r.status, r.body)
			}
			touch(t, gate)
			d.exits(0)
			if !exists(ended) {
				t.Error("what ran did not finish")
			}
			if exists(secondBegun) {
				t.Error("something new was started")
			}
			d = w.dev("--slots", "1")
			if x := d.ends(first); x.Status != "completed" || x.Attempt != 1 {
				t.Errorf("what ran is %s, attempt %d", x.Status, x.Attempt)
			}
			if x := d.ends(second); x.Status != "completed" {
				t.Errorf("what waited is %s", x.Status)
			}
		})
	}
}

// A second SIGINT ends at once. A restart takes over at once (ready within 5 s)
// and ends what was left; the lost run is abandoned, what waited goes on.
func TestTheSecondSignalEndsAtOnce(t *testing.T) {
	embeddedOnly(t, "there what runs goes on without the node, see TestANodeDrainsAndItsWorkersGoOn")
	t.Parallel()
	w := newWorld(t)
	d := w.dev("--slots", "1")
	parameters, begun, _, _ := w.gated("first")
	first := d.begin("core.local", parameters)
	await(t, "the first to run", func() bool { return exists(begun) })
	second := d.begin("core.echo", `{"message": "later"}`)
	d.signal(syscall.SIGINT)
	d.says(d.talk, "draining")
	d.signal(syscall.SIGINT)
	at := time.Now()
	d.exits(130)
	if took := time.Since(at); took > 5*time.Second {
		t.Errorf("it ended after %s", took)
	}
	d = w.dev("--slots", "1")
	if d.opened > 5*time.Second {
		t.Errorf("it was ready after %s", d.opened)
	}
	if x := d.ends(first); x.Status != "abandoned" {
		t.Errorf("what ran is %s", x.Status)
	}
	if left := processesOf(first); len(left) > 0 {
		t.Errorf("of what ran is left: %v", left)
	}
	if x := d.ends(second); x.Status != "completed" {
		t.Errorf("what waited is %s", x.Status)
	}
}

// Events with a dedupe key are answered with the first id, over a restart of
// any kind.
func TestDedupeOverARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.dev()
	const payload = `{"key": "k", "kind": "none", "ms": 1}`
	first := d.send("load.work", payload, "once")
	if again := d.send("load.work", payload, "once"); first.Duplicate || !again.Duplicate || again.ID != first.ID {
		t.Errorf("%+v, then %+v", first, again)
	}
	d.stop()
	d = w.dev()
	if again := d.send("load.work", payload, "once"); !again.Duplicate || again.ID != first.ID {
		t.Errorf("%+v, after a restart %+v", first, again)
	}
	d.kill()
	d = w.dev()
	p := w.run("event", "send", "load.work", "key=k", "--dedupe", "once", "-o", "name").exits(0)
	if p.line() != first.ID {
		t.Errorf("%s, after a kill %s", first.ID, p.line())
	}
	if other := d.send("load.work", payload, "twice"); other.Duplicate || other.ID == first.ID {
		t.Errorf("another key is %+v", other)
	}
	chain := d.chain(first.ID)
	if len(chain.Enforcements) != 1 || chain.Enforcements[0].Started.Status != "completed" {
		t.Errorf("%+v", chain.Enforcements)
	}
	x := w.run("run", "core.noop", "--dedupe", "one", "--detach", "-o", "name").exits(0).line()
	d.kill()
	w.dev()
	if again := w.run("run", "core.noop", "--dedupe", "one", "--detach", "-o", "name").exits(0).line(); again != x {
		t.Errorf("the execution %s is now %s", x, again)
	}
}
