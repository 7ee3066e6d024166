package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-automation/attune/api"
)

// attune pack new|check|install|reload|remove; a pack is read again on save.
func TestAPackFromNothingToItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.devWith()
	dir := filepath.Join(w.dir, "greeter")
	p := w.run("pack", "new", dir).exits(0)
	contains(t, "pack new", p.out.String(), "greeter/actions/greet.yaml", "greeter/etc/hello.json")
	w.run("pack", "new", dir).exits(5)
	contains(t, "pack check", w.run("pack", "check", dir).exits(0).out.String(), "greeter: good: 1 actions, 1 triggers, 1 rules")
	contains(t, "a dry run", w.run("pack", "install", dir, "--dry-run").exits(2).out.String(), "pack greeter: would be added", "added actions/greet.sh")
	w.run("pack", "get", "greeter").exits(3)
	w.run("pack", "install", dir).exits(0)
	contains(t, "the first run", w.run("run", "greeter.greet", "who=Ada").exits(0).out.String(), "Hello, Ada!")
	w.run("rule", "test", filepath.Join(dir, "rules", "greet_the_polite.yaml"), "--json", "@"+filepath.Join(dir, "etc", "hello.json")).exits(0)
	payload, err := os.ReadFile(filepath.Join(dir, "etc", "hello.json"))
	must(t, err)
	started := d.chain(d.send("greeter.hello", string(payload), "").ID).Enforcements
	if len(started) != 1 || started[0].Started.Status != "completed" {
		t.Errorf("the first event: %+v", started)
	}
	if r := d.ask(http.MethodPost, "/api/v1/webhooks/greeter/hello", `{"polite": "very"}`); r.status != 422 || !strings.Contains(r.body, "payload.body.name") || !strings.Contains(r.body, "payload.body.polite") {
		t.Errorf("%d %s", r.status, r.body)
	}

	// Saved in place, a configuration and then a fault.
	must(t, os.MkdirAll(filepath.Join(w.data, "configs"), 0o700))
	must(t, os.WriteFile(filepath.Join(w.data, "configs", "greeter.yaml"), []byte("greeting: Moin\n"), 0o600))
	await(t, "the configuration to be read", func() bool { return fetch[api.PackView](d, "/packs/greeter", nil).Config["greeting"] == "Moin" })
	contains(t, "a run", w.run("run", "greeter.greet", "who=Ada").exits(0).out.String(), "Moin, Ada!")
	rule := filepath.Join(w.data, "packs", "greeter", "rules", "greet_the_polite.yaml")
	text, err := os.ReadFile(rule)
	must(t, err)
	must(t, os.WriteFile(rule, []byte(strings.Replace(string(text), "equals", "equal", 1)), 0o600))
	d.says(d.talk, "greet_the_polite.yaml:8:3: the criterion trigger.body.polite has the unknown type")
	d.says(d.talk, "kept: ")
	if started := d.chain(d.send("greeter.hello", string(payload), "").ID).Enforcements; len(started) != 1 {
		t.Errorf("the rule does not go on: %+v", started)
	}
	contains(t, "a reload", w.run("pack", "reload", "greeter").exits(0).out.String(), "pack greeter: unchanged, degraded", "fault: ", "kept: ")
	w.run("pack", "install", dir).exits(0)
	if k := fetch[api.PackView](d, "/packs/greeter", nil); k.Status != "loaded" {
		t.Errorf("installed again it is %s", k.Status)
	}
	w.run("pack", "remove", "greeter", "--dry-run").exits(2)
	w.run("pack", "remove", "greeter").exits(0)
	w.run("pack", "remove", "greeter").exits(3)
	w.run("pack", "remove", "core").exits(3)
	d.stop()
}
