package settings_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-automation/attune/cmd/attune/settings"
)

var update = flag.Bool("update", false, "rewrite the table of docs/configuration.md and deploy/attune.example.yaml")

const (
	page    = "../../../docs/configuration.md"
	example = "../../../deploy/attune.example.yaml"

	tableBegins = "<!-- generated: settings -->\n"
	tableEnds   = "<!-- generated: end of settings -->\n"
)

// kept holds a generated file against what it should be, or rewrites it.
func kept(t *testing.T, file, want string) {
	t.Helper()
	got, err := os.ReadFile(file)
	if *update {
		err = os.WriteFile(file, []byte(want), 0o644)
	} else if string(got) != want && err == nil {
		t.Errorf("%s is not what the table says: go test ./cmd/attune/settings -update", filepath.Base(file))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestThePageHasEverySetting(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatal("docs/configuration.md has no place for the table")
	}
	var b strings.Builder
	b.WriteString(before + tableBegins)
	b.WriteString("| key | flag, variable | value | default | of | what |\n|---|---|---|---|---|---|\n")
	for _, s := range settings.All() {
		fmt.Fprintf(&b, "| `%s` | `--%s` `%s` | %s | %s | %s | %s |\n", s.Path, s.Flag, s.Env(), kindCell(s), defaultCell(s), strings.Join(s.Commands, ", "), s.Doc)
	}
	kept(t, page, b.String()+tableEnds+after)
}

func defaultCell(s *settings.Setting) string {
	if s.Fallback != "" {
		return s.Fallback
	}
	return "`" + s.Default + "`"
}

// kindCell says which texts are right.
func kindCell(s *settings.Setting) string {
	text := s.Kind.Name
	switch text {
	case "known word":
		text = s.Kind.Sample
	case "text", "folder", "file", "true or false", "HOST:PORT":
	default:
		text += ", such as " + s.Kind.Sample
	}
	if s.List {
		text = "list: " + text
	}
	if s.Secret {
		text += "; secret"
	}
	return text
}

// The example is written from the table, so it names every setting; reading it
// as a server and as a worker would proves that each line is right.
func TestTheExampleIsRead(t *testing.T) {
	var b strings.Builder
	b.WriteString("# A configuration for production, with every setting. Take what you need; what is\n# left out has the default that stands here. attune config check FILE finds what is\n# wrong, attune config show --origin says what it comes to. docs/configuration.md\n# explains files, variables and secrets.\n")
	group := ""
	for _, s := range settings.All() {
		head, name, nested := strings.Cut(s.Path, ".")
		indent := ""
		if nested {
			indent = "  "
			if head != group {
				b.WriteString("\n" + head + ":\n")
			}
		} else {
			name = s.Path
			b.WriteString("\n")
		}
		group = head
		for _, line := range wrap(s.Doc+" "+aside(s), 84-len(indent)) {
			b.WriteString(indent + "# " + line + "\n")
		}
		fmt.Fprintf(&b, "%s%s: %s\n", indent, name, s.Example)
	}
	kept(t, example, b.String())

	env := map[string]string{"ATTUNE_DB_PASSWORD": "a", "ATTUNE_MQ_PASSWORD": "b"}
	file, err := settings.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(t.TempDir(), "worker.token")
	if err := os.WriteFile(token, []byte("attune_worker_x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env["ATTUNE_TOKEN"] = "@" + token // the file that the example names is not on this machine
	for _, command := range settings.Commands {
		values, faults := settings.Resolve(command, settings.Sources{File: file, Env: func(name string) string { return env[name] }})
		for _, f := range faults {
			t.Errorf("attune %s: %s", command, f)
		}
		for _, v := range values {
			if v.Origin.Source == settings.Unsaid {
				t.Errorf("the example does not name %s", v.Path)
			}
		}
	}
}

// aside says type, default and commands of a setting, and what its secret may
// be.
func aside(s *settings.Setting) string {
	text := "(" + kindCell(s)
	if s.Secret {
		text += " by ${NAME} or @FILE"
	}
	return text + "; default: " + strings.ReplaceAll(defaultCell(s), "`", "") + "; for attune " + strings.Join(s.Commands, ", ") + ")"
}

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
