package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/core"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/memory"
	"github.com/attune-automation/attune/secret"
	"github.com/attune-automation/attune/worker"
)

func newBox(t testing.TB, key byte) *secret.Box {
	t.Helper()
	b, err := secret.NewBox(nil, bytes.Repeat([]byte{key}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hush is the secret of these tests.
const hush = "open-sesame-1"

// locked are packs with one action that has secrets, and 450 rules that give one
// to it; with less, 1 of them.
func locked(rules int) func() *packs.Snapshot {
	return func() *packs.Snapshot {
		p := &attune.Pack{Ref: "v", Triggers: []*attune.Trigger{{Ref: "v.go", Pack: "v", Hash: "go"}}, Actions: []*attune.Action{{
			Ref: "v.say", Pack: "v", Name: "say", Runner: "parrot", Enabled: true, Hash: "say", Parameters: map[string]*attune.Parameter{
				"password": {Type: "string", Secret: true, Required: true}, "token": {Type: "string", Secret: true, Default: hush, HasDefault: true},
				"fail": {Type: "boolean"}, "n": {Type: "integer"}, "line": {Type: "string", Default: "say {{ password }}", HasDefault: true}},
		}}}
		for i := range rules {
			p.Rules = append(p.Rules, &attune.Rule{Ref: fmt.Sprintf("v.r%03d", i), Pack: "v", Enabled: true, Trigger: "v.go", Action: "v.say",
				Hash: fmt.Sprintf("r%03d of %d", i, rules), Parameters: map[string]any{"password": hush, "n": "{{ trigger.n }}"}})
		}
		return packs.NewSnapshot([]*attune.Pack{p})
	}
}

// parrot is a runner that says what it is told, in every way there is.
type parrot struct{}

func (parrot) Pure() bool                       { return false }
func (parrot) Stop(attune.Token, time.Duration) {}

func (parrot) Start(d *messages.Dispatch, events func(worker.Event)) {
	var p struct {
		Password, Token, Line string
		Fail                  bool
	}
	if err := json.Unmarshal(d.Parameters, &p); err != nil || p.Password != hush || p.Token != hush || p.Line != "say "+hush {
		events(worker.Event{Kind: worker.Ended, End: messages.RefusedRun, Reason: fmt.Sprintf("it was told %s, %v", d.Parameters, err)})
		return
	}
	events(worker.Event{Kind: worker.Started})
	events(worker.Event{Kind: worker.Wrote, Stream: worker.Stdout, Data: []byte(p.Password[:5])})
	events(worker.Event{Kind: worker.Wrote, Stream: worker.Stdout, Data: []byte(p.Password[5:])})
	e := worker.Event{Kind: worker.Ended, End: messages.Finished, Result: []byte(`{"said":"` + p.Line + `"}`)}
	if p.Fail {
		e.End, e.Failure = messages.FailedRun, &attune.Failure{Code: "c", Message: p.Password, Detail: p.Line}
	}
	events(e)
}

// texts writes all texts that are reached from a value of ours.
func texts(b *strings.Builder, v reflect.Value, seen map[uintptr]bool) {
	switch v.Kind() {
	case reflect.String:
		b.WriteString(v.String() + "\n")
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
			b.WriteString(string(v.Bytes()) + "\n")
			return
		}
		for i := range v.Len() {
			texts(b, v.Index(i), seen)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			texts(b, k, seen)
			texts(b, v.MapIndex(k), seen)
		}
	case reflect.Interface:
		texts(b, v.Elem(), seen)
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return
		}
		seen[v.Pointer()] = true
		texts(b, v.Elem(), seen)
	case reflect.Struct:
		home := v.Type().PkgPath()
		if ours := strings.HasSuffix(home, "/attune") || strings.HasSuffix(home, "/messages") || strings.HasSuffix(home, "/persistence"); !ours && len(seen) > 1 {
			return // clocks, actors and locks hold nothing that travels
		}
		for i := range v.NumField() {
			texts(b, v.Field(i), seen)
		}
	}
}

func textsOf(v any) string {
	var b strings.Builder
	texts(&b, reflect.ValueOf(v), map[uintptr]bool{})
	return b.String()
}

// Every message between actors, and every message to and from workers, every
// row and every line of the log is looked at, also when actors that hold a
// secret panic with all they know.
func TestNoActorHoldsASecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.end()
		var mu sync.Mutex
		var heard strings.Builder
		looked, partitions, panicked := 0, 0, map[string]bool{}
		look := func(what string, v any) string {
			text := textsOf(v)
			mu.Lock()
			defer mu.Unlock()
			looked++
			if strings.Contains(text, hush) {
				t.Errorf("%s holds the secret: %.500s", what, text)
			}
			return text
		}
		r.log = slog.New(slog.NewTextHandler(&locker{mu: &mu, b: &heard}, &slog.HandlerOptions{Level: slog.LevelDebug}))
		r.packs = locked(2)
		r.lose.set(func(x messages.Exchange, key string, m any) bool {
			look(fmt.Sprintf("a message on %s to %s", x, key), m)
			return false
		})
		r.observe.set(func(path, kind string, m any) {
			text := look(fmt.Sprintf("%T to %s", m, path), m)
			mu.Lock()
			on := fmt.Sprintf("%s %T", kind, m)
			few := kind == "execution" || kind == "partition" && partitions < 3 // more would end the node
			sabotaged := !panicked[on] && few && strings.Contains(text, "v.say")
			if sabotaged {
				if panicked[on] = true; kind == "partition" {
					partitions++
				}
			}
			mu.Unlock()
			if sabotaged {
				panic("it knows " + text)
			}
		})
		r.start()
		r.work("w", 2)
		for i := range 16 {
			_, _ = r.RequestExecution(t.Context(), api.ExecutionRequest{Action: "v.say", Dedupe: fmt.Sprint(i % 8), Chain: attune.Chain{Principal: "me"},
				Parameters: map[string]any{"password": hush, "fail": i == 1}}) // one that a panic loses is asked for again
		}
		if _, err := r.OfferEvent(t.Context(), api.EventOffer{Trigger: "v.go", Payload: []byte(`{"n": 1}`)}); err != nil {
			t.Fatal(err)
		}
		r.until("all has ended", 10*time.Minute, func() bool {
			for _, x := range r.rows.Rows().Executions {
				if !x.Status.Terminal() {
					return false
				}
			}
			return true
		})
		look("a row", r.rows.Rows())
		completed := 0
		for _, x := range r.rows.Rows().Executions {
			if x.Status == attune.Completed {
				completed++
				if string(x.Result) != `{"said":"say ********"}` {
					t.Errorf("its result is %s", x.Result)
				}
			}
		}
		for _, a := range r.Actors() {
			d, _ := r.Actor(t.Context(), a.Path)
			look("the inspection of "+a.Path, d)
		}
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(heard.String(), hush) || !strings.Contains(heard.String(), "it knows") {
			t.Error("the log tells the secret, or nothing")
		}
		if completed < 5 || looked < 100 || len(panicked) < 4 {
			t.Errorf("%d executions completed, %d messages looked at, panics %v", completed, looked, panicked)
		}
	})
}

