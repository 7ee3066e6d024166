package packs

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
)

// Content names what a folder of a pack holds, as far as it is sent: names,
// bytes, and which files can be executed. It is the same for a folder, for an
// [Archive] of it, and for the folder that is unpacked from that, whatever
// packed it. What cannot be sent is an error, as it is of Archive.
func Content(dir string) (string, error) {
	c := newContent()
	count, size := 0, int64(0)
	err := eachSent(dir, func(file, name string) error {
		stat, err := statSent(file)
		if err != nil {
			return err
		}
		if count++; count > maxArchived {
			return tooLarge(fmt.Sprintf("the pack has more than %d files", maxArchived))
		}
		if stat.IsDir() {
			return c.add(name, true, 0, nil)
		}
		if size += stat.Size(); size > maxUnpacked {
			return tooLarge(fmt.Sprintf("the pack has more than %d MiB", maxUnpacked>>20))
		}
		in, err := os.Open(file) //nolint:gosec // a file of the folder that the operator names
		if err != nil {
			return err
		}
		return errors.Join(c.add(name, false, stat.Mode(), io.LimitReader(in, stat.Size())), in.Close())
	})
	if err != nil {
		return "", err
	}
	return c.name(), nil
}

// ContentOf is the content of an archive; one that [Unpack] would refuse for its
// form is Invalid or TooLarge.
func ContentOf(archive []byte) (string, error) {
	if len(archive) > MaxArchive {
		return "", tooLarge(fmt.Sprintf("the archive has %d bytes, at most %d are taken", len(archive), MaxArchive))
	}
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return "", noArchive(err)
	}
	c := newContent()
	files := tar.NewReader(io.LimitReader(zip, maxUnpacked+maxArchived*1024))
	for count := 0; ; count++ {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return c.name(), nil
		}
		if err == nil && count > maxArchived {
			return "", tooLarge(fmt.Sprintf("the archive holds more than %d files", maxArchived))
		}
		if err == nil {
			err = c.add(strings.TrimSuffix(h.Name, "/"), h.Typeflag == tar.TypeDir, fs.FileMode(h.Mode&0o777), files) //nolint:gosec // nine bits
		}
		if err != nil {
			return "", noArchive(err)
		}
	}
}

// content is being named.
type content struct{ sum hash.Hash }

func newContent() content { return content{sha256.New()} }

func (c content) add(name string, folder bool, mode fs.FileMode, of io.Reader) error {
	if folder {
		fmt.Fprintf(c.sum, "folder %q\n", name)
		return nil
	}
	own := sha256.New()
	if _, err := io.Copy(own, of); err != nil {
		return err
	}
	fmt.Fprintf(c.sum, "file %q %t %x\n", name, mode&0o111 != 0, own.Sum(nil))
	return nil
}

func (c content) name() string { return hex.EncodeToString(c.sum.Sum(nil)[:16]) }

// contentName is what Content answers.
var contentName = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Named reports whether the texts can be the ref of a pack and the name of a
// content: then they are safe as names of folders.
func Named(ref, content string) bool {
	return reference.MatchString(ref) && contentName.MatchString(content)
}

// FoldersIn are the folders of the packs that the folders are, or hold.
func FoldersIn(dirs ...string) ([]string, error) {
	var all []string
	for _, dir := range dirs {
		found, err := packsIn(dir)
		if err != nil {
			return nil, &attune.Error{Kind: attune.Invalid, Code: "no_packs", Message: "no packs can be read there: " + plainError(err), Where: dir,
				Try: "name a folder that holds a pack.yaml, or one that holds such folders"}
		}
		for _, one := range found {
			one, err := filepath.Abs(one)
			if err != nil {
				return nil, err
			}
			all = append(all, one)
		}
	}
	return slices.Compact(all), nil
}
