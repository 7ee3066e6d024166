// Command testrun runs the tests of the repository and says what it left out.
//
//	go run ./internal/testrun [-race-exclude "folder …"] [-timeout 10m] [-fuzz 5s] [-fuzz-exclude "folder …"] [-only-fuzz] [packages] [-- flags of go test]
//
// With a C compiler it turns the race detector on, except for the packages in or below
// an excluded folder. It prints one line per package, the whole output of what failed,
// then everything that was left out and why, and at the end one line of the form
//
//	12 passed, 0 failed, 3 skipped
//
// With -fuzz each fuzz target of the packages is then fed new inputs for that long,
// one after the other, and prints a line of its own. An input that fails is kept in
// the target's testdata, and named. -only-fuzz leaves the tests out.
//
// A test that needs what a machine may lack skips itself with "left out: WHAT: REASON".
// ATTUNE_TEST_REQUIRE is a comma list of such words (race, cgroup2, postgres, …): what
// is left out although it is in the list makes the run fail.
//
// The exit status is 0 when everything passed, 1 when something failed or a requirement
// was missed, and 2 when nothing could be run.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

func main() {
	failed, err := run(os.Args[1:], os.Stdout)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(2)
	case failed:
		os.Exit(1)
	}
}

// run does what the package comment says and reports whether anything failed. An error
// means that the tests could not be run at all.
func run(args []string, out io.Writer) (failed bool, err error) {
	flags := flag.NewFlagSet("testrun", flag.ContinueOnError)
	exclude := flags.String("race-exclude", "", "`folders` whose tests run without the race detector")
	timeout := flags.Duration("timeout", 10*time.Minute, "limit for the tests of one package")
	fuzz := flags.Duration("fuzz", 0, "how long each fuzz target is fed new inputs; 0 is not at all")
	fuzzExclude := flags.String("fuzz-exclude", "", "`folders` whose fuzz targets are not fed")
	only := flags.Bool("only-fuzz", false, "fuzz, and run no tests")
	var extra []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, extra = args[:i], args[i+1:]
	}
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	patterns := flags.Args()
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	packages, err := list(patterns)
	if err != nil {
		return false, err
	}
	if *only {
		packages.paths = nil
	}
	began := time.Now()
	t := newTally(packages.module, out)
	raced, plain := split(packages, strings.Fields(*exclude))
	switch why := raceMissing(); {
	case *only: // no tests, so none is run without it
	case why != "":
		raced, plain = nil, packages.paths
		t.leaveOut("race", why, "all packages")
	case len(plain) > 0:
		t.leaveOut("the race detector", "excluded, see RACE_EXCLUDE in the Makefile", plain...)
	}
	common := append([]string{"test", "-json", "-timeout", timeout.String()}, extra...)
	for _, part := range []struct {
		flags, paths []string
	}{{[]string{"-race"}, raced}, {nil, plain}} {
		if len(part.paths) == 0 {
			continue
		}
		if err := goTest(slices.Concat(common, part.flags, part.paths), t); err != nil {
			return false, err
		}
	}
	if *fuzz > 0 {
		if err := fuzzAll(patterns, strings.Fields(*fuzzExclude), *fuzz, t); err != nil {
			return false, err
		}
	}
	return t.finish(words(os.Getenv("ATTUNE_TEST_REQUIRE")), time.Since(began)), nil
}

// module is what there is to test.
type module struct {
	module string // the module's path
	paths  []string
}

func list(patterns []string) (module, error) {
	format := "{{with .Module}}{{.Path}}{{end}} {{.ImportPath}}"
	out, err := output("go", append([]string{"list", "-e", "-f", format}, patterns...)...) // go test says what is broken
	if err != nil {
		return module{}, err
	}
	var m module
	for line := range strings.Lines(out) {
		module, path, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		m.module = cmp.Or(module, m.module) // a broken package has none
		m.paths = append(m.paths, path)
	}
	if len(m.paths) == 0 {
		return m, errors.New("no package matches " + strings.Join(patterns, " "))
	}
	return m, nil
}

// split parts the packages into those that the race detector may watch and those in or
// below an excluded folder.
func split(m module, excluded []string) (raced, plain []string) {
	for _, path := range m.paths {
		if below(m.module, path, excluded) {
			plain = append(plain, path)
		} else {
			raced = append(raced, path)
		}
	}
	return raced, plain
}

// below reports whether a package is in or below one of the folders of the module.
func below(module, path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool { return strings.HasPrefix(path+"/", module+"/"+folder+"/") })
}

// raceMissing says why the race detector cannot run here, or nothing.
func raceMissing() string {
	out, err := output("go", "env", "CGO_ENABLED", "CC")
	if err != nil {
		return err.Error()
	}
	cgo, compiler, _ := strings.Cut(out, "\n")
	fields := strings.Fields(compiler)
	if cgo != "1" || len(fields) == 0 {
		return "no C compiler, or CGO_ENABLED=0"
	}
	if _, err := exec.LookPath(fields[0]); err != nil {
		return "no C compiler: " + err.Error()
	}
	return ""
}

func output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, args[0], err, said.String())
	}
	return string(out), nil
}

// goTest runs go and feeds its events to the tally. A failing test is no error; a go
// command that fails without an event of a failure is.
func goTest(args []string, t *tally) error {
	cmd := exec.Command("go", args...)
	var said strings.Builder
	cmd.Stderr = &said
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	before := t.failed
	readErr := t.read(events)
	err = cmd.Wait()
	if readErr != nil {
		return fmt.Errorf("read the events of go test: %w", readErr)
	}
	if err != nil && t.failed == before {
		return fmt.Errorf("go test: %w\n%s", err, said.String())
	}
	return nil
}

// words parts a list at commas and spaces.
func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
