package expression_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/attune-automation/attune/expression"
)

// testdata/yaml.json holds what PyYAML's safe_dump makes of a value with an
// indent, in block style and without folding.
func TestYAMLIsLaidOutAsInPython(t *testing.T) {
	file, err := os.ReadFile("testdata/yaml.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][3]json.RawMessage
	if err := json.Unmarshal(file, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		v, err := expression.DecodeJSON(c[0])
		if err != nil {
			t.Fatal(err)
		}
		var want string
		if err := json.Unmarshal(c[2], &want); err != nil {
			t.Fatal(err)
		}
		scope := expression.Scope{"v": v, "indent": nil}
		if scope["indent"], err = expression.DecodeJSON(c[1]); err != nil {
			t.Fatal(err)
		}
		got, err := expression.Render("{{ v | to_yaml_string(indent) }}", scope)
		// A text that only one version of YAML takes for a number is quoted too.
		if quoted := "'" + strings.TrimSuffix(want, "\n...\n") + "'\n"; err != nil || got != want && got != quoted {
			t.Errorf("%s: got %q %v, want %q", c[0], got, err, want)
		}
	}
}

// FuzzYAML: what is written reads back the same, whatever the text looks like.
func FuzzYAML(f *testing.F) {
	for _, text := range []string{"a\nb", "\n", " a\n b\n", "\t", "a\r\nb", "\x00", "\u0085\u2028\u2029\ufeff", "- a: b", "0o17", "0O17", "+_0", "1_0", "1e5", ".5", "0b1", "y", "~", "2024-1-1 10:00:00", "1:2:3", "\\", "\"'", "é\u00a0", "😀", "# a", "a #b", "? a", "!x", "%x", "a:", ":", "-", "--- a", "+.inf", strings.Repeat("long words ", 30)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "?")
		if len(text) > 500 {
			return
		}
		v := map[string]any{"v": []any{text, []any{text}, map[string]any{"k": text}}, "k" + text: text}
		out, err := expression.Render("{{ v | to_yaml_string }}", expression.Scope{"v": v})
		if err != nil {
			t.Fatal(err)
		}
		var back any
		if err := yaml.Unmarshal([]byte(out.(string)), &back); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if !reflect.DeepEqual(back, any(v)) {
			t.Errorf("%q reads back as %#v", out, back)
		}
	})
}
