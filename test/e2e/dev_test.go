package e2e_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
)

// dev is an attune dev that is ready; on servers an attune server, with a worker.
type dev struct {
	*process
	url, token string
	client     *client.Client
	// opened is how long it took to be ready.
	opened time.Duration
}

// dev starts attune dev on the world's data folder, with the pack load.
func (w *world) dev(flags ...string) *dev {
	w.t.Helper()
	return w.devWith(append([]string{"--packs", filepath.Join(w.packs, "load")}, flags...)...)
}

func (w *world) devWith(flags ...string) *dev {
	w.t.Helper()
	begun := time.Now()
	d := &dev{process: w.start(w.nodeCommand(flags)...)}
	await(w.t, "attune dev to be ready", func() bool { return d.ready() || !d.running() })
	d.opened = time.Since(begun)
	if !d.running() {
		w.t.Fatalf("attune dev ended with %d:\n%s", d.code, tail(d.talk.String()))
	}
	token, err := os.ReadFile(filepath.Join(w.data, "token"))
	must(w.t, err)
	d.token = strings.TrimSpace(string(token))
	d.client, err = client.New(d.url, d.token)
	must(w.t, err)
	w.t.Cleanup(d.client.Close)
	w.needWorker(d)
	return d
}

// ready says whether this very process is found in the data folder and takes
// work.
func (d *dev) ready() bool {
	content, err := os.ReadFile(filepath.Join(d.data, "server.json"))
	var local struct {
		URL string `json:"url"`
		PID int    `json:"pid"`
	}
	if err != nil || json.Unmarshal(content, &local) != nil || local.PID != d.cmd.Process.Pid {
		return false
	}
	d.url = local.URL
	r, err := http.Get(d.url + "/readyz")
	if err != nil {
		return false
	}
	r.Body.Close()
	return r.StatusCode == http.StatusOK
}

// kill ends the process as nobody can prevent, and returns when it is dead.
func (d *dev) kill() {
	d.signal(syscall.SIGKILL)
	<-d.ended
}

// reply is what a server answered.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a request as the owner of the data folder.
func (d *dev) ask(method, path, body string) reply {
	d.t.Helper()
	return d.askAs(d.token, method, path, body)
}

// askAs sends a request with another token, or none.
func (d *dev) askAs(token, method, path, body string) reply {
	d.t.Helper()
	r, err := http.NewRequest(method, d.url+path, strings.NewReader(body))
	must(d.t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := (&http.Client{Timeout: patience}).Do(r)
	must(d.t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	must(d.t, err)
	return reply{response.StatusCode, response.Header, string(content)}
}

// fetch reads a document of the API.
func fetch[T any](d *dev, path string, query url.Values) T {
	d.t.Helper()
	out, err := client.Fetch[T](d.t.Context(), d.client, path, query)
	must(d.t, err)
	return out
}

// all reads all pages of a list.
func all[T any](d *dev, path string, query url.Values) []T {
	d.t.Helper()
	out, err := client.All[T](d.t.Context(), d.client, path, query)
	must(d.t, err)
	return out
}

func (d *dev) execution(id string) api.ExecutionView {
	d.t.Helper()
	x, err := d.client.Execution(d.t.Context(), id)
	must(d.t, err)
	return x
}

// send hands an event in.
func (d *dev) send(trigger, payload, dedupe string) api.EventAnswer {
	d.t.Helper()
	e, err := d.client.SendEvent(d.t.Context(), api.EventRequest{Trigger: trigger, Payload: json.RawMessage(payload), Dedupe: dedupe})
	must(d.t, err)
	return e
}

// begin requests an execution and does not wait for it.
func (d *dev) begin(action, parameters string) string {
	d.t.Helper()
	x, err := d.client.Run(d.t.Context(), api.RunRequest{Action: action, Parameters: json.RawMessage(parameters)})
	must(d.t, err)
	return x.ID
}

// ends waits for the end of an execution.
func (d *dev) ends(id string) api.ExecutionView {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	x, err := d.client.Wait(ctx, id, 0, patience)
	must(d.t, err)
	if !x.Terminal {
		d.t.Fatalf("waited %s in vain for the end of %s, which is %s: %s", patience, id, x.Status, x.Reason)
	}
	return x
}

// chain waits until all that an event started has ended, and shows it.
func (d *dev) chain(event string) api.Trace {
	d.t.Helper()
	for _, en := range fetch[api.Trace](d, "/trace/"+event, nil).Enforcements {
		if en.Started != nil {
			d.ends(en.Started.ID)
		}
	}
	return fetch[api.Trace](d, "/trace/"+event, nil)
}

// decode reads JSON that must be JSON.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return v
}
