package e2e_test

import (
	"strings"
	"syscall"
	"testing"
)

// Exit codes: 0 ok, 1 the run failed, was cancelled or abandoned, 3 not found,
// 4 denied, 5 conflict, 64 usage, 69 unreachable, 124 timed out, 130
// interrupted.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run("execution", "list").exits(69) // none runs here
	d := w.dev()
	cancelled := d.begin("core.pause", `{"delay": 100}`)
	w.run("execution", "cancel", cancelled).exits(0)
	waiting := d.begin("core.pause", `{"delay": 100}`)
	for _, c := range []struct {
		args string
		code int
	}{
		{"version", 0},
		{"--help", 0},
		{"run core.noop", 0},
		{"run core.local cmd=true", 0},
		{"run core.local cmd=false", 1},
		{"execution wait " + cancelled, 1},
		{"run no.such", 3},
		{"execution get ex-0000000000001", 3},
		{"event get ev-0000000000001", 3},
		{"action get no.such", 3},
		{"run core.noop --token wrong", 4},
		{"dev --listen 127.0.0.1:0", 5},
		{"run", 64},
		{"nonsense", 64},
		{"run core.noop --nonsense", 64},
		{"run core.noop -o pictures", 64},
		{"run core.local", 64},
		{"execution get nonsense", 64},
		{"run core.noop --server http://127.0.0.1:1", 69},
		{"run core.pause delay=100 --timeout 100ms", 124},
		{"execution wait " + waiting + " --wait 100ms", 124},
	} {
		p := w.run(strings.Fields(c.args)...)
		if p.code != c.code {
			t.Errorf("attune %s: %d, not %d:\n%s%s", c.args, p.code, c.code, p.out, tail(p.talk.String()))
		}
		if talk := p.talk.String(); c.code > 1 && c.code != 124 && !strings.Contains(talk, "error: ") {
			t.Errorf("attune %s does not say what is wrong: %q", c.args, talk)
		}
	}
	p := w.start("execution", "wait", waiting)
	p.says(p.talk, waiting)
	p.signal(syscall.SIGINT)
	p.exits(130)
	if x := d.execution(waiting); x.Terminal {
		t.Errorf("an interrupted wait has made it %s", x.Status)
	}
	w.run("execution", "cancel", waiting).exits(0)
	d.ends(waiting)
}
