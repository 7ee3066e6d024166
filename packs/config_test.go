package packs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/rules"
)

const configSchema = `host: {type: string, required: true}
port: {type: integer, default: 443, minimum: 1}
token: {type: string, secret: true}
deep:
  type: object
  properties:
    user: {type: string, default: root}
    keys: {type: array, secret: true, items: {type: string}}
many:
  type: array
  items: {type: object, properties: {name: {type: string, required: true}, password: {type: string, secret: true}}}
`

// configured is a pack with the schema and a configuration, or none if it is "-".
func configured(t *testing.T, config string) *attune.Pack {
	t.Helper()
	f := newFolder(t)
	f.put("packs/shop/pack.yaml", "name: shop\n")
	f.put("packs/shop/config.schema.yaml", configSchema)
	f.put("packs/shop/actions/a.yaml", "name: a\nrunner_type: echo\nparameters:\n  message: {default: '{{ config_context.host }}:{{ config_context.port }}'}\n")
	if config != "-" {
		f.put("second/shop.yaml", config)
	}
	l := packs.NewLibrary(packs.Folders{Named: []string{f.at("packs")}, Settings: packs.Settings{Configs: []string{f.at("first"), f.at("second")}}})
	return find(t, l, "shop")
}

func TestAConfigurationIsCheckedAndFilled(t *testing.T) {
	for _, c := range []struct{ name, config, want, status, fault string }{
		{"what is said and the defaults, deep", "host: h\nmany: [{name: x}]\n", `{"deep":{"user":"root"},"host":"h","many":[{"name":"x"}],"port":443}`, "loaded", ""},
		{"every fault at once", "port: 0\ndeep:\n  keys: x\nmany:\n  - {name: y}\n  - {}\n", `null`, "degraded",
			"second/shop.yaml:1:1: host is missing; second/shop.yaml:3:3: deep.keys must be an array; second/shop.yaml:6:5: many[1].name is missing; second/shop.yaml:1:1: port must be at least 1"},
		{"no secret in a fault", "host: 5\ntoken: [hunter22]\n", `null`, "degraded", "second/shop.yaml:1:1: host must be a text; second/shop.yaml:2:1: token must be a text"},
		{"no YAML", "host: [", `null`, "degraded", "second/shop.yaml:2:1: "},
		{"a list", "- a\n", `null`, "degraded", "second/shop.yaml:1:1: a configuration must be a mapping, not a list"},
		{"the data store, which is not there", "host: '{{ st2kv.system.host }}'\n", `null`, "degraded", "second/shop.yaml:1:7: a configuration cannot read the data store"},
		{"a key that nobody knows", "host: h\nprt: 1\n", `{"deep":{"user":"root"},"host":"h","port":443,"prt":1}`, "loaded", ""},
		{"none at all", "-", `{"deep":{"user":"root"},"port":443}`, "degraded", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := configured(t, c.config)
			config := any(p.Config)
			if p.Config == nil {
				config = nil
			}
			if got := string(rules.AppendJSON(nil, config)); got != c.want || string(p.Status()) != c.status || len(p.Actions) != 1 {
				t.Errorf("got %s %s %s", got, p.Status(), faultText(p.Faults))
			}
			text := faultText(p.Faults)
			for _, want := range strings.Split(c.fault, "; ") {
				if !strings.Contains(text, want) {
					t.Errorf("no fault %q in\n%s", want, text)
				}
			}
			if c.fault != "" && len(p.Faults) != strings.Count(c.fault, "; ")+1 || c.fault == "" && text != "" || strings.Contains(text, "hunter22") {
				t.Errorf("got %s", text)
			}
			switch states := fmt.Sprint(p.Files); c.name {
			case "a key that nobody knows":
				if !strings.Contains(states, "the schema does not know prt (did you mean port?)") {
					t.Error(states)
				}
			case "none at all":
				if !strings.Contains(states, "first/shop.yaml config shop incomplete there is no such file: host is missing") {
					t.Error(states)
				}
			}
		})
	}
}

func TestTemplatesReadTheConfigurationOfTheirPack(t *testing.T) {
	p := configured(t, "host: h\n")
	_, params, err := packs.NewSnapshot([]*attune.Pack{p}).Request("shop.a", nil)
	if err != nil || params["message"] != "h:443" {
		t.Errorf("got %v %v", params, err)
	}
	broken := configured(t, "host: 1\n")
	_, _, err = packs.NewSnapshot([]*attune.Pack{broken}).Request("shop.a", nil)
	if err == nil || !strings.Contains(err.Error(), "attune pack get shop shows the configuration") {
		t.Errorf("got %v", err)
	}
}

func TestTheSecretsOfAConfigurationAreKnownAndMasked(t *testing.T) {
	p := configured(t, "host: open\ntoken: t0ken\ndeep: {keys: [k1, k2]}\nmany: [{name: n, password: p4ss}, {name: m, password: null}]\n")
	s := packs.NewSnapshot([]*attune.Pack{p})
	if got := s.ConfigSecrets("shop"); !slices.Equal(got, []string{"k1", "k2", "p4ss", "t0ken"}) {
		t.Errorf("got %v", got)
	}
	if got, want := string(rules.AppendJSON(nil, packs.ShownConfig(p, "*"))), `{"deep":{"keys":"*","user":"root"},"host":"open","many":[{"name":"n","password":"*"},{"name":"m","password":null}],"port":443,"token":"*"}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s.ConfigSecrets("none") != nil || s.Config("none") != nil || s.Config("shop")["token"] != "t0ken" {
		t.Error("the configuration itself is as it was written")
	}
}

// The third is how a pack of the exchange writes its credentials.
func TestASecretIsFoundWhereverTheSchemaPutsIt(t *testing.T) {
	for _, c := range []struct{ name, schema, want string }{
		{"in an alternative, with what is around it", `{"properties": {"a": {"oneOf": [{"type": "string", "secret": true}, {"type": "object"}]}, "b": {}}}`, `{"a":"*","b":"y"}`},
		{"by a reference", `{"definitions": {"key": {"properties": {"k": {"secret": true}}}}, "properties": {"a": {"$ref": "#/definitions/key"}, "b": {}}}`, `{"a":{"k":"*","n":1},"b":"y"}`},
		{"by a pattern and a reference to a property", `{"properties": {"a": {"patternProperties": {"^\\w+": {"$ref": "#/properties/a-key"}}}, "a-key": {"secret": true}}}`, `{"a":{"k":"*","n":"*"},"b":"y"}`},
		{"by two patterns", `{"properties": {"a": {"patternProperties": {"k": {"secret": true}, "^k": {}, "n": {}}}}}`, `{"a":{"k":"*","n":1},"b":"y"}`},
		{"among other members", `{"properties": {"b": {}}, "additionalProperties": {"additionalProperties": {"secret": true}}}`, `{"a":{"k":"*","n":"*"},"b":"y"}`},
		{"by references in a circle", `{"definitions": {"x": {"$ref": "#/definitions/x"}, "y": {"secret": true}}, "properties": {"a": {"$ref": "#/definitions/x"}}}`, `{"a":"*","b":"y"}`},
		{"nowhere", `{"properties": {"a": {"oneOf": [{"$ref": "#/properties/b"}, {}]}, "b": {}}}`, `{"a":{"k":"x","n":1},"b":"y"}`},
	} {
		s := rules.DecodeShape([]byte(c.schema))
		if got := string(rules.AppendJSON(nil, s.Mask(map[string]any{"a": map[string]any{"k": "x", "n": int64(1)}, "b": "y"}, "*"))); got != c.want {
			t.Errorf("%s: got %s", c.name, got)
		}
	}
}
