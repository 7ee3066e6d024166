package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	brokermemory "github.com/attune-automation/attune/messages/memory"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/persistence/sqlite"
	"github.com/attune-automation/attune/rules"
)

// day is how many events are explained.
const day = 10_000

// spoken is a node on SQLite, without workers, and its API.
type spoken struct {
	*node.Node
	t      *testing.T
	api    http.Handler
	secret string
	end    func()
}

func speak(t *testing.T, dir string, starts int, p *attune.Pack) *spoken {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	lent, turns, broker := &node.Lent{}, node.NewTurns(), brokermemory.New(brokermemory.Config{})
	s := &spoken{t: t, Node: node.New(node.Config{Name: "n", Incarnation: fmt.Sprint("n-", starts)},
		node.Parts{Clock: node.NewClock(), Lend: lent.Lend, Dispatcher: turns, Store: store, Broker: broker})}
	s.end = func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for _, err := range []error{s.Stop(ctx), broker.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
		lent.Wait()
		turns.Stop()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := s.SetPacks(t.Context(), []*attune.Pack{p}); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var token attune.AccessToken
	s.secret, token = api.NewToken("viewer", attune.RoleViewer)
	if err := store.PutAccessToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if s.api, err = api.New(api.Config{Engine: s.Node, Store: store, Log: slog.New(slog.DiscardHandler), Metrics: s.Metrics(), Now: time.Now,
		AfterFunc: func(d time.Duration, f func()) attune.Timer { return time.AfterFunc(d, f) }}); err != nil {
		t.Fatal(err)
	}
	for tick := time.NewTicker(time.Millisecond); s.Ready() != nil; <-tick.C {
		if t.Context().Err() != nil {
			t.Fatal("the node does not take work")
		}
	}
	return s
}

func (s *spoken) explain(id attune.EventID) (e api.Explanation) {
	s.t.Helper()
	request := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "/api/v1/events/"+id.String()+"/explain", nil)
	request.Header.Set("Authorization", "Bearer "+s.secret)
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, request)
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != http.StatusOK {
		s.t.Fatalf("%s: %d %s", id, w.Code, w.Body)
	}
	return e
}

// asked are the rules of the day; then another set of them.
func asked(then bool) *attune.Pack {
	p := &attune.Pack{Ref: "t", Triggers: []*attune.Trigger{{Ref: "t.t", Pack: "t", Hash: "t"}}}
	for _, name := range []string{"run", "gone"} {
		if then && name == "gone" {
			continue
		}
		p.Actions = append(p.Actions, &attune.Action{Ref: "t." + name, Pack: "t", Name: name, Runner: "noop", Enabled: true, Hash: name})
	}
	rule := func(name string, criteria ...attune.Criterion) {
		p.Rules = append(p.Rules, &attune.Rule{Ref: "t." + name, Pack: "t", Enabled: true, Trigger: "t.t", Action: "t.run", Hash: fmt.Sprint(name, then), Criteria: criteria})
	}
	below := func(n int64) attune.Criterion {
		return attune.Criterion{Path: "trigger.n", Type: "lessthan", Pattern: n}
	}
	if then {
		rule("low", below(5000))
		rule("later", below(3))
		rule("off")
		return p
	}
	rule("low", below(50))
	rule("name", attune.Criterion{Path: "trigger.name", Type: "equals", Pattern: "name-3"}, below(20))
	rule("young", attune.Criterion{Path: "trigger.at", Type: "timediff_lt", Pattern: int64(60)}, below(100))
	rule("pair", attune.Criterion{Path: "trigger.half", Type: "equals", Pattern: "{{ trigger.n - 1 }}"})
	rule("when", rules.When("trigger.n == 77 and trigger.name == 'none'", attune.Position{}))
	rule("off", below(5))
	return p
}

