package expression_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/attune-automation/attune/expression"
)

func TestATreeIsRenderedWithNativeTypesAndWithoutTouchingItsInput(t *testing.T) {
	build := func() map[string]any {
		return map[string]any{
			"cmd": "echo {{ n }}", "count": "{{ n }}", "plain": 7, "none": nil,
			"hosts": []any{"{{ host }}", "b", []string{"{{ n + 1 }}"}}, "{{ key }}": map[string]any{"x": "{{ host }}!"},
		}
	}
	in := build()
	got, err := expression.RenderTree(in, expression.Scope{"n": int64(3), "host": "a"})
	want := map[string]any{
		"cmd": "echo 3", "count": int64(3), "plain": int64(7), "none": nil,
		"hosts": []any{"a", "b", []any{int64(4)}}, "{{ key }}": map[string]any{"x": "a!"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, %v", got, err)
	}
	if !reflect.DeepEqual(in, build()) {
		t.Errorf("the input became %#v", in)
	}
}

func TestTwoRendersOfATreeShareNothingThatTheyMade(t *testing.T) {
	tree, err := expression.CompileTree(map[string]any{"a": []any{"x", map[string]any{"y": 1}}})
	if err != nil || !tree.Constant() {
		t.Fatal(err, tree.Constant())
	}
	first, _ := tree.Render(nil)
	first.(map[string]any)["a"].([]any)[1].(map[string]any)["y"] = "changed"
	second, _ := tree.Render(nil)
	if got := second.(map[string]any)["a"].([]any)[1].(map[string]any)["y"]; got != int64(1) {
		t.Errorf("got %v", got)
	}
}

func TestEveryErrorOfATreeIsReportedWithItsPath(t *testing.T) {
	_, err := expression.CompileTree(map[string]any{"a": []any{"{{ 1 ", "ok"}, "b c": "{% nope %}", "d": map[string]any{"e": make(chan int)}})
	for _, want := range []string{"a[0]: ", "['b c']: ", "d.e: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	_, err = expression.RenderTree(map[string]any{"cmd": "{{ x }}", "list": []any{"{{ y.z }}", "{{ 1 }}"}}, nil)
	for _, want := range []string{"cmd: x is not defined", "list[0]: y is not defined"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

func TestATreeThatHoldsItselfIsRefused(t *testing.T) {
	loop := map[string]any{}
	loop["self"] = loop
	if _, err := expression.CompileTree(loop); expression.KindOf(err) != expression.Budget {
		t.Error(err)
	}
	if _, err := expression.Render("{{ loop }}!", expression.Scope{"loop": loop}); expression.KindOf(err) != expression.Budget {
		t.Error(err)
	}
}
