package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write makes a module called m of the given files and goes there.
func write(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module m\n\ngo 1.26.0\n"
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

const mixed = `package a
import "testing"
func TestPasses(t *testing.T) {}
func TestParent(t *testing.T) {
	t.Run("one", func(*testing.T) {})
	t.Run("two/three", func(t *testing.T) { t.Error("loud") })
}
func TestLeavesOut(t *testing.T) { t.Skip("left out: cgroup2: no such mount") }
func TestLeavesOutToo(t *testing.T) { t.Skip("left out: cgroup2: no such mount") }
func TestSkips(t *testing.T) { t.Skip("only on Sundays") }
`

func TestRun(t *testing.T) {
	t.Setenv("CGO_ENABLED", "0") // no race detector
	t.Setenv("ATTUNE_TEST_REQUIRE", "root")
	write(t, map[string]string{
		"a/a_test.go": mixed,
		"b/b_test.go": "package b\nimport \"testing\"\nfunc TestPanics(t *testing.T) { panic(\"oh\") }\nfunc TestNever(t *testing.T) {}\n",
		"c/c_test.go": "package c\nfunc f() { undefined() }\n",
		"d/d.go":      "package d\n",
		"f/f.go":      "pakage f\n",
		"e/e_test.go": "package e\nimport \"testing\"\nfunc TestPasses(t *testing.T) {}\n",
	})
	var out strings.Builder
	failed, err := run([]string{"./...", "--", "-vet=off"}, &out)
	if err != nil || !failed {
		t.Fatalf("failed = %t, %v, want a failure and no error\n%s", failed, err, out.String())
	}
	for _, want := range []string{
		"FAIL  a ", "a_test.go:6: loud",
		"FAIL  b ", "panic: oh",
		"FAIL  c ", "undefined: undefined",
		"ok    e ",
		"FAIL  f ", "expected 'package'",
		"no tests in d\n",
		"  race: no C compiler, or CGO_ENABLED=0 (all packages)\n",
		"  cgroup2: no such mount (a TestLeavesOut, a TestLeavesOutToo)\n",
		"  a test: only on Sundays (a TestSkips)\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if want := "\n3 passed, 4 failed, 3 skipped\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("the output does not end with %q", want)
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestWhatIsRequiredAndLeftOutFails(t *testing.T) {
	t.Setenv("CGO_ENABLED", "0")
	write(t, map[string]string{
		"a/a_test.go": "package a\nimport \"testing\"\nfunc TestSkips(t *testing.T) { t.Skip(\"left out: postgres server: none here\") }\n",
	})
	for require, want := range map[string]bool{"": false, "cgroup2": false, "root, postgres": true, "race": true} {
		t.Setenv("ATTUNE_TEST_REQUIRE", require)
		var out strings.Builder
		if failed, err := run(nil, &out); err != nil || failed != want {
			t.Errorf("with %q required: failed = %t, %v, want %t\n%s", require, failed, err, want, out.String())
		}
		if !strings.HasSuffix(out.String(), "\n0 passed, 0 failed, 1 skipped\n") {
			t.Errorf("the output does not end with the counts:\n%s", out.String())
		}
	}
}

func TestFuzzTargetsAreFedAndAFailingInputIsNamed(t *testing.T) {
	t.Setenv("CGO_ENABLED", "0")
	write(t, map[string]string{
		"a/a_test.go":   "package a\nimport \"testing\"\nfunc FuzzGood(f *testing.F) { f.Fuzz(func(t *testing.T, b []byte) {}) }\nfunc TestPasses(t *testing.T) {}\n",
		"c/d/d_test.go": "package d\nimport \"testing\"\nfunc FuzzSlow(f *testing.F) { f.Fuzz(func(t *testing.T, b []byte) {}) }\n",
		"b/b_test.go":   "package b_test\nimport \"testing\"\nfunc FuzzBad(f *testing.F) { f.Fuzz(func(t *testing.T, n int) { if n != 0 { t.Error(\"loud\") } }) }\n",
	})
	var out strings.Builder
	failed, err := run([]string{"-fuzz", "300ms", "-fuzz-exclude", "c", "./..."}, &out)
	if err != nil || !failed {
		t.Fatalf("failed = %t, %v, want a failure and no error\n%s", failed, err, out.String())
	}
	for _, want := range []string{"fuzzing 2 targets for 300ms each\n", "ok    a FuzzGood ", "FAIL  b FuzzBad ", "loud", "the input that fails is ", "  fuzzing: excluded, see FUZZ_EXCLUDE in the Makefile (c/d FuzzSlow)\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if want := "\n5 passed, 1 failed, 0 skipped\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("the output does not end with %q", want)
	}
	if kept, err := filepath.Glob("b/testdata/fuzz/FuzzBad/*"); err != nil || len(kept) != 1 {
		t.Errorf("kept is %v, %v", kept, err)
	}
	var again strings.Builder
	if failed, err := run([]string{"-only-fuzz", "-fuzz", "300ms", "./a"}, &again); err != nil || failed || !strings.HasSuffix(again.String(), "\n1 passed, 0 failed, 0 skipped\n") {
		t.Errorf("failed = %t, %v\n%s", failed, err, again.String())
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// What a target says of a deadline of its own is a failure like any other.
func TestAFailureThatSpeaksOfADeadlineIsAFailure(t *testing.T) {
	t.Setenv("CGO_ENABLED", "0")
	write(t, map[string]string{
		"a/a_test.go": "package a\nimport \"testing\"\nfunc FuzzBad(f *testing.F) { f.Add(0); f.Fuzz(func(t *testing.T, n int) { t.Error(\"context deadline exceeded\") }) }\n",
		"b/b_test.go": "package b\nimport (\"fmt\"; \"testing\")\nfunc FuzzWorse(f *testing.F) { fmt.Println(\"context deadline exceeded\"); f.Fatal(\"\\n    context deadline exceeded\") }\n",
	})
	var out strings.Builder
	if failed, err := run([]string{"-only-fuzz", "-fuzz", "300ms"}, &out); err != nil || !failed || !strings.HasSuffix(out.String(), "\n0 passed, 2 failed, 0 skipped\n") {
		t.Errorf("failed = %t, %v\n%s", failed, err, out.String())
	}
}

// What go test writes when the end of the time is all that was wrong, and what
// only looks like it. It comes too seldom to wait for it.
func TestTheEndOfTheTimeIsNoFailure(t *testing.T) {
	const begin = "fuzz: elapsed: 5s, execs: 126 (0/sec), new interesting: 0 (total: 114)\n--- FAIL: FuzzA (5.03s)\n"
	for _, c := range []struct {
		name, out string
		want      bool
	}{
		{"the end of the time", begin + "    context deadline exceeded\nFAIL\nexit status 1\nFAIL\tm/a\t5.040s\n", true},
		{"a test that says so", begin + "    --- FAIL: FuzzA (0.00s)\n        a_test.go:5: context deadline exceeded\nFAIL\n", false},
		{"of another target", strings.ReplaceAll(begin, "FuzzA", "FuzzAll") + "    context deadline exceeded\nFAIL\n", false},
		{"with an input that fails", begin + "    context deadline exceeded\n    Failing input written to testdata/fuzz/FuzzA/1\nFAIL\n", false},
		{"with an input that it had no time to make smaller", "fuzz: minimizing 34-byte failing input file\n" + begin + "    context deadline exceeded\nFAIL\n", false},
		{"in other words", begin + "    context deadline exceeded (Client.Timeout exceeded)\nFAIL\n", false},
		{"while a kept input fails", "failure while testing seed corpus entry: FuzzA/1\n" + begin + "    context deadline exceeded\nFAIL\n", false},
	} {
		if got := ranOut("FuzzA", []byte(c.out)); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

func TestNothingToRunDoesNotPass(t *testing.T) {
	write(t, map[string]string{"a.go": "package m\n"})
	for _, args := range [][]string{{"./none/..."}, {"-nonsense"}, {"--", "-mod=nonsense"}} {
		if failed, err := run(args, &strings.Builder{}); err == nil && !failed {
			t.Errorf("%q passes", args)
		}
	}
}

func TestSplit(t *testing.T) {
	m := module{"m", []string{"m", "m/persistence", "m/persistence/sqlite", "m/persistence/sqlite/x", "m/persistence/sqlite3"}}
	raced, plain := split(m, []string{"persistence/sqlite"})
	if want := []string{"m/persistence/sqlite", "m/persistence/sqlite/x"}; !slices.Equal(plain, want) {
		t.Errorf("without the race detector: %q, want %q", plain, want)
	}
	if want := []string{"m", "m/persistence", "m/persistence/sqlite3"}; !slices.Equal(raced, want) {
		t.Errorf("with the race detector: %q, want %q", raced, want)
	}
}

// What go test writes when its process is killed: no event of an end for the test.
func TestATestThatNeverEndsHasFailed(t *testing.T) {
	var out strings.Builder
	tally := newTally("m", &out)
	err := tally.read(strings.NewReader(`{"Action":"run","Package":"m/a","Test":"TestHangs"}
{"Action":"output","Package":"m/a","Test":"TestHangs","Output":"waiting\n"}
not an event
{"Action":"fail","Package":"m/a","Elapsed":1}
`))
	if err != nil || tally.failed != 1 {
		t.Fatalf("%d failed, %v, want 1", tally.failed, err)
	}
	for _, want := range []string{"waiting", "not an event"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
}
