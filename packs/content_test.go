package packs_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
)

func writeTree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func contentOf(t *testing.T, dir string) string {
	t.Helper()
	name, err := packs.Content(dir)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// The folder, its archive, and the folder that is unpacked from that have one
// content; whatever is different has another.
func TestContentIsThatOfWhatIsSent(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{"pack.yaml": "ref: demo\n", "actions/run.sh": "#!/bin/sh\n", "actions/lib/words": "WORD=a\n", "etc/b": "", "a/b": "x"}
	writeTree(t, dir, files)
	first := contentOf(t, dir)
	archive, err := packs.Archive(dir)
	if err != nil {
		t.Fatal(err)
	}
	if name, err := packs.ContentOf(archive); err != nil || name != first {
		t.Errorf("the archive has %s, not %s, %v", name, first, err)
	}
	other := t.TempDir()
	if err := packs.Unpack(archive, other); err != nil {
		t.Fatal(err)
	}
	if name := contentOf(t, other); name != first {
		t.Errorf("unpacked it has %s, not %s", name, first)
	}
	seen := map[string]string{first: "the first"}
	for _, c := range []struct {
		name   string
		change func() error
	}{
		{"a byte in a folder within", func() error { return os.WriteFile(filepath.Join(dir, "actions/lib/words"), []byte("WORD=b\n"), 0o600) }},
		{"a file that can be executed", func() error { return os.Chmod(filepath.Join(dir, "actions/run.sh"), 0o755) }},
		{"another name", func() error { return os.Rename(filepath.Join(dir, "etc/b"), filepath.Join(dir, "etc/c")) }},
		{"an empty folder", func() error { return os.Mkdir(filepath.Join(dir, "empty"), 0o755) }},
		{"a file less", func() error { return os.Remove(filepath.Join(dir, "a/b")) }},
	} {
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		name := contentOf(t, dir)
		if before := seen[name]; before != "" {
			t.Errorf("%s: the content is that of %s", c.name, before)
		}
		seen[name] = c.name
	}
	last := contentOf(t, dir)
	writeTree(t, dir, map[string]string{".git/HEAD": "x", "actions/__pycache__/run.pyc": "x"})
	if err := os.Chmod(filepath.Join(dir, "pack.yaml"), 0o600); err != nil { // unpacked it is another, too
		t.Fatal(err)
	}
	if name := contentOf(t, dir); name != last {
		t.Error("what is not sent is part of the content")
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if name, err := packs.Content(dir); attune.KindOf(err) != attune.Invalid || name != "" {
		t.Errorf("with a link it is %q, %v", name, err)
	}
}

func TestArchivesThatAreNone(t *testing.T) {
	for _, body := range []string{"", "no gzip", "\x1f\x8b\x08\x00"} {
		if name, err := packs.ContentOf([]byte(body)); attune.KindOf(err) != attune.Invalid || name != "" {
			t.Errorf("%q is %q, %v", body, name, err)
		}
	}
	for ref, content := range map[string]string{"../demo": "60bb639535d63b591d75bca15e9997e8", "demo": "../../x", "": "60bb639535d63b591d75bca15e9997e8", "a/b": "60bb639535d63b591d75bca15e9997e8"} {
		if packs.Named(ref, content) {
			t.Errorf("%q, %q can be names of folders", ref, content)
		}
	}
}
