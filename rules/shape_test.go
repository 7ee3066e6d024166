package rules_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/rules"
)

func document(t testing.TB, text string) any {
	t.Helper()
	v, err := expression.DecodeJSON([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// request checks one parameter x with a schema.
func request(p attune.Parameter, given any) (string, []attune.Fault) {
	params, faults := checkParameters(&attune.Action{Ref: "p.a", Parameters: map[string]*attune.Parameter{"x": &p}}, map[string]any{"x": given})
	return string(rules.AppendJSON(nil, params["x"])), faults
}

func TestTheWordsOfJSONSchemaAreChecked(t *testing.T) {
	for _, c := range []struct{ schema, good, bad, want string }{
		{`{"items": {"type": "integer"}}`, `[1, 2]`, `[1, "a", 2.5]`, `parameters.x[1]: x[1] must be an integer, not the text "a"; parameters.x[2]: x[2] must be an integer, not 2.5`},
		{`{"items": [{"type": "string"}], "additionalItems": false}`, `["a"]`, `["a", 1]`, `parameters.x: x has 1 items too many`},
		{`{"minItems": 1, "maxItems": 2}`, `[1]`, `[1, 2, 3]`, `x must have at most 2 items, and has 3`},
		{`{"minItems": 1}`, `[1]`, `[]`, `x must have at least 1 items, and has 0`},
		{`{"uniqueItems": true}`, `[1, 2]`, `[1, 2, 1]`, `x has the same item twice, at 0 and 2`},
		{`{"minLength": 2, "maxLength": 3}`, `"ab"`, `"a"`, `x must have at least 2 characters, and has 1`},
		{`{"pattern": "^(?=.*\\d)[a-z\\d]+$"}`, `"a1"`, `"ab"`, `x must match ^(?=.*\d)[a-z\d]+$, not the text "ab"`},
		{`{"minimum": 0, "exclusiveMinimum": true}`, `0.5`, `0`, `x must be more than 0, not 0`},
		{`{"maximum": 9.5}`, `9`, `10`, `x must be at most 9.5, not 10`},
		{`{"multipleOf": 0.1}`, `0.3`, `0.25`, `x must be a multiple of 0.1, not 0.25`},
		{`{"enum": ["a", null, 1]}`, `null`, `"b"`, `x must be one of "a", null, 1, not the text "b"`},
		{`{"type": ["string", "integer", null]}`, `"a"`, `[]`, `x must be null or an integer or a text, not a list`},
		{`{"type": "any"}`, `[]`, ``, ``},
		{`{"format": "email"}`, `"no address"`, ``, ``},
		{`{"properties": {"a": {"type": "string", "required": true}, "b": {}}}`, `{"a": "x"}`, `{"b": 1}`, `parameters.x.a: x.a is missing`},
		{`{"properties": {"a": {}}, "required": ["a"]}`, `{"a": 1}`, `{}`, `x.a is missing`},
		{`{"properties": {"a": {}}, "additionalProperties": false}`, `{"a": 1}`, `{"a": 1, "b": 2}`, `parameters.x.b: x.b is not known here (leave it out)`},
		{`{"additionalProperties": {"type": "integer"}}`, `{"a": 1}`, `{"a": "1"}`, `x.a must be an integer, not the text "1"`},
		{`{"patternProperties": {"^n_": {"type": "integer"}}}`, `{"n_a": 1, "m": "x"}`, `{"n_a": "x"}`, `x.n_a must be an integer`},
		{`{"minProperties": 1}`, `{"a": 1}`, `{}`, `x must have at least 1 members, and has 0`},
		{`{"dependencies": {"a": ["b"]}}`, `{"b": 1}`, `{"a": 1}`, `x with a it also needs b`},
		{`{"oneOf": [{"type": "string"}, {"properties": {"k": {"type": "integer"}}, "type": "object"}]}`, `{"k": 1}`, `{"k": "v"}`,
			`parameters.x.k: x.k must be an integer, not the text "v"`},
		{`{"oneOf": [{"type": "string"}, {"type": "integer"}]}`, `1`, `[]`, `parameters.x: x fits none of its alternatives (must be a text, not a list; or must be an integer, not a list)`},
		{`{"oneOf": [{"minimum": 1}, {"minimum": 2}]}`, `1`, `3`, `x fits more than one of its alternatives`},
		{`{"anyOf": [{"type": "string"}, {"type": "null"}]}`, `"a"`, `1`, `x fits none of its alternatives`},
		{`{"allOf": [{"minimum": 1}, {"maximum": 2}]}`, `1`, `0`, `x must be at least 1, not 0`},
		{`{"not": {"type": "string"}}`, `1`, `"a"`, `x is what it must not be`},
		{`{"definitions": {"port": {"type": "integer", "maximum": 65535}}, "items": {"$ref": "#/definitions/port"}}`, `[80]`, `[80, 70000]`, `parameters.x[1]: x[1] must be at most 65535, not 70000`},
		{`{"properties": {"a": {"type": "array", "items": {"properties": {"port": {"type": "integer", "required": true}}}}}}`, `{"a": [{"port": 1}]}`, `{"a": [{"port": 1}, {}, {"port": "x"}]}`,
			`parameters.x.a[1].port: x.a[1].port is missing; parameters.x.a[2].port: x.a[2].port must be an integer, not the text "x"`},
	} {
		t.Run(c.schema, func(t *testing.T) {
			p := attune.Parameter{Schema: json.RawMessage(c.schema)}
			if got, faults := request(p, document(t, c.good)); len(faults) > 0 || got != string(rules.AppendJSON(nil, document(t, c.good))) {
				t.Errorf("%s: got %s %v", c.good, got, faults)
			}
			if c.bad == "" {
				return
			}
			_, faults := request(p, document(t, c.bad))
			texts := make([]string, len(faults))
			for i, f := range faults {
				texts[i] = f.String()
			}
			if got := strings.Join(texts, "; "); len(faults) == 0 || !strings.Contains(got, c.want) {
				t.Errorf("%s: got  %s\nwant %s", c.bad, got, c.want)
			}
		})
	}
}

func TestDefaultsGoDeep(t *testing.T) {
	const schema = `{"properties": {"port": {"type": "integer", "default": 22}, "auth": {"type": "object", "properties": {"user": {"default": "root"}, "how": {"required": true, "default": "key"}}},
		"hosts": {"type": "array", "items": {"properties": {"name": {}, "zone": {"default": "eu"}}}}, "list": {"default": [1]}}}`
	for _, c := range []struct{ name, given, want string }{
		{"what is missing", `{}`, `{"list":[1],"port":22}`},
		{"within an object that is there", `{"auth": {"user": "me"}}`, `{"auth":{"how":"key","user":"me"},"list":[1],"port":22}`},
		{"within every item", `{"hosts": [{"name": "a"}, {"zone": "us"}, 5]}`, `{"hosts":[{"name":"a","zone":"eu"},{"zone":"us"},5],"list":[1],"port":22}`},
		{"what is there stays", `{"port": 1, "list": null}`, `{"list":null,"port":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			given := document(t, c.given)
			p := attune.Parameter{Type: "object", Schema: json.RawMessage(schema)}
			got, faults := request(p, given)
			if c.name == "what is there stays" || c.name == "within every item" {
				faults = nil // null has another default, and 5 is no object: only the filling is looked at
				shape, _ := rules.CompileShape(document(t, schema).(map[string]any))
				got = string(rules.AppendJSON(nil, shape.Fill(given, false)))
			}
			if got != c.want || len(faults) > 0 {
				t.Errorf("got %s %v", got, faults)
			}
			if before := string(rules.AppendJSON(nil, given)); before != string(rules.AppendJSON(nil, document(t, c.given))) {
				t.Errorf("the given value was changed: %s", before)
			}
		})
	}
	shape, _ := rules.CompileShape(document(t, schema).(map[string]any))
	if got := string(rules.AppendJSON(nil, shape.Fill(map[string]any{}, true))); got != `{"auth":{"how":"key","user":"root"},"list":[1],"port":22}` {
		t.Errorf("a configuration: got %s", got)
	}
}

func TestNullIsForTheOptional(t *testing.T) {
	p := attune.Parameter{Type: "object", Schema: json.RawMessage(`{"properties": {"opt": {"type": "string", "enum": ["a"]}, "none": {"type": "string", "required": true, "default": null},
		"must": {"type": "string", "required": true}, "deep": {"type": "array", "items": {"properties": {"n": {"type": "integer"}}}}}}`)}
	if got, faults := request(p, document(t, `{"opt": null, "none": null, "must": "x", "deep": [{"n": null}]}`)); len(faults) > 0 || got != `{"deep":[{"n":null}],"must":"x","none":null,"opt":null}` {
		t.Errorf("got %s %v", got, faults)
	}
	if _, faults := request(p, document(t, `{"must": null}`)); len(faults) != 1 || faults[0].Where != "parameters.x.must" {
		t.Errorf("got %v", faults)
	}
}

func TestASecretParameterShowsNoValue(t *testing.T) {
	for _, p := range []attune.Parameter{
		{Secret: true, Schema: json.RawMessage(`{"pattern": "^a", "maxLength": 3, "enum": ["a"]}`)},
		{Schema: json.RawMessage(`{"pattern": "^a", "maxLength": 3, "enum": ["a"], "secret": true}`)},
	} {
		if _, faults := request(p, "hunter22"); len(faults) == 0 || strings.Contains(fmt.Sprint(faults), "hunter22") {
			t.Errorf("got %v", faults)
		}
	}
}

func TestASchemaThatIsNone(t *testing.T) {
	for _, c := range []struct{ schema, path, want string }{
		{`{"items": "string"}`, "items", "fits none"},
		{`{"properties": {"a": {"type": "text"}}}`, "properties.a.type", "must be one of"},
		{`{"minItems": -1}`, "minItems", "must be at least 0"},
		{`{"properties": {"a": {"items": {"minLength": "x"}}}}`, "properties.a.items.minLength", "must be an integer"},
		{`{"pattern": "("}`, "pattern", "is no regex: the regular expression \"(\" is wrong"},
		{`{"oneOf": {}}`, "oneOf", "must be an array"},
		{`{"items": {"$ref": "http://example.com/schema"}}`, "items.$ref", "it refers to another schema"},
		{`{"$ref": "file:///etc/passwd"}`, "$ref", "it refers to another schema"},
		{`{"$ref": "#/definitions/none"}`, "", "definitions/none"},
	} {
		shape, faults := rules.CompileShape(document(t, c.schema).(map[string]any))
		if shape != nil || len(faults) == 0 || !strings.Contains(faults[0].Message, c.want) || c.path != "" && strings.Join(faults[0].Path, ".") != c.path {
			t.Errorf("%s: got %+v", c.schema, faults)
		}
	}
	if _, faults := rules.NewSchema(&attune.Action{At: attune.Position{File: "a.yaml"}, Parameters: map[string]*attune.Parameter{"x": {Schema: []byte(`{"minItems": -1}`)}}}); len(faults) != 1 || !strings.Contains(faults[0].String(), "a.yaml: the schema of x.minItems: must be at least 0") {
		t.Errorf("got %v", faults)
	}
}

func TestAHostileSchemaOrValueComesToAnEnd(t *testing.T) {
	shape, faults := rules.CompileShape(document(t, `{"definitions": {"n": {"properties": {"n": {"$ref": "#/definitions/n"}}}}, "$ref": "#/definitions/n", "items": {"pattern": "^(a|a)*$"}}`).(map[string]any))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	deep := strings.Repeat(`{"n":`, 5000) + "1" + strings.Repeat("}", 5000)
	shape.Check(document(t, deep))
	slow, faults := rules.CompileShape(document(t, `{"pattern": "^(?=(a|a)*$)(a|a)*b\\1$"}`).(map[string]any))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if found := slow.Check(strings.Repeat("a", 60)); len(found) != 1 {
		t.Errorf("got %v", found)
	}
	loop, faults := rules.CompileShape(document(t, `{"$ref": "#"}`).(map[string]any))
	if loop != nil {
		loop.Check(int64(1))
	} else if len(faults) == 0 {
		t.Error("neither a shape nor a fault")
	}
}
