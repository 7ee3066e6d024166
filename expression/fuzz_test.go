package expression_test

import (
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/attune-automation/attune/expression"
)

// FuzzRender looks for a panic, an error without a kind, a second render that
// differs from the first, and a changed scope.
func FuzzRender(f *testing.F) {
	c, scope := recorded(f)
	_, untouched := recorded(f)
	for _, seed := range c.Cases {
		f.Add(seed.Template)
	}
	for _, seed := range []string{"{{", "{%", "{#", "}}", "{{ '", "{{ a.b[", "{% raw %}", "{%- raw -%}x{%- endraw -%}", "{{ -}}", "{{+1}}", "{{ '\\x' }}", "{{ '\\ud800' }}", "\xff{{ '\xff' }}", "{% set a", "{{ a(", "{{ a|b(", "{% macro"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		template, err := expression.Compile(source)
		if err != nil {
			if kind := expression.KindOf(err); kind == "" || kind == expression.Internal {
				t.Fatalf("%q: %v", source, err)
			}
			return
		}
		first, err := template.Render(scope)
		if kind := expression.KindOf(err); err != nil && (kind == "" || kind == expression.Internal) {
			t.Fatalf("%q: %v", source, err)
		}
		second, again := template.Render(scope)
		if fmt.Sprint(first) != fmt.Sprint(second) || fmt.Sprint(err) != fmt.Sprint(again) {
			t.Fatalf("%q: %v, %v and then %v, %v", source, first, err, second, again)
		}
		if !reflect.DeepEqual(scope, untouched) {
			t.Fatalf("%q changed its scope", source)
		}
	})
}

func TestOneTemplateRendersInManyGoroutinesAtOnce(t *testing.T) {
	c, scope := recorded(t)
	tree, err := expression.CompileTree(map[string]any{"a": "{{ i }}", "b": []any{"{{ d }}", "x{{ s }}"}})
	if err != nil {
		t.Fatal(err)
	}
	var templates []*expression.Template
	var want []string
	for _, one := range c.Cases {
		if template, err := expression.Compile(one.Template); err == nil && one.Error == "" {
			templates, want = append(templates, template), append(want, one.Text)
		}
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i, template := range templates {
				if got, err := template.RenderText(scope); got != want[i] || err != nil {
					t.Errorf("%q = %q, %v", template.Source(), got, err)
				}
				if _, err := tree.Render(scope); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}
