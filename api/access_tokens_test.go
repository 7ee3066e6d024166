package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
)

func TestATokenIsMadeListedAndRevoked(t *testing.T) {
	w := apitest.New(t)
	url := w.URL + "/api/v1/tokens"
	a := ask(t, "POST", url, w.Admin, `{"name":"ci","kind":"operator","expires_in":"90d"}`)
	var made api.NewTokenView
	a.into(t, 201, &made)
	if a.Header.Get("Location") != "/api/v1/tokens/ci" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", a.Header)
	}
	want := api.TokenView{Name: "ci", Kind: "operator", Created: "2026-01-31T12:00:00.000Z", By: "admin", Expires: "2026-05-01T12:00:00.000Z"}
	if made.TokenView != want || !strings.HasPrefix(made.Secret, "attune_operator_") {
		t.Errorf("%+v", made)
	}
	if a := ask(t, "POST", w.URL+"/api/v1/rules/test", made.Secret, `{}`); a.StatusCode != 422 { // known at once
		t.Errorf("with the new token: %s", a.Status)
	}
	ask(t, "POST", url, w.Admin, `{"name":"ci","kind":"viewer"}`).problem(t, 409, "token_exists")
	a = ask(t, "GET", url, w.Admin, "")
	var l api.List[api.TokenView]
	if a.into(t, 200, &l); len(l.Items) != 4 || l.Items[1] != want {
		t.Errorf("list %+v", l)
	}
	if strings.Contains(a.body, made.Secret) || strings.Contains(a.body, "hash") {
		t.Errorf("the list tells too much: %s", a.body)
	}
	ask(t, "DELETE", url+"/ci", w.Admin, "").into(t, 200, &l)
	ask(t, "GET", w.URL+"/api/v1/node", made.Secret, "").problem(t, 401, "token_unknown") // at once: the clock of this world stands still
	ask(t, "DELETE", url+"/ci", w.Admin, "").problem(t, 404, "unknown_token")
}

func TestFaultsOfATokenAreNamedAtOnce(t *testing.T) {
	w := apitest.New(t)
	for _, c := range []struct{ name, kind, expires string }{
		{"", "god", "0s"}, {"Ann", "execution", "soon"}, {"a b", "", "-1h"}, {"@engine", "viewers", "99999999d"}, {"../x", "Admin", "1.5d"}, {strings.Repeat("x", 65), "none", "1e9h"},
	} {
		p := ask(t, "POST", w.URL+"/api/v1/tokens", w.Admin, `{"name":"`+c.name+`","kind":"`+c.kind+`","expires_in":"`+c.expires+`"}`).problem(t, 422, "invalid_token")
		if len(p.Faults) != 3 {
			t.Errorf("%+v: %+v", c, p.Faults)
		}
	}
}

func TestTheLastAdminTokenStays(t *testing.T) {
	w := apitest.New(t)
	url := w.URL + "/api/v1/tokens"
	_, dated := api.NewToken("dated", attune.RoleAdmin)
	dated.Expires = apitest.Noon.Add(time.Hour)
	w.Store.Put(dated) // one that will be gone by itself does not count
	ask(t, "DELETE", url+"/admin", w.Admin, "").problem(t, 409, "last_admin")
	var made api.NewTokenView
	ask(t, "POST", url, w.Admin, `{"name":"second","kind":"admin"}`).into(t, 201, &made)
	if a := ask(t, "DELETE", url+"/admin", w.Admin, ""); a.StatusCode != 200 { // its own, and it is answered
		t.Errorf("%s %s", a.Status, a.body)
	}
	ask(t, "GET", url, w.Admin, "").problem(t, 401, "token_unknown")
	ask(t, "DELETE", url+"/second", made.Secret, "").problem(t, 409, "last_admin")
}

// lasting begins a request that lasts; what comes of it is told.
func lasting(t *testing.T, w *apitest.World, path, secret string) (status int, ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", w.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r) //nolint:bodyclose // closed when it has been read
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		done <- err
	}()
	return response.StatusCode, done
}

