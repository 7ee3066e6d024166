package packs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
)

// parsed is a rule of no pack's folder.
func parsed(t *testing.T, text string) *attune.Rule {
	t.Helper()
	r, faults := packs.ParseRule("-", []byte(text))
	if len(faults) > 0 {
		t.Fatal(faultText(faults))
	}
	return r
}

func TestAnAppliedRuleStandsBesideThoseOfThePacks(t *testing.T) {
	loaded := packs.LoadFS(pack(map[string]string{
		"triggers/t.yaml": "name: deployed\n", "rules/a.yaml": rule("a", "p.deployed", "core.echo"),
	}), "p", "")
	hook := "name: hook\npack: mine\ntrigger: {type: core.st2.webhook, parameters: {url: mine/in}}\naction: {ref: core.noop}\n"
	over := packs.Overlay{Rules: []*attune.Rule{
		parsed(t, rule("free", "p.deployed", "core.echo")), parsed(t, rule("broken", "p.deployed", "core.gone")), parsed(t, hook),
		parsed(t, "pack: p\n"+rule("a", "p.deployed", "core.noop")),
	}}
	s := packs.Compose([]*attune.Pack{loaded, builtIn(t)}, over)
	var refs []string
	for _, r := range s.Rules().For("p.deployed") {
		refs = append(refs, r.Ref())
	}
	if strings.Join(refs, " ") != "default.broken default.free p.a" {
		t.Errorf("the rules: %v", refs)
	}
	if r := s.Rules().Rule("default.broken"); len(r.Faults) != 1 || !strings.HasPrefix(r.Faults[0].String(), "-:1:1: the rule default.broken starts the unknown action core.gone") {
		t.Errorf("the broken one: %+v", r)
	}
	if r := s.Rules().Rule("p.a"); r.Action.Ref != "core.echo" {
		t.Errorf("the rule of the pack does not count: %+v", r)
	}
	if got := s.Packs()[1].Faults; len(got) != 1 || got[0].String() != "-:1:1: the applied rule p.a is left out: p/rules/a.yaml has a rule of that name (attune rule delete p.a)" {
		t.Errorf("of the rule that a pack has too: %v", got)
	}
	if len(s.Webhooks("mine/in")) != 1 {
		t.Error("the webhook of an applied rule does not listen")
	}
	if plain := packs.NewSnapshot([]*attune.Pack{loaded, builtIn(t)}); plain.Revision() == s.Revision() || len(loaded.Rules) != 1 || len(loaded.Faults) > 0 {
		t.Errorf("revision %d, %v", s.Revision(), loaded)
	}
}

func TestASwitchGoesBeforeTheFile(t *testing.T) {
	loaded := packs.LoadFS(pack(map[string]string{
		"triggers/t.yaml": "name: deployed\n", "rules/a.yaml": rule("a", "p.deployed", "core.echo"), "rules/b.yaml": "enabled: false\n" + rule("b", "p.deployed", "core.echo"),
	}), "p", "")
	by := &attune.Stamp{By: "alice", At: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
	compose := func(switches map[string]packs.Switch) *packs.Snapshot {
		return packs.Compose([]*attune.Pack{loaded, builtIn(t)}, packs.Overlay{Rules: []*attune.Rule{parsed(t, rule("c", "p.deployed", "core.echo"))}, Switches: switches})
	}
	off, on := packs.Switch{Stamp: by}, packs.Switch{Enabled: true, Stamp: by}
	s := compose(map[string]packs.Switch{"p.a": off, "p.b": on, "default.c": off, "p.absent": off})
	for ref, enabled := range map[string]bool{"p.a": false, "p.b": true, "default.c": false} {
		if d := s.Rules().Rule(ref).Definition; d.Enabled != enabled || d.Switched != by {
			t.Errorf("%s: %+v", ref, d)
		}
	}
	if m := s.Rules().Rule("p.a").Judge(&attune.Event{}, nil); !m.Evaluation.Disabled || m.Evaluation.Switched != by {
		t.Errorf("judged: %+v", m)
	}
	if !loaded.Rules[0].Enabled || loaded.Rules[0].Switched != nil {
		t.Error("the pack that was given has changed")
	}
	later := &attune.Stamp{By: "alice", At: by.At.Add(time.Second)}
	revisions := map[int64]bool{s.Revision(): true}
	for _, w := range []map[string]packs.Switch{nil, {"p.a": off}, {"p.a": on}, {"p.a": {Stamp: later}}} {
		revisions[compose(w).Revision()] = true
	}
	if len(revisions) != 5 {
		t.Errorf("revisions of five contents: %v", revisions)
	}
}

func TestARuleOfNoFile(t *testing.T) {
	r, faults := packs.ParseRule("-", []byte("name: r\npack: mine\ntrigger: {type: a.b}\naction: {ref: c.d}\n"))
	if len(faults) > 0 || r.Ref != "mine.r" || r.At.String() != "-:1:1" {
		t.Errorf("%+v, %v", r, faults)
	}
	if r, faults = packs.ParseRule("-", []byte("name: r\nbogus: 1\ntrigger: {type: a.b}\naction: {reff: c.d}\n")); r != nil || len(faults) != 3 || faults[0].Where != "-:2:1" {
		t.Errorf("%+v, %v", r, faults)
	}
}
