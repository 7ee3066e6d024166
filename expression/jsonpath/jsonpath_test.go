package jsonpath_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/attune-automation/attune/expression/jsonpath"
)

const document = `{"a": {"b": 1, "c d": 2, "e.f": 3}, "list": [{"n": "x", "tags": [1, 2]}, {"m": 0}, {"n": "y"}], "null": null, "text": "abc", "b": {"b": 4}}`

func TestPathsFindWhatStackStormFinds(t *testing.T) {
	var doc any
	if err := json.Unmarshal([]byte(document), &doc); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"a.b": "1", "$.a.b": "1", "$['a']['c d']": "2", `a["e.f"]`: "3", "a.'c d'": "2", "'a'.b": "1", "a.['b']": "1",
		"list[0].n": `"x"`, "list[-1].n": `"y"`, "list[-4]": "", "list[3]": "", "list[ 1 ].m": "0",
		"list[*].n": `"x" "y"`, "list.[*].n": `"x" "y"`, "list[1:].n": `"y"`, "list[:-1].n": `"x"`, "list[2:1]": "", "list[0:9].n": `"x" "y"`,
		"a[*].b": "1", "text[*]": `"abc"`, "null[*]": "", "missing[*]": "",
		"a.*": "1 2 3", "list.*": "", "list[0].*": `"x" [1,2]`,
		"$..n": `"x" "y"`, "list..n": `"x" "y"`, "$..b": `{"b":4} 1 4`, "$..tags[0]": "1", "$..[1]": `{"m":0} 2`,
		"null": "null", "a.x": "", "a[0]": "", "text.x": "", "text[0]": "", "list.n": "", "a.b.c": "",
	} {
		p, err := jsonpath.Parse(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		var found []string
		all, _, _ := p.All(doc, 1000)
		for _, v := range all {
			b, _ := json.Marshal(v)
			found = append(found, string(b))
		}
		if got := strings.Join(found, " "); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
		first, ok := p.First(doc)
		if b, _ := json.Marshal(first); ok != (len(found) > 0) || ok && string(b) != found[0] {
			t.Errorf("%s: the first is %s %v, of %s", path, b, ok, found)
		}
	}
}

func TestWhatIsNoPathIsRefusedWithItsReason(t *testing.T) {
	for path, want := range map[string]string{
		"": "an empty name", "a.": "an empty name", "a...b": "an empty name", "..a": "an empty name", "a..b..c": "more than one ..", "a[": "not closed", "a['b": "quote that is not closed", "a['b'": "not closed",
		"a[b]": "neither an index nor a quoted name", "a[?(@.b > 1)]": "neither an index", "a[::2]": "not of two numbers", "a|b": "must be quoted", "a`parent`": "must be quoted",
		"a[0]b": "where a . or [ was expected", "a[99999999999]": "neither an index", "a" + strings.Repeat(".a", 100): "101 steps", strings.Repeat("a", 5000): "5000 bytes",
	} {
		if _, err := jsonpath.Parse(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q", path, err, want)
		}
	}
}

func TestASharedValueIsNotWalkedForever(t *testing.T) {
	v := any("x")
	for range 60 {
		v = []any{v, v}
	}
	p, err := jsonpath.Parse("$..name")
	if err != nil {
		t.Fatal(err)
	}
	if _, looked, ok := p.All(v, 1000); ok || looked != 1000 {
		t.Errorf("looked at %d, %v", looked, ok)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("$..a[*]['x'].*", `{"a": [{"x": {"y": 1}}]}`)
	f.Add("a[-1:][0]", `{"a": [1, 2]}`)
	f.Fuzz(func(t *testing.T, path, text string) {
		var doc any
		if json.Unmarshal([]byte(text), &doc) != nil {
			return
		}
		p, err := jsonpath.Parse(path)
		if err != nil {
			return
		}
		all, looked, done := p.All(doc, 10_000)
		if !done || looked > 10_000 {
			return
		}
		first, ok := p.First(doc)
		if ok != (len(all) > 0) || ok && !reflect.DeepEqual(first, all[0]) {
			t.Errorf("%s in %s: %v, of %s", path, text, first, fmt.Sprint(all))
		}
	})
}
