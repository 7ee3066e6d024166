package api_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/rules"
)

// Who a route is for: each of the first three may do what those before may.
const (
	viewers = iota + 1
	operators
	admins
	anybody
	workers // and none of those before
)

// door is what one route asks of whom. The path of the route is filled with the
// ids of a tree of executions.
type door struct {
	who int
	// executions says that an execution's token opens it too.
	executions bool
	// endless answers go on until the caller leaves.
	endless bool
	query   string
	body    string
	// status is that of success; 0 is 200.
	status int
}

// doors is every route there is. A new route is not done before it has a line
// here: say who may call it, and whether an action may, with its own token.
var doors = map[string]door{
	"GET /healthz":                              {who: anybody},
	"GET /readyz":                               {who: anybody},
	"GET /metrics":                              {who: viewers},
	"GET /api/v1/node":                          {who: viewers},
	"POST /api/v1/webhooks/{url}":               {who: operators, body: `{"alerts":[{"id":"1","status":"firing"}]}`, status: 202},
	"GET /api/v1/events":                        {who: viewers, executions: true},
	"POST /api/v1/events":                       {who: operators, executions: true, body: `{"trigger":"demo.alert"}`, status: 201},
	"GET /api/v1/events/{id}":                   {who: viewers, executions: true},
	"GET /api/v1/events/{id}/evaluations":       {who: viewers},
	"GET /api/v1/events/{id}/explain":           {who: viewers},
	"GET /api/v1/enforcements":                  {who: viewers, executions: true},
	"GET /api/v1/enforcements/{id}":             {who: viewers, executions: true},
	"GET /api/v1/executions":                    {who: viewers, executions: true},
	"POST /api/v1/executions":                   {who: operators, executions: true, body: `{"action":"demo.greet","parameters":{"message":"m"}}`, status: 201},
	"GET /api/v1/executions/{id}":               {who: viewers, executions: true},
	"POST /api/v1/executions/{id}/cancel":       {who: operators},
	"GET /api/v1/executions/{id}/wait":          {who: viewers, executions: true, query: "?timeout=0s"},
	"GET /api/v1/executions/{id}/output":        {who: viewers, executions: true},
	"GET /api/v1/executions/{id}/logs":          {who: viewers, executions: true},
	"POST /api/v1/executions/{id}/rerun":        {who: operators, status: 201},
	"POST /api/v1/enforcements/{id}/rerun":      {who: operators, status: 201},
	"GET /api/v1/stream":                        {who: viewers, endless: true},
	"GET /api/v1/trace/{id}":                    {who: viewers},
	"GET /api/v1/actions":                       {who: viewers},
	"GET /api/v1/actions/{ref}":                 {who: viewers},
	"GET /api/v1/rules":                         {who: viewers},
	"GET /api/v1/rules/{ref}":                   {who: viewers},
	"PUT /api/v1/rules/{ref}":                   {who: admins, body: `{"ref":"demo.on_alert","trigger":"demo.alert","action":"demo.greet","parameters":{"message":"m"}}`},
	"DELETE /api/v1/rules/{ref}":                {who: admins, status: 204},
	"POST /api/v1/rules/{ref}/enable":           {who: operators},
	"POST /api/v1/rules/{ref}/disable":          {who: operators},
	"POST /api/v1/rules/test":                   {who: operators, body: `{"rule":{"ref":"r.r","trigger":"demo.alert","action":"demo.greet","parameters":{"message":"m"}},"payload":{}}`},
	"GET /api/v1/triggers":                      {who: viewers},
	"GET /api/v1/triggers/{ref}":                {who: viewers},
	"GET /api/v1/packs":                         {who: viewers},
	"GET /api/v1/packs/{ref}":                   {who: viewers},
	"POST /api/v1/packs/reload":                 {who: operators},
	"POST /api/v1/packs/{ref}/reload":           {who: operators},
	"POST /api/v1/packs/{ref}/install":          {who: admins, body: "a tar"},
	"POST /api/v1/packs/{ref}/remove":           {who: admins},
	"GET /api/v1/workers":                       {who: viewers},
	"GET /api/v1/workers/{name}":                {who: viewers},
	"POST /api/v1/workers/{name}/drain":         {who: operators},
	"POST /api/v1/workers/{name}/resume":        {who: operators},
	"DELETE /api/v1/workers/{name}":             {who: operators},
	"POST /api/v1/workers/{name}/link":          {who: workers, query: "?session=s", body: "\x01"},
	"GET /api/v1/packs/{ref}/content/{content}": {who: workers},
	"GET /api/v1/actors":                        {who: viewers},
	"GET /api/v1/actors/{path}":                 {who: viewers},
	"GET /api/v1/deadletters":                   {who: viewers},
	"GET /api/v1/deadletters/{id}":              {who: operators},
	"POST /api/v1/deadletters/{id}/replay":      {who: operators},
	"DELETE /api/v1/deadletters/{id}":           {who: operators},
	"GET /api/v1/tokens":                        {who: admins},
	"POST /api/v1/tokens":                       {who: admins, body: `{"name":"made","kind":"viewer"}`, status: 201},
	"DELETE /api/v1/tokens/{name}":              {who: admins},
	"GET /api/v1/audit":                         {who: admins},
	"POST /api/v1/admin/gc":                     {who: admins, body: `{"dry_run":true}`},
	"GET /api/v1/admin/backup":                  {who: admins},
}

