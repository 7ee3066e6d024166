package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/attune-automation/attune/api"
)

// Unknown action 404; missing, unknown, wrong-typed parameters 422 all named;
// body over 1 MiB 413.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.dev()
	const executions = "/api/v1/executions"
	for _, c := range []struct {
		name, path, body string
		status           int
		says             []string
	}{
		{"an unknown action", executions, `{"action": "core.lokal"}`, 404, []string{"core.lokal"}},
		{"an unknown trigger", "/api/v1/events", `{"trigger": "load.wrok"}`, 404, []string{"load.wrok"}},
		{"an unknown webhook", "/api/v1/webhooks/nobody", `{}`, 404, []string{"unknown_webhook"}},
		{"parameters that are missing, unknown and wrong", executions,
			`{"action": "load.work", "parameters": {"ms": "soon", "colour": "red", "gate": ["x"]}}`, 422,
			[]string{"parameters.key", "parameters.ms", "parameters.colour", "parameters.gate"}},
		{"no JSON", executions, `{"action": `, 422, nil},
		{"fields of the wrong type, and unknown ones", executions, `{"action": 5, "timeout": true, "speed": "fast"}`, 422, []string{"action", "timeout", "speed"}},
		{"a body over 1 MiB", executions, `{"action": "core.echo", "parameters": {"message": "` + strings.Repeat("x", 1<<20) + `"}}`, 413, []string{"1 MiB"}},
		{"an event over 1 MiB", "/api/v1/events", `{"trigger": "load.work", "payload": "` + strings.Repeat("x", 1<<20) + `"}`, 413, []string{"1 MiB"}},
	} {
		r := d.ask(http.MethodPost, c.path, c.body)
		if r.status != c.status || r.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", c.name, r.status, r.header.Get("Content-Type"))
		}
		contains(t, c.name, r.body, c.says...)
		if p := decode[api.Problem](t, r.body); p.Status != c.status || p.Code == "" || p.Detail == "" {
			t.Errorf("%s: %s", c.name, r.body)
		}
	}
	p := w.run("run", "load.work", "ms=soon", "colour=red").exits(64)
	contains(t, "the command", p.talk.String(), "parameters.key", "parameters.ms", "parameters.colour")
	if xs := all[api.ExecutionView](d, "/executions", nil); len(xs) > 0 {
		t.Errorf("refused requests became %d executions", len(xs))
	}
}

// brokenFaults are the faults in the files of the pack broken, each at its
// file:line:col.
var brokenFaults = []string{
	"actions/several.yaml:4:1: .*colour",
	"actions/several.yaml:3:14: .*outside.sh",
	"actions/several.yaml:7:11: .*numeral",
	"actions/several.yaml:10:15: .*perhaps",
	`actions/unclosed.yaml:\d+:\d+: `,
	"rules/nowhere.yaml:5:3: .*resembles",
}

// Broken YAML file:line:col, all faults at once: attune pack check DIR.
func TestPackCheckNamesAllFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.run("pack", "check", filepath.Join(w.packs, "broken")).exits(1)
	for _, fault := range brokenFaults {
		if !regexp.MustCompile("(?m)broken/" + fault).MatchString(p.out.String()) {
			t.Errorf("no line is like %s:\n%s", fault, p.out)
		}
	}
	w.run("pack", "check", filepath.Join(w.packs, "load")).exits(0)
}

// attune dev prints the faults of packs at start while the rest works.
func TestDevStartsWithABrokenPack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.devWith("--packs", w.packs)
	d.says(d.talk, "next, ")
	for _, fault := range brokenFaults {
		if !regexp.MustCompile("(?m)broken/" + fault).MatchString(d.talk.String()) {
			t.Errorf("no line is like %s:\n%s", fault, tail(d.talk.String()))
		}
	}
	if p := w.run("run", "core.local", "cmd=echo hi").exits(0); p.out.String() != "hi\n" {
		t.Errorf("printed %q", p.out)
	}
	started := d.chain(d.send("broken.knock", `{"who": "somebody"}`, "").ID).Enforcements
	if len(started) != 1 || started[0].Rule != "broken.works" || started[0].Started.Status != "completed" {
		t.Errorf("the sound rule of the broken pack: %+v", started)
	}
}

// A template that fails leaves a failed enforcement with the reason.
func TestATemplateThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.dev()
	event := d.send("load.work", `{"key": "k", "kind": "odd", "ms": 1}`, "")
	failed := 0
	for _, en := range d.chain(event.ID).Enforcements {
		if en.Rule != "load.odd" {
			continue
		}
		failed++
		if en.Status != "failed" || en.Error == nil || en.Execution != "" || en.Started != nil {
			t.Fatalf("%+v", en)
		}
		contains(t, "the reason", en.Error.Message+en.Error.Detail, "ms")
		p := w.run("trace", event.ID).exits(0)
		contains(t, "the trace", p.out.String(), en.ID+" rule load.odd matched: failed", en.Error.Message)
	}
	if failed != 1 {
		t.Errorf("%d enforcements failed, not 1", failed)
	}
}

