package rules_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

func TestCasting(t *testing.T) {
	type list = []any
	type object = map[string]any
	for _, c := range []struct {
		declared string
		given    any
		want     any // an error when it is refused
	}{
		{"", "3", "3"}, {"", int64(3), int64(3)},
		{"string", "3", "3"}, {"string", int64(3), fmt.Errorf("must be a text, not 3")}, {"string", nil, nil},
		{"integer", int64(3), int64(3)}, {"integer", 3, int64(3)}, {"integer", 3.0, int64(3)}, {"integer", " 3 ", int64(3)}, {"integer", "-7", int64(-7)},
		{"integer", json.Number("5"), int64(5)}, {"integer", 3.5, fmt.Errorf("must be an integer, not 3.5")}, {"integer", "3.0", fmt.Errorf("must be an integer")},
		{"integer", true, fmt.Errorf("must be an integer, not true")}, {"integer", "", fmt.Errorf("must be an integer")}, {"integer", 1e300, fmt.Errorf("must be an integer")},
		{"number", "1.5", 1.5}, {"number", "2", int64(2)}, {"number", 2.5, 2.5}, {"number", int64(2), int64(2)}, {"number", "1e3", 1000.0},
		{"number", "inf", fmt.Errorf("must be a number")}, {"number", "nan", fmt.Errorf("must be a number")}, {"number", "0x10", fmt.Errorf("must be a number")},
		{"number", "5; reboot", fmt.Errorf(`must be a number, not the text "5; reboot"`)}, {"number", false, fmt.Errorf("must be a number")},
		{"boolean", "true", true}, {"boolean", "False", false}, {"boolean", true, true}, {"boolean", "yes", fmt.Errorf("must be a boolean")}, {"boolean", int64(1), fmt.Errorf("must be a boolean, not 1")},
		{"array", `[1, "a", null]`, list{int64(1), "a", nil}}, {"array", `['a', 1.5, True, None, ('x',), {'k': "v"}]`, list{"a", 1.5, true, nil, list{"x"}, object{"k": "v"}}},
		{"array", `['it\'s', "\x41\u00e4\n"]`, list{"it's", "Aä\n"}}, {"array", list{"x"}, list{"x"}}, {"array", `["a"`, fmt.Errorf("must be an array")},
		{"array", `[__import__('os')]`, fmt.Errorf("must be an array")}, {"array", "a,b", fmt.Errorf("must be an array")}, {"array", object{}, fmt.Errorf("must be an array, not an object")},
		{"array", `['a' 'b']`, fmt.Errorf("must be an array")}, {"array", strings.Repeat("[", 5000), fmt.Errorf("must be an array")},
		{"object", `{"a": 1}`, object{"a": int64(1)}}, {"object", `{'a': {'b': [1]}}`, object{"a": object{"b": list{int64(1)}}}}, {"object", `{1: 2}`, fmt.Errorf("must be an object")},
		{"object", "[]", fmt.Errorf("must be an object")}, {"object", nil, nil},
	} {
		t.Run(fmt.Sprintf("%.40q as %s", fmt.Sprint(c.given), c.declared), func(t *testing.T) {
			action := &attune.Action{Ref: "p.a", Parameters: map[string]*attune.Parameter{"x": {Type: c.declared}}}
			params, faults := checkParameters(action, map[string]any{"x": c.given})
			if want, refused := c.want.(error); refused {
				if len(faults) != 1 || faults[0].Where != "parameters.x" || !strings.Contains(faults[0].Message, want.Error()) {
					t.Errorf("got %v %v", params, faults)
				}
			} else if len(faults) > 0 || !reflect.DeepEqual(params, map[string]any{"x": c.want}) {
				t.Errorf("got %#v %v", params, faults)
			}
		})
	}
}

func TestEveryFaultOfARequestIsReportedAtOnce(t *testing.T) {
	action := &attune.Action{Ref: "p.a", Parameters: map[string]*attune.Parameter{
		"needed": {Type: "string", Required: true, Description: "who"}, "fixed": {Default: "x", HasDefault: true, Immutable: true}, "n": {Type: "integer"},
		"color": {Enum: []any{"red", int64(1)}}, "key": {Type: "integer", Secret: true}, "null": {Required: true}, "timeout": {Type: "integer"},
		"readsneeded": {Default: "{{ needed }}", HasDefault: true}, "readsnothing": {Default: "{{ st2kv.system.x }}", HasDefault: true},
	}}
	_, faults := checkParameters(action, map[string]any{"fixed": "y", "n": "x", "color": "blue", "key": "hunter2", "null": nil, "neede": 1, "timeout": -1})
	want := []string{
		`parameters.color: color must be one of the values that are allowed, not the text "blue" (allowed are "red", 1)`,
		`parameters.fixed: fixed is fixed by p.a (leave it out)`,
		`parameters.key: key must be an integer`,
		`parameters.n: n must be an integer, not the text "x"`,
		`parameters.neede: p.a has no parameter neede (did you mean needed?)`,
		`parameters.needed: needed is required by p.a (give needed, a text: who)`,
		`parameters.null: null is required and must not be null`,
		`parameters.readsnothing: its default cannot be rendered: `,
		`parameters.timeout: timeout must be from 0`,
	}
	if len(faults) != len(want) {
		t.Errorf("%d faults: %v", len(faults), faults)
	}
	for i := range min(len(faults), len(want)) {
		if !strings.HasPrefix(faults[i].String(), want[i]) {
			t.Errorf("got  %s\nwant %s", faults[i], want[i])
		}
	}
}

