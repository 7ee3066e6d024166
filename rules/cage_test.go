package rules_test

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/expression"
	"github.com/attune-automation/attune/rules"
)

// The cage: what a rule may take, whoever wrote it and whatever the event holds:
// mostTime, and this.
const mostHeap = 64 << 20

// hostile are templates that would take a naive engine for ever, or all memory.
var hostile = map[string]string{
	"a huge range":                "{{ range(1000000000) | list }}",
	"a huge range backwards":      "{{ range(9223372036854775807, -9223372036854775807, -1) }}",
	"a huge repetition":           "{{ 'a' * 1000000000000 }}",
	"a huge list":                 "{{ [1, 2] * 100000000 }}",
	"nested loops":                "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
	"loops over long filters":     "{% for a in range(10000) %}{{ range(10000) | sum }}{% endfor %}",
	"doubling text":               "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
	"doubling lists":              "{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
	"a shared structure as JSON":  "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s | tojson }}",
	"a shared structure compared": "{% set ns = namespace(s=[1], t=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% set ns.t = [ns.t, ns.t] %}{% endfor %}{{ ns.s == ns.t }}",
	"a long output":               "{% for i in range(10000) %}{{ 'x' * 10000 }}{% endfor %}",
	"text that grows and grows":   "{% set ns = namespace(s='') %}{% for i in range(10000) %}{% set ns.s = ns.s ~ 'xxxxxxxxxxxxxxxx' %}{% endfor %}{{ ns.s }}",
	"replace that explodes":       "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}",
	"join that explodes":          "{{ range(10000) | join('x' * 100000) }}",
	"a wide format":               "{{ '%999999999d' % 1 }}",
	"a wide centre":               "{{ 'a' | center(2000000000) }}",
	"a deep indent":               "{{ ('\n' * 100000) | indent('x' * 100000) }}",
	"macro recursion":             "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
	"branching macro recursion":   "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(30) }}",
	"a giant power":               "{{ 9 ** 9 ** 9 }}",
	"giant powers":                "{% for i in range(10000) %}{{ 2 ** (i * 1000) }}{% endfor %}",
	"a product that overflows":    "{{ 9223372036854775807 * 9223372036854775807 }}",
	"a catastrophic expression":   "{{ ('a' * 5000) | regex_search('(?=a)(a+)+$b') }}",
	"catastrophic expressions":    "{% for i in range(10000) %}{{ ('a' * 5000) | regex_search('(?=a)(a+)+$b') }}{% endfor %}",
	"a heavy expression":          "{% set a = 'a' * 100000 %}{% for i in range(1000) %}{{ a | regex_search('(a?){500}b|(a|a|aa){300}c') }}{% endfor %}",
	"a replacement that explodes": "{% set a = 'a' * 1000 %}{% for i in range(1000) %}{{ a | regex_replace('a', 'b' * 1000) | length }}{% endfor %}",
	"a path that multiplies":      "{% for i in range(10000) %}{{ trigger | jsonpath_query('$..n') }}{% endfor %}",
	"slow sorts":                  "{% for i in range(1000) %}{{ range(10000) | sort(reverse=true) | first }}{% endfor %}",
	"quadratic unique":            "{{ range(10000) | unique | length }}",
	"what the event holds, often": "{% for i in range(10000) %}{{ trigger.long ~ trigger.long }}{% endfor %}",
	"YAML that grows":             "{% set ns = namespace(s=['xxxxxxxx']) %}{% for i in range(40) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s | to_yaml_string }}",
	"deep dicts":                  "{% set ns = namespace(s={}) %}{% for i in range(10000) %}{% set ns.s = {'a': ns.s} %}{% endfor %}{{ ns.s }}",
}

// deep are sources that would overflow the stack of a naive parser; they are
// refused before anything is judged.
var deep = map[string]string{
	"parentheses":      "{{ " + strings.Repeat("(", 30000) + "1" + strings.Repeat(")", 30000) + " }}",
	"lists":            "{{ " + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) + " }}",
	"ifs":              strings.Repeat("{% if 1 %}", 6000),
	"a chain":          "{{ 1" + strings.Repeat("+1", 30000) + " }}",
	"a chain of names": "{{ trigger" + strings.Repeat(".a", 30000) + " }}",
	"filters":          "{{ 1" + strings.Repeat("|e", 30000) + " }}",
	"a long source":    "{{ 1 }}" + strings.Repeat("x", expression.MaxSource),
	"a giant number":   "{{ " + strings.Repeat("9", 60000) + " }}",
	"a giant pattern":  "{{ 'a' | regex_search('" + strings.Repeat("(", 20000) + "') }}",
}

