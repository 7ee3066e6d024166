package e2e_test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-automation/attune/api"
)

// Webhook hello → core.echo; attune trace of each id kind.
func TestAWebhookAndItsTrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	examples, err := filepath.Abs("../../packs/examples")
	must(t, err)
	d := w.devWith("--packs", examples)
	r := d.ask(http.MethodPost, "/api/v1/webhooks/hello", `{"name": "world"}`)
	answer := decode[api.WebhookAnswer](t, r.body)
	if r.status != http.StatusAccepted || len(answer.Events) != 1 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	event := answer.Events[0].ID
	chain := d.chain(event)
	if len(chain.Enforcements) != 1 || chain.Enforcements[0].Started == nil {
		t.Fatalf("%+v", chain)
	}
	enforcement, x := chain.Enforcements[0], chain.Enforcements[0].Started
	if x.Action != "core.echo" || x.Status != "completed" || !strings.Contains(string(x.Result), "Hello, world!") {
		t.Errorf("%s is %s: %s", x.Action, x.Status, x.Result)
	}
	for _, id := range []string{event, enforcement.ID, x.ID} {
		p := w.run("trace", id).exits(0)
		contains(t, "the trace of "+id, p.out.String(), event+" event core.st2.webhook?url=hello",
			"└─ "+enforcement.ID+" rule examples.hello matched", "   └─ "+x.ID+" core.echo completed")
	}
	w.run("trace", "ex-0000000000001").exits(3)
	for args, says := range map[string]string{
		"event get " + event:                "name: world",
		"event list":                        event,
		"enforcement get " + enforcement.ID: "examples.hello",
		"enforcement list":                  enforcement.ID,
		"execution get " + x.ID:             "Hello, world!",
		"execution list":                    x.ID,
		"rule list":                         "examples.hello",
		"trigger list":                      "examples.alertmanager",
		"pack list":                         "examples",
		"action list":                       "core.local",
	} {
		contains(t, args, w.run(strings.Fields(args)...).exits(0).out.String(), says)
	}
}

// attune actor tree|list|get; attune worker list.
func TestLookingInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.dev("--slots", "3")
	parameters, begun, gate, _ := w.gated("one")
	id := d.begin("core.local", parameters)
	await(t, "it to run", func() bool { return exists(begun) })
	contains(t, "the tree", w.run("actor", "tree").exits(0).out.String(),
		"node  node open", "├─ scheduler  scheduler", "└─ writer  writer", "partition open", id+"  execution")
	contains(t, "the list", w.run("actor", "list", "--kind", "execution").exits(0).out.String(), "PATH", id)
	path := w.run("actor", "list", "--kind", "execution", "-o", "name").exits(0).line()
	contains(t, "the actor", w.run("actor", "get", path).exits(0).out.String(), id, "kind: execution", "detail:", "signals:")
	w.run("actor", "get", "node/nobody").exits(3)
	workers := decode[api.List[api.WorkerAnswer]](t, w.run("worker", "list", "-o", "json").exits(0).out.String()).Items
	if len(workers) != 1 || workers[0].Name != "local" || workers[0].State != "alive" || workers[0].Slots != 3 || workers[0].Running != 1 {
		t.Errorf("%+v", workers)
	}
	touch(t, gate)
	d.ends(id)
}

// /metrics has the documented names.
func TestMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.dev()
	d.ends(d.begin("core.noop", "{}"))
	r := d.ask(http.MethodGet, "/metrics", "")
	for _, name := range []string{"attune_actors", "attune_mailbox_messages", "attune_mailbox_oldest_seconds", "attune_actor_panics_total",
		"attune_executions_ended_total", "attune_admissions_in_flight", "attune_oldest_overdue_seconds", "attune_store_commits_total",
		"attune_store_rows_total", "attune_store_bytes_total", "attune_draining", "go_goroutines", "process_cpu_seconds_total"} {
		contains(t, "/metrics", r.body, "\n# TYPE "+name+" ", "\n"+name)
	}
	contains(t, "/metrics", r.body, "attune_executions_ended_total{status=\"completed\"} 1\n", "attune_actor_panics_total 0\n")
}

// attune completion bash works.
func TestCompletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	script := w.run("completion", "bash").exits(0).out.String()
	contains(t, "the script", script, "__start_attune", "complete -o default")
	contains(t, "a completion", w.run("__complete", "execution", "").exits(0).out.String(), "logs\t", "cancel\t")
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Log("left out: that bash reads the script: there is no bash")
		return
	}
	c := exec.Command(bash, "-n")
	c.Stdin = strings.NewReader(script)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("bash: %v\n%s", err, out)
	}
}
