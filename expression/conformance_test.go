package expression_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/attune-automation/attune/expression"
)

// conformance is what Jinja 3.1 with StrictUndefined made of each template;
// testdata/jinja.json was recorded from it.
type conformance struct {
	Scope json.RawMessage `json:"scope"`
	Cases []struct {
		Template string `json:"template"`
		Text     string `json:"text"`
		Error    string `json:"error"`
	} `json:"cases"`
}

func recorded(t testing.TB) (conformance, expression.Scope) {
	t.Helper()
	file, err := os.ReadFile("testdata/jinja.json")
	if err != nil {
		t.Fatal(err)
	}
	var c conformance
	if err := json.Unmarshal(file, &c); err != nil {
		t.Fatal(err)
	}
	scope, err := expression.DecodeJSON(c.Scope)
	if err != nil {
		t.Fatal(err)
	}
	return c, scope.(map[string]any)
}

func TestTemplatesRenderAsInJinja(t *testing.T) {
	c, scope := recorded(t)
	for _, want := range c.Cases {
		template, err := expression.Compile(want.Template)
		text := ""
		if err == nil {
			text, err = template.RenderText(scope)
		}
		if got := string(expression.KindOf(err)); got != want.Error || err != nil && got == "" {
			t.Errorf("%s\n got error %v\nwant kind %q, text %q", want.Template, err, want.Error, want.Text)
			continue
		}
		if text != want.Text {
			t.Errorf("%s\n got %q\nwant %q", want.Template, text, want.Text)
		}
	}
}