// tree is one event with what followed: its execution, which runs, and a child
// of that.
type tree struct {
	event       attune.EventID
	enforcement attune.EnforcementID
	root, child *attune.Execution
}

// grow puts a tree into the world, with ids from n on.
func grow(t *testing.T, w *apitest.World, n int) tree {
	running := []attune.Input{apitest.Admitted, apitest.Assigned, apitest.Started}
	g := tree{attune.EventID(apitest.ID(n)), attune.EnforcementID(apitest.ID(n + 1)), apitest.Execution(t, n+2, running...), apitest.Execution(t, n+3, running...)}
	g.root.Event, g.root.Enforcement, g.root.Rule = g.event, g.enforcement, "demo.on_alert"
	g.root.Chain.Correlation = g.event.String()
	g.child.Parent, g.child.Root, g.child.Chain.Correlation = g.root.ID, g.root.ID, g.event.String()
	w.Store.Put(&attune.Event{ID: g.event, Trigger: "demo.alert", Payload: []byte(`{"item":{}}`), Accepted: apitest.Noon}, g.root, g.child,
		&attune.Enforcement{ID: g.enforcement, Event: g.event, Rule: "demo.on_alert", Action: "demo.greet", Execution: g.root.ID})
	return g
}

// busy is a world with two trees of executions and an engine that does what it
// is asked.
func busy(t *testing.T, changes ...func(*api.Config)) (w *apitest.World, own, foreign tree) {
	w = apitest.New(t, changes...)
	own, foreign = grow(t, w, 10), grow(t, w, 20)
	w.Engine.Offer = func(api.EventOffer) (api.EventReceipt, error) { return api.EventReceipt{ID: own.event}, nil }
	w.Engine.Request = func(api.ExecutionRequest) (api.ExecutionReceipt, error) {
		return api.ExecutionReceipt{ID: own.child.ID}, nil
	}
	w.Engine.Stop = func(attune.ExecutionID, string, string) (*attune.Execution, error) { return own.root, nil }
	w.Engine.Again = func(attune.ID, string, attune.Chain) (api.ExecutionReceipt, error) {
		return api.ExecutionReceipt{ID: own.child.ID}, nil
	}
	w.Engine.Apply = func(r *attune.Rule, _ string, _ bool) (api.RuleChange, error) {
		return api.RuleChange{Change: api.RuleUnchanged, Before: r, After: r}, nil
	}
	w.Engine.Delete = func(string) error { return nil }
	w.Engine.Switch = func(ref string, _ bool, _ string) (*rules.Rule, error) {
		return w.Engine.Snapshot.Rules().Rule(ref), nil
	}
	w.Ruler.Pass = func(api.PruneRequest) (api.PruneReport, error) { return api.PruneReport{}, nil }
	w.Engine.Reload = func([]string) ([]packs.Change, error) { return nil, nil }
	w.Engine.Install = func(api.PackOrder) (packs.Change, error) { return packs.Change{Ref: "demo"}, nil }
	w.Engine.Remove = func(api.PackOrder) (packs.Change, error) { return packs.Change{Ref: "demo"}, nil }
	w.Engine.Machines = []api.WorkerView{{Worker: attune.Worker{Name: "w1", State: attune.WorkerAlive}}}
	w.Engine.Letter = func(_, id string) (messages.DeadLetter, error) { return messages.DeadLetter{ID: id}, nil }
	w.Engine.Drain = func(string, bool) (api.WorkerView, error) { return w.Engine.Machines[0], nil }
	w.Engine.Forget = func(string) (api.WorkerView, error) { return w.Engine.Machines[0], nil }
	w.Engine.Link = func(string, string, []messages.Parcel, time.Duration) ([]messages.Parcel, error) { return nil, nil }
	w.Engine.Content = func(string, string) ([]byte, error) { return []byte("a tar"), nil }
	w.Engine.Tree = []messages.ActorView{{Path: "node"}}
	return w, own, foreign
}

