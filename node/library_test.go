package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/core"
)

// shelf is an embedded node with a library, its packs in a folder.
type shelf struct {
	embedded
	dir     string
	changes chan string // what was read again, a text for each time
}

func (s shelf) put(name, text string) {
	s.t.Helper()
	file := filepath.Join(s.dir, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// read waits until the node has read something again.
func (s shelf) read(ctx context.Context) string {
	s.t.Helper()
	select {
	case text := <-s.changes:
		return text
	case <-ctx.Done():
		s.t.Fatal("nothing was read again")
		return ""
	}
}

// says runs an action with the message and returns its result.
func (s shelf) says(ctx context.Context, action string, parameters map[string]any) string {
	s.t.Helper()
	receipt, err := s.RequestExecution(ctx, api.ExecutionRequest{Action: action, Parameters: parameters, Chain: attune.Chain{Principal: "me"}})
	if err != nil {
		return err.Error()
	}
	return string(s.wait(ctx, receipt.ID).Result)
}

func openShelf(ctx context.Context, t *testing.T) shelf {
	t.Helper()
	s := shelf{dir: t.TempDir(), changes: make(chan string, 100)}
	s.t = t
	s.put("packs/shop/pack.yaml", "name: shop\n")
	s.put("packs/shop/config.schema.yaml", "greeting: {type: string, default: hello}\n")
	s.put("packs/shop/actions/a.yaml", "name: a\nrunner_type: echo\nparameters:\n  message: {default: '{{ config_context.greeting }} 1', immutable: true}\n")
	s.put("packs/shop/triggers/t.yaml", "name: t\npayload_schema: {type: object, properties: {n: {type: integer, required: true}}}\n")
	s.put("packs/shop/rules/r.yaml", "name: r\ntrigger: {type: shop.t}\naction: {ref: shop.a}\n")
	folders := &packs.Folders{Named: []string{filepath.Join(s.dir, "packs")}, Installed: filepath.Join(s.dir, "installed"),
		Settings: packs.Settings{Configs: []string{filepath.Join(s.dir, "configs")}}}
	s.embedded = open(ctx, t, node.EmbeddedConfig{Data: t.TempDir(), Packs: []*attune.Pack{packs.LoadFS(core.Files, core.Ref, "")}, Folders: folders, Slots: 2, KeeperArgs: []string{"keeper"}, Mode: contained(t),
		PacksChanged: func(changes []packs.Change, _ *packs.Snapshot) {
			b, _ := json.Marshal(changes)
			s.changes <- string(b)
		}})
	return s
}

func TestAPackIsReadAgainWhenItIsSaved(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := openShelf(ctx, t)
	defer func() { s.close(ctx) }()
	if got := s.says(ctx, "shop.a", nil); !strings.Contains(got, "hello 1") {
		t.Fatalf("got %s", got)
	}
	s.put("packs/shop/actions/a.yaml", "name: a\nrunner_type: echo\nparameters:\n  message: {default: '{{ config_context.greeting }} 2', immutable: true}\n")
	if text := s.read(ctx); !strings.Contains(text, `"changed action shop.a"`) {
		t.Errorf("got %s", text)
	}
	s.put("configs/shop.yaml", "greeting: moin\n")
	s.read(ctx)
	if got := s.says(ctx, "shop.a", nil); !strings.Contains(got, "moin 2") {
		t.Errorf("got %s", got)
	}
	s.put("packs/shop/actions/a.yaml", "name: a\nrunner_type: [\n")
	s.read(ctx)
	if got := s.says(ctx, "shop.a", nil); !strings.Contains(got, "moin 2") {
		t.Errorf("a broken action does not go on: %s", got)
	}
	changes, err := s.ReloadPacks(ctx, "shop")
	if err != nil || len(changes) != 1 || changes[0].Change != packs.Unchanged {
		t.Errorf("got %v %v", changes, err)
	}
}

// What is under way keeps the definition it began with.
func TestARunningExecutionKeepsItsDefinition(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := openShelf(ctx, t)
	defer func() { s.close(ctx) }()
	begun := filepath.Join(s.dir, "begun")
	text := func(after string) string {
		return "name: slow\nrunner_type: local-shell-cmd\nparameters:\n  cmd: {default: 'touch " + begun + "; until [ -e " + begun + ".go ]; do sleep 0.05; done; echo " + after + "'}\n"
	}
	s.put("packs/shop/actions/slow.yaml", text("old"))
	if _, err := s.ReloadPacks(ctx); err != nil {
		t.Fatal(err)
	}
	receipt, err := s.RequestExecution(ctx, api.ExecutionRequest{Action: "shop.slow", Chain: attune.Chain{Principal: "me"}})
	if err != nil {
		t.Fatal(err)
	}
	s.put("packs/shop/actions/slow.yaml", text("new"))
	if _, err := s.ReloadPacks(ctx); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(begun+".go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if x := s.wait(ctx, receipt.ID); !strings.Contains(string(x.Result), `"stdout":"old`) {
		t.Errorf("got %s", x.Result)
	}
	if got := s.says(ctx, "shop.slow", nil); !strings.Contains(got, `"stdout":"new`) {
		t.Errorf("got %s", got)
	}
}

func TestEventsThatDoNotFitTheirTriggerAreRefused(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := openShelf(ctx, t)
	defer func() { s.close(ctx) }()
	_, err := s.OfferEvent(ctx, api.EventOffer{Trigger: "shop.t", Payload: []byte(`{"n": "x"}`), Chain: attune.Chain{Principal: "me"}})
	var e *attune.Error
	if !errors.As(err, &e) || e.Kind != attune.Invalid || e.Code != "invalid_payload" || len(e.Faults) != 1 || e.Faults[0].Where != "payload.n" {
		t.Errorf("got %v", err)
	}
	if _, err := s.OfferEvent(ctx, api.EventOffer{Trigger: "shop.t", Payload: []byte(`{"n": 1}`), Chain: attune.Chain{Principal: "me"}}); err != nil {
		t.Error(err)
	}
}

func TestAPackIsInstalledOnARunningNode(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := openShelf(ctx, t)
	defer func() { s.close(ctx) }()
	s.put("src/greet/pack.yaml", "name: greet\n")
	s.put("src/greet/actions/hi.yaml", "name: hi\nrunner_type: process\nentry_point: hi.sh\n")
	s.put("src/greet/actions/hi.sh", "#!/bin/sh\necho '{\"hi\": 1}'\n")
	if err := os.Chmod(filepath.Join(s.dir, "src/greet/actions/hi.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	order := func() api.PackOrder {
		archive, err := packs.Archive(filepath.Join(s.dir, "src", "greet"))
		if err != nil {
			t.Fatal(err)
		}
		return api.PackOrder{Ref: "greet", Archive: archive}
	}
	dry := order()
	dry.DryRun = true
	if c, err := s.InstallPack(ctx, dry); err != nil || c.Change != packs.Added || len(s.says(ctx, "greet.hi", nil)) == 0 || !strings.Contains(s.says(ctx, "greet.hi", nil), "there is no action") {
		t.Errorf("a dry run: got %v %v", c, err)
	}
	if c, err := s.InstallPack(ctx, order()); err != nil || c.Change != packs.Added || s.says(ctx, "greet.hi", nil) == "" {
		t.Fatalf("got %v %v", c, err)
	}
	if got := s.says(ctx, "greet.hi", nil); !strings.Contains(got, `"hi":1`) {
		t.Errorf("got %s", got)
	}
	if c, err := s.InstallPack(ctx, order()); err != nil || c.Change != packs.Unchanged {
		t.Errorf("the same again: got %v %v", c, err)
	}

	s.put("packs/shop/rules/greets.yaml", "name: greets\ntrigger: {type: shop.t}\naction: {ref: greet.hi}\n")
	if _, err := s.ReloadPacks(ctx); err != nil {
		t.Fatal(err)
	}
	_, err := s.RemovePack(ctx, api.PackOrder{Ref: "greet"})
	if attune.KindOf(err) != attune.Conflict || !strings.Contains(err.Error(), "shop.greets starts the unknown action greet.hi") {
		t.Errorf("got %v", err)
	}
	s.put("src/greet/actions/hi.yaml", "name: hi\nrunner_tipe: process\n")
	if _, err := s.InstallPack(ctx, order()); attune.KindOf(err) != attune.Invalid || !strings.Contains(err.Error(), "greet/actions/hi.yaml:2:1") {
		t.Errorf("got %v", err)
	}
	if got := s.says(ctx, "greet.hi", nil); !strings.Contains(got, `"hi":1`) {
		t.Errorf("a pack that was refused did harm: %s", got)
	}
	if c, err := s.RemovePack(ctx, api.PackOrder{Ref: "greet", Force: true}); err != nil || c.Change != packs.Removed {
		t.Errorf("got %v %v", c, err)
	}
	if got := s.says(ctx, "greet.hi", nil); !strings.Contains(got, "there is no action") {
		t.Errorf("got %s", got)
	}
	if _, err := s.RemovePack(ctx, api.PackOrder{Ref: "greet"}); attune.KindOf(err) != attune.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestANodeWithoutALibraryChangesNoPacks(t *testing.T) {
	r := node.New(node.Config{}, node.Parts{Clock: node.NewClock()})
	_, err := r.ReloadPacks(t.Context())
	_, installing := r.InstallPack(t.Context(), api.PackOrder{})
	_, removing := r.RemovePack(t.Context(), api.PackOrder{})
	for _, err := range []error{err, installing, removing} {
		if attune.KindOf(err) != attune.Invalid {
			t.Errorf("got %v", err)
		}
	}
}
