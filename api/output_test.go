package api_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
	"github.com/attune-automation/attune/persistence"
)

func TestOutputOfAnyBytes(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted, apitest.Assigned, apitest.Finished)
	w.Store.Put(x)
	raw := "a\x00b\xffc\xe2\x82" // a NUL, a byte that is no UTF-8, a character cut short
	w.Store.Print(x.Token(), persistence.Stdout, raw)
	w.Store.Print(x.Token(), persistence.Stderr, "oh")
	url := w.URL + "/api/v1/executions/" + x.ID.String() + "/output"
	for query, want := range map[string]string{
		"?raw=true":                  raw,
		"":                           "a\x00b\uFFFDc\uFFFD\uFFFD",
		"?raw=true&offset=4":         raw[4:],
		"?raw=true&offset=400":       "",
		"?stream=stderr":             "oh",
		"?stream=stderr&follow=true": "oh",
		"?attempt=2":                 "",
	} {
		if a := ask(t, "GET", url+query, w.Viewer, ""); a.StatusCode != 200 || a.body != want {
			t.Errorf("%s: %s %q, want %q", query, a.Status, a.body, want)
		}
	}
	ask(t, "GET", url+"?stream=stdin", w.Viewer, "").problem(t, 422, "invalid_request")
}

func TestOutputIsFollowedToTheEndOfTheAttempt(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted)
	w.Store.Put(x)
	change := func(in attune.Input) { apitest.Apply(t, x, in); w.Store.Put(x); w.Engine.Wake(x.ID) }
	say := func(text string) { w.Store.Print(x.Token(), persistence.Stdout, text); w.Engine.Wake(x.ID) }

	opened := make(chan *http.Response, 1)
	go func() {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", w.URL+"/api/v1/executions/"+x.ID.String()+"/output?follow=true", nil)
		r.Header.Set("Authorization", "Bearer "+w.Viewer)
		response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r) //nolint:bodyclose // closed where it is received
		if err != nil {
			t.Error(err)
		}
		opened <- response
	}()
	<-w.Engine.Watched // waits for the first attempt
	change(apitest.Assigned)
	response := <-opened
	defer response.Body.Close()
	if n := response.Header.Get(api.AttemptHeader); n != "1" {
		t.Errorf("attempt %q", n)
	}
	lines := bufio.NewReader(response.Body)
	for _, text := range []string{"one\n", "two \xe2", "\x82\xac\n"} { // a euro sign in two pieces
		say(text)
		if strings.HasSuffix(text, "\n") {
			line, err := lines.ReadString('\n')
			if want := map[string]string{"one\n": "one\n", "\x82\xac\n": "two €\n"}[text]; err != nil || line != want {
				t.Errorf("read %q, %v; want %q", line, err, want)
			}
		}
	}
	w.Store.Print(x.Token(), persistence.Stdout, "last") // stored before the end is, read after it
	change(apitest.Finished)
	rest, err := io.ReadAll(lines)
	if err != nil || string(rest) != "last" {
		t.Errorf("rest %q, %v", rest, err)
	}
}
