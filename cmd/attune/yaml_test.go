package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestYAML(t *testing.T) {
	for _, c := range [][2]string{
		{`{"b":1,"a":{"x":[],"y":{}},"l":[{"k":"v","m":[1,[2]]},"s",null]}`, "b: 1\na:\n  x: []\n  \"y\": {}\nl:\n  - k: v\n    m:\n      - 1\n      - - 2\n  - s\n  - null\n"},
		{`{"t":"yes","n":"1","d":"2026-01-31","e":"","c":"a: b","nl":"a\nb","u":"é","big":12345678901234567890}`,
			"t: \"yes\"\n\"n\": \"1\"\nd: \"2026-01-31\"\ne: \"\"\nc: \"a: b\"\nnl: \"a\\nb\"\nu: \"é\"\nbig: 12345678901234567890\n"},
		{`[]`, "[]\n"}, {`"x"`, "x\n"}, {`true`, "true\n"},
	} {
		var b strings.Builder
		if err := writeYAML(&b, json.RawMessage(c[0])); err != nil || b.String() != c[1] {
			t.Errorf("%s: %v\n%s\nwant\n%s", c[0], err, b.String(), c[1])
		}
	}
}

func TestLinesDoNothingToATerminal(t *testing.T) {
	if got := line("a\nb\x1b[31mc\u009bd\x7f"); got != "a b�[31mc�d�" {
		t.Errorf("%q", got)
	}
}
