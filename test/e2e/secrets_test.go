package e2e_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/attune-automation/attune/api"
)

// canary is a secret that is nowhere else in the world. Any long part of it in
// any form is found.
type canary struct {
	text    string
	needles map[string]string
}

func newCanary() canary {
	var random [18]byte
	_, _ = rand.Read(random[:]) // it never fails
	text := "cn<" + hex.EncodeToString(random[:9]) + "/&+" + hex.EncodeToString(random[9:])
	return canary{text, map[string]string{
		"its begin": text[3:15], "its middle": text[8:20], "its end": text[26:38],
		"base64": base64.StdEncoding.EncodeToString([]byte(text))[4:24], "JSON": `cn\u003c` + text[3:7], "a URL": url.QueryEscape(text)[:12],
		"large letters": strings.ToUpper(text[3:15]),
	}}
}

// unseen fails the test if a text tells the canary.
func (c canary) unseen(t *testing.T, where, text string) {
	t.Helper()
	for form, needle := range c.needles {
		if i := strings.Index(text, needle); i >= 0 {
			t.Errorf("%s tells the secret (%s): …%.200q", where, form, text[max(0, i-100):])
		}
	}
}

// vault writes a pack whose actions do with a secret what they should not.
func (w *world) vault(c canary) {
	w.t.Helper()
	quoted, err := json.Marshal(c.text)
	must(w.t, err)
	for name, text := range map[string]string{
		"pack.yaml": "name: vault\n",
		"actions/leak.yaml": `name: leak
runner_type: process
entry_point: leak.sh
parameters:
  password: {type: string, secret: true}
  code: {type: integer, default: 0}
`,
		"actions/leak.sh": `#!/bin/sh
p=$(sed -e 's/.*"password":"\([^"]*\)".*/\1/')
begin=$(printf '%s' "$p" | cut -c1-20)
printf '%s' "$begin"
sleep 0.1
printf '%s\n' "$p" | cut -c21-
printf 'whole %s\nbase64 ' "$p"; printf '%s' "$p" | base64
printf '{"json": "%s"}\n' "$(printf '%s' "$p" | sed -e 's/</\\u003c/; s/&/\\u0026/')"
printf 'on stderr %s\n' "$p" >&2
eval "$(cat "$(dirname "$0")/how" 2>/dev/null)"
printf '{"%s": {"deep": ["of %s"]}}\n' "$p" "$p"
`,
		"actions/cmd.yaml": `name: cmd
runner_type: local-shell-cmd
parameters:
  token: {type: string, secret: true, default: ` + string(quoted) + `}
  cmd: {default: "echo '{{ token }}'; echo '{{ token | upper }}' >/dev/null; exit 3", immutable: true}
`,
		"actions/script.yaml": "name: script\nrunner_type: local-shell-script\nentry_point: script.sh\nparameters:\n  conn: {type: object, properties: {pw: {type: string, secret: true}}}\n",
		"actions/script.sh":   "#!/bin/sh\necho \"$@\"\n",
		"actions/bad.yaml": `name: bad
runner_type: noop
parameters:
  password: {type: string, secret: true}
  n: {type: integer, default: "{{ password }}"}
`,
		"triggers/go.yaml": "name: go\nwebhook: {url: vault}\n",
		"rules/leak.yaml":  "name: leak\ntrigger: {type: vault.go}\naction:\n  ref: vault.leak\n  parameters: {password: " + string(quoted) + "}\n",
		"rules/cmd.yaml":   "name: cmd\ntrigger: {type: vault.go}\naction: {ref: vault.cmd}\n",
		"rules/bad.yaml":   "name: bad\ntrigger: {type: vault.go}\naction:\n  ref: vault.bad\n  parameters: {password: " + string(quoted) + "}\n",
	} {
		path := filepath.Join(w.packs, "vault", name)
		must(w.t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(w.t, os.WriteFile(path, []byte(text), 0o700))
	}
}

// A secret that is driven through everything is nowhere but in the action: not
// in an answer, a log, a process's arguments, or a file of the data folder.
func TestACanaryIsSeenNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := newCanary()
	w.vault(c)
	d := w.devWith("--packs", filepath.Join(w.packs, "vault"))
	var said bytes.Buffer
	parameters := func(more string) string {
		password, err := json.Marshal(c.text)
		must(t, err)
		return `{"password": ` + string(password) + more + `}`
	}
	command := func(code int, args ...string) string {
		p := w.run(args...).exits(code)
		said.WriteString(p.out.String())
		said.WriteString(p.talk.String())
		return p.out.String()
	}
	ask := func(method, path, body string) reply {
		r := d.ask(method, path, body)
		said.WriteString(r.body)
		return r
	}

	// It is requested by command, with a dedupe key twice, by API, by rule; as a
	// default; as part of an object; with what is wrong; and is cut in the middle.
	printed := command(0, "run", "vault.leak", "--json", parameters(""), "--dedupe", "once")
	contains(t, "the output", printed, "whole ********\nbase64 ********\n{\"json\": \"********\"}\n")
	command(0, "run", "vault.leak", "--json", parameters(""), "--dedupe", "once")
	contains(t, "the default", command(1, "run", "vault.cmd"), "********\n")
	contains(t, "the object", command(0, "run", "vault.script", "--json", `{"conn": {"pw": "`+c.text+`", "user": "me"}}`), "********")
	command(64, "run", "vault.bad", "--json", parameters(""))
	if r := ask(http.MethodPost, "/api/v1/executions", `{"action": "vault.leak", "parameters": `+parameters(`, "code": "x"`)+`}`); r.status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong request: %d %s", r.status, r.body)
	}
	ask(http.MethodPost, "/api/v1/executions", `{"action": 7, "parameters": `+parameters("")+`}`)
	ask(http.MethodPost, "/api/v1/executions", `{"action": "vault.leak", "parameters": `+parameters("")+`, "more": 1`)
	hook := decode[api.WebhookAnswer](t, ask(http.MethodPost, "/api/v1/webhooks/vault", `{}`).body)
	event := hook.Events[0].ID
	chain := d.chain(event)
	if len(chain.Enforcements) != 3 {
		t.Fatalf("%+v", chain.Enforcements)
	}

	begun, gate := filepath.Join(w.home, "begun"), filepath.Join(w.home, "gate")
	how := func(script string) {
		must(t, os.WriteFile(filepath.Join(w.packs, "vault", "actions", "how"), []byte(script), 0o600))
		command(0, "pack", "reload", "vault") // what is no definition is not watched, and workers elsewhere have a copy
	}
	how("touch " + begun + "; printf 'killed at %s' \"$begin\"; while [ ! -e " + gate + " ]; do sleep 0.05; done")
	id := d.begin("vault.leak", parameters(""))
	await(t, "the action to run", func() bool { return exists(begun) })
	for _, p := range processesOf(w.dir) {
		arguments, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "cmdline"))
		environment, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), "environ"))
		c.unseen(t, p.what, string(arguments)+string(environment))
	}
	c.look(t, w, "while it runs")
	for _, a := range all[api.ActorView](d, "/actors", nil) {
		if r := ask(http.MethodGet, "/api/v1/actors/"+url.PathEscape(a.Path), ""); r.status != http.StatusOK && a.Kind != "execution" {
			t.Errorf("%s: %d %s", a.Path, r.status, r.body)
		}
	}
	command(0, "actor", "tree", "--all")
	command(0, "execution", "cancel", id, "--reason", "because of "+c.text)
	d.ends(id)
	how("printf 'late %s' \"$begin\"; sleep 30")
	command(124, "run", "vault.leak", "--json", parameters(""), "--timeout", "1s")

	// Whatever is asked tells nothing.
	executions := all[api.ExecutionView](d, "/executions", nil)
	if len(executions) != 7 {
		t.Errorf("%d executions", len(executions))
	}
	for i, x := range executions {
		for _, path := range []string{"", "/wait?timeout=0s", "/output", "/output?stream=stderr", "/output?raw=true"} {
			ask(http.MethodGet, "/api/v1/executions/"+x.ID+path, "")
		}
		if i%3 == 0 { // a command asks the same
			command(0, "execution", "get", x.ID, "-o", "json")
			command(0, "execution", "logs", x.ID)
			command(0, "trace", x.ID)
		}
	}
	for _, path := range []string{"/executions?payload=true", "/enforcements?payload=true", "/events?payload=true", "/events/" + event,
		"/events/" + event + "/evaluations", "/events/" + event + "/explain", "/trace/" + event, "/packs", "/actions", "/rules", "/triggers", "/workers", "/actors"} {
		if r := ask(http.MethodGet, "/api/v1"+path, ""); r.status != http.StatusOK {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	ask(http.MethodGet, "/metrics", "")
	command(0, "rule", "explain", event)
	command(0, "rule", "test", filepath.Join(w.packs, "vault", "rules", "leak.yaml"), "--event", event)
	command(0, "rule", "test", filepath.Join(w.packs, "vault", "rules", "bad.yaml"), "--event", event)
	command(0, "rule", "get", "vault.leak")
	command(0, "action", "get", "vault.cmd")
	c.unseen(t, "an answer", said.String())
	contains(t, "the answers", said.String(), "because of ********", "killed at ********", "late ********", `"********": {`)
	d.stop()
	c.unseen(t, "the log", d.talk.String()+d.out.String())
	c.look(t, w, "after the end")

	// And the next start reads what was sealed.
	d = w.devWith("--packs", filepath.Join(w.packs, "vault"))
	for _, x := range executions {
		c.unseen(t, "the next start", d.ask(http.MethodGet, "/api/v1/executions/"+x.ID, "").body)
	}
}

// look reads all files of the data folder.
func (c canary) look(t *testing.T, w *world, when string) {
	t.Helper()
	files := 0
	must(t, filepath.WalkDir(w.data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		c.unseen(t, path+" "+when, string(content))
		return err
	}))
	if files < 5 && w.servers == nil || files < 3 {
		t.Errorf("%d files were looked at", files)
	}
	if w.servers != nil {
		c.lookInDatabase(t, w, when)
	}
}
