package node

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/persistence/sqlite"
)

// RestoreConfig says what to restore, and where.
type RestoreConfig struct {
	// File is the backup, Data the data folder that is to be.
	File, Data string
	// Force moves a folder that is not empty aside; it is never deleted.
	Force bool
	// CancelWaiting cancels the executions that waited at the time of the
	// backup: they may have run since.
	CancelWaiting bool
	// Now is the time; it must not be nil.
	Now func() time.Time
}

// Restored is what a restore did.
type Restored struct {
	Manifest
	// Data is the folder; Aside is where the one before it is now, or empty.
	Data  string `json:"data"`
	Aside string `json:"aside,omitempty"`
	// Key says where the key came from: backup, folder before, or nowhere.
	Key string `json:"key"`
	// Live is how many executions had not ended, Cancelled how many of them
	// were cancelled.
	Live      int64 `json:"live"`
	Cancelled int   `json:"cancelled"`
}

// CheckBackup reads a backup to its end and says what it is. One that is cut
// short or changed is Invalid.
func CheckBackup(file string) (Manifest, error) { return unpack(file, nil) }

// Restore makes a data folder of a backup, whole or not at all: it is unpacked
// and examined beside its place and moved there in one step. A folder that a
// process uses is a Conflict, and so is one that is not empty, without Force.
func Restore(ctx context.Context, c RestoreConfig) (out Restored, err error) {
	out.Data, err = filepath.Abs(c.Data)
	if err != nil {
		return out, err
	}
	empty, err := isEmpty(out.Data)
	if err != nil {
		return out, err
	}
	if !empty && !c.Force {
		return out, &attune.Error{Kind: attune.Conflict, Code: "data_folder_not_empty", Message: "the data folder is not empty", Where: out.Data,
			Try: "restore into another folder, or --force to move this one aside"}
	}
	if !empty {
		held, err := sqlite.Hold(out.Data)
		if err != nil {
			return out, err
		}
		defer held.Close()
	}
	if err := os.MkdirAll(filepath.Dir(out.Data), 0o700); err != nil {
		return out, err
	}
	part, err := os.MkdirTemp(filepath.Dir(out.Data), "."+filepath.Base(out.Data)+"-restoring-*")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(part)) }() // nothing is there any more when all went well
	if err := out.prepare(ctx, c, part); err != nil {
		return out, err
	}
	return out, out.swap(part, empty, c.Now())
}

// prepare fills a folder and makes it fit to be started on.
func (r *Restored) prepare(ctx context.Context, c RestoreConfig, part string) error {
	root, err := os.OpenRoot(part)
	if err != nil {
		return err
	}
	defer root.Close()
	if r.Manifest, err = unpack(c.File, root); err != nil {
		return err
	}
	found, err := sqlite.Examine(ctx, filepath.Join(part, sqlite.File), true)
	if err != nil {
		return fmt.Errorf("examine the database of the backup: %w", err)
	}
	if len(found.Faults) > 0 {
		return damaged("the database of the backup", found.Faults)
	}
	r.Live = found.Live
	r.Key = "backup"
	if !r.WithKey {
		if r.Key, err = keyOfBefore(r.Data, part); err != nil {
			return err
		}
	}
	return r.settle(ctx, c, part)
}

// keyOfBefore takes the key, and those before it, over from the folder that is
// moved aside.
func keyOfBefore(from, to string) (string, error) {
	if _, err := os.Stat(filepath.Join(from, keyFile)); errors.Is(err, fs.ErrNotExist) {
		return "nowhere", nil
	}
	keys, err := keyFiles(from)
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		secret, err := os.ReadFile(key) //nolint:gosec // the operator's own folder
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(key)), secret, 0o600)
		}
		if err != nil {
			return "", err
		}
	}
	return "folder before", nil
}

// swap puts the folder in its place.
func (r *Restored) swap(part string, empty bool, now time.Time) error {
	if err := syncAll(part); err != nil {
		return err
	}
	if !empty {
		r.Aside = r.Data + ".before-" + now.UTC().Format("20060102T150405.000")
		if err := os.Rename(r.Data, r.Aside); err != nil {
			return err
		}
	} else if err := os.Remove(r.Data); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(part, r.Data); err != nil {
		if r.Aside != "" {
			err = errors.Join(err, os.Rename(r.Aside, r.Data))
		}
		return err
	}
	return syncDir(filepath.Dir(r.Data))
}