// at fills the path of a route with ids of a tree.
func (g tree) at(path string) string {
	id := g.root.ID.String()
	switch {
	case strings.Contains(path, "/events/"):
		id = g.event.String()
	case strings.Contains(path, "/enforcements/"):
		id = g.enforcement.String()
	}
	name := "w1"
	if strings.Contains(path, "/tokens/") {
		name = "victim"
	}
	ref := map[string]string{"actions": "demo.greet", "rules": "demo.on_alert", "triggers": "demo.alert", "packs": "demo"}[strings.Split(path+"///", "/")[3]]
	return strings.NewReplacer("{id}", id, "{name}", name, "{ref}", ref, "{path}", "node", "{content}", "60bb639535d63b591d75bca15e9997e8", "{url}", "alerts/in").Replace(path)
}

// routesOf are all routes of the document, which is written from the table.
func routesOf(t *testing.T, w *apitest.World) []string {
	var doc document
	ask(t, "GET", w.URL+"/openapi.json", "", "").into(t, 200, &doc)
	var all []string
	for path, methods := range doc.Paths {
		for method := range methods {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

// Every route against every kind of token.
func TestEachRouteLetsInWhomItShould(t *testing.T) {
	w, own, foreign := busy(t)
	ended := apitest.Execution(t, 30, apitest.Admitted, apitest.Assigned, apitest.Started, apitest.Finished)
	earlier := attune.Token{Execution: own.root.ID, Attempt: 2} // an attempt that is not the newest
	w.Store.Put(ended)
	make := func(name string, kind attune.Role, expires time.Time) string {
		secret, token := api.NewToken(name, kind)
		token.Expires = expires
		w.Store.Put(token)
		return secret
	}
	worker := make("w1", attune.RoleWorker, time.Time{})
	expired := make("expired", attune.RoleAdmin, apitest.Noon)
	revoked, _ := api.NewToken("revoked", attune.RoleAdmin)
	forged := w.Executions.Mint(own.root.Token())
	forged = forged[:len(forged)-1] + one(strings.HasSuffix(forged, "a"), "b", "a")

	routes := routesOf(t, w)
	if known := slices.Sorted(maps.Keys(doors)); !slices.Equal(routes, known) {
		t.Errorf("every route needs a line in doors, and every line a route:\n routes %v\n lines  %v", routes, known)
	}
	for _, route := range routes {
		d, ok := doors[route]
		if !ok {
			continue
		}
		method, path, _ := strings.Cut(route, " ")
		success := max(d.status, 200)
		named := strings.Contains(path, "{id}")
		for _, c := range []struct {
			kind, secret string
			status       int
			code         string
		}{
			{"none", "", 401, "token_missing"},
			{"wrong", "attune_admin_wrong", 401, "token_unknown"},
			{"revoked", revoked, 401, "token_unknown"},
			{"expired", expired, 401, "token_expired"},
			{"forged execution", forged, 401, "token_unknown"},
			{"ended execution", w.Executions.Mint(ended.Token()), 401, "token_ended"},
			{"another attempt", w.Executions.Mint(earlier), 401, "token_ended"},
			{"worker", worker, one(d.who == workers, success, 403), "role_missing"},
			{"viewer", w.Viewer, one(d.who == viewers, success, 403), "role_missing"},
			{"operator", w.Operator, one(d.who <= operators, success, 403), "role_missing"},
			{"admin", w.Admin, one(d.who != workers, success, 403), "role_missing"},
			{"own execution", w.Executions.Mint(own.root.Token()), one(d.executions, success, 403), "role_missing"},
			{"child of the execution", w.Executions.Mint(own.child.Token()), one(d.executions, success, 403), "role_missing"},
			{"foreign execution", w.Executions.Mint(foreign.root.Token()), one(d.executions, one(named || route == "POST /api/v1/executions", 404, success), 403), ""},
		} {
			if d.who == anybody {
				c.status = 200
			}
			if strings.HasSuffix(path, "/tokens/{name}") {
				make("victim", attune.RoleViewer, time.Time{})
			}
			if strings.HasSuffix(path, "/tokens") {
				_ = w.Store.DeleteAccessToken(t.Context(), "made")
			}
			a := answer{Response: &http.Response{}}
			if d.endless {
				a.Response = begin(t, w.URL+own.at(path)+d.query, c.secret) //nolint:bodyclose // begin closes it
			} else {
				a = ask(t, method, w.URL+own.at(path)+d.query, c.secret, d.body)
			}
			if a.StatusCode != c.status {
				t.Errorf("%s with the token %q: %s, want %d\n%s", route, c.kind, a.Status, c.status, a.body)
			} else if c.code != "" && c.status > 400 && !d.endless {
				a.problem(t, c.status, c.code)
			}
			if c.status == 401 && a.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: 401 without WWW-Authenticate", route)
			}
		}
	}
}

// begin asks for an answer without end, and leaves when it has begun.
func begin(t *testing.T, url, secret string) *http.Response {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response
}

func one[T any](yes bool, a, b T) T {
	if yes {
		return a
	}
	return b
}

// An action finds with its token what is of its own tree, and of everything
// else not even that it is there.
func TestAForeignIdIsNotFound(t *testing.T) {
	w, own, foreign := busy(t)
	token := w.Executions.Mint(own.child.Token())
	sent := &attune.Event{ID: attune.EventID(apitest.ID(40)), Trigger: "demo.alert", Chain: attune.Chain{Principal: "execution " + own.child.ID.String()}}
	others := &attune.Event{ID: attune.EventID(apitest.ID(41)), Trigger: "demo.alert", Chain: attune.Chain{Principal: "execution " + own.root.ID.String()}}
	w.Store.Put(sent, others)
	get := func(path string) answer { return ask(t, "GET", w.URL+"/api/v1"+path, token, "") }
	for _, path := range []string{
		"/executions/" + foreign.root.ID.String(), "/executions/" + foreign.child.ID.String(),
		"/executions/" + foreign.root.ID.String() + "/wait", "/executions/" + foreign.root.ID.String() + "/output", "/executions/" + foreign.root.ID.String() + "/output?follow=true",
		"/events/" + foreign.event.String(), "/events/" + others.ID.String(), "/enforcements/" + foreign.enforcement.String(),
		"/executions?parent=" + foreign.root.ID.String(), "/executions?event=" + foreign.event.String(), "/enforcements?event=" + foreign.event.String(),
	} {
		get(path).problem(t, 404, "not_found")
	}
	for _, path := range []string{
		"/executions/" + own.root.ID.String(), "/executions/" + own.child.ID.String(), "/executions/" + own.root.ID.String() + "/output",
		"/events/" + own.event.String(), "/events/" + sent.ID.String(), "/enforcements/" + own.enforcement.String(),
	} {
		if a := get(path); a.StatusCode != 200 {
			t.Errorf("%s: %s", path, a.Status)
		}
	}
	both := []string{own.child.ID.String(), own.root.ID.String()}
	for query, want := range map[string][]string{
		"/executions": both, "/executions?limit=1": both[:1], "/executions?cursor=" + both[0]: both[1:], "/executions?status=running": both,
		"/executions?status=failed": nil, "/executions?action=demo.greet": both, "/executions?action=demo.other": nil,
		"/executions?rule=demo.on_alert": both[1:], "/executions?event=" + own.event.String(): both[1:],
		"/executions?parent=" + both[1]: both[:1], "/executions?parent=" + both[0]: nil, "/executions?payload=true": both,
		"/events": {own.event.String()}, "/events?trigger=demo.other": nil,
		"/enforcements": {own.enforcement.String()}, "/enforcements?rule=demo.other": nil, "/enforcements?event=" + own.event.String(): {own.enforcement.String()},
	} {
		var l api.List[struct {
			ID string `json:"id"`
		}]
		get(query).into(t, 200, &l)
		var got []string
		for _, x := range l.Items {
			got = append(got, x.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	lone := apitest.Execution(t, 50, apitest.Admitted, apitest.Assigned) // by a request: there is no event
	w.Store.Put(lone)
	token = w.Executions.Mint(lone.Token())
	for _, query := range []string{"/events", "/enforcements"} {
		var l api.List[any]
		if get(query).into(t, 200, &l); len(l.Items) > 0 {
			t.Errorf("%s without a cause: %v", query, l.Items)
		}
	}
}

// A tree that is walked is found whole, the newest first, and only so far.
func TestATreeIsWalkedToItsLeaves(t *testing.T) {
	w, own, _ := busy(t)
	want := []string{own.child.ID.String(), own.root.ID.String()}
	parent := own.child.ID
	for n := range 30 {
		x := apitest.Execution(t, 100+n, apitest.Admitted)
		if x.Parent, x.Root = parent, own.root.ID; n%3 == 0 {
			parent = x.ID
		}
		w.Store.Put(x)
		want = slices.Insert(want, 0, x.ID.String())
	}
	for n := range 250 { // more children than are read at a time
		x := apitest.Execution(t, 200+n, apitest.Admitted)
		x.Parent, x.Root = own.root.ID, own.root.ID
		w.Store.Put(x)
		want = slices.Insert(want, 0, x.ID.String())
	}
	var got []string
	for cursor := ""; ; {
		var l api.List[api.ExecutionView]
		ask(t, "GET", w.URL+"/api/v1/executions?payload=true&limit=70"+cursor, w.Executions.Mint(own.root.Token()), "").into(t, 200, &l)
		for _, x := range l.Items {
			if got = append(got, x.ID); len(x.Parameters) == 0 || len(x.History) == 0 {
				t.Errorf("%s is not whole: %+v", x.ID, x)
			}
		}
		if l.Next == "" {
			break
		}
		cursor = "&cursor=" + l.Next
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d found, want %d:\n%v\n%v", len(got), len(want), got, want)
	}
}

// What an action starts is below it, in its chain and under its name.
func TestAnActionStartsOthersAsItself(t *testing.T) {
	w, own, _ := busy(t)
	var asked api.ExecutionRequest
	var offered api.EventOffer
	w.Engine.Request = func(r api.ExecutionRequest) (api.ExecutionReceipt, error) {
		asked = r
		return api.ExecutionReceipt{ID: own.child.ID}, nil
	}
	w.Engine.Offer = func(o api.EventOffer) (api.EventReceipt, error) {
		offered = o
		return api.EventReceipt{ID: own.event}, nil
	}
	own.child.Chain.Traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	w.Store.Put(own.child)
	token := w.Executions.Mint(own.child.Token())
	run := `{"action":"demo.greet","parameters":{"message":"m"}}`
	ask(t, "POST", w.URL+"/api/v1/executions", token, run, "Idempotency-Key", "k")
	chain := attune.Chain{Principal: "execution " + own.child.ID.String(), Correlation: own.event.String(), Traceparent: own.child.Chain.Traceparent}
	if asked.Parent != own.child.ID || asked.Root != own.root.ID || asked.Chain != chain {
		t.Errorf("asked for %+v", asked)
	}
	if asked.Dedupe != own.root.ID.String()+"/k" { // else it would be answered with what somebody else started
		t.Errorf("the key is %q", asked.Dedupe)
	}
	ask(t, "POST", w.URL+"/api/v1/events", token, `{"trigger":"demo.alert"}`, "Idempotency-Key", "k")
	if offered.Chain != chain || offered.Dedupe != "k" {
		t.Errorf("offered %+v", offered)
	}
	ask(t, "POST", w.URL+"/api/v1/executions", w.Operator, run, "Idempotency-Key", "k")
	if asked.Parent != 0 || asked.Root != 0 || asked.Dedupe != "k" || asked.Chain != (attune.Chain{Principal: "operator"}) {
		t.Errorf("an operator asked for %+v", asked)
	}
}

// A head over its bounds is told so in the words of every other error.
func TestAHeadThatIsTooLongIsRefused(t *testing.T) {
	w := apitest.New(t)
	for _, c := range []struct {
		name, url, header string
		status            int
		code              string
	}{
		{"a URL of 8 KiB", "/api/v1/node?" + strings.Repeat("x", 8<<10), "", http.StatusRequestURITooLong, "url_too_long"},
		{"headers of 32 KiB", "/api/v1/node", strings.Repeat("x", 32<<10), http.StatusRequestHeaderFieldsTooLarge, "headers_too_long"},
	} {
		p := ask(t, "GET", w.URL+c.url, w.Viewer, "", "X-Long", c.header).problem(t, c.status, c.code)
		if p.Title != "too large" {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
	if a := ask(t, "GET", w.URL+"/api/v1/events?trigger="+strings.Repeat("x", 8000), w.Viewer, "", "X-Long", strings.Repeat("x", 30<<10)); a.StatusCode != 200 {
		t.Errorf("a head that is not too long: %s", a.Status)
	}
}

// A body that is nested deep is refused or read, and never the end of the
// process.
func TestABodyThatIsNestedDeepDoesNoHarm(t *testing.T) {
	w, _, _ := busy(t)
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for _, value := range []string{deep(500_000), objects(150_000), strings.Repeat("[", 1_000_000)} {
		for _, c := range []struct{ path, body string }{
			{"/events", `{"trigger":"demo.alert","payload":` + value + `}`},
			{"/executions", `{"action":"demo.greet","parameters":{"message":` + value + `}}`},
			{"/webhooks/alerts/in", `{"alerts":[` + value + `]}`},
			{"/rules/test", `{"rule":{"ref":"r.r","trigger":"demo.alert","action":"demo.greet","parameters":` + value + `},"payload":{}}`},
			{"/tokens", `{"name":` + value + `,"kind":"viewer"}`},
		} {
			a := ask(t, "POST", w.URL+"/api/v1"+c.path, w.Admin, c.body)
			var p api.Problem
			a.into(t, 422, &p)
			if p.Code == "" || len(a.body) > 10<<10 {
				t.Errorf("%s: %d bytes of %+v", c.path, len(a.body), p)
			}
		}
	}
}
