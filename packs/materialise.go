package packs

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// Materialise writes the files of an embedded pack into a folder, so that its
// entry points can run: files that begin with #! become executable, Go files
// are left out. The folder is made if it is missing; a file that is there with
// another content is replaced at once, never seen half written. Files that the
// pack does not have are left alone.
func Materialise(files fs.FS, dir string) error {
	return fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("materialise %s: %w", name, err)
		}
		target := filepath.Join(dir, filepath.FromSlash(name))
		if e.IsDir() {
			if err := os.MkdirAll(target, 0o755); err != nil {
				return fmt.Errorf("materialise: %w", err)
			}
			return nil
		}
		if path.Ext(name) == ".go" {
			return nil
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return fmt.Errorf("materialise: %w", err)
		}
		mode := fs.FileMode(0o644)
		if bytes.HasPrefix(content, []byte("#!")) {
			mode = 0o755
		}
		if err := place(target, content, mode); err != nil {
			return fmt.Errorf("materialise: %w", err)
		}
		return nil
	})
}

// place makes target a file with the content and mode, by way of a rename.
func place(target string, content []byte, mode fs.FileMode) error {
	if stat, err := os.Lstat(target); err == nil && stat.Mode() == mode {
		if old, err := os.ReadFile(target); err == nil && bytes.Equal(old, content) {
			return nil
		}
	}
	f, err := os.CreateTemp(filepath.Dir(target), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(mode)
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), target)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what is left of a failure; the failure is reported
	}
	return err
}
