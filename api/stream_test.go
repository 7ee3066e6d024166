package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
)

// said is one event of a stream.
type said struct{ id, event, data string }

func (s said) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.data), v); err != nil {
		t.Fatalf("%v: %s", err, s.data)
	}
}

// following reads a stream; it is closed with the test.
type following struct {
	testing.TB
	response *http.Response
	lines    *bufio.Reader
	// lastID is that of the newest frame, also of one without an event.
	lastID   string
	comments []string
}

func follow(t testing.TB, url, token string, headers ...string) *following {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if ct := response.Header.Get("Content-Type"); response.StatusCode != 200 || ct != "text/event-stream" {
		t.Fatalf("%s, %s", response.Status, ct)
	}
	return &following{TB: t, response: response, lines: bufio.NewReader(response.Body)}
}

// next is the next event; its event is empty at the end of the stream.
func (f *following) next() said {
	f.Helper()
	var s said
	for {
		line, err := f.lines.ReadString('\n')
		if err != nil {
			if err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) { // one that was cut off ends too
				f.Fatal(err)
			}
			return said{}
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" && s.event == "" && s.id != "":
			f.lastID, s = s.id, said{}
		case line == "" && s.event != "":
			f.lastID = s.id
			return s
		case name == "":
			f.comments = append(f.comments, value)
		case name == "id":
			s.id = value
		case name == "event":
			s.event = value
		case name == "data":
			s.data = value
		}
	}
}

// expect reads the next event and wants it to be that.
func (f *following) expect(event string, v any) said {
	f.Helper()
	s := f.next()
	if s.event != event {
		f.Fatalf("%q: %s, want %s", s.event, s.data, event)
	}
	if v != nil {
		s.into(f, v)
	}
	return s
}

func changeOf(n int, status attune.Status) api.Change {
	id := attune.ExecutionID(apitest.ID(n))
	return api.Change{At: apitest.Noon, Kind: api.ChangeOfExecution, ID: attune.ID(id), Execution: id, Status: status.String(), Terminal: status.Terminal(),
		Version: 2, Attempt: 1, Worker: "w1", Action: "demo.greet", Requested: apitest.Noon}
}

func TestAStreamTellsWhatIsStoredFromNowOn(t *testing.T) {
	w := apitest.New(t)
	w.Engine.Tell(changeOf(1, attune.Running))
	f := follow(t, w.URL+"/api/v1/stream", w.Viewer)
	var word api.StreamWord
	if s := f.expect(api.StreamOpen, &word); s.id != "test-1:1" || word.Node != "test-1" {
		t.Errorf("%+v", s)
	}
	w.Engine.Tell(changeOf(2, attune.Scheduled))
	var v api.ChangeView
	s := f.expect("execution", &v)
	want := `{"kind":"execution","id":"ex-03z9gs2000m02","status":"scheduled","at":"2026-01-31T12:00:00.000Z","version":2,"attempt":1,"worker":"w1","action":"demo.greet","requested":"2026-01-31T12:00:00.000Z"}`
	if s.id != "test-1:2" || s.data != want {
		t.Errorf("%s\n%s\nwant %s", s.id, s.data, want)
	}
	w.Engine.Tell(api.Change{Kind: api.ChangeOfEvent, ID: apitest.ID(3), Event: attune.EventID(apitest.ID(3)), Status: "accepted", Trigger: "demo.alert"},
		api.Change{Kind: api.ChangeOfEnforcement, ID: apitest.ID(4), Event: attune.EventID(apitest.ID(3)), Execution: attune.ExecutionID(apitest.ID(5)), Rule: "demo.on_alert", Status: "created"},
		api.Change{Kind: api.ChangeOfWorker, Worker: "w1", Incarnation: "w1-1", Status: "lost"})
	for _, want := range []string{"ev-03z9gs2000m03 accepted", "en-03z9gs2000m04 created", "w1 lost"} {
		f.expect(f.peek(), &v)
		if got := v.ID + " " + v.Status; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		v = api.ChangeView{}
	}
}

// beat reads up to the first heartbeat at the newest place; an event before it
// is more than there should be.
func (f *following) beat() (string, bool) {
	f.Helper()
	for before := ""; ; {
		line, err := f.lines.ReadString('\n')
		if err != nil {
			f.Fatal(err)
		}
		switch {
		case strings.HasPrefix(line, "event: "):
			return line, true
		case line == "id: test-1:6\n" && before == ": still here\n":
			return "", false
		}
		before = line
	}
}

