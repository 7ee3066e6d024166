package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// program is the built attune.
var program string

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "attune-examples-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "attune")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/attune").CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		println(err.Error())
		return 1
	}
	return code
}

// workshop are the pages about this repository: their commands need it, take
// long, and are what runs this test. internal/docs holds them against the
// Makefile.
var workshop = map[string]bool{"development.md": true, "performance.md": true, "simulation.md": true}

// bare are the pages that begin with nothing: they start their own server.
var bare = map[string]bool{"quickstart.md": true}

func TestThePagesSayWhatIsSo(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	steps := 0
	for _, page := range pages {
		name := filepath.Base(page)
		if workshop[name] {
			continue
		}
		t.Run(strings.TrimSuffix(name, ".md"), func(t *testing.T) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			blocks, err := Parse(string(text))
			if err != nil {
				t.Fatalf("docs/%s: %v", name, err)
			}
			var s *session
			for _, b := range blocks {
				if b.NotRun != "" {
					continue
				}
				if s == nil {
					if s = open(t, program); !bare[name] {
						s.furnish()
					}
				}
				s.run("docs/"+name, b)
				steps += len(b.Steps)
			}
		})
	}
	if !t.Failed() && steps < 40 {
		t.Errorf("only %d commands were typed", steps)
	}
}
