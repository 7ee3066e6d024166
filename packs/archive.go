package packs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/attune-automation/attune"
)

// Bounds of a pack that is sent.
const (
	// MaxArchive limits the compressed archive, in bytes.
	MaxArchive = 32 << 20
	// maxUnpacked limits all of its files together, maxArchived their number,
	// folders included, and maxDeep how deep they lie.
	maxUnpacked = 256 << 20
	maxArchived = 50_000
	maxDeep     = 20
)

// Archive packs a folder as tar.gz, as [Unpack] takes it. Folders .git and
// __pycache__ are left out. Anything but files and folders is refused, since elsewhere it would
// mean something else: it is Invalid, as is what is over the bounds.
func Archive(dir string) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	count := 0
	err := eachSent(dir, func(file, name string) error {
		if count++; count > maxArchived || out.Len() > MaxArchive {
			return tooLarge(fmt.Sprintf("the pack is too large to send: at most %d files and %d MiB", maxArchived, MaxArchive>>20))
		}
		return archiveFile(w, file, name)
	})
	if err == nil {
		err = errors.Join(w.Close(), zip.Close())
	}
	if err == nil && out.Len() > MaxArchive {
		err = tooLarge(fmt.Sprintf("the pack has %d bytes when it is packed, at most %d can be sent", out.Len(), MaxArchive))
	}
	if err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// eachSent calls f for all that is sent of a pack's folder, in the order of the
// archive.
func eachSent(dir string, f func(file, name string) error) error {
	return filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil || name == "." {
			return err
		}
		if e.IsDir() && (e.Name() == ".git" || e.Name() == "__pycache__") {
			return filepath.SkipDir
		}
		return f(file, filepath.ToSlash(name))
	})
}

func archiveFile(w *tar.Writer, file, name string) error {
	stat, err := statSent(file)
	if err != nil {
		return err
	}
	h := &tar.Header{Name: name, Mode: int64(stat.Mode().Perm()), Size: stat.Size(), Typeflag: tar.TypeReg}
	if stat.IsDir() {
		h.Name, h.Size, h.Typeflag = name+"/", 0, tar.TypeDir
	}
	if err := w.WriteHeader(h); err != nil || stat.IsDir() {
		return err
	}
	in, err := os.Open(file) //nolint:gosec // a file of the folder that the user names
	if err != nil {
		return err
	}
	_, err = io.CopyN(w, in, stat.Size())
	return errors.Join(err, in.Close())
}

// statSent refuses what cannot be sent.
func statSent(file string) (fs.FileInfo, error) {
	stat, err := os.Lstat(file)
	if err == nil && !stat.IsDir() && !stat.Mode().IsRegular() {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_pack", Message: "only files and folders can be sent", Where: file, Try: "replace the link by the file itself, or leave it out"}
	}
	return stat, err
}

// Unpack writes the files of an archive into an empty folder, durably. Modes are
// kept, but for what lets others write. Names that lead out of the folder, links,
// devices, a name that is there twice, and what is over the bounds are refused:
// Invalid or TooLarge; then the folder is of no use.
func Unpack(archive []byte, dir string) error {
	if len(archive) > MaxArchive {
		return tooLarge(fmt.Sprintf("the archive has %d bytes, at most %d are taken", len(archive), MaxArchive))
	}
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return noArchive(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	defer root.Close()
	u := &unpacking{root: root, left: maxUnpacked}
	files := tar.NewReader(io.LimitReader(zip, maxUnpacked+maxArchived*1024)) // and a header for each
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return noArchive(err)
		}
		if err := u.take(h, files); err != nil {
			return err
		}
	}
}

// unpacking is an archive being written to a folder.
type unpacking struct {
	root  *os.Root
	count int
	left  int64
}

func (u *unpacking) take(h *tar.Header, content io.Reader) error {
	name := strings.TrimSuffix(h.Name, "/")
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	if !fs.ValidPath(name) || strings.ContainsAny(name, "\\\x00") || strings.Count(name, "/") >= maxDeep {
		return &attune.Error{Kind: attune.Invalid, Code: "invalid_archive", Message: fmt.Sprintf("the archive holds the name %q", h.Name), Try: "plain paths below the pack's folder"}
	}
	if name == "." {
		return nil
	}
	if u.count++; u.count > maxArchived {
		return tooLarge(fmt.Sprintf("the archive holds more than %d files", maxArchived))
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return u.folder(name)
	case tar.TypeReg:
		if u.left -= h.Size; u.left < 0 {
			return tooLarge(fmt.Sprintf("the archive holds more than %d MiB", maxUnpacked>>20))
		}
		if err := u.folder(path.Dir(name)); err != nil {
			return err
		}
		return u.file(name, fs.FileMode(h.Mode&0o755|0o600), content) //nolint:gosec // nine bits
	}
	return &attune.Error{Kind: attune.Invalid, Code: "invalid_archive", Message: fmt.Sprintf("the archive holds %q, which is neither a file nor a folder", h.Name), Try: "leave links out"}
}

func (u *unpacking) folder(name string) error {
	if err := u.root.MkdirAll(name, 0o755); err != nil {
		return noArchive(err)
	}
	return nil
}

func (u *unpacking) file(name string, mode fs.FileMode, content io.Reader) error {
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return &attune.Error{Kind: attune.Invalid, Code: "invalid_archive", Message: fmt.Sprintf("the archive holds %q twice", name)}
	}
	if err != nil {
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	if _, err = io.Copy(f, content); err != nil {
		return errors.Join(noArchive(err), f.Close())
	}
	if err = errors.Join(f.Chmod(mode), f.Sync(), f.Close()); err != nil { // whatever the umask is
		return fmt.Errorf("unpack %s: %w", name, err)
	}
	return nil
}

func noArchive(err error) error {
	return &attune.Error{Kind: attune.Invalid, Code: "invalid_archive", Message: "the pack is no good tar.gz archive", Cause: err, Try: "attune pack install DIR makes one"}
}

func tooLarge(message string) error {
	return attune.NewError(attune.TooLarge, "pack_too_large", message)
}