// peek is the kind of the next event.
func (f *following) peek() string {
	f.Helper()
	for {
		b, err := f.lines.Peek(1)
		if err != nil {
			f.Fatal(err)
		}
		if b[0] != '\n' {
			break
		}
		_, _ = f.lines.ReadByte()
	}
	for n := 64; ; n *= 2 {
		b, _ := f.lines.Peek(n)
		if _, rest, found := strings.Cut(string(b), "event: "); found {
			if kind, _, whole := strings.Cut(rest, "\n"); whole {
				return kind
			}
		}
		if n > 4096 {
			f.Fatalf("no event in %q", b)
		}
	}
}

func TestAStreamGoesOnBehindTheLastEvent(t *testing.T) {
	w := apitest.New(t)
	for n := 1; n <= 200; n++ { // more than one batch
		w.Engine.Tell(changeOf(n, attune.Running))
	}
	for name, headers := range map[string][]string{"/api/v1/stream": {"Last-Event-ID", "test-1:3"}, "/api/v1/stream?after=test-1:3": nil} {
		f := follow(t, w.URL+name, w.Viewer, headers...)
		if s := f.expect(api.StreamOpen, nil); s.id != "test-1:3" {
			t.Errorf("it opens at %s", s.id)
		}
		for n := 4; n <= 200; n++ {
			if s := f.expect("execution", nil); s.id != fmt.Sprintf("test-1:%d", n) {
				t.Fatalf("%s after %d", s.id, n-1)
			}
		}
	}
}

func TestAStreamWithAGapSaysSo(t *testing.T) {
	w := apitest.New(t)
	w.Engine.Tell(changeOf(1, attune.Running))
	for _, c := range []struct{ after, code string }{{"test-0:1", "restarted"}, {"test-1:77", "forgotten"}} {
		f := follow(t, w.URL+"/api/v1/stream", w.Viewer, "Last-Event-ID", c.after)
		var word api.StreamWord
		s := f.next()
		if s.event == api.StreamOpen {
			s = f.next()
		}
		s.into(t, &word)
		if s.event != api.StreamReset || s.id != "test-1:1" || word.Code != c.code {
			t.Errorf("%s: %+v", c.after, s)
		}
	}
	f := follow(t, w.URL+"/api/v1/stream", w.Viewer, "Last-Event-ID", "test-0:1")
	f.expect(api.StreamReset, nil)
	w.Engine.Tell(changeOf(2, attune.Running))
	if s := f.expect("execution", nil); s.id != "test-1:2" { // and it goes on
		t.Errorf("%+v", s)
	}
	for _, after := range []string{"7", "test-1:x", "test-1:-1", ":"} {
		ask(t, "GET", w.URL+"/api/v1/stream?after="+after, w.Viewer, "").problem(t, 422, "invalid_place")
	}
}

func TestFiltersOfAStream(t *testing.T) {
	w := apitest.New(t, func(c *api.Config) { c.Heartbeat = 20 * time.Millisecond })
	event := attune.EventID(apitest.ID(1))
	child := changeOf(6, attune.Running)
	child.Parent = attune.ExecutionID(apitest.ID(5))
	child.Rule, child.Trigger, child.Event = "demo.on_alert", "demo.alert", event
	w.Engine.Tell(
		api.Change{Kind: api.ChangeOfEvent, ID: attune.ID(event), Event: event, Status: "accepted", Trigger: "demo.alert"},
		api.Change{Kind: api.ChangeOfEnforcement, ID: apitest.ID(2), Event: event, Execution: child.Execution, Rule: "demo.on_alert", Action: "demo.greet", Status: "created"},
		changeOf(5, attune.Completed), child, changeOf(7, attune.Failed),
		api.Change{Kind: api.ChangeOfWorker, Worker: "w1", Status: "alive"})
	for query, want := range map[string]string{
		"":                           "1 2 3 4 5 6",
		"kind=event,worker":          "1 6",
		"kind=execution":             "3 4 5",
		"action=demo.greet":          "2 3 4 5",
		"rule=demo.on_alert":         "2 4",
		"trigger=demo.alert":         "1 4",
		"worker=w1":                  "3 4 5 6",
		"status=completed,failed":    "3 5",
		"terminal=true":              "3 5",
		"parent=ex-03z9gs2000m05":    "4",
		"event=ev-03z9gs2000m01":     "1 2 4",
		"execution=ex-03z9gs2000m06": "2 4",
		"kind=execution&rule=x.y":    "",
		"execution=ex-03z9gs2000m05,ex-03z9gs2000m07&status=failed": "5",
	} {
		f := follow(t, w.URL+"/api/v1/stream?after=test-1:0&"+query, w.Viewer)
		f.expect(api.StreamOpen, nil)
		var got []string
		for range strings.Fields(want) {
			got = append(got, strings.TrimPrefix(f.next().id, "test-1:"))
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %s, want %s", query, text, want)
		}
		if text, more := f.beat(); more {
			t.Errorf("%s: and then %s", query, text)
		}
	}
	for _, query := range []string{"status=done", "kind=actor", "execution=7", "event=x", "parent=x", "colour=red"} {
		if a := ask(t, "GET", w.URL+"/api/v1/stream?"+query, w.Viewer, ""); a.StatusCode != 422 {
			t.Errorf("%s: %s", query, a.Status)
		}
	}
}

