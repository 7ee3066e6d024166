package packs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
)

// folder is files below a folder of the test.
type folder struct {
	t   testing.TB
	dir string
}

func newFolder(t testing.TB) folder { return folder{t, t.TempDir()} }

// put writes a file as editors do: beside it, and then in its place.
func (f folder) put(name, text string) {
	f.t.Helper()
	file := filepath.Join(f.dir, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file+".part", []byte(text), 0o600)
	}
	if err == nil {
		err = os.Rename(file+".part", file)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) remove(name string) {
	f.t.Helper()
	if err := os.RemoveAll(filepath.Join(f.dir, name)); err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) at(name string) string { return filepath.Join(f.dir, name) }

// shop puts a pack with an action, a trigger and a rule.
func (f folder) shop(root string) {
	f.put(root+"/shop/pack.yaml", "name: shop\nversion: 1.0.0\n")
	f.put(root+"/shop/actions/a.yaml", "name: a\nrunner_type: echo\n")
	f.put(root+"/shop/triggers/t.yaml", "name: t\n")
	f.put(root+"/shop/rules/r.yaml", rule("r", "shop.t", "shop.a"))
}

// tell writes changes in one line.
func tell(changes []packs.Change) string {
	var all []string
	for _, c := range changes {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Ref, c.Change, strings.Join(c.Details, ", "))))
	}
	return strings.Join(all, "; ")
}

// report is the states of the files that do not simply work.
func report(p *attune.Pack) string {
	var all []string
	for _, f := range p.Files {
		if f.State != attune.FileLoaded {
			all = append(all, filepath.Base(f.File)+" "+string(f.State))
		}
	}
	return strings.Join(all, "; ")
}

// find is a pack of the library, held against the others.
func find(t testing.TB, l *packs.Library, ref string) *attune.Pack {
	t.Helper()
	for _, p := range packs.NewSnapshot(l.Packs()).Packs() {
		if p.Ref == ref {
			return p
		}
	}
	t.Fatalf("there is no pack %s", ref)
	return nil
}

func TestALibraryReadsAgainWhatHasChanged(t *testing.T) {
	f := newFolder(t)
	f.shop("packs")
	f.put("packs/other/pack.yaml", "name: other\n")
	l := packs.NewLibrary(packs.Folders{Named: []string{f.at("packs")}, Installed: f.at("installed")}, builtIn(t))
	first, second := l.Look(), l.Look()
	if first || second || tell(l.Reload()) != "" || len(l.Packs()) != 3 {
		t.Fatal("nothing has changed")
	}
	other := find(t, l, "other")
	for _, step := range []struct {
		name, want string
		change     func()
	}{
		{"an action is new, another is not the same", "shop changed changed action shop.a, added action shop.b", func() {
			f.put("packs/shop/actions/b.yaml", "name: b\nrunner_type: noop\n")
			f.put("packs/shop/actions/a.yaml", "name: a\nrunner_type: echo\ndescription: x\n")
		}},
		{"a file is saved without a change", "shop unchanged", func() { f.put("packs/shop/actions/b.yaml", "name: b\nrunner_type: noop\n") }},
		{"a file is gone", "shop changed removed action shop.b", func() { f.remove("packs/shop/actions/b.yaml") }},
		{"a script appears", "shop unchanged", func() { f.put("packs/shop/actions/x.sh", "#!/bin/sh\n") }},
		{"a pack appears", "new added", func() { f.put("packs/new/pack.yaml", "name: new\n") }},
		{"a pack is gone", "new removed", func() { f.remove("packs/new") }},
		{"a pack is put where installs go", "later added", func() { f.put("installed/later/pack.yaml", "name: later\n") }},
		{"the folder of installs is gone", "later removed", func() { f.remove("installed") }},
	} {
		t.Run(step.name, func(t *testing.T) {
			step.change()
			if l.Look() || !l.Moving() {
				t.Error("it is read before it rests")
			}
			if !l.Look() {
				t.Error("the change is not seen")
			}
			if got := tell(l.Reload()); got != step.want || l.Look() || l.Moving() {
				t.Errorf("got %q, want %q", got, step.want)
			}
		})
	}
	if now := find(t, l, "other"); now.Dir != other.Dir || tell(l.Reload("other")) != "other unchanged" {
		t.Error("a pack that is named is not read again")
	}
}

func TestAChangeThatDoesNotRestIsNotRead(t *testing.T) {
	f := newFolder(t)
	f.shop("packs")
	l := packs.NewLibrary(packs.Folders{Named: []string{f.at("packs")}})
	for i := range 5 {
		f.put("packs/shop/actions/a.yaml", fmt.Sprintf("name: a\nrunner_type: echo\ndescription: half %d", i))
		if l.Look() {
			t.Fatal("it was read while it was being written")
		}
	}
	if !l.Look() {
		t.Error("it rests and is not read")
	}
}