func isEmpty(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return len(entries) == 0, err
}

// syncAll makes a folder with all that is in it durable.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		return syncDir(path)
	})
}

func invalidBackup(file, why string) error {
	return &attune.Error{Kind: attune.Invalid, Code: "invalid_backup", Message: "this is no whole backup: " + why, Where: file,
		Try: "another backup; what there was is left as it is"}
}

// unpack reads a backup to its end, into a folder unless that is nil. Nothing
// gets out of the folder, whatever the archive says.
func unpack(file string, into *os.Root) (m Manifest, err error) {
	f, err := os.Open(file) //nolint:gosec // the operator names it
	if err != nil {
		return m, &attune.Error{Kind: attune.NotFound, Code: "no_backup", Message: "the backup cannot be read", Where: file, Cause: err}
	}
	defer f.Close()
	r, sums, said := tar.NewReader(f), map[string]string{}, ""
	for first := true; ; first = false {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF) && said != "":
			return m, compare(file, sums, said)
		case errors.Is(err, io.EOF):
			return m, invalidBackup(file, "it ends before its end")
		case err != nil:
			return m, invalidBackup(file, err.Error())
		case first != (h.Name == manifestFile):
			return m, invalidBackup(file, "it does not begin with "+manifestFile)
		case said != "":
			return m, invalidBackup(file, "there is something after "+sumsFile)
		case !filepath.IsLocal(h.Name):
			return m, invalidBackup(file, "it names "+h.Name)
		}
		switch name := filepath.Clean(h.Name); {
		case name == manifestFile || name == sumsFile:
			text, err := io.ReadAll(io.LimitReader(r, 256<<20))
			if err != nil {
				return m, invalidBackup(file, err.Error())
			}
			if name == sumsFile {
				said = string(text)
				continue
			}
			if err := json.Unmarshal(text, &m); err != nil || m.Format < 1 {
				return m, invalidBackup(file, manifestFile+" is not one")
			}
			if m.Format > backupFormat {
				return m, &attune.Error{Kind: attune.Invalid, Code: "newer_backup", Message: "the backup is of a newer program, " + m.Version, Where: file, Try: "restore it with that program"}
			}
			sum := sha256.Sum256(text)
			sums[name] = hex.EncodeToString(sum[:])
		default:
			if err := unpackOne(r, h, name, into, sums); err != nil {
				return m, invalidBackup(file, name+": "+err.Error())
			}
		}
	}
}

func unpackOne(r io.Reader, h *tar.Header, name string, into *os.Root, sums map[string]string) error {
	mode := fs.FileMode(h.Mode).Perm() //nolint:gosec // nine bits of it
	switch {
	case h.Typeflag == tar.TypeDir && into != nil:
		return into.MkdirAll(name, mode|0o700)
	case h.Typeflag == tar.TypeSymlink && into != nil:
		return into.Symlink(h.Linkname, name)
	case h.Typeflag == tar.TypeDir, h.Typeflag == tar.TypeSymlink:
		return nil
	case h.Typeflag != tar.TypeReg:
		return errors.New("it is no file")
	}
	var to io.WriteCloser = discard{io.Discard}
	if into != nil {
		f, err := into.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		to = f
	}
	sum := sha256.New()
	_, err := io.Copy(io.MultiWriter(to, sum), r)
	sums[name] = hex.EncodeToString(sum.Sum(nil))
	return errors.Join(err, to.Close())
}

type discard struct{ io.Writer }

// Close does nothing.
func (discard) Close() error { return nil }

// compare holds what was read against what the backup says of itself.
func compare(file string, sums map[string]string, said string) error {
	for l := range strings.Lines(said) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(l, "\n"), "  ")
		if sums[name] != sum {
			return invalidBackup(file, name+" is not what it was")
		}
		delete(sums, name)
	}
	for name := range sums {
		return invalidBackup(file, name+" has no sum")
	}
	return nil
}
