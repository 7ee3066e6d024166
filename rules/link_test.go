package rules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

// deploy is an action whose parameters can refer to each other.
func deploy() *attune.Action {
	return &attune.Action{Ref: "shop.deploy", Pack: "shop", Enabled: true, Config: map[string]any{"domain": "example.com", "zones": []any{"eu"}}, Parameters: map[string]*attune.Parameter{
		"host": {Type: "string", Default: "{{ name }}.{{ config_context.domain }}", HasDefault: true}, "name": {Type: "string", Required: true},
		"port": {Type: "integer", Default: int64(80), HasDefault: true}, "url": {Type: "string"}, "ports": {Type: "array"}, "zones": {Type: "array", Default: "{{ config_context.zones }}", HasDefault: true},
		"note": {Type: "string"}, "trigger": {Type: "string"},
	}}
}

func TestParametersOfARuleReferToEachOther(t *testing.T) {
	for _, c := range []struct {
		name  string
		given map[string]any
		want  string // the parameters, or part of the failure
		code  string
	}{
		{"a default, a configuration and a value of the event", map[string]any{"name": "{{ trigger.name }}", "url": "http://{{ host }}:{{ port }}/{{ trigger.path }}"},
			`{"host":"web.example.com","name":"web","port":80,"url":"http://web.example.com:80/a","zones":["eu"]}`, ""},
		{"each is cast before another reads it", map[string]any{"name": "x", "port": "{{ trigger.port }}", "ports": []any{"{{ port }}", "{{ port + 1 }}"}},
			`{"host":"x.example.com","name":"x","port":8080,"ports":[8080,8081],"zones":["eu"]}`, ""},
		{"a text that casts to a list reads others", map[string]any{"name": "x", "ports": "[{{ port }}, 'b']"}, `{"host":"x.example.com","name":"x","port":80,"ports":[80,"b"],"zones":["eu"]}`, ""},
		{"the configuration alone", map[string]any{"name": "{{ config_context.domain }}"}, `{"host":"example.com.example.com","name":"example.com","port":80,"zones":["eu"]}`, ""},
		{"what an event carries is not rendered again", map[string]any{"name": "{{ trigger.evil }}", "note": "{{ name }}"}, `{"host":"{{ port }}.example.com","name":"{{ port }}","note":"{{ port }}","port":80,"zones":["eu"]}`, ""},
		{"the event comes before a parameter of its name", map[string]any{"name": "x", "trigger": "mine", "note": "{{ trigger.name }} {{ name }}"},
			`{"host":"x.example.com","name":"x","note":"web x","port":80,"trigger":"mine","zones":["eu"]}`, ""},
		{"a parameter without a value is null", map[string]any{"name": "x", "note": "{{ url is none }}"}, `{"host":"x.example.com","name":"x","note":"True","port":80,"zones":["eu"]}`, ""},
		{"one that fails is enough", map[string]any{"name": "{{ trigger.gone }}", "url": "http://{{ name }}/"}, "parameters.name: ", rules.CodeRendering},
		{"one that does not fit is enough", map[string]any{"name": "x", "port": "{{ trigger.name }}", "url": "http://{{ port }}/"}, `parameters.port: port must be an integer, not the text "web"`, rules.CodeParameters},
		{"a name that is nowhere", map[string]any{"name": "x", "url": "{{ host }}{{ prot }}"}, "parameters.url: it cannot be rendered: ", rules.CodeRendering},
		{"a configuration that is missing", map[string]any{"name": "x", "url": "{{ host }}{{ config_context.gone }}"}, "attune pack get shop shows the configuration", rules.CodeRendering},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, faults := rules.Compile(&attune.Rule{Ref: "shop.r", Enabled: true, Action: "shop.deploy", Parameters: c.given}, deploy())
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			payload := map[string]any{"name": "web", "path": "a", "port": "8080", "evil": "{{ port }}"}
			m := r.Judge(&attune.Event{}, payload)
			got, code := string(m.Parameters), ""
			if m.Failure != nil {
				got, code = m.Failure.Message, m.Failure.Code
			}
			if code != c.code || got != c.want && !(code != "" && strings.Contains(got, c.want)) || strings.Count(got, "parameters.") > 1 {
				t.Errorf("got  %s %s\nwant %s %s", code, got, c.code, c.want)
			}
		})
	}
}

func TestParametersOfARuleInACircleAreAFault(t *testing.T) {
	for _, c := range []struct {
		given map[string]any
		want  string
	}{
		{map[string]any{"name": "{{ url }}", "url": "{{ note }}", "note": "{{ name }}"}, "in a circle: name -> url -> note -> name"},
		{map[string]any{"name": "{{ host }}"}, "in a circle: host -> name -> host"},
		{map[string]any{"name": "x", "note": "{{ note }}"}, "in a circle: note -> note"},
	} {
		_, faults := rules.Compile(&attune.Rule{Ref: "shop.r", Action: "shop.deploy", Parameters: c.given, At: attune.Position{File: "r.yaml", Line: 3}}, deploy())
		if got := fmt.Sprint(faults); len(faults) != 1 || !strings.Contains(got, "r.yaml:3: the parameters that shop.r gives to shop.deploy depend on each other "+c.want) {
			t.Errorf("got %s", got)
		}
	}
}
