package api_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
)

func TestAPassTakesAnAge(t *testing.T) {
	w := apitest.New(t)
	for name, c := range map[string]struct {
		body   string
		status int
		older  time.Duration
		own    bool
		try    bool
	}{
		"the node's own":        {`{}`, 200, 0, true, false},
		"only counted":          {`{"dry_run":true}`, 200, 0, true, true},
		"days":                  {`{"older_than":"30d"}`, 200, 720 * time.Hour, false, false},
		"hours":                 {`{"older_than":"12h","dry_run":true}`, 200, 12 * time.Hour, false, true},
		"all that has ended":    {`{"older_than":"0s"}`, 200, 0, false, false},
		"an age in words":       {`{"older_than":"a week"}`, 422, 0, false, false},
		"an age before the end": {`{"older_than":"-1h"}`, 422, 0, false, false},
		"days without end":      {`{"older_than":"1e99d"}`, 422, 0, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			asked := api.PruneRequest{}
			w.Ruler.Pass = func(r api.PruneRequest) (api.PruneReport, error) {
				asked = r
				return api.PruneReport{Rows: 3, Tables: []api.PrunedTable{{Table: "event", Rows: 3}}}, nil
			}
			var got struct {
				Rows int64 `json:"rows"`
				Try  bool  `json:"dry_run"`
			}
			ask(t, http.MethodPost, w.URL+"/api/v1/admin/gc", w.Admin, c.body).into(t, c.status, &got)
			if c.status == 200 && (got.Rows != 3 || got.Try != c.try || asked.Try != c.try || (asked.OlderThan == nil) != c.own || !c.own && *asked.OlderThan != c.older) {
				t.Errorf("asked for %+v, got %+v", asked, got)
			}
		})
	}
}

func TestOnlyAnAdminRulesTheNode(t *testing.T) {
	w := apitest.New(t)
	for token, want := range map[string]int{w.Operator: http.StatusForbidden, w.Viewer: http.StatusForbidden, "": http.StatusUnauthorized} {
		for _, one := range [][2]string{{http.MethodPost, "gc"}, {http.MethodGet, "backup"}} {
			body := ""
			if one[0] == http.MethodPost {
				body = "{}"
			}
			if a := ask(t, one[0], w.URL+"/api/v1/admin/"+one[1], token, body); a.StatusCode != want {
				t.Errorf("%s: %s, not %d", one[1], a.Status, want)
			}
		}
	}
}

func TestABackupThatBreaksOffBreaksTheConnection(t *testing.T) {
	w := apitest.New(t)
	w.Ruler.Archive = "a tar"
	a := ask(t, http.MethodGet, w.URL+"/api/v1/admin/backup?with_key=true", w.Admin, "")
	if a.StatusCode != 200 || a.body != "a tar" || !w.Ruler.Asked.WithKey || w.Ruler.Closed.Load() != 1 {
		t.Errorf("%s %q, asked %+v, closed %d", a.Status, a.body, w.Ruler.Asked, w.Ruler.Closed.Load())
	}
	w = apitest.New(t)
	w.Ruler.Archive, w.Ruler.Broken = "a tar", errors.New("the disk is gone")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+"/api/v1/admin/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.Admin)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if response, err := client.Do(r); err == nil {
		_, err = response.Body.Read(make([]byte, 100))
		for err == nil {
			_, err = response.Body.Read(make([]byte, 100))
		}
		response.Body.Close()
		if err.Error() == "EOF" {
			t.Error("half a backup looks whole")
		}
	}
	if n := w.Ruler.Closed.Load(); n != 1 {
		t.Errorf("closed %d times", n)
	}
	w = apitest.New(t)
	w.Ruler.Refusal = attune.NewError(attune.NotFound, "no_key", "the data folder has no key")
	if a := ask(t, http.MethodGet, w.URL+"/api/v1/admin/backup", w.Admin, ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("%s %s", a.Status, a.body)
	}
}