type locker struct {
	mu *sync.Mutex
	b  *strings.Builder
}

func (l *locker) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// An event whose rules gave it a secret is judged to its end by the rules of the
// time, which are stored sealed.
func TestASealedRevisionJudgesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.end()
		r.packs = locked(450)
		r.start()
		r.writes.then(func(op persistence.Op) bool {
			_, admits := op.(*persistence.Admit)
			return admits // and the node dies behind it
		})
		var err error
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, _ = r.OfferEvent(ctx, api.EventOffer{Trigger: "v.go", Payload: []byte(`{"n": 1}`)})
		}()
		time.Sleep(time.Second)
		cancel()
		r.packs = locked(1)
		sealed := r.box.KeyIDs()[0]
		if r.box, err = secret.NewBox(nil, bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{1}, 32)); err != nil {
			t.Fatal(err)
		}
		r.restart()
		r.work("w", 500)
		r.until("all has ended", time.Minute, func() bool {
			rows := r.rows.Rows().Executions
			for _, x := range rows {
				if x.Status != attune.Completed {
					return false
				}
			}
			return len(rows) == 450
		})
		if text := textsOf(r.rows.Rows()); strings.Contains(text, hush) {
			t.Errorf("a row tells the secret: %.300s", text)
		}
		for key, s := range map[string]func() *packs.Snapshot{sealed: locked(450), r.box.KeyIDs()[0]: locked(1)} {
			def, err := r.rows.Definition(t.Context(), fmt.Sprintf("rules-%x-%s", s().Revision(), key))
			var names struct {
				Rules   []string `json:"rule_rows"`
				Actions []string `json:"action_rows"`
			}
			if err != nil || json.Unmarshal(def.Body, &names) != nil || len(names.Rules) == 0 || len(names.Actions) == 0 {
				t.Fatalf("the revision is stored as %.100s, %v", def.Body, err)
			}
			for _, name := range slices.Concat(names.Rules, names.Actions) {
				row, err := r.rows.Definition(t.Context(), name)
				secret := strings.HasSuffix(name, "-"+key)
				if err != nil || bytes.Contains(row.Body, []byte(hush)) || bytes.Contains(row.Body, []byte(`{"sealed"`)) != secret {
					t.Errorf("%s is stored as %.100s, %v", name, row.Body, err)
				}
			}
			if !strings.HasSuffix(names.Rules[0], "-"+key) {
				t.Errorf("the row %s of a rule with a secret is not sealed", names.Rules[0])
			}
		}
		def, err := r.rows.Definition(t.Context(), "say")
		if err != nil || bytes.Contains(def.Body, []byte(hush)) {
			t.Errorf("the action is stored as %s, %v", def.Body, err)
		}
	})
}

