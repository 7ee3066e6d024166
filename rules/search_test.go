package rules_test

import (
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

const fields = `{"fields": [{"name": "Status", "to": "Approved", "tags": [{"k": 1}]}, {"name": "Signed", "to": "Approved"}, {"name": "Status", "to": "Open", "n": 3}],
	"one": {"name": "Status", "to": "Approved"}, "words": ["a", "b"], "none": [], "text": "abc", "wanted": "Signed"}`

func TestSearch(t *testing.T) {
	const status, approved = `{"item.name": {"type": "equals", "pattern": "Status"}`, `, "item.to": {"type": "equals", "pattern": "Approved"}}`
	for _, c := range []struct{ name, path, condition, pattern, want string }{
		{"any needs one item that matches everything", "fields", "any", status + approved, "pass"},
		{"any is not content with halves of two items", "fields", "any", `{"item.name": {"type": "equals", "pattern": "Signed"}, "item.to": {"type": "equals", "pattern": "Open"}}`, "no"},
		{"any2any is", "fields", "any2any", `{"item.name": {"type": "equals", "pattern": "Nobody"}, "item.to": {"type": "equals", "pattern": "Open"}}`, "pass"},
		{"all needs all items and everything", "fields", "all", status + approved, "no"},
		{"all passes", "fields", "all", `{"item.to": {"type": "in", "pattern": ["Open", "Approved"]}, "item.name": {"type": "startswith", "pattern": "S"}}`, "pass"},
		{"all2any needs something of each item", "fields", "all2any", status + approved, "pass"},
		{"all2any misses an item", "fields", "all2any", `{"item.n": {"type": "exists"}, "item.tags": {"type": "exists"}}`, "no"},
		{"an object is a list of one", "one", "all", status + approved, "pass"},
		{"items that are no objects", "words", "any", `{"item": {"type": "equals", "pattern": "b"}}`, "pass"},
		{"all of none passes", "none", "all", status + approved, "pass"},
		{"any of none does not", "none", "any", status + approved, "no"},
		{"all2any of none passes", "none", "all2any", status + approved, "pass"},
		{"any2any of none does not", "none", "any2any", status + approved, "no"},
		{"no criteria: every item matches", "words", "all", `{}`, "pass"},
		{"no criteria: no item matches any", "words", "any2any", `{}`, "no"},
		{"null as pattern never passes", "none", "all", `null`, "no"},
		{"a missing list is an error", "missing", "all", `{}`, "null cannot be searched"},
		{"a text is an error", "text", "any", `{}`, "a text cannot be searched"},
		{"a criterion that fails does not match its item, and others may", "fields", "any", `{"item.n": {"type": "gt", "pattern": 2}}`, "pass"},
		{"a criterion that fails everywhere says so", "fields", "any", `{"item.name": {"type": "gt", "pattern": 2}}`, "item 0: item.name: a text and an integer have no order"},
		{"a pattern is a template over the event", "fields", "any", `{"item.name": {"type": "equals", "pattern": "{{ trigger.wanted }}"}}`, "pass"},
		{"a template that fails", "fields", "any", `{"item.name": {"type": "equals", "pattern": "{{ trigger.nobody }}"}}`, "item 0: item.name: its pattern cannot be rendered"},
		{"a criterion without type never passes", "words", "any", `{"item": {"pattern": "a"}}`, "has no type"},
		{"a search within a search", "fields", "any", `{"item.tags": {"type": "Search", "condition": "any", "pattern": {"item.k": {"type": "gt", "pattern": 0}}}}`, "pass"},
		{"the same path twice", "fields", "any", `{"item.name#1": {"type": "startswith", "pattern": "St"}, "item.name#2": {"type": "endswith", "pattern": "us"}}`, "pass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rule := &attune.Rule{Enabled: true, Criteria: []attune.Criterion{{Path: "trigger." + c.path, Type: rules.SearchType(c.condition), Pattern: decode(t, c.pattern)}}}
			result := compile(t, rule, nil).Judge(event, decode(t, fields)).Evaluation.Criteria[0]
			got := result.Error
			if got == "" {
				got = map[bool]string{true: "pass", false: "no"}[result.Passed]
			}
			if got != c.want && (len(c.want) < 5 || !strings.Contains(got, c.want)) || result.Type != "search "+c.condition {
				t.Errorf("got %q (%+v), want %q", got, result, c.want)
			}
		})
	}
}

func TestASearchThatCanNeverWorkIsAFault(t *testing.T) {
	deep := `{"item": {"type": "exists"}}`
	for range 5 {
		deep = `{"item": {"type": "search", "condition": "any", "pattern": ` + deep + `}}`
	}
	for pattern, want := range map[string]string{
		`"x"`:           "must be criteria by path, not a text",
		`{"item": "x"}`: "the criterion item of the search of trigger.x must be a mapping",
		`{"item.a": {"type": "equal"}, "trigger.b": {"type": "exists"}, "item.c": {"type": "regex", "pattern": "("}, "item.d": {"type": "search"}}`: "did you mean equals?|does not begin with item (write item.name|item.c: the regular expression|the search of item.d has the condition \"\"",
		deep: "nested more than 5 deep",
	} {
		_, faults := rules.Compile(&attune.Rule{Criteria: []attune.Criterion{{Path: "trigger.x", Type: "search any", Pattern: decode(t, pattern), At: attune.Position{File: "r.yaml", Line: 3}}}}, nil)
		text := ""
		for _, f := range faults {
			text += f.String() + "\n"
		}
		for _, part := range strings.Split(want, "|") {
			if !strings.Contains(text, part) {
				t.Errorf("no %q in\n%s", part, text)
			}
		}
	}
	for _, condition := range []string{"", "ALL OF THEM", "some"} {
		if _, faults := rules.Compile(&attune.Rule{Criteria: []attune.Criterion{{Path: "trigger.x", Type: rules.SearchType(condition)}}}, nil); len(faults) != 1 || !strings.Contains(faults[0].Try, "all2any") {
			t.Errorf("%q: %v", condition, faults)
		}
	}
}

func TestASearchEndsOnAHugeListAndAHostilePattern(t *testing.T) {
	list := make([]any, 60_000)
	for i := range list {
		list[i] = strings.Repeat("a", 40) + "!"
	}
	for pattern, want := range map[string]string{
		`{"item": {"type": "exists"}, "item#2": {"type": "exists"}}`:        "at most 100000 times",
		`{"item": {"type": "regex", "pattern": "^(a+)+(?!x)$"}}`:            "takes too long",
		`{"item": {"type": "regex", "pattern": "{{ '^(a+)+(?!x)' }}$"}}`:    "takes too long",
		`{"item": {"type": "regex", "pattern": "{{ '(' * 2 }}a", "x": 1 }}`: "is wrong",
	} {
		condition := "all"
		if want == "is wrong" {
			condition = "any"
		}
		rule := &attune.Rule{Enabled: true, Criteria: []attune.Criterion{{Path: "trigger.l", Type: rules.SearchType(condition), Pattern: decode(t, pattern)}}}
		m := compile(t, rule, nil).Judge(event, map[string]any{"l": list})
		if m.Matched || !strings.Contains(m.Evaluation.Error, want) {
			t.Errorf("%s: %+v", pattern, m.Evaluation.Error)
		}
	}
}
