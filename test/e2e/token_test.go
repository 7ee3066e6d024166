package e2e_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-automation/attune/api"
)

// An action calls the API as itself: it sees its own tree, starts others below
// it, and of all else finds nothing. Its token ends with it, and is written
// down nowhere.
func TestAnActionCallsTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.dev()
	foreign := d.begin("core.echo", `{"message":"a secret of somebody else"}`)
	foreignEvent := d.send("load.work", `{"ms":0}`, "").ID
	d.ends(foreign)
	kept, gate := filepath.Join(w.home, "kept"), filepath.Join(w.home, "gate")
	shell := strings.NewReplacer("PROGRAM", w.program, "FOREIGN", foreign, "KEPT", kept, "GATE", gate).Replace(
		`set -u; PROGRAM execution list -o name; PROGRAM run core.local 'cmd=echo inner' 2>/dev/null; PROGRAM execution list -o name | wc -l; ` +
			`PROGRAM execution get FOREIGN; echo $?; PROGRAM token list; echo $?; [ "$ST2_ACTION_AUTH_TOKEN" = "$ATTUNE_API_TOKEN" ] && echo same; ` +
			`printf %s "$ATTUNE_API_TOKEN" > KEPT.part; mv KEPT.part KEPT; while [ ! -e GATE ]; do sleep 0.05; done`)
	p := w.start("run", "core.local", "--json", `{"cmd": `+quoted(t, shell)+`}`)
	await(t, "the action to come to its gate", func() bool { return exists(kept) || !p.running() })
	id := executionID(t, p.talk.String())
	secret, err := os.ReadFile(kept)
	must(t, err)

	token := string(secret)
	for _, path := range []string{"/executions/FOREIGN", "/executions/FOREIGN/output", "/executions/FOREIGN/wait", "/executions?parent=FOREIGN"} {
		d.looksAbsent(token, path, foreign, "ex-0000000000001")
	}
	for _, path := range []string{"/events/FOREIGN", "/executions?event=FOREIGN", "/enforcements?event=FOREIGN"} {
		d.looksAbsent(token, path, foreignEvent, "ev-0000000000001")
	}
	if r := d.askAs(token, http.MethodGet, "/api/v1/executions/"+id, ""); r.status != http.StatusOK {
		t.Errorf("its own execution: %d %s", r.status, r.body)
	}
	touch(t, gate)
	p.exits(0)
	if want := id + "\ninner\n2\n3\n4\nsame\n"; p.out.String() != want {
		t.Errorf("the action printed %q, want %q; and said:\n%s", p.out, want, tail(p.talk.String()))
	}
	children := all[api.ExecutionView](d, "/executions", map[string][]string{"parent": {id}})
	if len(children) != 1 || children[0].Root != id || children[0].Correlation != id || children[0].Principal != "execution "+id {
		t.Errorf("children: %+v", children)
	}
	r := d.askAs(token, http.MethodGet, "/api/v1/executions/"+id, "")
	if p := decode[api.Problem](t, r.body); r.status != http.StatusUnauthorized || p.Code != "token_ended" {
		t.Errorf("after its end: %d %s", r.status, r.body)
	}
	if strings.Contains(d.talk.String(), token) {
		t.Error("the log has the token")
	}
	must(t, filepath.WalkDir(w.data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, secret) {
			t.Errorf("%s has the token", path)
		}
		return err
	}))
}

// looksAbsent wants the same answer for what is there and for what is not.
func (d *dev) looksAbsent(token, path, there, nowhere string) {
	d.t.Helper()
	one := d.askAs(token, http.MethodGet, "/api/v1"+strings.ReplaceAll(path, "FOREIGN", there), "")
	other := d.askAs(token, http.MethodGet, "/api/v1"+strings.ReplaceAll(path, "FOREIGN", nowhere), "")
	if one.status != http.StatusNotFound || other.status != one.status || strings.ReplaceAll(one.body, there, nowhere) != other.body {
		d.t.Errorf("%s: %d %s, and of what is not there: %d %s", path, one.status, one.body, other.status, other.body)
	}
}

// A token is made, used, revoked, and what it had open ends; all of it is in
// the audit, also after a restart.
func TestTokensOfTheCommandLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.dev()
	secret := w.run("token", "create", "ci", "--kind", "operator", "--expires", "1d").exits(0).line()
	gate := filepath.Join(w.home, "gate")
	id := d.begin("core.local", `{"cmd": `+quoted(t, "echo begun; while [ ! -e "+gate+" ]; do sleep 0.05; done")+`}`)
	logs := w.start("--token", secret, "execution", "logs", "-f", id)
	logs.says(logs.out, "begun\n")
	w.run("token", "revoke", "ci").exits(0)
	logs.exits(4)
	w.run("--token", secret, "event", "list").exits(4)
	w.run("token", "revoke", "admin").exits(5)
	touch(t, gate)
	d.ends(id)
	d.stop()

	d = w.dev()
	seen := map[string]int{}
	for _, a := range all[api.AuditView](d, "/audit", nil) {
		seen[a.Principal+" "+a.Action+" "+a.Target+" "+a.Code]++
	}
	for _, want := range []string{"admin create-token ci ", "admin revoke-token ci ", "admin revoke-token admin last_admin", " list-events  token_unknown"} {
		if seen[want] != 1 {
			t.Errorf("the audit has %q %d times: %v", want, seen[want], seen)
		}
	}
	if r := d.askAs(secret, http.MethodGet, "/api/v1/node", ""); r.status != http.StatusUnauthorized {
		t.Errorf("the revoked token after a restart: %d", r.status)
	}
}

// quoted is text as JSON.
func quoted(t *testing.T, text string) string {
	t.Helper()
	b, err := json.Marshal(text)
	must(t, err)
	return string(b)
}
