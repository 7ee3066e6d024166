package expression_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/attune-automation/attune/expression"
)

func TestAWholeExpressionKeepsItsTypeAndEmbeddedOneIsText(t *testing.T) {
	scope := expression.Scope{"n": nil, "i": int64(3), "f": 3.0, "b": true, "l": []any{int64(1), "a"}, "d": map[string]any{"a": int64(1)}, "go": 7, "texts": []string{"x"}}
	for _, c := range []struct {
		source string
		want   any
	}{
		{"{{ i }}", int64(3)}, {"{{i}}", int64(3)}, {"{{- i -}}", int64(3)}, {"{{ i + 1 }}", int64(4)},
		{"{{ f }}", 3.0}, {"{{ b }}", true}, {"{{ n }}", nil}, {"{{ go }}", int64(7)},
		{"{{ l }}", []any{int64(1), "a"}}, {"{{ d }}", map[string]any{"a": int64(1)}}, {"{{ texts }}", []any{"x"}},
		{"{{ [i, {'k': n}] }}", []any{int64(3), map[string]any{"k": nil}}},
		{"{{ n | use_none }}", nil}, {"{{ '[1, 2.0]' | from_json_string }}", []any{int64(1), 2.0}},
		{" {{ i }}", " 3"}, {"{{ i }} ", "3 "}, {"{{ i }}\n", "3"}, {"{{ i }}{{ i }}", "33"},
		{"{# c #}{{ i }}", "3"}, {"{% if b %}{{ i }}{% endif %}", "3"},
		{"x={{ n }} {{ b }} {{ l }} {{ d }} {{ f }}", "x=None True [1, 'a'] {'a': 1} 3.0"},
		{"{% raw %}{% endraw %}", ""}, {"{% set x = 1 %}", ""}, {"plain", "plain"}, {"", ""}, {"${#name} {x} {\n", "${#name} {x} {\n"},
		{`{{ {'a': 1} | to_json_string }}`, "{\n    \"a\": 1\n}"}, {`{{ 'a"b\n' | json_escape }}`, `a\"b\n`},
		{"{{ {1: 'low'}[1] }}", "low"}, {"{{ d.items() }}", []any{[]any{"a", int64(1)}}},
		{"{{ 9007199254740993 == 9007199254740992.0 }}", false},
	} {
		got, err := expression.Render(c.source, scope)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q = %#v, %v; want %#v", c.source, got, err, c.want)
		}
	}
}

func TestAKeyWithTheNameOfAMethodIsFound(t *testing.T) {
	got, err := expression.Render("{{ body.items }}", expression.Scope{"body": map[string]any{"items": int64(1)}})
	if got != int64(1) || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAnErrorSaysWhatWhereAndWhatToTry(t *testing.T) {
	scope := expression.Scope{"trigger": map[string]any{"body": map[string]any{"alerts": []any{}, "x": nil}}, "s": "text"}
	for _, c := range []struct {
		source    string
		kind      expression.Kind
		line, col int
		path      string
		contains  string
	}{
		{"{{ trigger.body.id }}", expression.Undefined, 1, 16, "trigger.body.id", "trigger.body has no key 'id'"},
		{"id:\n é {{ trigger.body.alerts[0].name }}", expression.Undefined, 2, 26, "trigger.body.alerts[0]", "has 0 items"},
		{"{{ trigger['body']['x'].y }}", expression.Undefined, 1, 24, "trigger.body.x.y", "trigger.body.x is null"},
		{"{{ nothing }}", expression.Undefined, 1, 4, "nothing", "default("},
		{"{{ 'a' + 1 }}", expression.Type, 1, 8, "", "join texts with ~"},
		{"{{ s.append(1) }}", expression.Undefined, 1, 12, "s.append", "values cannot be changed"},
		{"{{ s | uper }}", expression.Syntax, 1, 8, "", "upper"},
		{"a\n{{ s", expression.Syntax, 2, 1, "", "never closed"},
		{"{% include 'x' %}", expression.Syntax, 1, 4, "", "templates have no files"},
		{"{{ 9223372036854775807 + 1 }}", expression.Type, 1, 24, "", "64 bits"},
	} {
		_, err := expression.Render(c.source, scope)
		var e *expression.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: error %v", c.source, err)
			continue
		}
		if e.Kind != c.kind || e.Line != c.line || e.Col != c.col || e.Path != c.path || !strings.Contains(err.Error(), c.contains) {
			t.Errorf("%q: %s at %d:%d, path %q: %v", c.source, e.Kind, e.Line, e.Col, e.Path, err)
		}
	}
}

func TestDecodeJSONKeepsIntegers(t *testing.T) {
	got, err := expression.DecodeJSON([]byte(`{"a": 3, "b": 3.0, "c": [9223372036854775807, 9223372036854775808, 1e2, -0]}`))
	want := map[string]any{"a": int64(3), "b": 3.0, "c": []any{int64(math.MaxInt64), 9223372036854775808.0, 100.0, int64(0)}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, %v", got, err)
	}
	for _, bad := range []string{"", "{", "1 2", "1e999", "nul"} {
		if got, err := expression.DecodeJSON([]byte(bad)); err == nil {
			t.Errorf("%q decoded to %v", bad, got)
		}
	}
}

func TestNamesAreWhatATemplateReadsFromItsScope(t *testing.T) {
	for source, want := range map[string]string{
		"{{ a.b + c[d] }}": "a c d",
		"{% for x in xs if x > low %}{{ x }}{{ loop.index }}{% endfor %}{{ x }}": "low x xs",
		"{% set a = b %}{{ a }}":                                             "b",
		"{% if q %}{% set a = 1 %}{% endif %}{{ a }}":                        "a q",
		"{% macro m(p, o=z) %}{{ p }}{{ o }}{{ g }}{% endmacro %}{{ m(1) }}": "g z",
		"{% with w = v %}{{ w }}{% endwith %}{{ w | default(e) }}":           "e v w",
		"{{ range(n) }} constant":                                            "n range",
		"no template {a}":                                                    "",
	} {
		template, err := expression.Compile(source)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(template.Names(), " "); got != want {
			t.Errorf("%q reads %q, want %q", source, got, want)
		}
	}
}
