package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body string
}

// ask sends a request; headers are name, value, name, value.
func ask(t testing.TB, method, url, token, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, string(b)}
}

// into decodes the body and checks the status.
func (a answer) into(t testing.TB, status int, v any) {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s %s: %s\n%s", a.Request.Method, a.Request.URL.Path, a.Status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

func (a answer) problem(t testing.TB, status int, code string) api.Problem {
	t.Helper()
	var p api.Problem
	a.into(t, status, &p)
	if p.Code != code || p.Status != status {
		t.Errorf("code %q, status %d, want %q, %d: %s", p.Code, p.Status, code, status, a.body)
	}
	if ct := a.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("content type %q", ct)
	}
	return p
}

type document struct {
	Paths map[string]map[string]struct {
		Security []map[string][]string `json:"security"`
	} `json:"paths"`
}

// Naively the document calls a list of statuses bytes, and durations numbers.
func TestTheDocumentSaysWhatARetryIs(t *testing.T) {
	w := apitest.New(t)
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Type  any
					Items struct{ Type any }
				}
			}
		}
	}
	ask(t, "GET", w.URL+"/openapi.json", "", "").into(t, 200, &doc)
	retry := doc.Components.Schemas["RetryPolicy"].Properties
	if s := fmt.Sprintln(retry["on"], retry["delay"].Type, retry["max_delay"].Type, retry["backoff"].Type, retry["max_attempts"].Type); s != "{[array null] {string}} string string string integer\n" {
		t.Error(s)
	}
}

func TestEveryRouteOfTheDocumentNeedsAToken(t *testing.T) {
	w := apitest.New(t)
	var doc document
	ask(t, "GET", w.URL+"/openapi.json", "", "").into(t, 200, &doc)
	routes, guarded := 0, 0
	for path, methods := range doc.Paths {
		for method := range methods {
			routes++
			if path == "/healthz" || path == "/readyz" {
				continue
			}
			guarded++
			url, method := w.URL+path, strings.ToUpper(method)
			ask(t, method, url, "", "").problem(t, 401, "token_missing")
			ask(t, method, url, "attune_admin_wrong", "").problem(t, 401, "token_unknown")
			if method == "POST" {
				ask(t, method, url, w.Viewer, "{}").problem(t, 403, "role_missing")
			}
		}
	}
	if routes < 25 || guarded != routes-2 {
		t.Errorf("%d routes in the document, %d guarded", routes, guarded)
	}
	if a := ask(t, "GET", w.URL+"/api/v1/events", "", ""); a.Header.Get("WWW-Authenticate") == "" {
		t.Error("401 without WWW-Authenticate")
	}
}

func TestNoDocsPageAndNoSchemaField(t *testing.T) {
	w := apitest.New(t)
	for _, path := range []string{"/docs", "/schemas/Health.json", "/openapi.yaml"} {
		ask(t, "GET", w.URL+path, w.Admin, "").problem(t, 404, "unknown_route")
	}
	if a := ask(t, "GET", w.URL+"/api/v1/node", w.Viewer, ""); strings.Contains(a.body, "$schema") {
		t.Error(a.body)
	}
}

func TestTheTokenComesInAHeader(t *testing.T) {
	w := apitest.New(t)
	for _, header := range []string{"X-Auth-Token", "St2-Api-Key"} {
		if a := ask(t, "GET", w.URL+"/api/v1/node", "", "", header, w.Viewer); a.StatusCode != 200 {
			t.Errorf("%s: %s", header, a.Status)
		}
	}
	ask(t, "GET", w.URL+"/api/v1/node?token="+w.Viewer, "", "").problem(t, 401, "token_missing")
}
