package pattern_test

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/attune-automation/attune/expression/pattern"
)

// recorded is what Python's re made of a pattern and a text.
type recorded struct {
	Pattern, Text string
	Search, Match bool
	ISearch       bool       `json:"isearch"`
	DotMatch      bool       `json:"dotmatch"`
	All           [][]string `json:"all"`
	// Sub is the result by replacement, null for one that is refused.
	Sub map[string]*string `json:"sub"`
}

func TestPatternsDoAsInPython(t *testing.T) {
	file, err := os.ReadFile("testdata/python.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []recorded
	if err := json.Unmarshal(file, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		for _, m := range []struct {
			name    string
			options pattern.Options
			want    bool
		}{
			{"search", pattern.Options{}, c.Search},
			{"match", pattern.Options{Anchored: true}, c.Match},
			{"search without case", pattern.Options{IgnoreCase: true}, c.ISearch},
			{"match with newlines", pattern.Options{Anchored: true, DotAll: true}, c.DotMatch},
		} {
			r, err := pattern.Compile(c.Pattern, m.options)
			if err != nil {
				t.Errorf("%q: %v", c.Pattern, err)
				continue
			}
			if got, err := r.Match(c.Text); err != nil || got != m.want {
				t.Errorf("%s %q in %q: got %v %v", m.name, c.Pattern, c.Text, got, err)
			}
		}
		r, err := pattern.Compile(c.Pattern, pattern.Options{})
		if err != nil {
			continue
		}
		if got, err := r.FindAll(c.Text); err != nil || len(got)+len(c.All) > 0 && !reflect.DeepEqual(got, c.All) {
			t.Errorf("findall %q in %q: got %q %v, want %q", c.Pattern, c.Text, got, err, c.All)
		}
		for replacement, want := range c.Sub {
			got, ok, err := r.Replace(c.Text, replacement, 1000)
			if (err != nil) != (want == nil) || err == nil && (!ok || got != *want) {
				t.Errorf("sub %q by %q in %q: got %q %v", c.Pattern, replacement, c.Text, got, err)
			}
		}
	}
}

func TestAHostilePatternEnds(t *testing.T) {
	r, err := pattern.Compile(`^(a+)+(?!x)$`, pattern.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("a", 40) + "!"
	if _, err := r.Match(text); !errors.Is(err, pattern.ErrTooLong) {
		t.Errorf("match: %v", err)
	}
	if _, err := r.FindAll(text); !errors.Is(err, pattern.ErrTooLong) {
		t.Errorf("find all: %v", err)
	}
	if r.Linear(text) {
		t.Error("a pattern with lookaround is not linear")
	}
	if _, err := r.Match(strings.Repeat("a", 70_000)); err == nil {
		t.Error("a text beyond the bound was searched")
	}
	if r, err = pattern.Compile(`(\w{0,100}){10}x`, pattern.Options{}); err != nil || r.Size() < 1000 {
		t.Fatal(err)
	}
	if _, err := r.Match(strings.Repeat("a", 1<<20)); err == nil || !strings.Contains(err.Error(), "too many for this") {
		t.Errorf("a heavy pattern searched a megabyte: %v", err)
	}
	if _, err := pattern.Compile(strings.Repeat("a", pattern.MaxPattern+1), pattern.Options{}); err == nil {
		t.Error("a pattern beyond the bound was compiled")
	}
}

func TestAReplacementStopsAtItsLimit(t *testing.T) {
	for _, p := range []string{"a", "a(?!b)", "x*"} {
		r, err := pattern.Compile(p, pattern.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := r.Replace(strings.Repeat("a", 1000), strings.Repeat("b", 1000), 10_000); ok || err != nil {
			t.Errorf("%q: %v %v", p, ok, err)
		}
		if _, ok, err := r.Replace("ccc", "b", 2); ok || err != nil {
			t.Errorf("%q: %v %v", p, ok, err)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add("(?P<a>x)(?P=a)|[[^]]", "xx", `\g<a>`)
	f.Add("(?x)a # b", "a", `\1`)
	f.Add("(?(a)b|", "b", `\`)
	f.Fuzz(func(t *testing.T, p, text, replacement string) {
		r, err := pattern.Compile(p, pattern.Options{IgnoreCase: true, Anchored: true})
		if err != nil {
			return
		}
		found, err := r.Match(text)
		if all, err2 := r.FindAll(text); err == nil && err2 == nil && found != (len(all) > 0) {
			t.Errorf("%q in %q: found %v, and %q", p, text, found, all)
		}
		_, _, _ = r.Replace(text, replacement, 1000)
	})
}
