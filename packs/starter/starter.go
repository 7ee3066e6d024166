// Package starter writes a new pack: small, commented, and good as it stands.
// It has one action, one trigger with a webhook, one rule, a configuration and
// a payload to try them with.
package starter

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/attune-automation/attune"
)

//go:embed files
var files embed.FS

// placeholder is the name of the pack in the files.
const placeholder = "__pack__"

// reference is what a new pack may be called: StackStorm's rule.
var reference = regexp.MustCompile(`^[a-z0-9_]{1,100}$`)

// Write makes the folder dir, whose name is the new pack's, and writes the pack
// into it. It returns the files, relative to it. A folder that is there already
// is a Conflict and is left alone; a name that no pack can have is Invalid.
func Write(dir string) ([]string, error) {
	name := filepath.Base(dir)
	if !reference.MatchString(name) {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_ref", Message: fmt.Sprintf("%q is no name for a new pack", name), Try: "use small letters, digits and _"}
	}
	err := os.Mkdir(dir, 0o755) //nolint:gosec // the scripts in it may be run as another user
	if errors.Is(err, fs.ErrExist) {
		return nil, &attune.Error{Kind: attune.Conflict, Code: "folder_exists", Message: "the folder is there already", Where: dir, Try: "choose another name"}
	}
	if err != nil {
		return nil, fmt.Errorf("write the pack %s: %w", name, err)
	}
	var written []string
	err = fs.WalkDir(files, "files", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		own, err := filepath.Rel("files", filepath.FromSlash(path))
		if err != nil {
			return err
		}
		written = append(written, filepath.ToSlash(own))
		return write(filepath.Join(dir, own), bytes.ReplaceAll(content, []byte(placeholder), []byte(name)))
	})
	if err != nil {
		return nil, fmt.Errorf("write the pack %s: %w", name, err)
	}
	return written, nil
}

func write(file string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // likewise
		return err
	}
	mode := fs.FileMode(0o644)
	if bytes.HasPrefix(content, []byte("#!")) {
		mode = 0o755
	}
	return os.WriteFile(file, content, mode)
}
