package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/core"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/worker/keeper"
)

// Everything in one process runs a real command, and finds it again when it is
// opened anew. One process at a time may use the folder.
func TestEmbedded(t *testing.T) {
	config := node.EmbeddedConfig{Data: t.TempDir(), Packs: []*attune.Pack{packs.LoadFS(core.Files, core.Ref, "")}, Slots: 2, KeeperArgs: []string{"keeper"}, Mode: contained(t)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e := open(ctx, t, config)
	if second, err := node.OpenEmbedded(ctx, config); err == nil {
		_ = second.Close(ctx)
		t.Error("two processes may use one folder")
	}
	receipt, err := e.RequestExecution(ctx, api.ExecutionRequest{Action: "core.local", Parameters: map[string]any{"cmd": "echo hello"}, Chain: attune.Chain{Principal: "me"}})
	if err != nil {
		t.Fatal(err)
	}
	x := e.wait(ctx, receipt.ID)
	var result struct {
		Stdout string `json:"stdout"`
	}
	if x.Status != attune.Completed || json.Unmarshal(x.Result, &result) != nil || strings.TrimSpace(result.Stdout) != "hello" {
		t.Fatalf("it is %s: %s %v", x.Status, x.Result, x.Failure)
	}
	sleeper, err := e.RequestExecution(ctx, api.ExecutionRequest{Action: "core.local", Parameters: map[string]any{"cmd": "sleep 0.2; echo slept"}, Chain: attune.Chain{Principal: "me"}})
	if err != nil {
		t.Fatal(err)
	}
	e.close(ctx) // waits for what runs; what is not started yet waits for the next start

	e = open(ctx, t, config)
	defer e.close(ctx)
	for id, text := range map[attune.ExecutionID]string{receipt.ID: "hello\n", sleeper.ID: "slept\n"} {
		x := e.wait(ctx, id)
		out, err := e.Store.ReadOutput(ctx, x.Token(), persistence.Stdout, 0, 100)
		if x.Status != attune.Completed || err != nil || string(out) != text {
			t.Errorf("after it was opened again %s is %s and printed %q, %v", id, x.Status, out, err)
		}
		steps, err := x.History.Steps()
		if err != nil || len(steps) < 4 || steps[len(steps)-1].Signal != attune.Finish {
			t.Errorf("its history is %+v, %v", steps, err)
		}
	}
}

// A script gets its arguments in their places, and a request its answer, on the
// way through the whole node; loopback is open to it only where that is said.
func TestEmbeddedScriptsAndRequests(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"pack.yaml": "name: p\n", "actions/s.sh": "#!/bin/sh\nprintf '[%s]' \"$@\"\n",
		"actions/hoard.yaml": "name: hoard\nrunner_type: local-shell-cmd\nlimits: {memory: 20MiB}\nparameters: {cmd: {default: 'dd if=/dev/zero of=/dev/null bs=60M count=1 || exit 3'}}\n",
		"actions/s.yaml":     "name: s\nrunner_type: local-shell-script\nentry_point: s.sh\nparameters:\n  last: {position: 2}\n  first: {position: 1}\n  named: {type: integer}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, "p", name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "p", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"asked": %q}`, r.Method+" "+r.RequestURI)
	}))
	defer server.Close()
	config := node.EmbeddedConfig{Packs: append(packs.Load(dir), packs.LoadFS(core.Files, core.Ref, "")), Slots: 2, KeeperArgs: []string{"keeper"}, Mode: contained(t)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	limited := "exit_code" // each process by itself is refused what it asks for
	if config.Mode == keeper.ByCgroup {
		limited = "" // it depends on the machine
	}
	ask := api.ExecutionRequest{Action: "core.http", Parameters: map[string]any{"url": server.URL + "/x", "params": map[string]any{"a": 1}}}
	for _, c := range []struct {
		request api.ExecutionRequest
		allow   []netip.Prefix
		status  attune.Status
		want    string // in the result, or the code of the failure
	}{
		{api.ExecutionRequest{Action: "p.s", Parameters: map[string]any{"named": 7, "last": "z"}}, nil, attune.Completed, `"stdout":"[--named=7][][z]"`},
		{ask, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, attune.Completed, `"body":{"asked":"GET /x?a=1"},"parsed":true`},
		{ask, nil, attune.Failed, "address_refused"},
		{api.ExecutionRequest{Action: "p.hoard"}, nil, attune.Failed, limited},
	} {
		config.Data, config.AllowHTTP = t.TempDir(), c.allow
		e := open(ctx, t, config)
		c.request.Chain.Principal = "me"
		receipt, err := e.RequestExecution(ctx, c.request)
		if err != nil {
			t.Fatal(err)
		}
		x := e.wait(ctx, receipt.ID)
		said := string(x.Result)
		if x.Failure != nil {
			said = x.Failure.Code
		}
		if x.Status != c.status || !strings.Contains(said, c.want) {
			t.Errorf("%s is %s: %s %v", x.Action, x.Status, x.Result, x.Failure)
		}
		e.close(ctx)
	}
}

// A folder that cannot be used leaves nothing open.
func TestEmbeddedInAFolderThatIsAFile(t *testing.T) {
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := node.OpenEmbedded(t.Context(), node.EmbeddedConfig{Data: file, KeeperArgs: []string{"keeper"}}); err == nil {
		t.Error("it opened")
	}
}

// embedded is a node with everything, and its test.
type embedded struct {
	*node.Embedded
	t *testing.T
}

func open(ctx context.Context, t *testing.T, c node.EmbeddedConfig) embedded {
	t.Helper()
	e, err := node.OpenEmbedded(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return embedded{e, t}
}

func (e embedded) close(ctx context.Context) {
	e.t.Helper()
	if err := e.Close(ctx); err != nil {
		e.t.Error(err)
	}
}

// wait returns an execution when it has ended.
func (e embedded) wait(ctx context.Context, id attune.ExecutionID) *attune.Execution {
	e.t.Helper()
	changed, stop := e.Watch(id)
	defer stop()
	for {
		x, err := e.Store.Execution(ctx, id)
		if err != nil {
			e.t.Fatal(err)
		}
		if x.Status.Terminal() {
			return x
		}
		select {
		case <-changed:
		case <-ctx.Done():
			e.t.Fatalf("%s is still %s: %s", id, x.Status, x.Reason)
		}
	}
}

// contained is the containment of processes that this machine has.
func contained(t *testing.T) keeper.Mode {
	t.Helper()
	dir := t.TempDir()
	var reason error
	for _, mode := range []keeper.Mode{keeper.ByReaper, keeper.ByCgroup} {
		k, err := keeper.Open(t.Context(), keeper.Config{Args: []string{"keeper"}, Dir: dir, Mode: mode, Events: func(keeper.Event) {}})
		if err == nil {
			err = k.Close(context.Background())
		}
		if err == nil {
			return mode
		}
		reason = err
	}
	t.Skipf("left out: reaper: %v", reason)
	return keeper.Auto
}
