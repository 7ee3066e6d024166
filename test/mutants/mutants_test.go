package mutants

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMutants proves that each mutant turns its test red.
func TestMutants(t *testing.T) {
	if os.Getenv("ATTUNE_MUTANTS") == "" {
		t.Skip("left out: mutants: they take minutes; make mutants runs them")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		t.Run(m.name, func(t *testing.T) {
			began := time.Now()
			m.mustTurnRed(t, root)
			t.Logf("red after %s", time.Since(began).Round(100*time.Millisecond))
		})
	}
}

func (m *mutant) mustTurnRed(t *testing.T, root string) {
	t.Helper()
	overlay := m.overlay(t, root)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	args := append([]string{"test", "-count=1", "-overlay", overlay, m.pkg}, m.args...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	text := string(out)
	switch {
	case err == nil:
		t.Fatalf("it survived go %s:\n%s", strings.Join(args, " "), text)
	case !strings.Contains(text, "--- FAIL: "):
		t.Fatalf("it did not run (%v):\n%s", err, text)
	}
	for line := range strings.Lines(text) {
		if found := strings.TrimSpace(line); strings.HasPrefix(found, "G") || strings.HasPrefix(found, "stuck") {
			t.Log(found)
			break
		}
	}
}

// overlay writes the changed file, and the file that puts it in the place of
// the real one.
func (m *mutant) overlay(t *testing.T, root string) string {
	t.Helper()
	real := filepath.Join(root, filepath.FromSlash(m.file))
	source, err := os.ReadFile(real)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		t.Fatalf("%s has the text to break %d times: give the mutant the present one", m.file, n)
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(source), m.old, m.broken, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {real: changed}})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}
