package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
	"github.com/attune-automation/attune/persistence"
)

// tried is an execution whose first attempt came back, with what it printed.
func tried(t *testing.T, w *apitest.World) *attune.Execution {
	t.Helper()
	x := apitest.Execution(t, 1, apitest.Admitted, apitest.Assigned)
	first := x.Token()
	w.Store.Print(first, persistence.Stdout, "one ")
	w.Store.Print(first, persistence.Stderr, "two ")
	w.Store.Print(first, persistence.Stderr, "three \xe2\x82")
	w.Store.Print(first, persistence.Stdout, "four\xff\x00 ")
	w.Store.Print(first, persistence.Stderr, "\xac five")
	for _, in := range []attune.Input{apitest.Started, {Signal: attune.Retry, Reason: "once more"}, apitest.Admitted, apitest.Assigned} {
		apitest.Apply(t, x, in)
	}
	w.Store.Print(x.Token(), persistence.Stderr, "six ")
	w.Store.Print(x.Token(), persistence.Stdout, "seven")
	return x
}

// pieces reads the logs up to their end, written as attempt, stream, text.
func (f *following) pieces() (all []string, ids []string, end api.LogsEnd) {
	f.Helper()
	for {
		s := f.next()
		ids = append(ids, s.id)
		switch s.event {
		case api.StreamOutput:
			var p api.OutputPiece
			s.into(f, &p)
			all = append(all, fmt.Sprintf("%d %s %q", p.Attempt, p.Stream, p.Text+string(p.Data)))
		case api.StreamEnd:
			s.into(f, &end)
			return all, ids, end
		default:
			f.Fatalf("%+v", s)
		}
	}
}

func TestLogsMergeBothStreamsOfAllAttempts(t *testing.T) {
	w := apitest.New(t)
	x := tried(t, w)
	apitest.Apply(t, x, apitest.Finished)
	w.Store.Put(x)
	url := w.URL + "/api/v1/executions/" + x.ID.String() + "/logs"
	first := []string{`1 stdout "one "`, `1 stderr "two "`, `1 stderr "three "`, `1 stdout "four` + "\uFFFD" + `\x00 "`, `1 stderr "€ five"`}
	newest := []string{`2 stderr "six "`, `2 stdout "seven"`}
	exact := []string{`1 stdout "one "`, `1 stderr "two "`, `1 stderr "three \xe2\x82"`, `1 stdout "four\xff\x00 "`, `1 stderr "\xac five"`}
	for query, want := range map[string][]string{
		"":                        newest,
		"?attempt=1":              append(first[:5:5], newest...),
		"?attempt=1&follow=true":  append(first[:5:5], newest...),
		"?attempt=1&raw=true":     append(exact[:5:5], newest...),
		"?attempt=3":              nil,
		"?after=1:4:4":            append(first[2:5:5], newest...),
		"?after=1:0:10&attempt=9": {first[0], first[3], first[4], newest[0], newest[1]},
		"?after=2:7:4":            nil,
		"?after=1:2:4&raw=true":   append([]string{`1 stdout "e "`}, append(exact[2:5:5], newest...)...),
	} {
		got, _, end := follow(t, url+query, w.Viewer).pieces()
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", query, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if end.Status != "completed" || !end.Terminal || end.Execution != x.ID.String() || end.Attempt != 2 {
			t.Errorf("%s ends with %+v", query, end)
		}
	}
	for _, after := range []string{"1", "0:0:0", "1:-1:0", "1:0:x", "1:0:0:0"} {
		ask(t, "GET", url+"?after="+after, w.Viewer, "").problem(t, 422, "invalid_place")
	}
	ask(t, "GET", w.URL+"/api/v1/executions/ex-03z9gs2000mzz/logs", w.Viewer, "").problem(t, 404, "unknown_execution")
}

