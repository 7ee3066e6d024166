package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// program is the built program, asked for its help.
type program struct {
	t    *testing.T
	path string
	help map[string]*command
}

// command is what the help of one command says.
type command struct {
	verbs []string
	// flags tells of each, with its dashes, whether it takes a value.
	flags map[string]bool
}

func build(t *testing.T) *program {
	t.Helper()
	p := &program{t: t, path: filepath.Join(t.TempDir(), "attune"), help: map[string]*command{}}
	sources, _ := filepath.Glob(root + "/cmd/attune/*.go")
	for _, source := range sources { // so that a cached pass does not outlive them
		if _, err := os.ReadFile(source); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", p.path, "./cmd/attune")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return p
}

var (
	verbLine = regexp.MustCompile(`^  ([a-z][a-z-]*) `)
	flagLine = regexp.MustCompile(`^ +(?:(-\w), )?(--[a-z-]+)( [a-zA-Z]+)?(?: {2,}|$)`)
)

func (p *program) command(words []string) *command {
	name := strings.Join(words, " ")
	if c := p.help[name]; c != nil {
		return c
	}
	out, err := exec.CommandContext(p.t.Context(), p.path, append(slices.Clone(words), "--help")...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("attune %s --help: %v\n%s", name, err, out)
	}
	c := &command{flags: map[string]bool{}}
	section := ""
	for l := range strings.Lines(string(out)) {
		l = strings.TrimRight(l, "\n")
		if l != "" && l[0] != ' ' {
			section = l
		}
		if m := verbLine.FindStringSubmatch(l); m != nil && section == "Available Commands:" {
			c.verbs = append(c.verbs, m[1])
		}
		if m := flagLine.FindStringSubmatch(l); m != nil && strings.HasSuffix(section, "lags:") {
			c.flags[m[2]] = m[3] != ""
			if m[1] != "" {
				c.flags[m[1]] = m[3] != ""
			}
		}
	}
	p.help[name] = c
	return c
}

// check finds the first word of a command line that the program does not know.
func (p *program) check(words []string) error {
	var path []string
	c := p.command(nil)
	value := false
	for i, word := range words {
		name, _, given := strings.Cut(word, "=")
		switch {
		case value:
			value = false
		case word == "--" && slices.Equal(path, []string{"config", "show"}):
			return p.check(words[i+1:]) // a command that it is asked about
		case word == "--":
			return nil
		case strings.HasPrefix(word, "-") && word != "-":
			takes, known := c.flags[name]
			if !known {
				return fmt.Errorf("attune %s has no flag %s", strings.Join(path, " "), name)
			}
			value = takes && !given
		case strings.HasPrefix(word, ">"), strings.HasPrefix(word, "<"), strings.HasPrefix(word, "2>"):
			return nil
		case len(c.verbs) > 0 && strings.ToUpper(word) == word:
			return nil // NOUN, VERB, …: a placeholder
		case len(c.verbs) > 0:
			path = append(path, word)
			if !slices.Contains(c.verbs, word) {
				return fmt.Errorf("there is no attune %s", strings.Join(path, " "))
			}
			c = p.command(path)
		}
	}
	return nil
}