// trap is the payload of an event, as hostile as one of a megabyte can be. Judges
// only read it.
var trap = sync.OnceValue(func() map[string]any {
	items := make([]any, 20_000)
	for i := range items {
		items[i] = map[string]any{"n": int64(i), "s": "aaaaaaaaaaaaaaaa"}
	}
	return map[string]any{"n": int64(1), "long": strings.Repeat("a", 1<<19), "items": items, "trap": strings.Repeat("a", 5000) + "!"}
})

// caged judges an event by the rule, three times where the machine is busy, and
// wants it to end in time and in little memory.
func caged(t *testing.T, rule *attune.Rule, action *attune.Action) (m rules.Match, faults []attune.Fault) {
	t.Helper()
	rule.Ref, rule.Trigger, rule.Action, rule.Enabled = "t.r", "t.t", "a.b", true
	event := &attune.Event{Trigger: rule.Trigger, Accepted: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
	body := trap()
	var took time.Duration
	var grown int64
	for range 3 {
		took, grown = measured(func() {
			var compiled *rules.Rule
			if compiled, faults = rules.Compile(rule, action); len(faults) == 0 {
				m = compiled.Judge(event, body)
			}
		})
		if took <= mostTime && grown <= mostHeap {
			t.Logf("%v, %d MiB", took, grown>>20)
			return m, faults
		}
	}
	t.Errorf("took %v and %d MiB", took, grown>>20)
	return m, faults
}

// processor is the time that this process has worked so far.
func processor() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// measured runs f and tells how long it took, by the clock or by the processor if
// others kept that busy, and by how much the heap grew beyond what was there:
// everything on it, whether it is still in use or not.
func measured(f func()) (took time.Duration, grown int64) {
	runtime.GC()
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() int64 { metrics.Read(heap); return int64(heap[0].Value.Uint64()) }
	before, done := read(), make(chan struct{})
	most := before
	began, worked := time.Now(), processor()
	go func() { defer close(done); f() }()
	tick := time.NewTicker(500 * time.Microsecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return min(time.Since(began), processor()-worked), max(most, read()) - before
		case <-tick.C:
			most = max(most, read())
		}
	}
}

func acting(parameter string) *attune.Action {
	return &attune.Action{Ref: "a.b", Runner: "noop", Enabled: true, Parameters: map[string]*attune.Parameter{"p": {Type: parameter}}}
}

func TestAHostileTemplateEndsInTheCage(t *testing.T) {
	for name, source := range hostile {
		t.Run(name, func(t *testing.T) {
			for what, rule := range map[string]*attune.Rule{
				"a parameter":        {Parameters: map[string]any{"p": source}},
				"a nested parameter": {Parameters: map[string]any{"p": []any{map[string]any{"x": source}}}},
				"a pattern":          {Criteria: []attune.Criterion{{Path: "trigger.n", Type: "equals", Pattern: source}}},
				"when":               {Criteria: []attune.Criterion{rules.When(source, attune.Position{})}},
			} {
				t.Run(what, func(t *testing.T) {
					m, faults := caged(t, rule, acting(""))
					refused(t, m, faults)
				})
			}
			t.Run("a default", func(t *testing.T) {
				a := acting("")
				a.Parameters["p"].Default, a.Parameters["p"].HasDefault = source, true
				m, faults := caged(t, &attune.Rule{}, a)
				refused(t, m, faults)
			})
		})
	}
}

// refused wants a typed error: a fault, a failure with its code, or an evaluation
// that says why.
func refused(t *testing.T, m rules.Match, faults []attune.Fault) {
	t.Helper()
	switch {
	case len(faults) > 0 && faults[0].Message != "":
	case m.Failure != nil && m.Failure.Message != "" && (m.Failure.Code == rules.CodeRendering || m.Failure.Code == rules.CodeParameters):
		if len(m.Failure.Message) > 64<<10 {
			t.Errorf("its message has %d bytes", len(m.Failure.Message))
		}
	case !m.Matched && m.Evaluation.Error != "":
	default:
		t.Errorf("it ends without an error: %+v", m)
	}
}

func TestADeepSourceIsRefused(t *testing.T) {
	for name, source := range deep {
		t.Run(name, func(t *testing.T) {
			m, faults := caged(t, &attune.Rule{Parameters: map[string]any{"p": source}}, acting(""))
			refused(t, m, faults)
		})
	}
}

