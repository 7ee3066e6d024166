package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/persistence/memory"
)

// woken reports whether the watcher was woken, and settles before.
func woken(c <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestWatchWakesAfterChangesAndOutput(t *testing.T) {
	inBubble(t, func(r *rig) {
		id := r.must(settings{MS: 1000, Print: 1})
		changed, stop := r.Watch(id)
		other, stopOther := r.Watch(id)
		defer stopOther()
		if woken(changed) {
			t.Error("woken by nothing")
		}
		for _, step := range []struct {
			what string
			do   func()
		}{
			{"it is scheduled", func() { r.work("w", 1) }},
			{"it runs, and its output is stored", func() { time.Sleep(900 * time.Millisecond) }},
			{"its output is stored, at the latest by its end, and it is completed", func() { time.Sleep(200 * time.Millisecond) }},
		} {
			step.do()
			if !woken(changed) || !woken(other) {
				t.Error("not woken though", step.what)
			}
		}
		if woken(changed) {
			t.Error("woken more than once for what was there")
		}
		stop()
		stop() // may be called twice
		if x := r.reaches(id, attune.Completed, time.Second); x.Version != 4 {
			t.Errorf("%d versions", x.Version)
		}
	})
}

func TestEvaluationsTellWhatDidNotMatch(t *testing.T) {
	inBubble(t, func(r *rig) {
		low, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: none, Payload: []byte(`{"level":"low"}`)})
		if err != nil {
			t.Fatal(err)
		}
		found, err := r.Evaluations(r.Context(), low.ID)
		if err != nil || len(found) != 1 || found[0].Rule != "t.wants" || found[0].Event != low.ID || found[0].Matched || len(found[0].Criteria) != 1 ||
			found[0].Criteria[0].Left != "low" || found[0].Criteria[0].Right != "high" {
			t.Errorf("got %+v, %v", found, err)
		}
		for range 49 { // 50 of a rule are kept
			if _, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: none, Payload: []byte(`{}`)}); err != nil {
				t.Fatal(err)
			}
		}
		if found, err = r.Evaluations(r.Context(), low.ID); err != nil || len(found) != 1 {
			t.Errorf("after 49 more: %+v, %v", found, err)
		}
		if _, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: none, Payload: []byte(`not JSON`)}); err == nil {
			t.Error("a payload that is not JSON is accepted")
		}
		if _, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: none, Payload: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
		if found, err = r.Evaluations(r.Context(), low.ID); err != nil || len(found) != 0 {
			t.Errorf("after 50 more: %+v, %v", found, err)
		}
	})
}

func TestOffersAndRequestsAreChecked(t *testing.T) {
	inBubble(t, func(r *rig) {
		for name, c := range map[string]struct {
			kind attune.ErrorKind
			do   func() error
		}{
			"an unknown trigger": {attune.NotFound, func() error {
				_, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: "t.nosuch"})
				return err
			}},
			"an unknown action": {attune.NotFound, func() error {
				_, err := r.RequestExecution(r.Context(), api.ExecutionRequest{Action: "t.nosuch"})
				return err
			}},
			"a parameter of the wrong type": {attune.Invalid, func() error {
				_, err := r.RequestExecution(r.Context(), api.ExecutionRequest{Action: "t.run", Parameters: map[string]any{"ms": "soon"}})
				return err
			}},
			"an unknown parameter": {attune.Invalid, func() error {
				_, err := r.RequestExecution(r.Context(), api.ExecutionRequest{Action: "t.run", Parameters: map[string]any{"when": "now"}})
				return err
			}},
			"an execution that never was": {attune.NotFound, func() error {
				_, err := r.Node.Cancel(r.Context(), attune.ExecutionID(attune.MakeID(1, 1, 1)), "", "me")
				return err
			}},
			"an actor that is not there": {attune.NotFound, func() error {
				_, err := r.Node.Actor(r.Context(), "node/nobody")
				return err
			}},
		} {
			if err := c.do(); attune.KindOf(err) != c.kind {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(r.rows.Rows().Executions) != 0 {
			t.Error("something was stored")
		}
	})
}