// A second attune dev on the same folder refuses clearly.
func TestASecondDevOnTheSameFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dev()
	p := w.run("dev", "--listen", "127.0.0.1:0").exits(5)
	contains(t, "the second", p.talk.String(), "another process is using the data folder", w.data, "try:")
	w.run("run", "core.noop").exits(0) // the first goes on, and is found
}

// No or wrong token 401 on every route of the OpenAPI document but health.
func TestEveryRouteNeedsAToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.dev()
	document := decode[struct {
		Paths map[string]map[string]any `json:"paths"`
	}](t, d.askAs("", http.MethodGet, "/openapi.json", "").body)
	routes := 0
	for path, methods := range document.Paths {
		target := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "x")
		for method := range methods {
			method = strings.ToUpper(method)
			routes++
			for _, token := range []string{"", "wrong", d.token + "x"} {
				want := http.StatusUnauthorized
				if path == "/healthz" || path == "/readyz" {
					want = http.StatusOK
				}
				if r := d.askAs(token, method, target, ""); r.status != want {
					t.Errorf("%s %s with the token %q: %d", method, path, token, r.status)
				}
			}
			if path == "/api/v1/stream" { // it has no end
				continue
			}
			if r := d.ask(method, target, ""); r.status == http.StatusUnauthorized {
				t.Errorf("%s %s with the right token: %d", method, path, r.status)
			}
		}
	}
	if routes < 30 {
		t.Errorf("the document has only %d routes", routes)
	}
}

// A non-loopback address without TLS is refused unless
// --insecure-plaintext-listen.
func TestPlaintextStaysOnTheMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, address := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:0", "example.com:0"} {
		p := w.run("dev", "--listen", address).exits(64)
		contains(t, "attune dev", p.talk.String(), "--insecure-plaintext-listen")
	}
	if exists(w.data) {
		t.Error("a refused start has made a data folder")
	}
	w.dev("--listen", "0.0.0.0:0", "--insecure-plaintext-listen")
	w.run("run", "core.noop").exits(0)
}

// NUL bytes and invalid UTF-8 in output do no harm: result, logs, list, trace
// are fine, raw bytes exact.
func TestBytesThatAreNoText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.dev()
	const raw = "a\x00b\xff\xfec\xc3(\xe2\x82\x1b[31md\n"
	file := filepath.Join(w.home, "bytes")
	must(t, os.WriteFile(file, []byte(raw), 0o600))
	p := w.run("run", "core.local", fmt.Sprintf("cmd=cat %s; cat %s >&2; exit 7", file, file), "-o", "json").exits(1)
	x := decode[api.ExecutionView](t, p.out.String())
	result := decode[struct {
		Stdout string `json:"stdout"`
	}](t, string(x.Result))
	if want := "a\uFFFDb\uFFFDc\uFFFD(\uFFFD\x1b[31md"; squeezed(result.Stdout) != want {
		t.Errorf("the result has %q, not %q", result.Stdout, want)
	}
	logs := w.run("execution", "logs", x.ID).exits(0)
	if logs.out.String() != raw || logs.talk.String() != raw {
		t.Errorf("the logs are %q and %q", logs.out, logs.talk)
	}
	if r := d.ask(http.MethodGet, "/api/v1/executions/"+x.ID+"/output?raw=true", ""); r.status != 200 || r.body != raw {
		t.Errorf("the raw output is %d %q", r.status, r.body)
	}
	if r := d.ask(http.MethodGet, "/api/v1/executions/"+x.ID+"/output?stream=stderr", ""); squeezed(r.body) != "a\x00b\uFFFDc\uFFFD(\uFFFD\x1b[31md\n" {
		t.Errorf("the output as text is %q", r.body)
	}
	for _, args := range [][]string{{"execution", "list"}, {"execution", "get", x.ID}, {"trace", x.ID}} {
		out := w.run(args...).exits(0).out.String()
		contains(t, args[0], out, x.ID)
		if strings.ToValidUTF8(out, "?") != out || strings.ContainsAny(out, "\x00\x1b") {
			t.Errorf("%v shows %q", args, out)
		}
	}
	// What no store could keep is refused on the way in.
	for _, c := range []struct{ path, body, says string }{
		{"/events", `{"trigger": "load.work", "payload": {"key": "a\u0000b"}}`, "NUL"},
		{"/events", `{"trigger": "load.work", "payload": {"key": "a\ud800b"}}`, "surrogate"},
		{"/events", `{"trigger": "load.work", "dedupe": "a\u0000b"}`, "NUL"},
		{"/executions", `{"action": "core.echo", "parameters": {"message": "a\u0000b"}}`, "NUL"},
	} {
		r := d.ask(http.MethodPost, "/api/v1"+c.path, c.body)
		if r.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", c.body, r.status, r.body)
		}
		contains(t, "the refusal of "+c.body, r.body, c.says)
	}
	if events := all[api.EventView](d, "/events", nil); len(events) > 0 {
		t.Errorf("what was refused is there: %+v", events)
	}
}

// squeezed is text with each run of replacement characters made one: how many
// there are for some bad bytes is not promised.
func squeezed(s string) string { return regexp.MustCompile("\uFFFD+").ReplaceAllString(s, "\uFFFD") }