// A stream ends with its token, in the midst: its end must not look like that
// of the output. A wait is answered as the next request would be.
func TestOpenRequestsEndWithTheirToken(t *testing.T) {
	for name, end := range map[string]func(w *apitest.World, x *attune.Execution, clock *clock){
		"revoked here": func(w *apitest.World, _ *attune.Execution, _ *clock) {
			ask(t, "DELETE", w.URL+"/api/v1/tokens/ci", w.Admin, "")
		},
		"revoked elsewhere": func(w *apitest.World, _ *attune.Execution, c *clock) {
			_ = w.Store.DeleteAccessToken(t.Context(), "ci")
			c.add(time.Second)
		},
		"expired": func(_ *apitest.World, _ *attune.Execution, c *clock) { c.add(time.Hour) },
		"of an attempt that ended": func(w *apitest.World, x *attune.Execution, _ *clock) {
			apitest.Apply(t, x, apitest.Finished)
			w.Store.Put(x)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := &clock{now: apitest.Noon}
			w := apitest.New(t, func(config *api.Config) { config.Now = c.Now })
			x := apitest.Execution(t, 1, apitest.Admitted, apitest.Assigned, apitest.Started)
			child := apitest.Execution(t, 2, apitest.Admitted, apitest.Assigned, apitest.Started)
			child.Parent, child.Root = x.ID, x.ID
			w.Store.Put(x, child)
			secret, token := api.NewToken("ci", attune.RoleViewer)
			token.Expires = apitest.Noon.Add(time.Hour)
			w.Store.Put(token)
			if strings.HasPrefix(name, "of an attempt") {
				secret = w.Executions.Mint(x.Token())
			}
			path := "/api/v1/executions/" + child.ID.String()
			status, ended := lasting(t, w, path+"/output?follow=true", secret)
			if status != 200 {
				t.Fatal(status)
			}
			waited := make(chan answer, 1)
			go func() { waited <- ask(t, "GET", w.URL+path+"/wait?timeout=30s", secret, "") }()
			<-w.Engine.Watched
			<-w.Engine.Watched
			began := time.Now()
			end(w, x, c)
			if err := <-ended; !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the stream ended with %v", err)
			}
			if a := <-waited; a.StatusCode != 401 {
				t.Errorf("the wait was answered %s %s", a.Status, a.body)
			}
			if took := time.Since(began); took > 5*time.Second { // a second on a machine that is not busy
				t.Errorf("it took %s", took)
			}
			if n := w.Engine.Watchers(); n != 0 {
				t.Errorf("%d still watch", n)
			}
		})
	}
}

// clock is a time that is set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Whoever does not read must not keep the connection of a revoked token.
func TestAStreamThatNobodyReadsEndsToo(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted, apitest.Assigned, apitest.Started)
	w.Store.Put(x)
	w.Store.Print(x.Token(), 1, strings.Repeat("much to read\n", 1<<20)) // more than any buffer on the way
	secret, token := api.NewToken("ci", attune.RoleViewer)
	w.Store.Put(token)
	r, _ := http.NewRequestWithContext(t.Context(), "GET", w.URL+"/api/v1/executions/"+x.ID.String()+"/output?follow=true", nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	<-w.Engine.Watched
	ask(t, "DELETE", w.URL+"/api/v1/tokens/ci", w.Admin, "")
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(10 * time.Second); w.Engine.Watchers() > 0; <-tick.C {
		if time.Now().After(until) {
			t.Fatal("the stream of a revoked token is still open")
		}
	}
}

