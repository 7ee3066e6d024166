package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// event is one line of go test -json; see go doc test2json.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of a build event, instead of Package
	Test        string
	Elapsed     float64 // seconds
	Output      string
	FailedBuild string
}

// unit is one test, or with an empty name the package around its tests.
type unit struct {
	name   string
	output strings.Builder
	action string // pass, fail or skip; empty while it runs
	parent bool   // has subtests, which are counted instead
	blamed bool   // a subtest of it failed
}

// pack is one package under test.
type pack struct {
	unit
	tests map[string]*unit
	order []*unit
}

// omission is something that was left out, and where.
type omission struct {
	what, why string
	where     []string
}

// tally counts test results as they come and prints what is worth reading.
type tally struct {
	module                  string
	out                     io.Writer
	packs                   map[string]*pack
	builds                  map[string]*strings.Builder // what the compiler said, by import path
	omissions               []*omission
	untested                []string // packages without a test
	passed, failed, skipped int
}

func newTally(module string, out io.Writer) *tally {
	return &tally{module: module, out: out, packs: map[string]*pack{}, builds: map[string]*strings.Builder{}}
}

// read takes events until the stream ends. A line that is no event is passed on.
func (t *tally) read(events io.Reader) error {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(t.out, "%s", line)
			} else {
				t.take(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *tally) take(e event) {
	if strings.HasPrefix(e.Action, "build-") {
		said := t.builds[e.ImportPath]
		if said == nil {
			said = &strings.Builder{}
			t.builds[e.ImportPath] = said
		}
		said.WriteString(e.Output)
		return
	}
	p := t.packs[e.Package]
	if p == nil {
		p = &pack{tests: map[string]*unit{}}
		t.packs[e.Package] = p
	}
	u := &p.unit
	if e.Test != "" {
		u = p.test(e.Test)
	}
	switch e.Action {
	case "output":
		u.output.WriteString(e.Output)
	case "pass", "fail", "skip":
		u.action = e.Action
		if e.Test == "" {
			t.close(e, p)
		}
	}
}

// test returns the test of that name, new with its first event.
func (p *pack) test(name string) *unit {
	u := p.tests[name]
	if u == nil {
		u = &unit{name: name}
		p.tests[name] = u
		p.order = append(p.order, u)
		if up := p.above(name); up != nil {
			up.parent = true
		}
	}
	return u
}

// above returns the test that the named one is a subtest of.
func (p *pack) above(name string) *unit {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return nil
	}
	if up := p.tests[name[:i]]; up != nil {
		return up
	}
	return p.above(name[:i]) // a slash in the name of the subtest itself
}

// close counts and prints a package that has ended.
func (t *tally) close(e event, p *pack) {
	for _, u := range slices.Backward(p.order) { // subtests before their parents
		if u.action == "" { // the process ended under it
			u.action = e.Action
		}
		if up := p.above(u.name); up != nil && u.action == "fail" {
			up.blamed = true
		}
	}
	name := t.short(e.Package)
	passed, failed, skipped := 0, 0, 0
	for _, u := range p.order {
		switch {
		case u.action == "fail" && !u.blamed:
			failed++
		case u.parent:
		case u.action == "pass":
			passed++
		case u.action == "skip":
			skipped++
			t.skip(name, u)
		}
	}
	if e.Action == "fail" && failed == 0 { // the build, TestMain, or a panic outside of a test
		failed++
	}
	t.passed, t.failed, t.skipped = t.passed+passed, t.failed+failed, t.skipped+skipped
	switch {
	case e.Action == "fail":
		fmt.Fprintf(t.out, "FAIL  %-36s %7.2fs  %d of %d failed\n", name, e.Elapsed, failed, passed+failed+skipped)
		t.explain(e, p)
	case len(p.order) == 0:
		t.untested = append(t.untested, name)
	default:
		fmt.Fprintf(t.out, "ok    %-36s %7.2fs  %d\n", name, e.Elapsed, passed+skipped)
	}
}

// explain prints all that a failed package had to say: of its failed tests, of the
// compiler, and of itself.
func (t *tally) explain(e event, p *pack) {
	if said := t.builds[e.FailedBuild]; said != nil {
		fmt.Fprint(t.out, indent(said.String()))
	}
	for _, u := range p.order {
		if u.action == "fail" {
			fmt.Fprint(t.out, indent(u.output.String()))
		}
	}
	fmt.Fprint(t.out, indent(p.output.String()))
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("      " + line)
	}
	return b.String()
}

func (t *tally) short(path string) string {
	if path == t.module {
		return "."
	}
	return strings.TrimPrefix(path, t.module+"/")
}

var (
	// leftOut is what a test says that needs something the machine lacks.
	leftOut = regexp.MustCompile(`left out: ([^:\n]+)(?:: *([^\n]*))?`)
	// said is the first line that any test logged.
	said = regexp.MustCompile(`(?m)^ +[^\s:]+\.go:\d+: ([^\n]*)`)
)

// skip notes why a test was skipped.
func (t *tally) skip(name string, u *unit) {
	if m := leftOut.FindStringSubmatch(u.output.String()); m != nil {
		t.leaveOut(strings.TrimSpace(m[1]), m[2], name+" "+u.name)
		return
	}
	why := "it did not say why"
	if m := said.FindStringSubmatch(u.output.String()); m != nil {
		why = m[1]
	}
	t.leaveOut("a test", why, name+" "+u.name)
}

// leaveOut notes that something was left out; equal reasons are listed once.
func (t *tally) leaveOut(what, why string, where ...string) {
	where = slices.Clone(where)
	for i, path := range where {
		where[i] = t.short(path)
	}
	for _, o := range t.omissions {
		if o.what == what && o.why == why {
			o.where = append(o.where, where...)
			return
		}
	}
	t.omissions = append(t.omissions, &omission{what, why, where})
}

// shown is how many places an omission names.
const shown = 4

// finish prints what was left out and the counts, and reports whether the run failed.
func (t *tally) finish(required []string, took time.Duration) (failed bool) {
	if len(t.untested) > 0 {
		fmt.Fprintf(t.out, "no tests in %s\n", strings.Join(t.untested, ", "))
	}
	if len(t.omissions) > 0 {
		fmt.Fprint(t.out, "\nleft out\n")
	}
	missed := 0
	for _, o := range t.omissions {
		mark := "  "
		if word, _, _ := strings.Cut(o.what, " "); slices.Contains(required, word) {
			mark, missed = "! ", missed+1
		}
		places := strings.Join(o.where[:min(len(o.where), shown)], ", ")
		if more := len(o.where) - shown; more > 0 {
			places += fmt.Sprintf(" and %d more", more)
		}
		fmt.Fprintf(t.out, "%s%s: %s (%s)\n", mark, o.what, o.why, places)
	}
	if missed > 0 {
		fmt.Fprintf(t.out, "\n%d marked ! are required by ATTUNE_TEST_REQUIRE\n", missed)
	}
	fmt.Fprintf(t.out, "\ntook %s\n", took.Round(100*time.Millisecond))
	fmt.Fprintf(t.out, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	return t.failed > 0 || missed > 0
}
