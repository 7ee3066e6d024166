package packs_test

import (
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/core"
	"github.com/attune-automation/attune/rules"
)

const ruleOn = "name: %n\ntrigger: {type: %t}\naction: {ref: %a, parameters: {message: x}}\n"

func rule(name, trigger, action string) string {
	return strings.NewReplacer("%n", name, "%t", trigger, "%a", action).Replace(ruleOn)
}

func builtIn(t testing.TB) *attune.Pack {
	t.Helper()
	p := packs.LoadFS(core.Files, core.Ref, "")
	if len(p.Faults) > 0 {
		t.Fatal(faultText(p.Faults))
	}
	return p
}

func TestRulesThatNameWhatIsNotThereAreFaults(t *testing.T) {
	loaded := packs.LoadFS(pack(map[string]string{
		"triggers/t.yaml": "name: deployed\n",
		"actions/py.yaml": "name: py\nrunner_type: python-script\n",
		"rules/a.yaml":    rule("good", "p.deployed", "core.echo"),
		"rules/b.yaml":    rule("b", "p.deploied", "core.ecko"),
		"rules/c.yaml":    rule("c", "core.st2.webhook", "core.echo"),
		"rules/d.yaml":    rule("d", "p.deployed", "core.noop"),
		"rules/e.yaml":    rule("refused", "p.deployed", "p.py"),
		"rules/f.yaml":    "name: f\ntrigger: {type: p.deployed}\ncriteria:\n  trigger.x: {type: matches}\naction: {ref: core.noop}\n",
	}), "p", "")
	if len(loaded.Faults) > 0 || len(loaded.Rules) != 6 {
		t.Fatal(faultText(loaded.Faults))
	}
	s := packs.NewSnapshot([]*attune.Pack{loaded, builtIn(t), {Ref: "p", Dir: "/other/p", Actions: []*attune.Action{{Ref: "p.x"}}}})
	all := s.Packs()
	if len(all) != 3 || all[0].Ref != "core" || len(loaded.Faults) > 0 || len(loaded.Rules) != 6 {
		t.Errorf("the packs: %v", all)
	}
	text := faultText(all[1].Faults) + faultText(all[2].Faults)
	for _, want := range []string{
		"p/rules/b.yaml:1:1: the rule p.b waits for the unknown trigger p.deploied (did you mean p.deployed?)",
		"p/rules/b.yaml:1:1: the rule p.b starts the unknown action core.ecko (did you mean core.echo?)",
		"p/rules/c.yaml:1:1: the rule p.c must say for which url it waits",
		"p/rules/d.yaml:1:1: core.noop has no parameter message (it takes none)",
		`p/rules/f.yaml:4:3: the criterion trigger.x has the unknown type "matches"`,
		"/other/p: the pack p is already loaded from the program itself",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no fault %q in\n%s", want, text)
		}
	}
	got := s.Rules().For("p.deployed")
	if len(got) != 4 || got[0].Ref() != "p.d" || got[1].Ref() != "p.f" || got[2].Ref() != "p.good" || got[3].Ref() != "p.refused" {
		t.Fatalf("got %v", got)
	}
	m := got[0].Judge(&attune.Event{}, nil)
	if m.Matched || m.Evaluation.Error != "the rule does not load: p/rules/d.yaml:1:1: core.noop has no parameter message (it takes none)" {
		t.Errorf("of a broken rule: %+v", m)
	}
	if len(got[2].Faults) > 0 || !got[2].Judge(&attune.Event{}, nil).Matched {
		t.Errorf("a broken rule harms another: %+v", got[2])
	}
	if m := s.Rules().Rule("p.refused").Judge(&attune.Event{}, nil); m.Failure == nil || m.Failure.Code != rules.CodeAction {
		t.Errorf("got %+v", m)
	}
}

func TestTheRevisionNamesTheContent(t *testing.T) {
	load := func(text string) *packs.Snapshot {
		return packs.NewSnapshot([]*attune.Pack{builtIn(t), packs.LoadFS(pack(map[string]string{"rules/r.yaml": text}), "p", "")})
	}
	hook := "name: r\ntrigger: {type: core.st2.webhook, parameters: {url: x/y}}\naction: {ref: core.echo, parameters: {message: a}}\n"
	a, same, other := load(hook), load("# another look\n"+strings.ReplaceAll(hook, "message: a", `"message": "a"`)), load(strings.ReplaceAll(hook, "message: a", "message: b"))
	if a.Revision() == 0 || a.Revision() != same.Revision() || a.Revision() == other.Revision() || a.Rules().Revision() != a.Revision() || a.Revision() >= 1<<53 {
		t.Errorf("revisions %d, %d, %d", a.Revision(), same.Revision(), other.Revision())
	}
	if hooks := a.Webhooks("/x/y/"); len(hooks) != 1 || hooks[0].Trigger.Ref != "core.st2.webhook?url=x%2Fy" || len(a.Rules().For(hooks[0].Trigger.Ref)) != 1 || a.Webhooks("z") != nil {
		t.Errorf("webhooks: %v", hooks)
	}
	if got, err := a.Trigger("core.st2.webhook?url=x%2Fy"); err != nil || got.Webhook.URL != "x/y" {
		t.Errorf("got %v %v", got, err)
	}
}

func TestARequestIsChecked(t *testing.T) {
	s := packs.NewSnapshot([]*attune.Pack{builtIn(t), packs.LoadFS(pack(map[string]string{
		"actions/py.yaml":  "name: py\nrunner_type: python-script\n",
		"actions/off.yaml": "name: off\nrunner_type: noop\nenabled: false\n",
	}), "p", "")})
	for _, c := range []struct {
		ref   string
		given map[string]any
		kind  attune.ErrorKind
		want  string // the parameters, or part of the error
	}{
		{"core.echo", map[string]any{"message": "{{ x }}"}, 0, `{"message":"{{ x }}"}`},
		{"core.noop", nil, 0, `{}`},
		{"core.local", map[string]any{"cmd": "date", "env": `{"A": "b"}`}, 0, `{"cmd":"date","env":{"A":"b"},"timeout":60}`},
		{"core.pause", map[string]any{"delay": 2}, 0, `{"cmd":"sleep 2","delay":2,"timeout":86400}`},
		{"core.pause", map[string]any{"delay": "2; reboot"}, attune.Invalid, "parameters.delay: delay must be a number"},
		{"core.pause", map[string]any{"delay": 2, "cmd": "reboot"}, attune.Invalid, "parameters.cmd: cmd is fixed by core.pause"},
		{"core.echo", map[string]any{"mesage": "x"}, attune.Invalid, "parameters.mesage: core.echo has no parameter mesage (did you mean message?); parameters.message: message is required"},
		{"core.ecko", nil, attune.NotFound, `there is no action "core.ecko"`},
		{"p.py", nil, attune.Invalid, `no runner "python-script"`},
		{"p.off", nil, attune.Invalid, "it is disabled"},
	} {
		_, params, err := s.Request(c.ref, c.given)
		switch {
		case err != nil && (attune.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v", c.ref, err)
		case err == nil && string(rules.AppendJSON(nil, params)) != c.want:
			t.Errorf("%s: got %s", c.ref, rules.AppendJSON(nil, params))
		}
	}
}