// The bound on requests that last is on all and on each token, and every place
// is given back.
func TestRequestsThatLastAreBounded(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted)
	w.Store.Put(x)
	w.Engine.Request = func(api.ExecutionRequest) (api.ExecutionReceipt, error) { return api.ExecutionReceipt{ID: x.ID}, nil }
	ctx, cancel := context.WithCancel(t.Context())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	wait := w.URL + "/api/v1/executions/" + x.ID.String() + "/wait?timeout=5m"
	var group sync.WaitGroup
	for range 500 {
		group.Go(func() {
			r, _ := http.NewRequestWithContext(ctx, "GET", wait, nil)
			r.Header.Set("Authorization", "Bearer "+w.Viewer)
			if response, err := client.Do(r); err == nil {
				t.Errorf("a wait was answered: %s", response.Status)
				_ = response.Body.Close()
			}
		})
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for w.Engine.Watchers() < 500 {
		<-tick.C
	}
	a := ask(t, "GET", wait, w.Viewer, "")
	a.problem(t, 429, "too_many_waiting")
	if a.Header.Get("Retry-After") != "5" {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
	run := `{"action":"demo.greet","parameters":{"message":"m"}}`
	if a := ask(t, "GET", w.URL+"/api/v1/executions/"+x.ID.String(), w.Viewer, ""); a.StatusCode != 200 {
		t.Errorf("a request that does not last: %s", a.Status)
	}
	if a := ask(t, "POST", w.URL+"/api/v1/executions", w.Operator, run, "Prefer", "wait=0"); a.StatusCode != 201 {
		t.Errorf("another token: %s", a.Status)
	}
	cancel()
	group.Wait()
	for w.Engine.Watchers() > 0 {
		<-tick.C
	}
	if a := ask(t, "GET", strings.Replace(wait, "5m", "0s", 1), w.Viewer, ""); a.StatusCode != 200 {
		t.Errorf("when the places are free again: %s", a.Status)
	}
}

// Whoever leaves in the midst of a wait takes nothing with it.
func TestAWaiterThatHangsUpLeavesTheExecution(t *testing.T) {
	w := apitest.New(t)
	x := apitest.Execution(t, 1, apitest.Admitted)
	w.Store.Put(x)
	requests := 0
	w.Engine.Request = func(r api.ExecutionRequest) (api.ExecutionReceipt, error) {
		requests++
		return api.ExecutionReceipt{ID: x.ID, Duplicate: requests > 1}, nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	hung := make(chan error, 1)
	go func() {
		r, _ := http.NewRequestWithContext(ctx, "POST", w.URL+"/api/v1/executions", strings.NewReader(`{"action":"demo.greet","parameters":{"message":"m"}}`))
		r.Header = http.Header{"Authorization": {"Bearer " + w.Operator}, "Content-Type": {"application/json"}, "Prefer": {"wait=300"}, "Idempotency-Key": {"k"}}
		response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err == nil {
			_ = response.Body.Close()
		}
		hung <- err
	}()
	<-w.Engine.Watched
	cancel()
	if err := <-hung; !errors.Is(err, context.Canceled) {
		t.Errorf("it was answered: %v", err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for w.Engine.Watchers() > 0 {
		<-tick.C
	}
	var v api.RunAnswer // asked again with the key it is the same
	ask(t, "POST", w.URL+"/api/v1/executions", w.Operator, `{"action":"demo.greet","parameters":{"message":"m"}}`, "Idempotency-Key", "k").into(t, 200, &v)
	if !v.Duplicate || v.ID != x.ID.String() {
		t.Errorf("%+v", v)
	}
}

// A window that is full is told with when to come again.
func TestAFullWindowSaysWhenToComeAgain(t *testing.T) {
	w, _, _ := busy(t)
	full := &attune.Error{Kind: attune.TooMuch, Code: "admission_full", Message: "full", RetryAfter: time.Second}
	w.Engine.Offer = func(api.EventOffer) (api.EventReceipt, error) { return api.EventReceipt{}, full }
	w.Engine.Request = func(api.ExecutionRequest) (api.ExecutionReceipt, error) { return api.ExecutionReceipt{}, full }
	for path, body := range map[string]string{"/events": `{"trigger":"demo.alert"}`, "/executions": `{"action":"demo.greet","parameters":{"message":"m"}}`,
		"/webhooks/alerts/in": `{"alerts":[{"id":"1"}]}`} {
		a := ask(t, "POST", w.URL+"/api/v1"+path, w.Operator, body)
		p := a.problem(t, 429, "admission_full")
		if a.Header.Get("Retry-After") != "1" || p.RetryAfter != 1 {
			t.Errorf("%s: Retry-After %q, %d", path, a.Header.Get("Retry-After"), p.RetryAfter)
		}
	}
}

// audited is the audit as an admin reads it.
func audited(t *testing.T, w *apitest.World, query string) []api.AuditView {
	t.Helper()
	var l api.List[api.AuditView]
	ask(t, "GET", w.URL+"/api/v1/audit"+query, w.Admin, "").into(t, 200, &l)
	for i := range l.Items {
		if l.Items[i].From != "127.0.0.1" || l.Items[i].At != "2026-01-31T12:00:00.000Z" {
			t.Errorf("%+v", l.Items[i])
		}
		l.Items[i].From, l.Items[i].At = "", ""
	}
	return l.Items
}

func TestTheAuditKeepsWhoDidWhat(t *testing.T) {
	var log bytes.Buffer
	w, own, _ := busy(t, func(c *api.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	id := own.root.ID.String()
	post := func(path, secret, body string) {
		ask(t, "POST", w.URL+"/api/v1"+path, secret, body)
	}
	post("/executions/"+id+"/cancel", w.Operator, `{"reason":"a private reason"}`)
	post("/executions/"+id+"/cancel", w.Operator, `{"reason":5}`)
	post("/executions/"+id+"/cancel", w.Viewer, `{}`)
	post("/tokens", w.Admin, `{"name":"ci","kind":"viewer"}`)
	post("/tokens", w.Admin, `{"name":"ci","kind":"viewer"}`)
	ask(t, "DELETE", w.URL+"/api/v1/tokens/ci", w.Admin, "")
	ask(t, "GET", w.URL+"/api/v1/events/"+own.event.String()+"?secret=x", "attune_admin_wrong", "")
	// Of these the rows tell, or there is nothing to tell.
	post("/executions", w.Operator, `{"action":"demo.greet","parameters":{"message":"m"}}`)
	post("/events", w.Operator, `{"trigger":"demo.alert"}`)
	post("/webhooks/alerts/in", w.Operator, `{"alerts":[]}`)
	ask(t, "GET", w.URL+"/api/v1/events", w.Viewer, "")
	ask(t, "GET", w.URL+"/api/v1/nothing", "", "")

	want := []api.AuditView{
		{Action: "get-event", Target: own.event.String(), Status: 401, Code: "token_unknown"},
		{Principal: "admin", Kind: "admin", Action: "revoke-token", Target: "ci", Status: 200},
		{Principal: "admin", Kind: "admin", Action: "create-token", Target: "ci", Status: 409, Code: "token_exists"},
		{Principal: "admin", Kind: "admin", Action: "create-token", Target: "ci", Status: 201},
		{Principal: "viewer", Kind: "viewer", Action: "cancel-execution", Target: id, Status: 403, Code: "role_missing"},
		{Principal: "operator", Kind: "operator", Action: "cancel-execution", Target: id, Status: 422, Code: "invalid_request"},
		{Principal: "operator", Kind: "operator", Action: "cancel-execution", Target: id, Status: 200},
	}
	if got := audited(t, w, ""); !slices.Equal(got, want) {
		t.Errorf("the audit is\n%+v\nwant\n%+v", got, want)
	}
	if got := audited(t, w, "?principal=operator&action=cancel-execution&limit=1"); !slices.Equal(got, want[5:6]) {
		t.Errorf("narrowed: %+v", got)
	}
	if got := audited(t, w, "?since=2026-02-01T00:00:00Z"); len(got) != 0 {
		t.Errorf("since later: %+v", got)
	}
	ask(t, "GET", w.URL+"/api/v1/audit?cursor=x", w.Admin, "").problem(t, 422, "invalid_cursor")
	said := log.String()
	if n := strings.Count(said, "level=INFO msg=\"request kept in the audit\""); n != len(want) || !strings.Contains(said, "principal=operator") {
		t.Errorf("%d lines in the log:\n%s", n, said)
	}
	for _, secret := range []string{"private", "secret=x", "wrong", w.Admin, w.Operator} {
		if strings.Contains(said, secret) {
			t.Errorf("the log tells %q", secret)
		}
	}
}

// A request that fails inside, or that the audit cannot keep, is told all the
// same.
func TestTheAuditKeepsARequestThatPanics(t *testing.T) {
	w, own, _ := busy(t)
	w.Engine.Stop = func(attune.ExecutionID, string, string) (*attune.Execution, error) { panic("inside") }
	ask(t, "POST", w.URL+"/api/v1/executions/"+own.root.ID.String()+"/cancel", w.Operator, "{}").problem(t, 500, "internal")
	if got := audited(t, w, ""); len(got) != 1 || got[0].Status != 500 || got[0].Principal != "operator" {
		t.Errorf("%+v", got)
	}
}

// Whoever guesses tokens does not fill the store.
func TestDeniedRequestsAreKeptUpToABound(t *testing.T) {
	c := &clock{now: apitest.Noon}
	w := apitest.New(t, func(config *api.Config) { config.Now = c.Now })
	for range 70 {
		ask(t, "GET", w.URL+"/api/v1/node", "guess", "")
	}
	count := func() int {
		var l api.List[api.AuditView]
		ask(t, "GET", w.URL+"/api/v1/audit?limit=1000", w.Admin, "").into(t, 200, &l)
		return len(l.Items)
	}
	if n := count(); n != 60 {
		t.Errorf("%d are kept, want 60", n)
	}
	c.add(time.Minute)
	ask(t, "GET", w.URL+"/api/v1/node", "guess", "")
	if n := count(); n != 61 {
		t.Errorf("a minute later %d are kept", n)
	}
}