// Why a rule did or did not match is answered for every event of a day: exactly,
// with left and right, also after a restart and under other rules. What is
// expected is worked out here, without the evaluator.
func TestEveryEventOfADayIsExplained(t *testing.T) {
	day := day
	if raced || testing.Short() {
		day = 700
	}
	dir := t.TempDir()
	s := speak(t, dir, 1, asked(false))
	if _, err := s.SwitchRule(t.Context(), "t.off", false, "alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ApplyRule(t.Context(), written(t, "name: lame\ntrigger: {type: t.t}\naction: {ref: t.gone}\n"), "bob", false); err != nil {
		t.Fatal(err)
	}
	lame := asked(false)
	lame.Actions = lame.Actions[:1]
	if err := s.SetPacks(t.Context(), []*attune.Pack{lame}); err != nil {
		t.Fatal(err)
	}
	ids, payloads := make([]attune.EventID, day), make([]map[string]any, day)
	began := time.Now()
	var group sync.WaitGroup
	for worker := range 50 {
		group.Go(func() {
			for i := worker; i < day; i += 50 {
				payloads[i] = map[string]any{"n": i, "half": i / 2, "name": fmt.Sprint("name-", i%7), "at": began.Add(-time.Duration(i%240) * 500 * time.Millisecond).UTC().Format(time.RFC3339Nano)}
				body, _ := json.Marshal(payloads[i])
				receipt, err := s.OfferEvent(t.Context(), api.EventOffer{Trigger: "t.t", Payload: body, Chain: attune.Chain{Principal: "me"}})
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = receipt.ID
			}
		})
	}
	group.Wait()
	s.end()
	s = speak(t, dir, 2, asked(true))
	defer s.end()
	if err := s.DeleteRule(t.Context(), "default.lame"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SwitchRule(t.Context(), "t.off", true, "carol"); err != nil {
		t.Fatal(err)
	}
	matched := map[string]int{}
	for i, id := range ids {
		e := s.explain(id)
		accepted, err := time.Parse(time.RFC3339, e.Event.Accepted)
		if err != nil {
			t.Fatal(err)
		}
		want := expected(i, payloads[i], accepted)
		if len(e.Items) != len(want) || e.SameRules {
			t.Fatalf("event %d: %+v", i, e)
		}
		for _, v := range e.Items {
			if got := told(v); got != want[v.Rule] {
				t.Errorf("event %d, rule %s:\n got %s\nwant %s", i, v.Rule, got, want[v.Rule])
			}
			if v.Matched {
				matched[v.Rule]++
			}
		}
		if t.Failed() {
			break
		}
	}
	if matched["t.low"] != 50 || matched["t.pair"] != 2 || matched["t.young"] == 0 || matched["t.name"] != 3 {
		t.Errorf("matches: %v", matched)
	}
}

// told is a verdict in one line.
func told(v api.Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s matched=%v", v.Source, v.Matched)
	for _, c := range v.Criteria {
		fmt.Fprintf(&b, " %s=%v left=%s right=%s", c.Path, c.Passed, c.Left, c.Right)
	}
	if v.Disabled {
		fmt.Fprintf(&b, " disabled by %s", v.Switched.By)
	}
	for word, is := range map[string]bool{" removed": v.Removed, " changed": v.Changed, " later": v.Later} {
		if is {
			b.WriteString(word)
		}
	}
	if v.Error != "" {
		b.WriteString(" error=" + v.Error)
	}
	return b.String()
}

// expected is what each rule said to event i, and what is said of the rules of
// today.
func expected(i int, payload map[string]any, accepted time.Time) map[string]string {
	source := map[bool]string{true: "stored", false: "judged_again"}
	below := func(most int) string { return fmt.Sprintf(" trigger.n=%v left=%d right=%d", i < most, i, most) }
	name := fmt.Sprintf(" trigger.name=%v left=%q right=%q", i%7 == 3, payload["name"], "name-3")
	if i%7 == 3 {
		name += below(20)
	}
	at, _ := time.Parse(time.RFC3339Nano, payload["at"].(string))
	young := accepted.Sub(at) < 60*time.Second
	age := fmt.Sprintf(" trigger.at=%v left=%q right=60", young, payload["at"])
	if young {
		age += below(100)
	}
	line := func(matched bool, more string) string {
		return fmt.Sprintf("%s matched=%v%s", source[matched], matched, more)
	}
	pair := i/2 == i-1
	return map[string]string{
		"t.low":        line(i < 50, below(50)+" changed"),
		"t.name":       line(i%7 == 3 && i < 20, name+" removed"),
		"t.young":      line(young && i < 100, age+" removed"),
		"t.pair":       line(pair, fmt.Sprintf(" trigger.half=%v left=%d right=%d removed", pair, i/2, i-1)),
		"t.when":       line(false, ` when=false left=false right=true removed`),
		"t.off":        line(false, " disabled by alice changed"),
		"default.lame": line(false, " removed error=the rule does not load: -:1:1: the rule default.lame starts the unknown action t.gone"),
		"t.later":      fmt.Sprintf("judged_now matched=%v trigger.n=%v left=%d right=3 later", i < 3, i < 3, i),
	}
}

// The moment that a rule measures ages from is the one that is stored, so that an
// event that is judged again is judged the same to the microsecond.
func TestAnEventIsAcceptedInWholeMilliseconds(t *testing.T) {
	inBubble(t, func(r *rig) {
		var mu sync.Mutex
		var judged []time.Time
		r.observe.set(func(_, _ string, m any) {
			if a, ok := m.(*messages.Admit); ok && a.Event != nil {
				mu.Lock()
				defer mu.Unlock()
				judged = append(judged, a.Event.Accepted)
			}
		})
		for range 3 {
			time.Sleep(7*time.Millisecond + 123_457*time.Nanosecond)
			if _, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: none, Payload: []byte(`{}`)}); err != nil {
				t.Fatal(err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		stored := r.rows.Rows().Events
		if len(judged) != 3 || len(stored) != 3 {
			t.Fatalf("judged %v, stored %d", judged, len(stored))
		}
		for i, at := range judged {
			if !at.Equal(stored[i].Accepted) {
				t.Errorf("judged as at %v, and stored as at %v", at, stored[i].Accepted)
			}
		}
	})
}
