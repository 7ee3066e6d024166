package expression

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

var pathScope = Scope{
	"trigger": map[string]any{
		"x": int64(1), "nil": nil, "text": "héllo", "items": []any{1, "a", nil},
		"body": map[string]any{
			"alerts": []any{map[string]any{"labels": map[string]any{"name": "disk", "a b": true}}},
			"7":      "seven", "n": json.Number("12"), "strings": []string{"p", "q"}, "m": map[string]int{"k": 3},
			"f": float32(0.5), "bad": make(chan int),
		},
	},
	"x": "top", "range": int64(5),
}

// both renders with and without the short cut, and fails where they differ.
func both(t *testing.T, source string, scope Scope) {
	t.Helper()
	template, err := Compile(source)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	if template.path == nil {
		t.Fatalf("%s is not a path", source)
	}
	fast, fastErr := template.Render(scope)
	slow, slowErr := template.render(scope, &Purse{})
	if !reflect.DeepEqual(fast, slow) || !reflect.DeepEqual(fastErr, slowErr) {
		t.Errorf("%s\nfast %#v, %v\nslow %#v, %v", source, fast, fastErr, slow, slowErr)
	}
}

func TestThePathGivesWhatTheRunGives(t *testing.T) {
	for _, source := range []string{
		"{{ x }}", "{{ trigger.x }}", "{{ trigger['x'] }}", "{{ trigger.body.alerts[0].labels.name }}",
		"{{ trigger.body.alerts[0].labels['a b'] }}", "{{ trigger.body.alerts[-1] }}", "{{ trigger.body.alerts.0 }}",
		"{{ trigger.body[7] }}", "{{ trigger.body['7'] }}", "{{ trigger.body.n }}", "{{ trigger.body.strings }}",
		"{{ trigger.body.strings[1] }}", "{{ trigger.body.m }}", "{{ trigger.body.m.k }}", "{{ trigger.body.f }}",
		"{{ trigger.text[1] }}", "{{ trigger.text[-9] }}", "{{ trigger.text.x }}", "{{ trigger.nil }}", "{{ trigger.nil.x }}",
		"{{ trigger.items }}", "{{ trigger.items[9] }}", "{{ trigger.items.a }}", "{{ trigger.items[0] }}", "{{ trigger.x.y }}",
		"{{ missing }}", "{{ missing.x }}", "{{ range }}", "{{ dict }}", "{{ dict.x }}", "{{ trigger.body.bad }}", "{{ trigger.body.bad.x }}", "{{ trigger }}",
	} {
		both(t, source, pathScope)
	}
}

func TestRandomPathsGiveWhatTheRunGives(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	steps := []string{".x", ".nil", ".text", ".items", ".body", ".alerts", "[0]", "[-1]", "[7]", ".labels", "['a b']", ".n", ".strings", ".m", ".k", "['7']", ".name"}
	for range 3000 {
		source := []string{"trigger", "trigger.body", "trigger.body.alerts[0]", "x"}[random.IntN(4)]
		for range random.IntN(4) {
			source += steps[random.IntN(len(steps))]
		}
		both(t, "{{ "+source+" }}", pathScope)
	}
}

func TestAPlainLookUpAllocatesNothing(t *testing.T) {
	template, err := Compile("{{ trigger.body.alerts[0].labels.name }}")
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if v, err := template.Render(pathScope); v != "disk" || err != nil {
			t.Fatal(v, err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLookUp(b *testing.B) {
	benchmark(b, "{{ trigger.body.alerts[0].labels.name }}")
}

func BenchmarkText(b *testing.B) {
	benchmark(b, "disk {{ trigger.body.alerts[0].labels.name }} on {{ x | upper }}")
}

func BenchmarkConstant(b *testing.B) { benchmark(b, strings.Repeat("no template ", 10)) }

func benchmark(b *testing.B, source string) {
	template, err := Compile(source)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := template.Render(pathScope); err != nil {
			b.Fatal(err)
		}
	}
}
