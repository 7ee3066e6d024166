package rules_test

import (
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

const payload = `{"text": "disk full on web-1", "n": 3, "f": 3.0, "yes": true, "null": null, "list": ["a", 1, {"k": "v"}],
	"object": {"a.b": 1, "k": null, "list": [1, 2]}, "umlaut": "Größe 3", "lines": "a\nb\n", "num": "3"}`

func TestOperators(t *testing.T) {
	const pass, no = "pass", "no"
	for _, c := range []struct {
		path, operator string
		pattern        any
		want           string // pass, no, or part of the error
	}{
		{"trigger.n", "equals", int64(3), pass},
		{"trigger.n", "eq", 3.0, pass},
		{"trigger.n", "EQUALS", 3.5, no},
		{"trigger.n", "equals", "3", no},
		{"trigger.num", "equals", "3", pass},
		{"trigger.yes", "equals", true, pass},
		{"trigger.yes", "equals", int64(1), pass},
		{"trigger.yes", "equals", "true", no},
		{"trigger.f", "equals", int64(3), pass},
		{"trigger.list", "equals", []any{"a", 1.0, map[string]any{"k": "v"}}, pass},
		{"trigger.list", "equals", []any{"a", int64(1)}, no},
		{"trigger.object", "equals", map[string]any{"a.b": int64(1)}, no},
		{"trigger.missing", "equals", "x", no},
		{"trigger.null", "equals", nil, no},
		{"trigger.n", "equals", "{{ trigger.f }}", pass},
		{"trigger.n", "equals", "{{ trigger.num }}", no},
		{"trigger.num", "equals", "{{ trigger.n }} ", no},
		{"trigger.n", "equals", "{{ trigger.null }}", no},
		{"trigger.n", "equals", "{{ trigger.nothing.x }}", "cannot be rendered"},

		{"trigger.text", "exists", nil, pass},
		{"trigger.n", "exists", "ignored", pass},
		{"trigger.null", "exists", nil, no},
		{"trigger.missing.deep", "exists", nil, no},
		{"trigger", "exists", nil, pass},

		{"trigger.text", "contains", "full", pass},
		{"trigger.text", "contains", "Full", no},
		{"trigger.text", "contains", "", pass},
		{"trigger.text", "contains", nil, no},
		{"trigger.text", "contains", int64(1), "cannot be part of a text"},
		{"trigger.list", "contains", "a", pass},
		{"trigger.list", "contains", 1.0, pass},
		{"trigger.list", "contains", map[string]any{"k": "v"}, pass},
		{"trigger.list", "contains", "b", no},
		{"trigger.object", "contains", "a.b", pass},
		{"trigger.object", "contains", "x", no},
		{"trigger.object", "contains", []any{}, "cannot be a key"},
		{"trigger.null", "contains", "x", "null holds nothing"},
		{"trigger.missing", "contains", "x", "null holds nothing"},
		{"trigger.n", "contains", "3", "an integer holds nothing"},

		{"trigger.num", "in", []any{"1", "3"}, pass},
		{"trigger.num", "inside", "12345", pass},
		{"trigger.n", "in", []any{"3"}, no},
		{"trigger.n", "in", "{{ trigger.object.list + [3] }}", pass},
		{"trigger.text", "in", map[string]any{"disk full on web-1": nil}, pass},
		{"trigger.null", "in", []any{nil}, pass},
		{"trigger.null", "in", "text", "null cannot be part of a text"},
		{"trigger.num", "in", int64(3), "an integer holds nothing"},

		{"trigger.text", "regex", `web-\d+$`, pass},
		{"trigger.text", "regex", `^web`, no},
		{"trigger.text", "regex", `(?i)DISK`, pass},
		{"trigger.text", "regex", `disk(?= full)`, pass},
		{"trigger.text", "regex", `disk(?! full)`, no},
		{"trigger.text", "regex", `(?P<l>l)(?P=l)`, pass},
		{"trigger.text", "regex", `(f)(u)(l)\3`, pass},
		{"trigger.text", "regex", `\bfull\b`, pass},
		{"trigger.umlaut", "regex", `\bGröße\b`, pass},
		{"trigger.umlaut", "regex", `^\w+ \d$`, pass},
		{"trigger.umlaut", "regex", `ö\b`, no}, // only in ASCII is there a boundary
		{"trigger.lines", "regex", `b$`, pass},
		{"trigger.lines", "regex", `b\Z`, no},
		{"trigger.lines", "regex", `a$`, no},
		{"trigger.lines", "regex", `a.b`, no},
		{"trigger.lines", "regex", `(?s)a.b`, pass},
		{"trigger.text", "regex", `l{,2} on`, pass},
		{"trigger.text", "regex", "{{ trigger.text[:4] }}", pass},
		{"trigger.text", "regex", "{{ '(' }}", "is wrong"},
		{"trigger.text", "regex", "{{ 3 }}", "must be a text, not an integer"},
		{"trigger.n", "regex", "3", "cannot be searched"},
		{"trigger.null", "regex", "x", "cannot be searched"},

		{"trigger.n", "", int64(3), "no type"},
		{"trigger.list[2].k", "equals", "v", pass},
		{"trigger.list[9]", "exists", nil, no},
		{"trigger.list.k", "exists", nil, no},
		{"trigger.object[0]", "exists", nil, no},
		{"trigger.object['a.b']", "equals", int64(1), pass},
		{`trigger["object"]["a.b"]`, "equals", int64(1), pass},
		{"$.trigger.object.k", "nexists", nil, pass},
		{"$['trigger'].list[-1].k", "equals", "v", pass},
		{"trigger.list[*].k", "equals", "v", pass}, // the first that is there
		{"trigger.list[*].x", "nexists", nil, pass},
		{"trigger.list[1:].k", "equals", "v", pass},
		{"trigger.object[*].k", "exists", nil, no}, // an object is a list of one
		{"trigger..k", "equals", "v", pass},
		{"trigger.n#1", "equals", int64(3), pass},
		{"trigger['n']# the same again", "gt", int64(2), pass},
		{"trigger['a#b']", "nexists", nil, pass},

		{"trigger.n", "GreaterThan", int64(2), pass},
		{"trigger.n", "exists", "{{ this is no template", pass}, // it takes no pattern
		{"trigger.missing", "nequals", nil, no},
		{"trigger.missing", "neq", "x", pass},
		{"trigger.missing", "neq", "{{ trigger.null }}", no},
		{"trigger.text", "neq", "{{ trigger.null }}", pass},
		{"trigger.null", "ncontains", nil, no},
		{"trigger.missing", "ncontains", "x", "null holds nothing"}, // not just the opposite
		{"trigger.n", "ninside", int64(3), "an integer holds nothing"},
		{"trigger.text", "iregex", "DISK", pass},
		{"trigger.text", "matchregex", "full", no},
		{"trigger.text", "matchregex", "x|disk", pass},
		{"trigger.lines", "matchregex", "a.b", pass},
		{"trigger.text", "matchwildcard", "disk*", pass},
		{"trigger.text", "matchwildcard", "disk", no},
		{"trigger.n", "lt", "{{ trigger.f + 0.5 }}", pass},
		{"trigger.num", "gt", int64(2), "a text and an integer have no order"},
	} {
		t.Run(c.path+" "+c.operator+" "+string(rules.AppendJSON(nil, c.pattern)), func(t *testing.T) {
			rule := &attune.Rule{Ref: "p.r", Enabled: true, Criteria: []attune.Criterion{{Path: c.path, Type: c.operator, Pattern: c.pattern}}}
			m := compile(t, rule, nil).Judge(event, decode(t, payload))
			result := m.Evaluation.Criteria[0]
			got := result.Error
			if got == "" {
				got = no
				if result.Passed {
					got = pass
				}
			}
			if got != c.want && !(c.want != pass && c.want != no && strings.Contains(got, c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if m.Matched != (c.want == pass) || m.Evaluation.Matched != m.Matched || (m.Evaluation.Error != "") != (result.Error != "") {
				t.Errorf("the match disagrees with its criterion: %+v", m)
			}
		})
	}
}
