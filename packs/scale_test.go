package packs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/attune-automation/attune/packs"
)

// forest writes packs with actions like those of the exchange: ten parameters
// each, one in a hundred of which says more than a type.
func forest(t testing.TB, folders, each int) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for p := range folders {
		pack := fmt.Sprintf("pack_%03d", p)
		write(pack+"/pack.yaml", "name: "+pack+"\ndescription: One of many.\nversion: 1.0.0\nauthor: us\n")
		write(pack+"/actions/run.sh", "#!/bin/sh\n")
		for a := range each {
			var b strings.Builder
			fmt.Fprintf(&b, "---\nname: action_%d\npack: %s\nrunner_type: local-shell-script\ndescription: Does the thing number %d, and says so at some length.\nenabled: true\nentry_point: run.sh\nparameters:\n", a, pack, a)
			for n := range 8 {
				fmt.Fprintf(&b, "  parameter_%d:\n    type: string\n    description: The parameter number %d of the action, which is for something.\n    required: %t\n", n, n, n < 3)
			}
			fmt.Fprintf(&b, "  count:\n    type: integer\n    default: %d\n    immutable: true\n", a)
			if a%10 == 0 {
				b.WriteString("  hosts:\n    type: array\n    items: {type: object, properties: {name: {type: string, required: true}, port: {type: integer, minimum: 1, default: 22}}}\n")
			} else {
				b.WriteString("  target:\n    type: string\n    default: 'http://{{ parameter_0 }}/{{ count }}'\n    secret: true\n")
			}
			write(fmt.Sprintf("%s/actions/action_%d.yaml", pack, a), b.String())
		}
	}
	return dir
}

// grown is what fill leaves on the heap, in bytes.
func grown(fill func() any) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := fill()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

func BenchmarkTenThousandActions(b *testing.B) {
	dir := forest(b, 100, 100)
	for b.Loop() {
		s := packs.NewSnapshot(append(packs.Load(dir), builtIn(b)))
		if n := len(s.Actions()); n != 10_005 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(grown(func() any { return packs.NewSnapshot(packs.Load(dir)) }))/(1<<20), "MB-kept")
}

// The bounds are one and a half times what was measured; ten thousand actions
// cost fifty times as much, and all of it has to fit into 300 MB.
func TestActionsStaySmall(t *testing.T) {
	const actions = 200
	dir := forest(t, 5, actions/5)
	if perAction := grown(func() any { return packs.NewSnapshot(packs.Load(dir)) }) / actions; perAction > 7_100 {
		t.Errorf("an action takes %d bytes, at most 7100", perAction)
	} else {
		t.Logf("an action takes %d bytes", perAction)
	}
	allocs := testing.AllocsPerRun(1, func() { packs.NewSnapshot(packs.Load(dir)) }) / actions
	if allocs > 1_650 {
		t.Errorf("loading an action allocates %.0f times, at most 1650", allocs)
	}
	t.Logf("loading an action allocates %.0f times", allocs)
}
