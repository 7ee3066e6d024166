package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// target is one fuzz test.
type target struct{ path, dir, name string }

// fuzzAll feeds every fuzz target of the packages, in order, and counts each as one
// test. A package that does not build is the affair of the tests before.
func fuzzAll(patterns, excluded []string, each time.Duration, t *tally) error {
	all, err := targetsIn(patterns)
	if err != nil {
		return err
	}
	var targets []target
	for _, one := range all {
		if below(t.module, one.path, excluded) {
			t.leaveOut("fuzzing", "excluded, see FUZZ_EXCLUDE in the Makefile", one.path+" "+one.name)
			continue
		}
		targets = append(targets, one)
	}
	if len(targets) == 0 {
		return nil
	}
	fmt.Fprintf(t.out, "\nfuzzing %d targets for %s each\n", len(targets), each)
	for _, one := range targets {
		one.feed(each, t)
	}
	return nil
}

// declaration is the begin of a fuzz test. To ask the test binaries instead would
// mean to link all of them first.
var declaration = regexp.MustCompile(`(?m)^func (Fuzz\w*)\(\w+ \*testing\.F\)`)

func targetsIn(patterns []string) ([]target, error) {
	format := "{{$p := .}}{{range .TestGoFiles}}{{$p.ImportPath}}\t{{$p.Dir}}\t{{.}}\n{{end}}{{range .XTestGoFiles}}{{$p.ImportPath}}\t{{$p.Dir}}\t{{.}}\n{{end}}"
	out, err := output("go", append([]string{"list", "-e", "-f", format}, patterns...)...)
	if err != nil {
		return nil, err
	}
	var all []target
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 3 {
			continue
		}
		text, err := os.ReadFile(filepath.Join(fields[1], fields[2]))
		if err != nil {
			return nil, err
		}
		for _, m := range declaration.FindAllSubmatch(text, -1) {
			all = append(all, target{fields[0], fields[1], string(m[1])})
		}
	}
	slices.SortFunc(all, func(a, b target) int { return strings.Compare(a.path+" "+a.name, b.path+" "+b.name) })
	return all, nil
}

// What go test says of a target: how often it was called, and the file of an input
// that fails.
var (
	executions = regexp.MustCompile(`execs: (\d+)`)
	written    = regexp.MustCompile(`Failing input written to (\S+)`)
)

// atFault is what go test says where an input fails, whatever it says behind it.
var atFault = regexp.MustCompile(`Failing input written to |failing input file|failure while testing seed corpus entry`)

// ranOut tells whether the end of its time was all that was wrong with a target.
// go test then says so and nothing else, at times: which of two contexts ends
// first is a race within it. The words alone could be the product's.
func ranOut(name string, out []byte) bool {
	only := regexp.MustCompile(`(?m)^--- FAIL: ` + name + ` \([0-9.]+s\)\n    context deadline exceeded$`)
	return only.Match(out) && !atFault.Match(out)
}

// feed runs one target, and once more where nothing but the end of its time was
// wrong.
func (g target) feed(each time.Duration, t *tally) {
	for range 2 {
		began := time.Now()
		cmd := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+g.name+"$", "-fuzztime", each.String(), "-parallel", "2", g.path)
		out, err := cmd.CombinedOutput()
		took := time.Since(began).Seconds()
		calls := "0"
		if all := executions.FindAllSubmatch(out, -1); len(all) > 0 {
			calls = string(all[len(all)-1][1])
		}
		if err == nil {
			t.passed++
			fmt.Fprintf(t.out, "ok    %-36s %7.2fs  %s inputs\n", t.short(g.path)+" "+g.name, took, calls)
			return
		}
		input := written.FindSubmatch(out)
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ranOut(g.name, out) {
			continue
		}
		t.failed++
		fmt.Fprintf(t.out, "FAIL  %-36s %7.2fs  after %s inputs\n", t.short(g.path)+" "+g.name, took, calls)
		fmt.Fprint(t.out, indent(string(out)))
		if input != nil {
			fmt.Fprintf(t.out, "      the input that fails is %s\n", filepath.Join(g.dir, string(input[1])))
		} else if err != nil {
			fmt.Fprintf(t.out, "      %v\n", err)
		}
		return
	}
	t.leaveOut("fuzzing", "go test took the end of its time for a failure, twice", t.short(g.path)+" "+g.name)
}
