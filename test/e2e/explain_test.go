package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/attune-automation/attune/api"
)

// attune rule explain, before and after a restart forgot what did not match, and
// attune rule test of a file in no pack.
func TestWhyARuleDidNotFire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	examples, err := filepath.Abs("../../packs/examples")
	must(t, err)
	d := w.devWith("--packs", examples)
	fire := func(body string) string {
		t.Helper()
		r := d.ask(http.MethodPost, "/api/v1/webhooks/hello", body)
		events := decode[api.WebhookAnswer](t, r.body).Events
		if r.status != http.StatusAccepted || len(events) != 1 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		return events[0].ID
	}
	hit, miss := fire(`{"name": "world"}`), fire(`{"names": "worlds"}`)
	x := d.chain(hit).Enforcements[0].Started.ID
	matched := []string{hit + " event core.st2.webhook?url=hello", "└─ rule examples.hello matched\n",
		`├─ passed: trigger.body.name exists, found "world"`, "└─ core.echo started: " + x}
	missed := []string{"└─ rule examples.hello did not match", "└─ failed: trigger.body.name exists, found null"}
	contains(t, "the match", w.run("rule", "explain", hit).exits(0).out.String(), matched...)
	contains(t, "the miss", w.run("rule", "explain", miss).exits(0).out.String(), missed...)

	d.stop()
	d = w.devWith("--packs", examples)
	contains(t, "the match, after a restart", w.run("rule", "explain", hit).exits(0).out.String(), matched...)
	contains(t, "the miss, after a restart", w.run("rule", "explain", miss).exits(0).out.String(), missed...)
	w.run("rule", "explain", "ev-0000000000001").exits(3)

	file := filepath.Join(w.dir, "draft.yaml")
	draft := "name: draft\ntrigger:\n  type: core.st2.webhook\n  parameters: {url: hello}\ncriteria:\n" +
		"  trigger.body.names: {type: startswith, pattern: world}\naction:\n  ref: core.echo\n  parameters: {message: \"all {{ trigger.body.names }}\"}\n"
	must(t, os.WriteFile(file, []byte(draft), 0o600))
	contains(t, "the draft", w.run("rule", "test", file, "--event", miss).exits(0).out.String(),
		"rule default.draft matched: event "+miss, `passed: trigger.body.names startswith "world", found "worlds"`, `core.echo would start with {"message":"all worlds"}`)
	w.run("rule", "test", file, "--event", hit).exits(1)
	w.run("rule", "test", file, "--json", `{"body": {"names": "world of mine"}}`).exits(0)
	last := w.run("rule", "test", file, "--last", "5").exits(0)
	contains(t, "the last", last.out.String(), "matched: event "+miss, "did not match: event "+hit)
	contains(t, "the sum", last.talk.String(), "matched: 1 of the last 2 events")
	if n := len(fetch[api.List[api.ExecutionView]](d, "/executions", nil).Items); n != 1 {
		t.Errorf("%d executions: a test started something", n)
	}
	must(t, os.WriteFile(file, []byte(draft+"  parameter: 1\n"), 0o600))
	contains(t, "the fault", w.run("rule", "test", file, "--last", "5").exits(64).talk.String(), "draft.yaml:10:3: action has no key \"parameter\" (did you mean parameters?)")
}