func TestAStreamShowsNoSecret(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted)
	w.Store.Put(x)
	f := follow(t, w.URL+"/api/v1/stream", w.Viewer)
	f.expect(api.StreamOpen, nil)
	c := changeOf(1, attune.Stopping)
	c.ActionHash, c.Reason = x.ActionHash, "hunter22 is wrong"
	cut := c
	cut.Reason = "hunter…"
	gone := c
	gone.ID = apitest.ID(9)
	w.Engine.Tell(c, cut, gone)
	for _, want := range []string{"******** is wrong", "********", "********"} {
		var v api.ChangeView
		if f.expect("execution", &v); v.Reason != want {
			t.Errorf("%q, want %q", v.Reason, want)
		}
	}
}

func TestAQuietStreamKeepsItsPlace(t *testing.T) {
	w := apitest.New(t, func(c *api.Config) { c.Heartbeat = 20 * time.Millisecond })
	f := follow(t, w.URL+"/api/v1/stream?terminal=true", w.Viewer)
	f.expect(api.StreamOpen, nil)
	w.Engine.Tell(changeOf(1, attune.Running), changeOf(2, attune.Running))
	for f.lastID != "test-1:2" { // of a heartbeat
		line, err := f.lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			f.lastID = strings.TrimSpace(id)
		}
	}
}

func TestARevokedTokenEndsWhatIsOpen(t *testing.T) {
	w := apitest.New(t, func(c *api.Config) { c.Now = time.Now })
	x := apitest.Execution(t, 1, apitest.Admitted, apitest.Assigned)
	w.Store.Put(x)
	stream := follow(t, w.URL+"/api/v1/stream", w.Viewer)
	stream.expect(api.StreamOpen, nil)
	logs := follow(t, w.URL+"/api/v1/executions/"+x.ID.String()+"/logs?follow=true", w.Viewer)
	waited := make(chan answer, 1)
	broken := make(chan error, 1)
	go func() {
		waited <- ask(t, "GET", w.URL+"/api/v1/executions/"+x.ID.String()+"/wait?timeout=1m", w.Viewer, "")
	}()
	go func() {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", w.URL+"/api/v1/executions/"+x.ID.String()+"/output?follow=true", nil)
		r.Header.Set("Authorization", "Bearer "+w.Viewer)
		response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			response.Body.Close()
		}
		broken <- err
	}()
	for range 3 {
		<-w.Engine.Watched
	}
	began := time.Now()
	w.Store.Revoke("viewer")
	for name, f := range map[string]*following{"stream": stream, "logs": logs} {
		var word api.StreamWord
		if f.expect(api.StreamEnd, &word); word.Code != "token_unknown" {
			t.Errorf("%s ends with %+v", name, word)
		}
		if s := f.next(); s.event != "" {
			t.Errorf("%s goes on with %+v", name, s)
		}
	}
	(<-waited).problem(t, 401, "token_unknown")
	if err := <-broken; err == nil {
		t.Error("the output looks whole")
	}
	if took := time.Since(began); took > 5*time.Second { // half a second and a beat, on a busy machine
		t.Errorf("after %s", took)
	}
	if n := w.Engine.Listeners() + w.Engine.Watchers(); n != 0 {
		t.Errorf("%d still listen", n)
	}
}

// A stream ends with the server, and says so.
func TestAStreamEndsWithTheNode(t *testing.T) {
	w := apitest.New(t)
	f := follow(t, w.URL+"/api/v1/stream", w.Viewer)
	f.expect(api.StreamOpen, nil)
	w.EndRequests()
	var word api.StreamWord
	if f.expect(api.StreamEnd, &word); word.Code != "node_ended" {
		t.Errorf("%+v", word)
	}
}