func TestRepetitionsAreOne(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		event := api.EventOffer{Trigger: one, Payload: []byte(`{"ms":1}`), Dedupe: "k"}
		request := api.ExecutionRequest{Action: "t.run", Parameters: map[string]any{"ms": int64(1)}, Dedupe: "k", Chain: attune.Chain{Principal: "me"}}
		e1, err1 := r.OfferEvent(r.Context(), event)
		x1, err2 := r.RequestExecution(r.Context(), request)
		r.restart()
		e2, err3 := r.OfferEvent(r.Context(), event)
		x2, err4 := r.RequestExecution(r.Context(), request)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		if e1.Duplicate || !e2.Duplicate || e1.ID != e2.ID || x1.Duplicate || !x2.Duplicate || x1.ID != x2.ID {
			t.Errorf("events %+v %+v, executions %+v %+v", e1, e2, x1, x2)
		}
		r.allOnce(time.Minute)
		if rows := r.rows.Rows(); len(rows.Events) != 1 || len(rows.Executions) != 2 {
			t.Errorf("%d events, %d executions", len(rows.Events), len(rows.Executions))
		}
		if x := r.row(x1.ID); x.Chain.Principal != "me" || x.Chain.Correlation != x.ID.String() {
			t.Errorf("its chain is %+v", x.Chain)
		}
	})
}

func TestWorkersShowTheirLoad(t *testing.T) {
	inBubble(t, func(r *rig) {
		if views, err := r.Workers(r.Context()); err != nil || len(views) != 0 {
			t.Errorf("without workers: %v, %v", views, err)
		}
		r.work("b", 3)
		r.work("a", 1)
		for range 3 {
			r.must(settings{MS: 60_000})
		}
		time.Sleep(2500 * time.Millisecond)
		views, err := r.Workers(r.Context())
		if err != nil || len(views) != 2 || views[0].Name != "a" || views[0].Running+views[1].Running != 3 || views[0].Running != 1 || views[1].Slots != 3 {
			t.Errorf("got %+v, %v", views, err)
		}
		for _, v := range views {
			if age := (database{}).Now().Sub(v.LastHeard); v.State != attune.WorkerAlive || age < 0 || age > 2*time.Second {
				t.Errorf("%s is %s, heard %s ago", v.Name, v.State, age)
			}
		}
	})
}

func TestNodeAndReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.end()
		n := node.New(node.Config{Name: "n"}, node.Parts{Clock: node.NewClock(), Store: memory.New(memory.Config{Clock: database{}})})
		if attune.KindOf(n.Ready()) != attune.Unavailable {
			t.Errorf("before it starts it is ready: %v", n.Ready())
		}
		if err := n.Stop(context.Background()); err != nil {
			t.Errorf("stopped before it starts: %v", err)
		}
		r.start()
		v := r.Node.Node()
		if v.Name != "n" || v.Incarnation != "n-1" || v.Version != "v" || v.Data != "d" || (database{}).Now().Sub(v.Started) > time.Minute {
			t.Errorf("got %+v", v)
		}
		if r.Catalog() != catalog() {
			t.Error("another catalogue")
		}
		var detail struct{ Actors map[string]int }
		d, err := r.Node.Actor(r.Context(), "node/inspector")
		if err != nil || json.Unmarshal(d.Detail, &detail) != nil || detail.Actors["partition"] != attune.Partitions {
			t.Errorf("%v, %s", err, d.Detail)
		}
		list := r.Actors()
		for i := 1; i < len(list); i++ {
			if list[i-1].Path >= list[i].Path {
				t.Errorf("%s comes before %s", list[i-1].Path, list[i].Path)
			}
		}
	})
}
