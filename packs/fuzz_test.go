package packs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/rules"
)

// placed is a fault that can be found: a file, and where in it.
var placed = regexp.MustCompile(`^.+\.yaml:[1-9]\d*(:[1-9]\d*)?$`)

// FuzzPack reads a text as each kind of file that a pack has. Nothing may panic
// or hang, whatever is wrong has its place, and what loaded can be used.
func FuzzPack(f *testing.F) {
	f.Add("name: x\nrunner_type: process\nentry_point: a\nparameters: {a: {type: string, default: &x '{{ b }}'}, b: *x}\n")
	f.Add("name: x\ntrigger: {type: core.st2.webhook, parameters: {url: a}}\ncriteria: {trigger.a: {type: regex, pattern: '('}}\naction: {ref: p.x, parameters: {<<: [{a: 1}]}}\n")
	f.Add("name: x\nwebhook: {url: /, split: '{{', dedupe: ''}\n")
	configs := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		files := map[string]string{"actions/x.yaml": text, "rules/x.yaml": text, "triggers/x.yaml": text, "sensors/y.yaml": text, "config.schema.yaml": text}
		if err := os.WriteFile(filepath.Join(configs, "p.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := packs.NewSnapshot([]*attune.Pack{packs.LoadWith(pack(files), "p", packs.Settings{Configs: []string{configs}})})
		p := s.Packs()[0]
		for _, f := range p.Faults {
			if !placed.MatchString(f.Where) {
				t.Errorf("a fault without a place: %v", f)
			}
		}
		if faulty := p.Status() != attune.PackLoaded; len(p.Faults) > 0 != faulty && !strings.Contains(fmt.Sprint(p.Files), string(attune.FileNoRunner)) {
			t.Errorf("a pack with faults is %s", p.Status())
		}
		for _, a := range p.Actions {
			_, _, _ = s.Request(a.Ref, map[string]any{"a": text, "b": []any{text}})
		}
		for _, trigger := range p.Triggers {
			_ = s.CheckPayload(trigger.Ref, []byte(`{"body": {"a": [1, null]}}`))
		}
		for _, r := range s.Rules().All() {
			r.Judge(&attune.Event{}, map[string]any{"body": map[string]any{"a": text}})
		}
		s.ConfigSecrets("p")
		rules.AppendJSON(nil, packs.ShownConfig(p, "*"))
	})
}
