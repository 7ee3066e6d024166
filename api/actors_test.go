package api_test

import (
	"testing"
	"time"

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/apitest"
	"github.com/attune-automation/attune/messages"
)

func TestActors(t *testing.T) {
	w := apitest.New(t)
	w.Engine.Tree = []messages.ActorView{
		{Path: "node", Kind: "node", State: "open", Children: 1},
		{Path: "node/partitions/p-001", Parent: "node/partitions", Kind: "partition", State: "open", Mailbox: 2, OldestAge: 1500 * time.Millisecond},
	}
	var l api.List[api.ActorView]
	ask(t, "GET", w.URL+"/api/v1/actors?kind=partition", w.Viewer, "").into(t, 200, &l)
	if len(l.Items) != 1 || l.Items[0].OldestAge != "1.5s" || l.Items[0].Mailbox != 2 {
		t.Errorf("%+v", l)
	}
	var d api.ActorDetail
	ask(t, "GET", w.URL+"/api/v1/actors/node/partitions/p-001", w.Viewer, "").into(t, 200, &d)
	if d.Path != "node/partitions/p-001" || string(d.Detail) != `{"live":1}` {
		t.Errorf("%+v", d)
	}
	ask(t, "GET", w.URL+"/api/v1/actors/node/none", w.Viewer, "").problem(t, 404, "unknown_actor")
}

func TestDefinitions(t *testing.T) {
	w := apitest.New(t)
	for noun, ref := range map[string]string{"actions": "demo.greet", "triggers": "demo.alert", "rules": "demo.on_alert", "packs": "demo"} {
		var l api.List[map[string]any]
		ask(t, "GET", w.URL+"/api/v1/"+noun, w.Viewer, "").into(t, 200, &l)
		var one map[string]any
		ask(t, "GET", w.URL+"/api/v1/"+noun+"/"+ref, w.Viewer, "").into(t, 200, &one)
		if len(l.Items) != 1 || l.Items[0]["ref"] != ref || one["ref"] != ref {
			t.Errorf("%s: %v, %v", noun, l, one)
		}
		p := ask(t, "GET", w.URL+"/api/v1/"+noun+"/"+ref+"x", w.Viewer, "").problem(t, 404, "unknown_"+noun[:len(noun)-1])
		if p.Try != "did you mean "+ref+"?" {
			t.Errorf("%s: try %q", noun, p.Try)
		}
	}
	var l api.List[any]
	ask(t, "GET", w.URL+"/api/v1/actions?pack=other", w.Viewer, "").into(t, 200, &l)
	if len(l.Items) != 0 {
		t.Errorf("%+v", l)
	}
}
