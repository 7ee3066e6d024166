package packs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
)

// pack makes a pack of files; pack.yaml is added if it is missing.
func pack(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{"pack.yaml": {Data: []byte("name: p\ndescription: d\nversion: 0.10\nauthor: me\n")}}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func faultText(faults []attune.Fault) string {
	var b strings.Builder
	for _, f := range faults {
		b.WriteString(f.String() + "\n")
	}
	return b.String()
}

func TestAParameterWithASecretPartIsSecretAsAWhole(t *testing.T) {
	p := packs.LoadFS(pack(map[string]string{"pack.yaml": "name: p\n", "actions/a.yaml": `name: a
runner_type: noop
parameters:
  open: {type: object, description: secret, default: {secret: true}, properties: {secret: {type: string}, b: {type: string, secret: false}}}
  member: {type: object, properties: {pw: {type: string, secret: true}}}
  named: {type: object, patternProperties: {"^p": {secret: true}}}
  others: {type: object, additionalProperties: {type: string, secret: true}}
  items: {type: array, items: {type: object, properties: {a: {properties: {pw: {secret: "true"}}}}}}
  choice: {oneOf: [{type: integer}, {type: string, secret: true}]}
`, "actions/b.yaml": "name: b\nrunner_type: noop\nparameters: {$sealed: {type: string}}\n"}), "p", "")
	if len(p.Faults) != 1 || !strings.Contains(p.Faults[0].Message, "no parameter can be called $sealed") || len(p.Actions) != 1 {
		t.Fatal(faultText(p.Faults))
	}
	for name, parameter := range p.Actions[0].Parameters {
		if parameter.Secret == (name == "open") {
			t.Errorf("%s: secret is %t", name, parameter.Secret)
		}
	}
}

func TestAPackInStackStormsFormatLoads(t *testing.T) {
	p := packs.LoadFS(pack(map[string]string{
		"pack.yml": "ignored: [", "actions/.#run.yaml": "[", "aliases/x.yaml": "[", "actions/lib/x.yaml": "[", "actions/run.sh": "#!/bin/sh\n", "actions/README.md": "",
		"actions/greet.yml": `---
name: greet
pack: another
runner_type: "local-shell-cmd"
description: Says hello
enabled: on
parameters:
  who: {type: string, required: true, position: 0, description: whom}
  since:
    type: string
    default: 2024-02-03
  color: &color
    type: [string, "null"]
    enum: [red, "no", no]
    secret: true
  other:
    <<: *color
    secret: no
  anything:
  cmd:
    immutable: true
    default: echo {{ who }}
    type: string
    secret: false
  timeout:
    default: 5
`,
		"actions/run.yaml": "name: run\nrunner_type: process\nentry_point: run.sh\nnotify: {on-complete: {message: x}}\ntags: []\n",
		"actions/py.yaml":  "name: py\nrunner_type: python-script\nentry_point: py.py\nparameters: {n: {type: integer, default: 1, minimum: 0}}\n",
		"triggers/t.yaml":  "name: t\npayload_schema: {type: object, whatever: 1}\nwebhook:\n  url: /a/b/\n  split: body.l\n",
		"rules/r.yaml": `name: r
trigger:
  type: core.st2.webhook
  parameters: {url: /hook/}
criteria:
  trigger.b: {type: eq, pattern: yes}
  trigger.a: {type: exists}
action:
  ref: p.greet
  parameters: {who: "{{ trigger.body.x }}", since: 2024-01-01T10:00:00Z}
`,
	}), "p", "/packs/p")
	if len(p.Faults) > 0 {
		t.Fatal(faultText(p.Faults))
	}
	if p.Name != "p" || p.Version != "0.10" || len(p.Actions) != 3 || len(p.Triggers) != 1 || len(p.Rules) != 1 {
		t.Fatalf("got %+v", p)
	}
	greet, py, run := p.Actions[0], p.Actions[1], p.Actions[2]
	if greet.Ref != "p.greet" || !greet.Enabled || greet.Timeout != 5*time.Second || greet.At != (attune.Position{File: "p/actions/greet.yml", Line: 2, Column: 1}) {
		t.Errorf("got %+v", greet)
	}
	zero := 0
	for name, want := range map[string]*attune.Parameter{
		"who":      {Type: "string", Required: true, Position: &zero, Description: "whom"},
		"since":    {Type: "string", Default: "2024-02-03", HasDefault: true},
		"color":    {Type: "string", Enum: []any{"red", "no", false}, Secret: true},
		"other":    {Type: "string", Enum: []any{"red", "no", false}},
		"anything": {},
		"cmd":      {Type: "string", Required: true, Immutable: true, Default: "echo {{ who }}", HasDefault: true, Description: "The command line, run by a shell."},
		"cwd":      {Type: "string", Description: "The folder to run in."},
	} {
		if got := greet.Parameters[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	if run.Refusal != "" || run.Timeout != 10*time.Minute || run.Dir != "/packs/p/actions" || run.EntryPoint != "run.sh" {
		t.Errorf("got %+v", run)
	}
	if !strings.Contains(py.Refusal, `no runner "python-script"`) {
		t.Errorf("got %+v", py)
	}
	if w := p.Triggers[0].Webhook; w == nil || w.URL != "a/b" {
		t.Errorf("got %+v", w)
	}
	r := p.Rules[0]
	if r.TriggerParameters["url"] != "hook" || len(r.Criteria) != 2 || r.Criteria[0].Path != "trigger.b" || r.Criteria[0].Pattern != true || r.Criteria[1].At.Line != 7 ||
		r.Parameters["since"] != "2024-01-01T10:00:00Z" || !r.Enabled {
		t.Errorf("got %+v", r)
	}
}

// An action of http-request declares what StackStorm's do; the runner adds its
// own. A script's arguments with a place come in their order.
func TestTheRunnersOfScriptsAndRequests(t *testing.T) {
	p := packs.LoadFS(pack(map[string]string{
		"actions/s.sh":     "#!/bin/sh\n",
		"actions/s.yaml":   "name: s\nrunner_type: local-shell-script\nentry_point: s.sh\nparameters:\n  b: {position: 1}\n  a: {position: 10}\n  c: {position: 0}\n  d: {type: string}\n  kwarg_op: {default: '-'}\n",
		"actions/get.yaml": "name: get\nrunner_type: http-request\nparameters:\n  url: {default: 'http://h/{{ d }}', immutable: true}\n  d: {type: string, required: true}\n  body: {type: object}\n  timeout: {default: 5}\n",
	}), "p", "/packs/p")
	if len(p.Faults) > 0 || len(p.Actions) != 2 {
		t.Fatal(faultText(p.Faults))
	}
	get, script := p.Actions[0], p.Actions[1]
	if got := strings.Join(script.Positional(), " "); got != "c b a" || script.Timeout != time.Minute || script.Parameters["kwarg_op"].Default != "-" || script.Refusal != "" {
		t.Errorf("got %s %+v", got, script)
	}
	if get.Positional() != nil || get.Timeout != 5*time.Second || get.Parameters["body"].Type != "object" || get.Parameters["verify_ssl_cert"].Default != true || get.Refusal != "" {
		t.Errorf("got %+v", get)
	}
	p = packs.LoadFS(pack(map[string]string{"actions/s.yaml": "name: s\nrunner_type: local-shell-script\n", "actions/g.yaml": "name: g\nrunner_type: http-request\nentry_point: x\n"}), "p", "")
	if text := faultText(p.Faults); !strings.Contains(text, "local-shell-script needs an entry_point") || !strings.Contains(text, "http-request has no entry point") {
		t.Error(text)
	}
}

func TestTheLimitsOfAnAction(t *testing.T) {
	for _, c := range []struct {
		name, runner, limits string
		want                 attune.Resources
		fault                string // the beginning of it
	}{
		{"all of them", "local-shell-cmd", "{memory: 512MiB, processes: 64, cpu: 1.5}", attune.Resources{Memory: 512 << 20, Processes: 64, CPU: 1.5}, ""},
		{"one, and whole numbers", "local-shell-cmd", "{memory: 1048576, cpu: 2}", attune.Resources{Memory: 1 << 20, CPU: 2}, ""},
		{"none", "local-shell-cmd", "{}", attune.Resources{}, ""},
		{"of a runner that is not there", "orquesta", "{processes: 3}", attune.Resources{Processes: 3}, ""},
		{"no mapping", "local-shell-cmd", "512MiB", attune.Resources{}, `3:9: limits must be a mapping, not the text "512MiB"`},
		{"an unknown one", "local-shell-cmd", "{ram: 512MiB}", attune.Resources{}, `3:10: limits has no key "ram"`},
		{"no size", "local-shell-cmd", "{memory: much}", attune.Resources{}, `3:18: memory must be a number of bytes, not the text "much"`},
		{"too little to run in", "local-shell-cmd", "{memory: 4k}", attune.Resources{}, "3:9: limits.memory: it is below 1MiB"},
		{"no number of processes", "local-shell-cmd", "{processes: 1.5}", attune.Resources{}, "3:21: processes must be a whole number from 1 to 4194304, not 1.5"},
		{"no processor", "local-shell-cmd", "{cpu: 0}", attune.Resources{}, "3:15: cpu must be a number above 0, not 0"},
		{"of what starts nothing", "noop", "{cpu: 1}", attune.Resources{}, "3:9: the runner noop starts no process to limit"},
	} {
		p := packs.LoadFS(pack(map[string]string{"actions/x.yaml": "name: x\nrunner_type: " + c.runner + "\nlimits: " + c.limits + "\n"}), "p", "")
		if c.fault != "" {
			if text := faultText(p.Faults); !strings.HasPrefix(text, "p/actions/x.yaml:"+c.fault) || len(p.Actions) > 0 {
				t.Errorf("%s: %s", c.name, text)
			}
			continue
		}
		if len(p.Faults) > 0 || len(p.Actions) != 1 || p.Actions[0].Limits != c.want {
			t.Errorf("%s: %s %+v", c.name, faultText(p.Faults), p.Actions)
		}
	}
}

func TestFaultsHaveTheirPlaceAndHarmNothingElse(t *testing.T) {
	const good = "name: good\nrunner_type: noop\n"
	for _, c := range []struct {
		name, file, text string
		want             []string // each the beginning of a line
	}{
		{"a tab", "actions/x.yaml", "name: x\n\trunner_type: noop\n", []string{"p/actions/x.yaml:2:1: found a tab character"}},
		{"a colon", "actions/x.yaml", "name: x: y\n", []string{"p/actions/x.yaml:1:8: mapping values are not allowed"}},
		{"two documents", "actions/x.yaml", good + "---\n" + good, []string{"p/actions/x.yaml:1:1: expected single document"}},
		{"an empty file", "actions/x.yaml", " \n", []string{"p/actions/x.yaml:1:1: the file is empty"}},
		{"nothing but a comment", "actions/x.yaml", "# x\n", []string{"p/actions/x.yaml:1:1: "}},
		{"a list", "actions/x.yaml", "- a\n", []string{"p/actions/x.yaml:1:1: an action must be a mapping, not a list"}},
		{"every wrong thing at once", "actions/x.yaml", "name: x\nname: y\nrunnertype: noop\nenabled: 3\nparameters:\n  a: {type: text, requird: true}\n  b: [1]\n  c: {position: 0, enum: 3}\n  d: {position: 0}\n", []string{
			`p/actions/x.yaml:2:1: the key "name" is written twice, first on line 1`, `p/actions/x.yaml:3:1: an action has no key "runnertype" (did you mean runner_type?)`,
			`p/actions/x.yaml:1:1: an action needs the key "runner_type"`, "p/actions/x.yaml:4:10: enabled must be true or false, not 3",
			`p/actions/x.yaml:6:13: the text "text" is not a type`, `p/actions/x.yaml:6:19: the parameter a has no key "requird" (did you mean required?)`,
			"p/actions/x.yaml:7:6: the parameter b must be a mapping, not a list", "p/actions/x.yaml:8:26: enum must be a list, not 3", "p/actions/x.yaml:9:3: the parameters c and d both have position 0",
		}},
		{"a rule of a type that is unknown, and conditions in the wrong place", "rules/x.yaml", "name: x\ntrigger: {type: p.t}\naction: {ref: p.a}\ntype: {ref: fallback}\nwhen: [a]\ncriteria:\n  when: {type: is, pattern: a}\n  type: {type: backstop}\n", []string{
			`p/rules/x.yaml:4:7: "fallback" is no type of a rule (known are standard and backstop)`, "p/rules/x.yaml:5:7: when must be a text, not a list",
			"p/rules/x.yaml:7:3: when is a key of the rule, and no criterion (put it beside criteria)", "p/rules/x.yaml:8:3: type is a key of the rule",
		}},
		{"a type that is no mapping", "rules/x.yaml", "name: x\ntrigger: {type: p.t}\naction: {ref: p.a}\ntype: backstop\n", []string{`p/rules/x.yaml:4:7: type must be a mapping, not the text "backstop"`}},
		{"a ref that is taken", "actions/x.yaml", good, []string{"p/actions/x.yaml:1:1: the action p.good is defined twice, first in p/actions/good.yaml"}},
		{"a script outside", "actions/x.yaml", "name: x\nrunner_type: process\nentry_point: ../../x.sh\n", []string{`p/actions/x.yaml:3:14: the entry point "../../x.sh" leaves`}},
		{"a script that is missing", "actions/x.yaml", "name: x\nrunner_type: process\nentry_point: x.sh\n", []string{`p/actions/x.yaml:3:14: the entry point "x.sh" is not in`}},
		{"no script", "actions/x.yaml", "name: x\nrunner_type: process\n", []string{"p/actions/x.yaml:1:1: an action of the runner process needs an entry_point"}},
		{"a name with a space", "actions/x.yaml", "name: x y\nrunner_type: noop\n", []string{`p/actions/x.yaml:1:7: "x y" is no name for an action`}},
		{"defaults in a circle", "actions/x.yaml", "name: x\nrunner_type: noop\nparameters:\n  a: {default: '{{ b }}'}\n  b: {default: '{{ a }}'}\n", []string{"p/actions/x.yaml:1:1: the defaults of p.x depend on each other"}},
		{"a number no JSON has", "rules/x.yaml", "name: x\ntrigger: {type: p.t}\naction: {ref: p.good, parameters: {a: .nan, b: .inf}}\n", []string{"p/rules/x.yaml:3:39: .nan is not a number", "p/rules/x.yaml:3:48: .inf is not a number"}},
		{"a rule without parts", "rules/x.yaml", "name: x\ntrigger: p.t\ncriteria: [a]\n", []string{`p/rules/x.yaml:2:10: trigger must be a mapping, not the text "p.t"`, `p/rules/x.yaml:1:1: a rule needs the key "action"`, "p/rules/x.yaml:3:11: criteria must be a mapping"}},
		{"a webhook with faults", "triggers/x.yaml", "name: x\nwebhook: {urll: x, split: '{{ ('}\n", []string{`p/triggers/x.yaml:2:11: webhook has no key "urll"`, `p/triggers/x.yaml:2:10: webhook needs the key "url"`, "p/triggers/x.yaml:2:10: webhook.split: "}},
		{"an alias that multiplies", "actions/x.yaml", bomb(), []string{"p/actions/x.yaml:1:1: the file holds more than 100000 values"}},
		{"an alias within itself", "actions/x.yaml", "name: &a [*a]\n", []string{"p/actions/x.yaml:1:"}},
		{"a key that is no text", "actions/x.yaml", "[1]: x\n", []string{"p/actions/x.yaml:1:1: a key must be a text"}},
		{"a large file", "actions/x.yaml", strings.Repeat("#", 1<<20+1), []string{"p/actions/x.yaml: the file has 1048577 bytes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := packs.LoadFS(pack(map[string]string{"actions/good.yaml": good, c.file: c.text}), "p", "")
			text := faultText(p.Faults)
			for _, want := range c.want {
				if !strings.Contains("\n"+text, "\n"+want) {
					t.Errorf("no fault %q in\n%s", want, text)
				}
			}
			if len(p.Actions) != 1 || p.Actions[0].Ref != "p.good" || len(p.Rules) > 0 || len(p.Triggers) > 0 {
				t.Errorf("got %+v", p)
			}
		})
	}
}

func TestARuleKeepsItsConditions(t *testing.T) {
	const text = "name: r\ntrigger: {type: p.t}\naction: {ref: p.good}\ntype: {ref: backstop, parameters: {}}\nwhen: trigger.n > 3\ncriteria:\n" +
		"  trigger.l#1: {type: Search, condition: any2all, pattern: {item.a: {type: exists}}}\n  trigger.l#2: {type: search, condition: any2any}\n  trigger.x: {type: gt, pattern: 3, condition: any}\n"
	p := packs.LoadFS(pack(map[string]string{"actions/good.yaml": "name: good\nrunner_type: noop\n", "triggers/t.yaml": "name: t\n", "rules/r.yaml": text}), "p", "")
	if len(p.Faults) > 0 {
		t.Fatal(faultText(p.Faults))
	}
	got := ""
	for _, c := range p.Rules[0].Criteria {
		got += fmt.Sprintf("%s %s %v line %d;", c.Path, c.Type, c.Pattern, c.At.Line)
	}
	want := "trigger.l#1 search any2all map[item.a:map[type:exists]] line 7;trigger.l#2 search any2any <nil> line 8;trigger.x gt 3 line 9;type backstop <nil> line 4;when is trigger.n > 3 line 5;"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if text := faultText(packs.NewSnapshot([]*attune.Pack{p}).Packs()[0].Faults); !strings.Contains(text, `p/rules/r.yaml:7:3: the search of trigger.l#1 has the condition "any2all" (known are all, any, all2any, any2any)`) {
		t.Errorf("got %s", text)
	}
}

func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x]\n")
	for i := range 20 {
		fmt.Fprintf(&b, "a%d: &a%d [*a%d, *a%d, *a%d]\n", i+1, i+1, i, i, i)
	}
	return b.String()
}

func TestLoadFindsPacksInFolders(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"many/b/pack.yaml": "name: b\n", "many/a/pack.yml": "name: a\n", "many/a/actions/x.yaml": "name: x\nrunner_type: noop\n", "many/none/x": "", "many/file": "", "empty/x": "",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := ""
	for _, p := range packs.Load(filepath.Join(dir, "many"), filepath.Join(dir, "many", "b"), filepath.Join(dir, "empty"), filepath.Join(dir, "away")) {
		got += fmt.Sprintf("%s %d %d;", p.Ref, len(p.Actions), len(p.Faults))
	}
	if want := "a 1 0;b 0 0;b 0 0;empty 0 1;away 0 1;"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
