package docs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.." // of the repository

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages are README.md and everything in docs.
func pages(t *testing.T) map[string]*page {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, "docs"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*page{"README.md": parse("README.md", read(t, "README.md"))}
	for _, e := range entries {
		if name := path.Join("docs", e.Name()); path.Ext(name) == ".md" {
			all[name] = parse(name, read(t, name))
		}
	}
	return all
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	for _, p := range all {
		for _, l := range p.prose {
			for _, m := range link.FindAllStringSubmatch(l.text, -1) {
				if err := follow(all, p, m[1]); err != nil {
					t.Errorf("%s:%d: %v", p.path, l.number, err)
				}
			}
		}
	}
}

func follow(all map[string]*page, from *page, target string) error {
	if strings.Contains(target, "://") {
		return nil
	}
	file, anchor, _ := strings.Cut(target, "#")
	to := from.path
	if file != "" {
		to = path.Join(path.Dir(from.path), file)
		if _, err := os.Stat(filepath.Join(root, to)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is not there", target)
		}
	}
	if p := all[to]; anchor != "" && (p == nil || !p.anchors()[anchor]) {
		return fmt.Errorf("%s has no heading #%s", to, anchor)
	}
	return nil
}

var (
	code     = regexp.MustCompile("`[^`]+`")
	makeCall = regexp.MustCompile(`\bmake ([a-z][a-z0-9-]*)((?: +[A-Z]+=)*)`)
)

func TestTargetsOfMakeExist(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, p := range pages(t) {
		lines := p.shell
		for _, l := range p.prose {
			for _, span := range code.FindAllString(l.text, -1) {
				lines = append(lines, line{l.number, span})
			}
		}
		for _, l := range lines {
			for _, m := range makeCall.FindAllStringSubmatch(l.text, -1) {
				if !strings.Contains(makefile, "\n"+m[1]+":") {
					t.Errorf("%s:%d: there is no make %s", p.path, l.number, m[1])
				}
				for variable := range strings.FieldsSeq(strings.ReplaceAll(m[2], "=", " ")) {
					if !strings.Contains(makefile, "$("+variable+")") {
						t.Errorf("%s:%d: the Makefile does not use %s", p.path, l.number, variable)
					}
				}
			}
		}
	}
}

func TestCommandLinesAreThoseOfTheProgram(t *testing.T) {
	program := build(t)
	found := 0
	for _, p := range pages(t) {
		for _, l := range p.shell {
			for _, words := range calls(l.text) {
				found++
				if err := program.check(words); err != nil {
					t.Errorf("%s:%d: %v", p.path, l.number, err)
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d command lines were found", found)
	}
	for _, wrong := range []string{"attune event sent x", "x=1 attune dev --packets p", `echo "$(attune actor three)" | cat`, "attune --data d bogus", "attune config show -- dev --slot 3"} {
		if program.check(calls(wrong)[0]) == nil {
			t.Errorf("%q is taken for right", wrong)
		}
	}
}

var metric = regexp.MustCompile(`\battune_[a-z_]*[a-z]\b`)

func TestMetricsAreThoseOfANode(t *testing.T) {
	kept := map[string]bool{}
	for _, name := range metric.FindAllString(read(t, "node/metrics.go"), -1) {
		kept[name] = true
	}
	if len(kept) == 0 {
		t.Fatal("no metric was found")
	}
	all := pages(t)
	for _, p := range all {
		for _, name := range metric.FindAllString(p.text, -1) {
			if !kept[name] {
				t.Errorf("%s: there is no metric %s", p.path, name)
			}
		}
	}
	for name := range kept {
		if !strings.Contains(all["docs/telemetry.md"].text, name) {
			t.Errorf("docs/telemetry.md does not name %s", name)
		}
	}
}

func TestTheDrawingOfTheActorsIsThatOfTheCode(t *testing.T) {
	var drawing strings.Builder
	for l := range strings.Lines(read(t, "actors/doc.go")) {
		if l, ok := strings.CutPrefix(l, "//\t"); ok {
			drawing.WriteString(l)
		}
	}
	if drawing.Len() == 0 || !strings.Contains(read(t, "docs/architecture.md"), "```text\n"+drawing.String()+"```\n") {
		t.Errorf("docs/architecture.md does not have the tree of actors/doc.go:\n%s", drawing.String())
	}
}