// Each of them is within its own bounds; together they would take for ever.
func TestManyTemplatesShareOneCage(t *testing.T) {
	fill := func(n int, text string) (list []any) {
		for range n {
			list = append(list, text)
		}
		return list
	}
	named := func(n int, text string) map[string]any {
		all := map[string]any{}
		for i := range n {
			all[fmt.Sprint("p", i)] = text
		}
		return all
	}
	criteria := func(n int, kind, pattern string) (all []attune.Criterion) {
		for i := range n {
			all = append(all, attune.Criterion{Path: fmt.Sprint("trigger.trap#", i), Type: kind, Pattern: pattern})
		}
		return all
	}
	const (
		failing  = "{% for a in range(10000) %}{{ range(10000) | sum }}{% endfor %}"
		passing  = "{% for a in range(9000) %}{% for b in range(40) %}{% endfor %}{% endfor %}x"
		growing  = "{{ 'x' * 1000000 }}"
		patience = "{{ ('a' * 22 ~ 'b') | regex_search('(?=a)(a+)+$') }}"
	)
	for name, rule := range map[string]*attune.Rule{
		"that fail, in one parameter":         {Parameters: map[string]any{"p": fill(2000, failing)}},
		"that fail, in many parameters":       {Parameters: named(2000, failing)},
		"that pass, in one parameter":         {Parameters: map[string]any{"p": fill(2000, passing)}},
		"that pass, in criteria":              {Criteria: criteria(150, "nequals", passing)},
		"that give much":                      {Parameters: map[string]any{"p": fill(2000, growing)}},
		"that repeat what the event holds":    {Parameters: map[string]any{"p": fill(2000, "{{ trigger.long }}")}},
		"that backtrack":                      {Parameters: map[string]any{"p": fill(2000, patience)}},
		"that backtrack in a loop":            {Parameters: map[string]any{"p": "{% for i in range(10000) %}" + patience + "{% endfor %}"}},
		"more criteria than anybody can read": {Criteria: criteria(201, "equals", "x")},
	} {
		t.Run(name, func(t *testing.T) {
			m, faults := caged(t, rule, nil)
			refused(t, m, faults)
		})
	}
}

// Operators meet what an event holds and what a rule says, both as large and as
// unlucky as can be. They give a verdict or an error, in time.
func TestAHostileCriterionEndsInTheCage(t *testing.T) {
	child := func(kind string, pattern any) map[string]any {
		return map[string]any{"item.s": map[string]any{"type": kind, "pattern": pattern}}
	}
	for name, c := range map[string]attune.Criterion{
		"a catastrophic expression":          {Path: "trigger.trap", Type: "regex", Pattern: "(?=a)(a+)+$"},
		"a catastrophic match":               {Path: "trigger.trap", Type: "matchregex", Pattern: "(?=a)(a|aa)+$"},
		"an expression with much repetition": {Path: "trigger.long", Type: "regex", Pattern: "(a?){500}b"},
		"a wide expression":                  {Path: "trigger.long", Type: "iregex", Pattern: "(x|a){1,90}(y|a){1,90}z"},
		"a search that backtracks":           {Path: "trigger.items", Type: "search any", Pattern: child("regex", "(?=a)(a+)+b")},
		"a search that backtracks a little":  {Path: "trigger.items", Type: "search any", Pattern: child("regex", "(?=a)(a|a|aa)+b")},
		"a search with a heavy expression":   {Path: "trigger.items", Type: "search any", Pattern: child("regex", "(a?){900}b")},
		"a search with heavy templates":      {Path: "trigger.items", Type: "search any", Pattern: child("equals", "{{ 'x' * 1000000 }}")},
		"an unlucky wildcard":                {Path: "trigger.long", Type: "matchwildcard", Pattern: strings.Repeat("*a", 30000) + "b"},
		"a wildcard of sets":                 {Path: "trigger.long", Type: "matchwildcard", Pattern: strings.Repeat("*[a-b]", 9000) + "c"},
		"a wildcard of one long set":         {Path: "trigger.long", Type: "matchwildcard", Pattern: "*[" + strings.Repeat("xyz", 9000) + "]b"},
		"a long text within a long one":      {Path: "trigger.long", Type: "icontains", Pattern: strings.Repeat("a", 1<<18) + "b"},
		"a list within itself":               {Path: "trigger.items", Type: "in", Pattern: "{{ trigger.items }}"},
		"every item of a list":               {Path: "trigger.items", Type: "contains", Pattern: "{{ trigger.items }}"},
		"a path that looks everywhere":       {Path: "trigger..x", Type: "exists"},
		"a path that looks everywhere often": {Path: "trigger..a..b..c..d", Type: "exists"},
		"a path of stars":                    {Path: "trigger.items[*].n.*", Type: "exists"},
		"a date of a megabyte":               {Path: "trigger.long", Type: "timediff_lt", Pattern: int64(60)},
		"an order of long lists":             {Path: "trigger.items", Type: "lessthan", Pattern: "{{ trigger.items }}"},
	} {
		t.Run(name, func(t *testing.T) {
			m, faults := caged(t, &attune.Rule{Criteria: []attune.Criterion{c}}, acting(""))
			if len(faults) == 0 && len(m.Evaluation.Criteria) != 1 {
				t.Errorf("it gives no verdict: %+v", m)
			}
		})
	}
}