// Wherever a connection breaks, what comes after is what was not received.
func TestLogsGoOnBehindAnyEvent(t *testing.T) {
	w := apitest.New(t)
	x := tried(t, w)
	apitest.Apply(t, x, apitest.Finished)
	w.Store.Put(x)
	for _, raw := range []string{"", "&raw=true"} {
		url := w.URL + "/api/v1/executions/" + x.ID.String() + "/logs?attempt=1" + raw
		all, ids, _ := follow(t, url, w.Viewer).pieces()
		for i := range all {
			rest, _, _ := follow(t, url, w.Viewer, "Last-Event-ID", ids[i]).pieces()
			if strings.Join(rest, "\n") != strings.Join(all[i+1:], "\n") {
				t.Errorf("behind %s: %q", ids[i], rest)
			}
		}
	}
}

func TestLogsAreFollowedOverAttempts(t *testing.T) {
	w := apitest.New(t, func(c *api.Config) { c.Heartbeat = 50 * time.Millisecond })
	x := apitest.Execution(t, 1, apitest.Admitted)
	w.Store.Put(x)
	change := func(in attune.Input) { apitest.Apply(t, x, in); w.Store.Put(x); w.Engine.Wake(x.ID) }
	f := follow(t, w.URL+"/api/v1/executions/"+x.ID.String()+"/logs?follow=true", w.Viewer)
	piece := func(want string) {
		t.Helper()
		var p api.OutputPiece
		f.expect(api.StreamOutput, &p)
		if got := fmt.Sprintf("%d %s %s", p.Attempt, p.Stream, p.Text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	say := func(stream persistence.Stream, text string) {
		w.Store.Print(x.Token(), stream, text)
		w.Engine.Wake(x.ID)
	}
	change(apitest.Assigned)
	change(apitest.Started)
	say(persistence.Stderr, "oh")
	piece("1 stderr oh")
	say(persistence.Stdout, "half \xe2")
	piece("1 stdout half ")
	change(attune.Input{Signal: attune.Retry, Reason: "once more"})
	piece("1 stdout \uFFFD") // the character never came to its end
	change(apitest.Admitted)
	change(apitest.Assigned)
	say(persistence.Stdout, "again")
	piece("2 stdout again")
	w.Store.Print(x.Token(), persistence.Stdout, "last") // stored before the end is, read after it
	change(apitest.Finished)
	piece("2 stdout last")
	var end api.LogsEnd
	if f.expect(api.StreamEnd, &end); end.Status != "completed" {
		t.Errorf("%+v", end)
	}
}

func TestLogsOfWhatGoesOnEndWithoutFollow(t *testing.T) {
	w := apitest.New(t)
	x := tried(t, w)
	w.Store.Put(x)
	got, _, end := follow(t, w.URL+"/api/v1/executions/"+x.ID.String()+"/logs", w.Viewer).pieces()
	if len(got) != 2 || end.Status != "scheduled" || end.Terminal {
		t.Errorf("%q, %+v", got, end)
	}
}

// A list of attempts is read from the history: each with its worker, times and
// end, and what was said of it too late.
func TestAnExecutionShowsItsAttempts(t *testing.T) {
	w := apitest.New(t)
	x := tried(t, w)
	x.Witness(attune.Input{Signal: attune.Finish, Attempt: 1, At: apitest.Noon, Reason: "hunter22 was late"})
	apitest.Apply(t, x, apitest.Failed)
	w.Store.Put(x)
	var v api.ExecutionView
	ask(t, "GET", w.URL+"/api/v1/executions/"+x.ID.String(), w.Viewer, "").into(t, 200, &v)
	if len(v.Attempts) != 2 {
		t.Fatalf("%+v", v.Attempts)
	}
	a, b := v.Attempts[0], v.Attempts[1]
	if a.Outcome != "retried" || a.Note != "once more" || a.Worker != "w1" || a.Duration != "1s" || a.Error != nil {
		t.Errorf("%+v", a)
	}
	if len(a.Late) != 1 || a.Late[0].Note != "******** was late" || !a.Late[0].Refused {
		t.Errorf("%+v", a.Late)
	}
	if b.Number != 2 || b.Outcome != "failed" || b.Error == nil || b.Error.Code != "exit_code" || b.Started != "" || b.Ended == "" {
		t.Errorf("%+v", b)
	}
	var l api.List[api.ExecutionView]
	if ask(t, "GET", w.URL+"/api/v1/executions", w.Viewer, "").into(t, 200, &l); l.Items[0].Attempts != nil {
		t.Error("a list shows attempts")
	}
}