// Without a key nothing secret is taken, and all else is.
func TestWithoutAKeySecretsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.end()
		r.box = nil
		r.start()
		if r.must(settings{MS: 1}) == 0 {
			t.Error("nothing is taken")
		}
		r.crash()
		r.packs = locked(1)
		r.incarnation++
		if err := node.New(node.Config{Name: "n", Incarnation: "n"}, node.Parts{Clock: node.NewClock(), Store: memory.New(memory.Config{Clock: database{}})}).
			SetCatalog(t.Context(), r.packs()); err == nil || !strings.Contains(err.Error(), "no key") {
			t.Errorf("packs with secrets: %v", err)
		}
	})
}

// What waits over a start is opened with the key it was sealed with: the
// folder's, or one that is kept beside it. Without that it is refused, and says
// what to do.
func TestAKeyThatWasReplaced(t *testing.T) {
	for _, c := range []struct {
		name   string
		after  string // what becomes of the old key
		status attune.Status
		code   string
	}{
		{"is kept beside the new one", "attune.key.old-2026", attune.Completed, ""},
		{"is lost", "", attune.Failed, "secret_unreadable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			config := node.EmbeddedConfig{Data: filepath.Join(dir, "data[1]"), Slots: 1, KeeperArgs: []string{"keeper"}, Mode: contained(t),
				Packs: []*attune.Pack{packs.LoadFS(core.Files, core.Ref, ""), shouting(t, dir)}}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			e := open(ctx, t, config)
			request := func(parameters map[string]any) attune.ExecutionID {
				t.Helper()
				receipt, err := e.RequestExecution(ctx, api.ExecutionRequest{Action: "p.shout", Parameters: parameters, Chain: attune.Chain{Principal: "me"}})
				if err != nil {
					t.Fatal(err)
				}
				return receipt.ID
			}
			request(map[string]any{"pause": "1"})
			waiting := request(map[string]any{"word": hush})
			e.close(ctx)
			key := filepath.Join(config.Data, "attune.key")
			if c.after == "" {
				c.after = "../attune.key"
			}
			if err := os.Rename(key, filepath.Join(config.Data, c.after)); err != nil {
				t.Fatal(err)
			}
			e = open(ctx, t, config)
			defer e.close(ctx)
			x := e.wait(ctx, waiting)
			if x.Status != c.status || c.code != "" && x.Failure.Code != c.code {
				t.Fatalf("it is %s: %s %+v", x.Status, x.Result, x.Failure)
			}
			if c.code == "" && !strings.Contains(string(x.Result), "word ********") || c.code != "" && !strings.Contains(x.Failure.Detail, "attune.key.old") {
				t.Errorf("its result is %s, its failure %+v", x.Result, x.Failure)
			}
		})
	}
}

// shouting is a pack with an action whose secret becomes part of its command.
func shouting(t *testing.T, dir string) *attune.Pack {
	t.Helper()
	for name, text := range map[string]string{"pack.yaml": "name: p\n", "actions/shout.yaml": "name: shout\nrunner_type: local-shell-cmd\nparameters:\n" +
		"  word: {type: string, secret: true}\n  pause: {type: string, default: \"0\"}\n  cmd: {default: \"sleep {{ pause }}; echo word {{ word }}\", immutable: true}\n"} {
		path := filepath.Join(dir, "p", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return packs.LoadDir(filepath.Join(dir, "p"))
}
