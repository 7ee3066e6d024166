package expression_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune/expression"
)

// hostile are templates that would take a naive engine forever, or all memory.
var hostile = map[string]string{
	"nested loops":                "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
	"a loop over a long filter":   "{% for a in range(10000) %}{{ range(10000)|sum }}{% endfor %}",
	"a huge range":                "{{ range(1000000000) }}",
	"a huge range backwards":      "{{ range(9223372036854775807, -9223372036854775807, -1) }}",
	"a huge repetition":           "{{ 'a' * 1000000000000 }}",
	"a repetition that overflows": "{{ 'ab' * 9223372036854775807 }}",
	"a huge list":                 "{{ [1, 2] * 100000000 }}",
	"repeated repetition":         "{{ ('a' * 1000) * 1000 * 1000 }}",
	"doubling text":               "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
	"doubling lists":              "{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
	"a shared structure":          "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s }}",
	"a shared structure compared": "{% set ns = namespace(s=[1], t=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.s == ns.t }}",
	"a shared structure as JSON":  "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s|tojson }}",
	"a long output":               "{% for i in range(10000) %}{{ 'x' * 10000 }}{% endfor %}",
	"replace that explodes":       "{{ ('a' * 100000)|replace('a', 'b' * 100000) }}",
	"replace of nothing":          "{{ ('a' * 1000000)|replace('', 'bbbbbbb') }}",
	"join that explodes":          "{{ range(10000)|join('x' * 100000) }}",
	"a wide format":               "{{ '%999999999d' % 1 }}",
	"many wide formats":           "{% for i in range(10000) %}{{ '%1000d%1000d%1000d' % (1,2,3) }}{% endfor %}",
	"a wide centre":               "{{ 'a'|center(2000000000) }}",
	"a wide fill":                 "{{ 'a'.ljust(2000000000) }}{{ 'a'.zfill(2000000000) }}",
	"a deep indent":               "{{ ('\n' * 100000)|indent('x' * 100000) }}",
	"a JSON indent":               "{{ [[[[1]]]]|tojson(2000000000) }}",
	"a batch filled up":           "{{ [1]|batch(2000000000, 0) }}",
	"macro recursion":             "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
	"branching macro recursion":   "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(30) }}",
	"deep parentheses":            "{{ " + strings.Repeat("(", 30000) + "1" + strings.Repeat(")", 30000) + " }}",
	"deep lists":                  "{{ " + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) + " }}",
	"deep dicts":                  "{{ " + strings.Repeat("{'a':", 10000) + "1" + strings.Repeat("}", 10000) + " }}",
	"deep signs":                  "{{ " + strings.Repeat("- ", 30000) + "1 }}",
	"deep nots":                   "{{ " + strings.Repeat("not ", 15000) + "1 }}",
	"deep ifs":                    strings.Repeat("{% if 1 %}", 6000),
	"deep conditions":             "{{ " + strings.Repeat("1 if 0 else ", 5000) + "2 }}",
	"deep subscripts":             "{{ " + strings.Repeat("a[", 20000) + "1" + strings.Repeat("]", 20000) + " }}",
	"deep calls":                  "{{ " + strings.Repeat("a(", 20000) + strings.Repeat(")", 20000) + " }}",
	"a long chain":                "{{ 1" + strings.Repeat("+1", 30000) + " }}",
	"a long chain of look-ups":    "{{ a" + strings.Repeat(".a", 30000) + " }}",
	"a long chain of filters":     "{{ 1" + strings.Repeat("|e", 30000) + " }}",
	"a long source":               "{{ 1 }}" + strings.Repeat("x", expression.MaxSource),
	"many regular expressions":    "{% for i in range(10000) %}{{ 'a' is string and i|regex_search('a{1000}b{' ~ i % 900 ~ '}') }}{% endfor %}",
	"a heavy regular expression":  "{% set a = 'a' * 100000 %}{% for i in range(1000) %}{{ a|regex_search('(a?){500}b|(a|a|aa){300}c') }}{% endfor %}",
	"a replacement that explodes": "{% set a = 'a' * 1000 %}{% for i in range(1000) %}{{ a|regex_replace('a', 'b' * 1000)|length }}{% endfor %}",
	"slow searches":               "{% set a = 'a' * 500000 %}{% for i in range(10000) %}{{ (a ~ 'b') in (a ~ 'c') }}{% endfor %}",
	"slow sorts":                  "{% for i in range(1000) %}{{ range(10000)|sort(reverse=true)|first }}{% endfor %}",
	"quadratic unique":            "{{ range(10000)|unique|length }}",
	"quadratic list search":       "{% for i in range(10000) %}{{ 10001 in range(10000) }}{% endfor %}",
	"slow splits":                 "{% set a = 'a ' * 10000 %}{% for i in range(10000) %}{{ a.split()|length }}{% endfor %}",
	"many small variables":        "{% for i in range(10000) %}{% for j in range(1000) %}{% set x = j %}{% endfor %}{% endfor %}",
	"slices":                      "{% for i in range(10000) %}{{ range(10000)[::-1][0] }}{% endfor %}",
	"escaping":                    "{% set a = '<' * 100000 %}{{ a|e|e|e|e|e }}{% for i in range(1000) %}{{ a|urlencode|length }}{% endfor %}",
}

// allocated is a bound for one render: its memory budget, what Go needs beside
// it, and the tokens of the longest source.
const allocated = 512 << 20

func TestAHostileTemplateEndsSoonAndCheaplyWithABudgetError(t *testing.T) {
	for name, source := range hostile {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			_, err := expression.Render(source, expression.Scope{"a": map[string]any{}})
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			if kind := expression.KindOf(err); kind != expression.Budget {
				t.Errorf("kind %q: %v", kind, err)
			}
			if made := after.TotalAlloc - before.TotalAlloc; made > allocated {
				t.Errorf("allocated %d MiB", made>>20)
			}
			if took > 5*time.Second { // it is 0.1 s; the machine may be busy
				t.Errorf("took %v", took)
			}
			t.Logf("%v, %d MiB", took, (after.TotalAlloc-before.TotalAlloc)>>20)
		})
	}
}

func TestPowersEndAtTheirSize(t *testing.T) {
	for _, source := range []string{"{{ 10 ** 100 }}", "{{ 2 ** 9223372036854775807 }}", "{{ 9 ** 9 ** 9 }}", "{{ 1e300 ** 9 }}", "{{ -9223372036854775807 - 2 }}"} {
		if _, err := expression.Render(source, nil); expression.KindOf(err) != expression.Type {
			t.Errorf("%s: %v", source, err)
		}
	}
	if got, err := expression.Render("{{ 1 ** 9223372036854775807 + (-1) ** 9223372036854775807 }}", nil); got != int64(0) || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWhatReachesOutsideIsRefused(t *testing.T) {
	for _, source := range []string{
		"{% include '/etc/passwd' %}", "{% import 'x' as y %}", "{% extends 'x' %}", "{% from 'x' import y %}", "{% block b %}{% endblock %}",
		"{{ 1|random }}", "{{ now() }}", "{{ ''.__class__ }}", "{{ range.__globals__ }}", "{{ lipsum() }}", "{{ self }}",
	} {
		if got, err := expression.Render(source, nil); err == nil {
			t.Errorf("%s gave %v", source, got)
		}
	}
}