func TestDefaults(t *testing.T) {
	def := func(v any) *attune.Parameter { return &attune.Parameter{Default: v, HasDefault: true} }
	pause := &attune.Action{Ref: "core.pause", Parameters: map[string]*attune.Parameter{
		"delay": {Type: "number", Required: true}, "cmd": {Type: "string", Default: "sleep {{ delay }}", HasDefault: true, Immutable: true}}}
	for _, c := range []struct {
		name       string
		parameters map[string]*attune.Parameter
		given      map[string]any
		want       string // the parameters as JSON, or part of a fault
	}{
		{"a default reads a parameter", pause.Parameters, map[string]any{"delay": "1.5"}, `{"cmd":"sleep 1.5","delay":1.5}`},
		{"a number carries nothing into a command", pause.Parameters, map[string]any{"delay": "1; reboot"}, `parameters.delay: delay must be a number`},
		{"a default that reads a default that reads a parameter", map[string]*attune.Parameter{"a": def("{{ b }}!"), "b": def("{{ c }}?"), "c": def("x")}, nil, `{"a":"x?!","b":"x?","c":"x"}`},
		{"a rendered default is cast before another reads it", map[string]*attune.Parameter{"n": {Type: "integer", Default: "{{ t }}", HasDefault: true}, "cmd": def("run {{ n }}"), "t": {}}, map[string]any{"t": "1; reboot"}, `parameters.n: n must be an integer`},
		{"a parameter without a value is null", map[string]*attune.Parameter{"a": def("{{ b is none }}"), "b": {}}, nil, `{"a":true}`},
		{"within lists and objects", map[string]*attune.Parameter{"a": def(map[string]any{"k": []any{"{{ b }}", "x{{ b }}"}}), "b": def(int64(1))}, nil, `{"a":{"k":[1,"x1"]},"b":1}`},
		{"a given value is not rendered", map[string]*attune.Parameter{"a": def("{{ b }}"), "b": {}}, map[string]any{"a": "{{ b }}", "b": "y"}, `{"a":"{{ b }}","b":"y"}`},
		{"what is no Jinja stays as it is", map[string]*attune.Parameter{"a": def("docker ps --format {{.Names}}")}, nil, `{"a":"docker ps --format {{.Names}}"}`},
		{"a circle", map[string]*attune.Parameter{"a": def("{{ b }}"), "b": def("{{ c }}"), "c": def("{{ b }}")}, nil, "in a circle: b -> c -> b"},
		{"a default of null accepts null though required", map[string]*attune.Parameter{"a": {Type: "string", Required: true, HasDefault: true}}, map[string]any{"a": nil}, `{"a":null}`},
		{"a default of null is enough", map[string]*attune.Parameter{"a": {Type: "string", Required: true, HasDefault: true}}, nil, `{"a":null}`},
		{"a bare number is a text where one is declared", map[string]*attune.Parameter{"a": {Type: "string", Default: int64(80), HasDefault: true}}, nil, `{"a":"80"}`},
		{"a text default is cast", map[string]*attune.Parameter{"a": {Type: "integer", Default: "80", HasDefault: true}}, nil, `{"a":80}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			params, faults := checkParameters(&attune.Action{Ref: "p.a", Parameters: c.parameters}, c.given)
			got := string(rules.AppendJSON(nil, params))
			if len(faults) > 0 {
				got = fmt.Sprint(faults)
			}
			if got != c.want && !(len(faults) > 0 && strings.Contains(got, c.want) && c.want[0] != '{') {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestTimeoutIsTheRequestsThenTheActions(t *testing.T) {
	a := shell()
	if got := rules.Timeout(a, map[string]any{"timeout": int64(3)}); got != 3*time.Second {
		t.Error(got)
	}
	if got := rules.Timeout(a, nil); got != time.Minute {
		t.Error(got)
	}
}

func checkParameters(action *attune.Action, given map[string]any) (map[string]any, []attune.Fault) {
	s, faults := rules.NewSchema(action)
	if len(faults) > 0 {
		return nil, faults
	}
	return s.Check(given)
}
