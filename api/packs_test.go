package api_test

import (
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
	"github.com/attune-automation/attune/packs"
)

func TestPacksAreChangedByWhoMay(t *testing.T) {
	w := apitest.New(t)
	var order api.PackOrder
	w.Engine.Install = func(o api.PackOrder) (packs.Change, error) {
		order = o
		return packs.Change{Ref: o.Ref, Change: packs.Changed, Details: []string{"changed pack.yaml"}}, nil
	}
	w.Engine.Remove = func(o api.PackOrder) (packs.Change, error) {
		order = o
		return packs.Change{}, &attune.Error{Kind: attune.Conflict, Code: "pack_needed", Message: "no", Faults: []attune.Fault{{Where: "r.yaml:1"}}}
	}
	w.Engine.Reload = func(refs []string) ([]packs.Change, error) {
		return []packs.Change{{Ref: "demo", Change: packs.Unchanged, Details: refs}}, nil
	}
	base := w.URL + "/api/v1/packs/"
	for _, path := range []string{"demo/install", "demo/remove"} {
		ask(t, "POST", base+path, w.Operator, "x", "Content-Type", "application/gzip").problem(t, 403, "role_missing")
		ask(t, "POST", base+path, "", "x", "Content-Type", "application/gzip").problem(t, 401, "token_missing")
	}
	for _, path := range []string{"reload", "demo/reload"} {
		ask(t, "POST", base+path, w.Viewer, "").problem(t, 403, "role_missing")
	}
	var change api.PackChange
	large := strings.Repeat("x", 3<<20) // more than any other body may be
	ask(t, "POST", base+"demo/install?force=true&dry_run=true", w.Admin, large, "Content-Type", "application/gzip").into(t, 200, &change)
	if order.Ref != "demo" || !order.Force || !order.DryRun || string(order.Archive) != large || !change.DryRun || change.Pack != nil || change.Change.Change != packs.Changed {
		t.Errorf("got %+v, answered %+v", order.Ref, change)
	}
	ask(t, "POST", base+"demo/install", w.Admin, "x", "Content-Type", "application/gzip").into(t, 200, &change)
	if change.Pack == nil || change.Pack.Status != attune.PackLoaded || len(change.Pack.Files) == 0 {
		t.Errorf("got %+v", change)
	}
	ask(t, "POST", base+"demo/install", w.Admin, strings.Repeat("x", packs.MaxArchive+2), "Content-Type", "application/gzip").problem(t, 413, "body_too_large")
	ask(t, "POST", base+"demo/remove", w.Admin, "").problem(t, 409, "pack_needed")
	var changes api.List[api.PackChange]
	ask(t, "POST", base+"demo/reload", w.Operator, "").into(t, 200, &changes)
	if len(changes.Items) != 1 || len(changes.Items[0].Details) != 1 || changes.Items[0].Details[0] != "demo" {
		t.Errorf("got %+v", changes)
	}
	changes = api.List[api.PackChange]{}
	ask(t, "POST", base+"reload", w.Operator, "").into(t, 200, &changes)
	if len(changes.Items[0].Details) != 0 {
		t.Errorf("got %+v", changes)
	}
	ask(t, "POST", base+"dmo/reload", w.Operator, "").problem(t, 404, "unknown_pack")
}

func TestAPackShowsItsReportAndNoSecret(t *testing.T) {
	w := apitest.New(t)
	p := &attune.Pack{Ref: "p", Actions: []*attune.Action{{Ref: "p.a", Pack: "p"}}, ConfigSchema: []byte(`{"properties": {"key": {"secret": true}}}`), Config: map[string]any{"key": "hunter22", "host": "h"},
		Files: []attune.PackFile{{File: "p/actions/a.yaml", Kind: "action", Ref: "p.a", State: attune.FileNoRunner, Reason: "no runner"}}}
	w.Engine.Snapshot = packs.NewSnapshot([]*attune.Pack{p})
	var view api.PackView
	a := ask(t, "GET", w.URL+"/api/v1/packs/p", w.Viewer, "")
	a.into(t, 200, &view)
	if view.Status != attune.PackDegraded || view.Config["key"] != "********" || view.Config["host"] != "h" || len(view.Files) != 1 || view.Files[0].State != attune.FileNoRunner {
		t.Errorf("got %+v", view)
	}
	for _, path := range []string{"packs/p", "packs", "actions/p.a", "actions"} {
		if a := ask(t, "GET", w.URL+"/api/v1/"+path, w.Viewer, ""); strings.Contains(a.body, "hunter22") {
			t.Errorf("%s shows the secret: %s", path, a.body)
		}
	}
}

func TestEventsAreHeldAgainstTheirTriggerBeforeAnyFires(t *testing.T) {
	w := apitest.New(t)
	hook := &attune.Trigger{Ref: "p.t", Pack: "p", Webhook: &attune.Webhook{URL: "in", Split: "body.list"},
		PayloadSchema: []byte(`{"properties": {"item": {"type": "integer"}, "x": {"type": "string"}}}`)}
	w.Engine.Snapshot = packs.NewSnapshot([]*attune.Pack{{Ref: "p", Triggers: []*attune.Trigger{hook}}})
	fired := 0
	w.Engine.Offer = func(api.EventOffer) (api.EventReceipt, error) {
		fired++
		return api.EventReceipt{ID: attune.EventID(apitest.ID(fired))}, nil
	}
	ask(t, "POST", w.URL+"/api/v1/webhooks/in", w.Operator, `{"list": [1, "two"]}`).problem(t, 422, "invalid_payload")
	ask(t, "POST", w.URL+"/api/v1/events", w.Operator, `{"trigger": "p.t", "payload": {"item": "x", "x": 1}}`).problem(t, 422, "invalid_payload")
	if fired != 0 {
		t.Errorf("%d events were offered", fired)
	}
	ask(t, "POST", w.URL+"/api/v1/webhooks/in", w.Operator, `{"list": [1, 2]}`)
	if fired != 2 {
		t.Errorf("%d events were offered", fired)
	}
}
