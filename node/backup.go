package node

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/persistence/sqlite"
)

// A backup is a tar. It begins with what it is and ends with the sums of all
// that lies between, so that half of one is never taken for a whole.
const (
	manifestFile = "attune-backup.json"
	sumsFile     = "SHA256SUMS"
	// backupFormat is raised when an older program could not restore it.
	backupFormat = 1
	backupPart   = ".backup-"
)

// keptFolders are the folders of a data folder that a backup holds, where they
// are there. The worker's is not among them: what it says of attempts is true of
// one machine at one time.
var keptFolders = []string{"packs", "configs"}

// Manifest is what a backup says of itself.
type Manifest struct {
	Format int `json:"format"`
	// Taken is the moment of which it is, in database time.
	Taken time.Time `json:"taken"`
	// Version is the program's, Schema the database's.
	Version string `json:"version"`
	Schema  int    `json:"schema"`
	// WithKey says that it holds the key of the data folder.
	WithKey bool `json:"with_key"`
}

// archive is a backup on its way out.
type archive struct {
	manifest Manifest
	data     string
	copy     string // of the database
}

// Backup implements api.Admin: a copy of the database as it is at one moment,
// with the packs and configurations of the data folder. It needs room for the
// copy in the data folder until it is closed.
func (e *Embedded) Backup(ctx context.Context, r api.BackupRequest) (api.BackupArchive, error) {
	if r.WithKey {
		if _, err := os.Stat(filepath.Join(e.config.Data, keyFile)); errors.Is(err, fs.ErrNotExist) {
			return nil, attune.NewError(attune.NotFound, "no_key", "the data folder has no key")
		}
	}
	f, err := os.CreateTemp(e.config.Data, backupPart+"*")
	if err != nil {
		return nil, fmt.Errorf("make room for the backup: %w", err)
	}
	a := &archive{data: e.config.Data, copy: f.Name(), manifest: Manifest{Format: backupFormat, Version: e.config.Version,
		Taken: e.parts.Clock.Now().Truncate(time.Millisecond), WithKey: r.WithKey}}
	if err = f.Close(); err == nil {
		err = e.Store.Copy(ctx, a.copy) // into an empty file
	}
	if err == nil {
		var c sqlite.Condition
		c, err = sqlite.Examine(ctx, a.copy, false)
		a.manifest.Schema = c.Schema
		if err == nil && len(c.Faults) > 0 {
			err = damaged("the copy of the database", c.Faults)
		}
	}
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func damaged(what string, faults []string) error {
	return &attune.Error{Kind: attune.Internal, Code: "damaged_database", Message: what + " is damaged: " + strings.Join(faults, "; "),
		Try: "restore a backup; keep the folder for a closer look"}
}

// removeParts removes what a backup that was cut short has left.
func removeParts(data string) error {
	parts, err := filepath.Glob(filepath.Join(data, backupPart+"*"))
	for _, part := range parts {
		err = errors.Join(err, os.Remove(part))
	}
	return err
}

// Close removes the copy.
func (a *archive) Close() error { return os.Remove(a.copy) }

// WriteTo implements io.WriterTo.
func (a *archive) WriteTo(w io.Writer) (int64, error) {
	t := &packing{counting: counting{w: w}, sum: sha256.New()}
	t.tar = tar.NewWriter(&t.counting)
	manifest, err := json.MarshalIndent(a.manifest, "", "  ")
	if err != nil {
		return 0, err
	}
	if err := t.text(manifestFile, append(manifest, '\n'), a.manifest.Taken); err != nil {
		return t.n, err
	}
	if err := t.file(sqlite.File, a.copy); err != nil {
		return t.n, err
	}
	if a.manifest.WithKey {
		keys, err := keyFiles(a.data)
		if err != nil {
			return t.n, err
		}
		for _, key := range keys {
			if err := t.file(filepath.Base(key), key); err != nil {
				return t.n, err
			}
		}
	}
	for _, folder := range keptFolders {
		if err := t.folder(a.data, folder); err != nil {
			return t.n, err
		}
	}
	if err := t.text(sumsFile, []byte(t.sums.String()), a.manifest.Taken); err != nil {
		return t.n, err
	}
	return t.n, t.tar.Close()
}

type counting struct {
	w io.Writer
	n int64
}

// Write implements io.Writer.
func (c *counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// packing is a tar being written, with the sums of its files.
type packing struct {
	counting
	tar  *tar.Writer
	sum  hash.Hash
	sums strings.Builder
}

func (t *packing) text(name string, content []byte, at time.Time) error {
	if err := t.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), ModTime: at, Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	fmt.Fprintf(&t.sums, "%s  %s\n", hex.EncodeToString(sum[:]), name)
	_, err := t.tar.Write(content)
	return err
}

func (t *packing) file(name, path string) error {
	f, err := os.Open(path) //nolint:gosec // a file of the data folder
	if err != nil {
		return err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return err
	}
	if err := t.tar.WriteHeader(&tar.Header{Name: name, Mode: int64(stat.Mode().Perm()), Size: stat.Size(), ModTime: stat.ModTime(), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	t.sum.Reset()
	if _, err := io.CopyN(io.MultiWriter(t.tar, t.sum), f, stat.Size()); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	fmt.Fprintf(&t.sums, "%s  %s\n", hex.EncodeToString(t.sum.Sum(nil)), name)
	return nil
}

// folder packs a folder with all below it. What is neither file, folder nor link
// is left out.
func (t *packing) folder(data, name string) error {
	top := filepath.Join(data, name)
	if _, err := os.Stat(top); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(data, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return t.tar.WriteHeader(&tar.Header{Name: name + "/", Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Typeflag: tar.TypeDir})
		case d.Type().IsRegular():
			return t.file(name, path)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return t.tar.WriteHeader(&tar.Header{Name: name, Linkname: target, ModTime: info.ModTime(), Typeflag: tar.TypeSymlink})
		}
		return nil
	})
}
