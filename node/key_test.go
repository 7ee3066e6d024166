package node_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/node"
)

func openKey(t *testing.T, dir string) node.Key {
	t.Helper()
	k, err := node.OpenKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAKeyIsTheSameAtTheNextStartAndForEachPurposeAnother(t *testing.T) {
	dir := t.TempDir()
	first, again := openKey(t, dir), openKey(t, dir)
	if !bytes.Equal(first.Derive("tokens"), again.Derive("tokens")) {
		t.Error("the next start derives another key")
	}
	if bytes.Equal(first.Derive("tokens"), first.Derive("secrets")) {
		t.Error("two purposes have one key")
	}
	if bytes.Equal(first.Derive("tokens"), openKey(t, t.TempDir()).Derive("tokens")) {
		t.Error("two folders have one key")
	}
}

func TestOldKeysAreFoundBesideTheKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b]*")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	first := openKey(t, dir)
	for _, name := range []string{"attune.key.old", "attune.key.old-2"} {
		if err := os.Rename(filepath.Join(dir, "attune.key"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		openKey(t, dir)
	}
	old, err := node.OldKeys(dir)
	if err != nil || len(old) != 2 || !bytes.Equal(old[0].Derive("secrets"), first.Derive("secrets")) {
		t.Fatalf("%d old keys, %v", len(old), err)
	}
	if err := os.Chmod(filepath.Join(dir, "attune.key.old"), 0o644); err != nil { //nolint:gosec // what is to be refused
		t.Fatal(err)
	}
	if _, err := node.OldKeys(dir); attune.KindOf(err) != attune.Denied {
		t.Errorf("an old key that all can read: %v", err)
	}
}

func TestAKeyThatOthersReadOrThatIsCutIsRefused(t *testing.T) {
	dir := t.TempDir()
	openKey(t, dir)
	path := filepath.Join(dir, "attune.key")
	if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // what is to be refused
		t.Fatal(err)
	}
	if _, err := node.OpenKey(dir); attune.KindOf(err) != attune.Denied {
		t.Errorf("a key that all can read: %v", err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := node.OpenKey(dir); attune.KindOf(err) != attune.Invalid {
		t.Errorf("a key that was cut: %v", err)
	}
}
