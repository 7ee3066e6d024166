package examples_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/core"
	"github.com/attune-automation/attune/packs/examples"
)

// load writes the pack into a folder and loads it from there.
func load(t *testing.T) *packs.Snapshot {
	t.Helper()
	dir := filepath.Join(t.TempDir(), examples.Ref)
	for range 2 { // the second time nothing changes
		if err := packs.Materialise(examples.Files, dir); err != nil {
			t.Fatal(err)
		}
	}
	s := packs.NewSnapshot([]*attune.Pack{packs.LoadFS(core.Files, core.Ref, ""), packs.LoadFS(examples.Files, examples.Ref, dir)})
	for _, p := range append(s.Packs(), packs.LoadDir("."), packs.LoadDir(dir)) {
		if len(p.Faults) > 0 {
			t.Fatal(p.Faults)
		}
	}
	return s
}

// call runs the script as the process runner does.
func call(t *testing.T, a *attune.Action, parameters []byte) (said string, result map[string]string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(a.Dir, a.EntryPoint))
	cmd.Stdin, cmd.Dir = bytes.NewReader(parameters), t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "ATTUNE_EXECUTION_ID=ex-1"}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, parameters)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &result); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if left, _ := os.ReadDir(cmd.Dir); len(left) > 0 {
		t.Errorf("the script left %v", left)
	}
	return lines[0], result
}

func TestARecordedRequestCallsOnceForEachCriticalAlert(t *testing.T) {
	s := load(t)
	recorded, err := examples.Files.ReadFile("etc/alertmanager.json")
	if err != nil {
		t.Fatal(err)
	}
	body, err := expression.DecodeJSON(recorded)
	if err != nil {
		t.Fatal(err)
	}
	firings, err := s.Webhooks("alertmanager")[0].Fire(nil, body)
	if err != nil || len(firings) != 3 {
		t.Fatalf("%d events, %v", len(firings), err)
	}
	if got, want := firings[0].Dedupe, "8a1f0c7d2b6e4935:2026-03-14T09:26:53.589Z:firing"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var called []string
	for _, f := range firings {
		payload, err := expression.DecodeJSON(f.Payload)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range s.Rules().For("examples.alertmanager") {
			m := r.Judge(&attune.Event{ID: 1}, payload)
			if !m.Matched {
				continue
			}
			if m.Failure != nil {
				t.Fatal(m.Failure)
			}
			said, result := call(t, r.Action, m.Parameters)
			if !strings.Contains(said, "[critical] HighErrorRate on "+result["instance"]+" since 2026-03-14T09:2") || result["execution"] != "ex-1" {
				t.Errorf("said %q, result %v", said, result)
			}
			called = append(called, result["instance"])
		}
	}
	if got := strings.Join(called, " "); got != "web-1.example.com:8080 web-2.example.com:8080" {
		t.Errorf("called for %q", got)
	}
}

func TestWhatAnAlertSaysIsOnlyDataToTheScript(t *testing.T) {
	s := load(t)
	for _, hostile := range []string{
		`$(touch x)`, "`touch x`", `"; touch x; "`, `'; touch x; '`, `","severity":"info","alertname":"other`, `\","instance":"y`, `\`, `\\"`,
		"a\nb", "%s%n%d", `{"alertname": "x"}`, `-n`, `*`, "ä€😀", "<&>", "\x01\x7f", `"alertname": "x"`, `a\",\"instance\":\"b`, "/.*/", `&\1`,
	} {
		_, params, err := s.Request("examples.notify_oncall", map[string]any{"alertname": "A" + hostile, "instance": hostile, "summary": hostile, "starts_at": hostile})
		if err != nil {
			t.Fatal(err)
		}
		document, err := json.Marshal(params)
		if err != nil {
			t.Fatal(err)
		}
		_, result := call(t, s.Actions()[len(s.Actions())-1], document)
		if result["alertname"] != "A"+hostile || result["instance"] != hostile || result["severity"] != "critical" {
			t.Errorf("%q became %q", hostile, result)
		}
	}
}

func TestHello(t *testing.T) {
	s := load(t)
	firings, err := s.Webhooks("hello")[0].Fire(nil, map[string]any{"name": "world"})
	if err != nil || len(firings) != 1 {
		t.Fatal(firings, err)
	}
	payload, err := expression.DecodeJSON(firings[0].Payload)
	if err != nil {
		t.Fatal(err)
	}
	m := s.Rules().For("core.st2.webhook?url=hello")[0].Judge(&attune.Event{}, payload)
	if got := string(m.Parameters); got != `{"message":"Hello, world!"}` {
		t.Errorf("got %s %v", got, m.Failure)
	}
}
