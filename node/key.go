package node

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-automation/attune"
)

// Key is the one secret of a data folder: what is encrypted or signed there
// uses a key that is derived from it for one purpose. Without the file that
// holds it what was encrypted cannot be read again, by anybody.
type Key struct{ secret []byte }

// keyFile is its name in the data folder; keySize its length in bytes.
const (
	keyFile = "attune.key"
	keySize = 32
)

// OpenKey reads the key of a data folder, and makes it, readable by its owner
// only, where there is none. A file that others can read, or that is not a key,
// is refused: it is Denied or Invalid.
func OpenKey(dir string) (Key, error) {
	path := filepath.Join(dir, keyFile)
	k, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	return k, err
}

// OldKeys are the keys that were a folder's before: those of its files whose
// names begin with attune.key.old, in order of name. They open what was sealed
// with them, and seal nothing. They are refused as the key itself is.
func OldKeys(dir string) ([]Key, error) { return oldKeys(filepath.Join(dir, keyFile)) }

func oldKeys(path string) ([]Key, error) {
	paths, err := oldKeyFiles(path)
	if err != nil {
		return nil, err
	}
	var all []Key
	for _, path := range paths {
		k, err := readKey(path)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}

// keyFiles are the files of the key of a folder and of those before it.
func keyFiles(dir string) ([]string, error) {
	path := filepath.Join(dir, keyFile)
	old, err := oldKeyFiles(path)
	return append([]string{path}, old...), err
}

func oldKeyFiles(path string) ([]string, error) {
	paths, err := filepath.Glob(pattern.Replace(path) + ".old*")
	if err != nil {
		return nil, fmt.Errorf("find old keys: %w", err)
	}
	return paths, nil
}

// Keys are a key, and those that were in its place before: they open what was
// sealed with them.
type Keys struct {
	Key Key
	Old []Key
}

// OpenKeys are the keys of a data folder; the key is made where there is none.
func OpenKeys(dir string) (k Keys, err error) {
	if k.Key, err = OpenKey(dir); err == nil {
		k.Old, err = OldKeys(dir)
	}
	return k, err
}

// ReadKeys are the key in a file and those beside it whose names begin with that
// of the file and .old. Several nodes share such a file, so none is made: a new
// key on one of them would read nothing of what the others wrote.
func ReadKeys(path string) (k Keys, err error) {
	if k.Key, err = readKey(path); errors.Is(err, fs.ErrNotExist) {
		return k, &attune.Error{Kind: attune.NotFound, Code: "no_key", Where: path, Message: "the file of the key is not there",
			Try: "copy it from another node; for the first one: (umask 077; head -c 32 /dev/urandom > " + path + ")"}
	}
	if err == nil {
		k.Old, err = oldKeys(path)
	}
	return k, err
}

// pattern makes the name of a folder one that means itself.
var pattern = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

func readKey(path string) (Key, error) {
	secret, err := os.ReadFile(path) //nolint:gosec // the operator's own folder
	if err != nil {
		return Key{}, fmt.Errorf("read the key: %w", err)
	}
	stat, err := os.Stat(path)
	if err != nil {
		return Key{}, fmt.Errorf("read the key: %w", err)
	}
	if stat.Mode().Perm()&0o077 != 0 {
		return Key{}, &attune.Error{Kind: attune.Denied, Code: "open_key", Where: path,
			Message: "the key can be read by others", Try: "chmod 600 " + path}
	}
	if len(secret) != keySize {
		return Key{}, &attune.Error{Kind: attune.Invalid, Code: "wrong_key", Where: path,
			Message: fmt.Sprintf("a key has %d bytes and this file %d", keySize, len(secret)), Try: "put the file of your backup in its place"}
	}
	return Key{secret}, nil
}

// makeKey writes the file whole or not at all: half a key would be worse than
// none.
func makeKey(path string) (Key, error) {
	secret := make([]byte, keySize)
	_, _ = rand.Read(secret) // it never fails
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // the operator's own folder
	if err != nil {
		return Key{}, fmt.Errorf("make the key: %w", err)
	}
	_, err = f.Write(secret)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(part, path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return Key{}, fmt.Errorf("make the key: %w", err)
	}
	return Key{secret}, nil
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the operator's own folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Derive is a 32-byte key for one purpose: the same for the same purpose, and
// telling nothing of the others.
func (k Key) Derive(purpose string) []byte {
	derived, err := hkdf.Key(sha256.New, k.secret, nil, purpose, keySize)
	if err != nil {
		panic(err) // only for lengths that SHA-256 cannot give
	}
	return derived
}
