package runners

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/attune-automation/attune/messages"
)

// FuzzArguments holds the arguments of a script against a real shell: StackStorm
// writes a command line, quotes each value in it and has a shell read it; we
// hand the values over as they are. What arrives must be the same, byte for byte.
func FuzzArguments(f *testing.F) {
	for _, seed := range []struct {
		operator, named, placed string
		flag                    bool
	}{
		{"--", "x y", "z", true}, {"-", "", "", false}, {"", "a'b\"c", "$(id) `id`", true}, {"--", "\n\t\\", "*?[a]~", false}, {"--", "\x01\x7f", "ü🙂", true},
		{"--", "-n", "--", false}, {"--", "!!", "a\\\nb", true}, {"--", "'", "''", false}, {"--", "{a,b}", "#c ; &", true}, {"$x", "%s%n", "\r\n", true}, {"--", "a\x00b", "", false},
	} {
		f.Add(seed.operator, seed.named, seed.placed, seed.flag)
	}
	script := filepath.Join(f.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"+tellEach), 0o700); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, operator, named, placed string, flag bool) {
		if !utf8.ValidString(operator) || !utf8.ValidString(named) || !utf8.ValidString(placed) {
			return // JSON holds no other
		}
		document, err := json.Marshal(map[string]any{"kwarg_op": operator, "flag": flag, "named": named, "placed": placed, "gone": nil})
		if err != nil {
			t.Fatal(err)
		}
		argv, err := scriptArguments(&messages.Dispatch{Parameters: document, Positional: []string{"absent", "placed"}}, operator)
		if strings.Contains(operator+named+placed, "\x00") {
			if err == nil && (strings.Contains(named+placed, "\x00") || flag || named != "") {
				t.Errorf("a NUL is accepted: %q", argv)
			}
			return
		}
		if err != nil {
			if len(operator)+len(named)+len(placed) < argumentBytes-10 {
				t.Error(err)
			}
			return
		}
		line := script
		if flag {
			line += " " + shellQuoted(operator+"flag")
		}
		if named != "" {
			line += " " + shellQuoted(operator+"named="+named)
		}
		line += " " + shellQuoted("") + " " + shellQuoted(placed)
		theirs := heard(t, exec.Command("/bin/sh", "-c", line))
		ours := heard(t, exec.Command(script, argv...))
		if !slices.Equal(ours, theirs) {
			t.Errorf("ours are %q, those of a shell %q", ours, theirs)
		}
	})
}

// tellEach is a script that ends each of its arguments with a NUL.
const tellEach = `for a; do printf '%s\0' "$a"; done` + "\n"

// shellQuoted is a text in the quotes that StackStorm uses.
func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'" }

func heard(t *testing.T, c *exec.Cmd) []string {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	return strings.Split(out.String(), "\x00")
}