func TestABrokenFileKeepsWhatItHeldBefore(t *testing.T) {
	f := newFolder(t)
	f.shop("packs")
	f.put("packs/shop/config.schema.yaml", "who: {type: string, default: you}\n")
	f.put("configs/shop.yaml", "who: me\n")
	l := packs.NewLibrary(packs.Folders{Named: []string{f.at("packs")}, Settings: packs.Settings{Configs: []string{f.at("configs")}}})
	whole := func(p *attune.Pack) bool {
		return len(p.Actions) == 1 && len(p.Triggers) == 1 && len(p.Rules) == 1 && p.Config["who"] == "me" && p.Version == "1.0.0" && p.Actions[0].Config["who"] == "me"
	}
	if p := find(t, l, "shop"); !whole(p) || p.Status() != attune.PackLoaded {
		t.Fatalf("got %+v", p)
	}
	const good = "name: shop\nversion: 1.0.0\n"
	for _, c := range []struct{ name, file, bad, good, fault string }{
		{"an action with a typing error", "packs/shop/actions/a.yaml", "name: a\nruner_type: echo\n", "name: a\nrunner_type: echo\n", `a.yaml:2:1: an action has no key "runer_type"`},
		{"an action that is no YAML", "packs/shop/actions/a.yaml", "name: [\n", "name: a\nrunner_type: echo\n", "a.yaml:2:1: "},
		{"an empty action", "packs/shop/actions/a.yaml", "", "name: a\nrunner_type: echo\n", "a.yaml:1:1: the file is empty"},
		{"a trigger", "packs/shop/triggers/t.yaml", "name: t\npayload_schema: {type: text}\n", "name: t\n", "t.yaml:2:18: the schema of payload_schema: type must be one of"},
		{"a rule that is no YAML", "packs/shop/rules/r.yaml", "a: b: c", rule("r", "shop.t", "shop.a"), "r.yaml:1:"},
		{"a rule with a criterion that is none", "packs/shop/rules/r.yaml", rule("r", "shop.t", "shop.a") + "criteria: {trigger.a: {type: equal}}\n", rule("r", "shop.t", "shop.a"), `r.yaml:4:12: the criterion trigger.a has the unknown type "equal"`},
		{"a rule of an action that is not there", "packs/shop/rules/r.yaml", rule("r", "shop.t", "shop.b"), rule("r", "shop.t", "shop.a"), "r.yaml:1:1: the rule shop.r starts the unknown action shop.b"},
		{"pack.yaml", "packs/shop/pack.yaml", "name: {", good, "pack.yaml:"},
		{"the configuration", "configs/shop.yaml", "who: [1]\n", "who: me\n", "shop.yaml:1:1: who must be a text, not a list"},
		{"the schema of the configuration", "packs/shop/config.schema.yaml", "who: {type: text}\n", "who: {type: string, default: you}\n", "config.schema.yaml:1:7: the schema of the configuration: who.type must be one of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.put(c.file, c.bad)
			l.Reload()
			p := find(t, l, "shop")
			if !whole(p) || p.Status() != attune.PackDegraded || !strings.Contains(report(p), filepath.Base(c.file)+" kept") {
				t.Errorf("got %d actions, %d triggers, %d rules, %v, %s", len(p.Actions), len(p.Triggers), len(p.Rules), p.Config, report(p))
			}
			if text := faultText(p.Faults); !strings.Contains(text, c.fault) {
				t.Errorf("no fault %q in\n%s", c.fault, text)
			}
			f.put("packs/shop/actions/unrelated.sh", c.name) // read again, it is still kept
			l.Reload()
			if p := find(t, l, "shop"); !whole(p) {
				t.Errorf("after another reading: %s", report(p))
			}
			f.put(c.file, c.good)
			l.Reload()
			if p := find(t, l, "shop"); !whole(p) || p.Status() != attune.PackLoaded {
				t.Errorf("mended: got %s %s", report(p), faultText(p.Faults))
			}
		})
	}
	f.put("packs/shop/actions/a.yaml", "name: [\n")
	l.Reload()
	f.remove("packs/shop/actions/a.yaml")
	if got := tell(l.Reload()); got != "shop changed removed action shop.a" {
		t.Errorf("a file that is deleted: got %s", got)
	}
	if p := find(t, l, "shop"); len(p.Rules) != 0 || !strings.Contains(report(p), "r.yaml faulty") {
		t.Errorf("the rule of an action that is gone: %s", report(p))
	}
}

func TestARuleThatWaitsForAnotherPackComesWithIt(t *testing.T) {
	f := newFolder(t)
	f.shop("packs")
	l := packs.NewLibrary(packs.Folders{Named: []string{f.at("packs")}})
	f.put("packs/shop/rules/r.yaml", rule("r", "shop.t", "later.x"))
	l.Reload()
	if p := find(t, l, "shop"); p.Rules[0].Action != "shop.a" {
		t.Errorf("got %s", p.Rules[0].Action)
	}
	f.put("packs/later/pack.yaml", "name: later\n")
	f.put("packs/later/actions/x.yaml", "name: x\nrunner_type: echo\n")
	if got := tell(l.Reload()); got != "later added added action later.x; shop changed changed rule shop.r" {
		t.Errorf("got %s", got)
	}
	if p := find(t, l, "shop"); p.Rules[0].Action != "later.x" || p.Status() != attune.PackLoaded {
		t.Errorf("got %s, %s", p.Rules[0].Action, faultText(p.Faults))
	}
}

func TestAFolderThatCannotBeReadKeepsItsPacks(t *testing.T) {
	f := newFolder(t)
	f.shop("packs")
	l := packs.NewLibrary(packs.Folders{Named: []string{f.at("packs")}})
	if err := os.Rename(f.at("packs"), f.at("away")); err != nil {
		t.Fatal(err)
	}
	l.Look()
	if !l.Look() {
		t.Error("it is not seen")
	}
	l.Reload()
	if p := find(t, l, "shop"); len(p.Rules) != 1 || l.Look() || l.Look() {
		t.Errorf("got %+v", p)
	}
	if p := find(t, l, "packs"); !strings.Contains(faultText(p.Faults), "packs: no such file or directory") {
		t.Errorf("got %s", faultText(p.Faults))
	}
	if err := os.Rename(f.at("away"), f.at("packs")); err != nil {
		t.Fatal(err)
	}
	l.Look()
	if !l.Look() || tell(l.Reload()) != "" || len(l.Packs()) != 1 {
		t.Errorf("it is back: got %v", l.Packs())
	}
}
