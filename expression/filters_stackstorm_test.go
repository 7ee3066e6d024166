package expression_test

import (
	"strings"
	"testing"

	"github.com/attune-automation/attune/expression"
)

func TestStackStormFilters(t *testing.T) {
	scope := expression.Scope{
		"text": "web-1 is down, web-2 is up", "n": int64(42), "hostile": strings.Repeat("a", 40) + "!",
		"doc": map[string]any{"people": []any{
			map[string]any{"name": "James", "gender": "Male"}, map[string]any{"name": "Jill"}, map[string]any{"age": int64(3)}}},
	}
	for source, want := range map[string]string{
		`{{ text | regex_match('web') }}`:                                            "True",
		`{{ text | regex_match('is') }}`:                                             "False", // at the beginning only
		`{{ text | regex_match('up|web') }}`:                                         "True",
		`{{ text | regex_match('WEB', ignorecase=true) }}`:                           "True",
		`{{ text | regex_search('is') }}`:                                            "True",
		`{{ text | regex_search('IS') }}`:                                            "False",
		`{{ text | regex_search('IS', true) }}`:                                      "True",
		`{{ n | regex_search('^4') }}`:                                               "True", // anything is made text
		`{{ text | regex_replace('web-(\\d)', '\\1-db') }}`:                          "1-db is down, 2-db is up",
		`{{ text | regex_replace('(?P<h>web)-(?P<n>\\d)', '\\g<n>') }}`:              "1 is down, 2 is up",
		`{{ 'abxd' | regex_replace('x*', '-') }}`:                                    "-a-b--d-", // Go and Python differ here
		`{{ 'ABC' | regex_replace('b', '$1', ignorecase=true) }}`:                    "A$1C",     // $ is nothing special
		`{{ text | regex_substring('web-\\d') }}`:                                    "web-1",
		`{{ text | regex_substring('web-\\d', 1) }}`:                                 "web-2",
		`{{ text | regex_substring('web-\\d', -1) }}`:                                "web-2",
		`{{ text | regex_substring('web-(\\d)', 1) }}`:                               "2", // one group: the group
		`{{ text | regex_substring('(w)eb-(\\d)', 1) }}`:                             "['w', '2']",
		`{{ text | regex_substring('WEB-(?=2)', 0, true) }}`:                         "web-",
		`{{ text | regex_substring('no') }}`:                                         "!matches 0 times",
		`{{ text | regex_substring('web', 2) }}`:                                     "!matches 2 times, and there is no match 2",
		`{{ text | regex_search('(') }}`:                                             "!is wrong",
		`{{ text | regex_search(3) }}`:                                               "!is a str, not a int",
		`{{ text | regex_search() }}`:                                                "!regular expression is a str",
		`{{ text | regex_replace('a', '\\2') }}`:                                     `!names the group "2"`,
		`{{ text | regex_replace('a') }}`:                                            "!replacement is a str",
		`{{ hostile | regex_search('^(a+)+(?!x)$') }}`:                               "!takes too long",
		`{% for i in range(10000) %}{{ text | regex_search('w' ~ i) }}{% endfor %}`:  "!steps of work",
		`{% for i in range(10000) %}{{ text | regex_search('w(?!x)') }}{% endfor %}`: "!steps of work",
		`{{ ('a' * 100000) | regex_replace('a', 'b' * 1000) }}`:                      "!larger than",
		`{% for i in range(1000) %}{{ i | regex_match('5+$') or '' }}{% endfor %}`:   "TrueTrueTrue", // compiled once

		`{{ '1.2.3' | version_compare('1.10.0') }}`:             "-1", // by number, not by text
		`{{ '2.0.0' | version_compare('1.10.0') }}`:             "1",
		`{{ '1.0.0+a' | version_equal('1.0.0+b') }}`:            "True",
		`{{ '1.0.0-rc.1' | version_less_than('1.0.0') }}`:       "True",
		`{{ '1.0.0-rc.2' | version_less_than('1.0.0-rc.10') }}`: "True",
		`{{ '1.0.0-1' | version_less_than('1.0.0-a') }}`:        "True",
		`{{ '1.0.0-a' | version_less_than('1.0.0-a.0') }}`:      "True",
		`{{ '1.0.1' | version_more_than('1.0.0') }}`:            "True",
		`{{ '1.0.0' | version_more_than('1.0.0') }}`:            "False",
		`{{ '1.2.3' | version_match('>=1.2.0') }}`:              "True",
		`{{ '1.2.3' | version_match('!=1.2.3') }}`:              "False",
		`{{ '1.2.3' | version_match('<1.2.3') }}`:               "False",
		`{{ '1.2.3' | version_match('==1.2.3') }}`:              "True",
		`{{ '1.2.3' | version_match('1.2.3') }}`:                "True",
		`{{ '1.2.3' | version_match('=>1.2.3') }}`:              "!does not begin with one of",
		`{{ '1.2' | version_compare('1.2.0') }}`:                "!no semantic version",
		`{{ '01.2.0' | version_compare('1.2.0') }}`:             "!no semantic version",
		`{{ '1.2.0' | version_compare(3) }}`:                    "!a version is a str",
		`{{ '99999999999999999999.0.0' | version_bump_major }}`: "!too large",
		`{{ '1.2.3-rc+b' | version_bump_major }}`:               "2.0.0",
		`{{ '1.2.3' | version_bump_minor }}`:                    "1.3.0",
		`{{ '1.9.9' | version_bump_patch }}`:                    "1.9.10",
		`{{ '1.2.3' | version_strip_patch }}`:                   "1.2",

		`{{ 0 | to_human_time_from_seconds }}`:                 "0s",
		`{{ 0.5 | to_human_time_from_seconds }}`:               "0.5μs",
		`{{ 12 | to_human_time_from_seconds }}`:                "12s",
		`{{ 59.6 | to_human_time_from_seconds }}`:              "1m0s",
		`{{ 4000 | to_human_time_from_seconds }}`:              "1h6m40s",
		`{{ 90061 | to_human_time_from_seconds }}`:             "1d1h1m1s",
		`{{ (86400 * 40) | to_human_time_from_seconds }}`:      "40d0h0m0s", // months are not lost
		`{{ (86400 * 366 + 5) | to_human_time_from_seconds }}`: "1y1d0h0m5s",
		`{{ 1e300 | to_human_time_from_seconds }}`:             "!too many",
		`{{ '3' | to_human_time_from_seconds }}`:               "!seconds are a number",

		`{{ doc | jsonpath_query('people[*].name') }}`:    "['James', 'Jill']",
		`{{ doc | jsonpath_query('$..age') }}`:            "[3]",
		`{{ doc | jsonpath_query('people[0].name') }}`:    "['James']", // always a list
		`{{ doc | jsonpath_query('people[9]') }}`:         "None",
		`{{ doc | jsonpath_query('people[?(@.name)]') }}`: "!neither an index nor a quoted name",
		"{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s | jsonpath_query('$..a') }}":  "!steps of work",
		"{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s | to_yaml_string | length }}": "!",

		`{{ {'b': [1, 'x'], 'a': none} | to_complex }}`:     `{"a": null, "b": [1, "x"]}`,
		`{{ {'b': [1, 'x'], 'a': none} | to_yaml_string }}`: "a: null\nb:\n- 1\n- x\n",
		`{{ range(7) | list | slice(3) | list }}`:           "[[0, 1, 2], [3, 4], [5, 6]]",
		`{{ range(7) | list | slice(3, 'x') | list }}`:      "[[0, 1, 2], [3, 4, 'x'], [5, 6, 'x']]",
		`{{ [1] | slice(3) | list }}`:                       "[[1], [], []]",
		`{{ [1] | slice(0) }}`:                              "!at least 1",
		`{{ [1] | slice(1000000000) }}`:                     "!entries",
	} {
		t.Run(source, func(t *testing.T) {
			compiled, err := expression.Compile(source)
			if err != nil {
				t.Fatal(err)
			}
			got, err := compiled.RenderText(scope)
			if part, fails := strings.CutPrefix(want, "!"); fails {
				if kind := expression.KindOf(err); err == nil || !strings.Contains(err.Error(), part) || kind != expression.Type && kind != expression.Budget {
					t.Errorf("got %q, %v, want %q", got, err, part)
				}
			} else if err != nil || got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}
