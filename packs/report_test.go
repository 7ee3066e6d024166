package packs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
)

func TestEveryFileOfAPackIsReported(t *testing.T) {
	p := packs.LoadFS(pack(map[string]string{
		"actions/good.yaml": "name: good\nrunner_type: noop\n", "actions/py.yaml": "name: py\nrunner_type: python-script\n", "actions/bad.yaml": "name: [",
		"rules/r.yaml": rule("r", "p.gone", "p.good"), "aliases/a.yaml": "no: [yaml", "policies/q.yml": "name: q\n", "triggers/t.yaml": "name: t\n",
		"sensors/s.yaml": "class_name: Watch\nentry_point: s.py\nodd: 1\ntrigger_types:\n  - {name: seen, payload_schema: {type: object, properties: {n: {type: integer, required: true}}}}\n  - {name: lost}\n",
		"sensors/x.yaml": "class_name: Other\ntrigger_types: [{name: t}, {name: u, payload_schema: {type: nothing}}]\n",
	}), "p", "")
	p = packs.NewSnapshot([]*attune.Pack{p}).Packs()[0]
	var got []string
	for _, f := range p.Files {
		got = append(got, strings.Join([]string{strings.TrimPrefix(f.File, "p/"), f.Kind, f.Ref, string(f.State), f.Reason[:min(len(f.Reason), 30)]}, "|"))
	}
	want := []string{
		"pack.yaml|pack|p|loaded|", "triggers/t.yaml|trigger|p.t|loaded|", "sensors/s.yaml|sensor|p.Watch|not used|sensors are not run by this ve", "sensors/x.yaml|sensor|p.Other|faulty|",
		"actions/bad.yaml|action||faulty|", "actions/good.yaml|action|p.good|loaded|", `actions/py.yaml|action|p.py|no runner|no runner "python-script": thi`,
		"rules/r.yaml|rule|p.r|faulty|", "aliases/a.yaml|alias||not used|aliases are not used by this v", "policies/q.yml|policy||not used|policies are not used by this ",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if p.Status() != attune.PackDegraded || len(p.Triggers) != 3 {
		t.Errorf("got %s, %d triggers", p.Status(), len(p.Triggers))
	}
	for _, want := range []string{
		"p/sensors/x.yaml:2:17: the trigger p.t is defined twice, first in p/triggers/t.yaml", "p/sensors/x.yaml:2:55: the schema of payload_schema: type must be one of",
	} {
		if text := faultText(p.Faults); !strings.Contains(text, want) {
			t.Errorf("no fault %q in\n%s", want, text)
		}
	}
}

func TestThreeStatusesOfAPack(t *testing.T) {
	for want, files := range map[attune.PackStatus]map[string]string{
		attune.PackLoaded:   {"actions/a.yaml": "name: a\nrunner_type: noop\n", "aliases/a.yaml": "", "sensors/s.yaml": "class_name: S\n"},
		attune.PackDegraded: {"actions/a.yaml": "name: a\nrunner_type: python-script\n"},
		attune.PackBroken:   {"actions/a.yaml": "name: [\n"},
	} {
		if got := packs.NewSnapshot([]*attune.Pack{packs.LoadFS(pack(files), "p", "")}).Packs()[0].Status(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTheSchemaOfAParameterIsReadWithItsPlaces(t *testing.T) {
	p := packs.LoadFS(pack(map[string]string{
		"actions/a.yaml": "name: a\nrunner_type: noop\nparameters:\n  hosts:\n    type: array\n    minItems: 1\n    items:\n      type: object\n      properties:\n        name: {type: string, required: true}\n        port: {type: integer, default: 22, maximum: 65535}\n        key: {type: string, secret: true}\n  size:\n    type: [integer, string]\n",
		"actions/b.yaml": "name: b\nrunner_type: noop\nparameters:\n  x:\n    items:\n      properties:\n        n: {type: int}\n    pattern: '('\n    minItems: -1\n",
		"actions/c.yaml": "name: c\nrunner_type: local-shell-cmd\nparameters:\n  cmd: {type: array, pattern: x}\n  sudo_password: {secret: false}\n  cwd: {type: string}\n",
		"actions/d.yaml": "name: d\nrunner_type: local-shell-cmd\nparameters:\n  sudo_password: {secret: false}\n  cmd: {type: string, default: date, enum: [date], immutable: true, required: false, description: x, position: 0}\n",
	}), "p", "")
	text := faultText(p.Faults)
	for _, want := range []string{
		"p/actions/b.yaml:7:13: the schema of the parameter x: items.properties.n.type must be one of", "p/actions/b.yaml:8:5: the schema of the parameter x: pattern is no regex",
		"p/actions/b.yaml:9:5: the schema of the parameter x: minItems must be at least 0, not -1",
		"p/actions/c.yaml:4:15: the runner declares cmd as string (an action may change only", "p/actions/c.yaml:4:31: cmd is a parameter of the runner, and pattern is not the action's to say",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no fault %q in\n%s", want, text)
		}
	}
	if len(p.Faults) != 5 || len(p.Actions) != 2 {
		t.Fatalf("got %s", text)
	}
	s := packs.NewSnapshot([]*attune.Pack{p})
	a, d := p.Actions[0], p.Actions[1]
	if !a.Parameters["hosts"].Secret || !d.Parameters["sudo_password"].Secret || d.Parameters["cmd"].Position == nil {
		t.Errorf("got %+v %+v", a.Parameters["hosts"], d.Parameters["sudo_password"])
	}
	_, params, err := s.Request("p.a", map[string]any{"hosts": `[{'name': 'x'}]`, "size": "l"})
	if hosts, _ := params["hosts"].([]any); err != nil || len(hosts) != 1 || hosts[0].(map[string]any)["port"] != int64(22) {
		t.Errorf("got %v %v", params, err)
	}
	_, _, err = s.Request("p.a", map[string]any{"hosts": []any{map[string]any{"port": 70000.0}}, "size": []any{}})
	var e *attune.Error
	if !errors.As(err, &e) || faultText(e.Faults) != "parameters.hosts[0].name: hosts[0].name is missing\nparameters.hosts[0].port: hosts[0].port must be at most 65535\nparameters.size: size must be an integer or a text, not a list\n" {
		t.Errorf("got %v", err)
	}
}

func TestEventsAreHeldAgainstTheirTrigger(t *testing.T) {
	files := map[string]string{
		"triggers/t.yaml":  "name: t\npayload_schema: {type: object, properties: {n: {type: integer, required: true}, note: {type: string}}, additionalProperties: false}\n",
		"triggers/u.yaml":  "name: u\n",
		"rules/hook.yaml":  "name: hook\ntrigger: {type: core.st2.webhook, parameters: {url: x}}\naction: {ref: core.noop}\n",
		"triggers/py.yaml": "name: py\npayload_schema:\n",
	}
	s := packs.NewSnapshot([]*attune.Pack{builtIn(t), packs.LoadFS(pack(files), "p", "")})
	for _, c := range []struct{ key, payload, want string }{
		{"p.t", `{"n": 1}`, ""}, {"p.t", `{"n": 1, "note": null}`, ""},
		{"p.t", `{"n": "1", "x": 2}`, "payload.n: n must be an integer, not the text \"1\"; payload.x: x is not known here"},
		{"p.t", ``, "payload: it must be an object, not null"}, {"p.t", `{"n": 1.5}`, "payload.n: n must be an integer, not 1.5"},
		{"p.t", `{`, "the payload is not JSON"}, {"p.u", `anything`, ""}, {"p.py", `[]`, ""}, {"p.v", `{}`, `there is no trigger "p.v"`},
		{"core.st2.webhook?url=x", `{"headers": {}, "body": [1]}`, ""}, {"core.st2.webhook?url=x", `{"headers": 1}`, "payload.headers: headers must be an object"},
	} {
		err := s.CheckPayload(c.key, []byte(c.payload))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s: got %v", c.key, c.payload, err)
		}
	}
	f := newFolder(t)
	f.put("p/pack.yaml", "name: p\n")
	f.put("p/triggers/t.yaml", files["triggers/t.yaml"])
	any := packs.NewSnapshot(packs.Settings{AnyPayload: true}.Load(f.at("p")))
	if err := any.CheckPayload("p.t", []byte(`[]`)); err != nil {
		t.Error(err)
	}
}

func TestWhatARuleAsksOfItsTriggerIsChecked(t *testing.T) {
	s := packs.NewSnapshot([]*attune.Pack{builtIn(t), packs.LoadFS(pack(map[string]string{
		"triggers/every.yaml": "name: every\nparameters_schema: {type: object, properties: {unit: {enum: [hours, days], required: true}, delta: {type: integer, required: true}}, additionalProperties: false}\n",
		"rules/a.yaml":        "name: a\ntrigger: {type: p.every, parameters: {unit: hours, delta: 5}}\naction: {ref: core.noop}\n",
		"rules/b.yaml":        "name: b\ntrigger: {type: p.every, parameters: {unit: weeks, delta: x, zone: y}}\naction: {ref: core.noop}\n",
		"rules/c.yaml":        "name: c\ntrigger: {type: p.every}\naction: {ref: core.noop}\n",
	}), "p", "")})
	p := s.Packs()[1]
	text := faultText(p.Faults)
	for _, want := range []string{
		`p/rules/b.yaml:1:1: the rule p.b asks of its trigger p.every what that does not take: delta must be an integer, not the text "x"`, "unit must be one of \"hours\", \"days\"", "zone is not known here",
		"p/rules/c.yaml:1:1: the rule p.c asks of its trigger p.every what that does not take: delta is missing",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no fault %q in\n%s", want, text)
		}
	}
	if len(p.Rules) != 1 || p.Rules[0].Ref != "p.a" {
		t.Errorf("got %s", text)
	}
}
