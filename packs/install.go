package packs

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/rules"
)

// Packs that are about to be installed, and those that were replaced, stand in
// hidden folders beside the others, where nobody loads them.
const (
	incoming = ".incoming-"
	replaced = ".replaced-"
	leaving  = incoming + "leaving-" // is ended, not brought back
)

// recover ends what an earlier process began: a pack that was taken away and
// not yet replaced comes back.
func (l *Library) recover() {
	entries, err := os.ReadDir(l.folders.Installed)
	if l.folders.Installed == "" || err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(l.folders.Installed, e.Name())
		if ref, was := strings.CutPrefix(e.Name(), replaced); was {
			if _, err := os.Lstat(filepath.Join(l.folders.Installed, ref)); errors.Is(err, fs.ErrNotExist) {
				_ = os.Rename(path, filepath.Join(l.folders.Installed, ref)) // if it fails the pack is missing, as anybody sees
				continue
			}
			_ = os.RemoveAll(path) // what is left takes space and does no harm
		}
		if strings.HasPrefix(e.Name(), incoming) {
			_ = os.RemoveAll(path) // likewise
		}
	}
}

// Proposal is a change of one installed pack that has not happened yet. It is
// ended with Apply or with Drop, in either case once.
type Proposal struct {
	// Change is what is different file by file.
	Change Change
	// Pack is what the pack would be, held against the others; nil if it would
	// be gone.
	Pack *attune.Pack
	// Snapshot is all packs as they would be.
	Snapshot *Snapshot

	library *Library
	ref     string
	staged  string // the folder to put in place, or empty
}

// ProposeInstall unpacks an archive beside the installed packs. Errors are
// *attune.Error: Invalid, TooLarge, or Conflict when a pack of this ref stands
// where installs do not go.
func (l *Library) ProposeInstall(ref string, archive []byte) (*Proposal, error) {
	if err := l.may(ref); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(l.folders.Installed, 0o700); err != nil {
		return nil, fmt.Errorf("install %s: %w", ref, err)
	}
	dir, err := os.MkdirTemp(l.folders.Installed, incoming+"*")
	if err != nil {
		return nil, fmt.Errorf("install %s: %w", ref, err)
	}
	p := &Proposal{library: l, ref: ref, staged: filepath.Join(dir, ref)}
	err = os.Mkdir(p.staged, 0o755) //nolint:gosec // as folders of packs are: the scripts may run as others
	if err == nil {
		err = Unpack(archive, p.staged)
	}
	if err == nil && !isPack(p.staged) {
		err = &attune.Error{Kind: attune.Invalid, Code: "invalid_pack", Message: "the archive has no pack.yaml at its top", Try: "attune pack new writes a pack"}
	}
	if err == nil {
		p.Change, err = fileChange(ref, l.place(ref), p.staged)
	}
	if err != nil {
		return nil, errors.Join(err, p.Drop())
	}
	p.join(l.folders.load(p.staged, ref))
	return p, nil
}

// ProposeRemove takes an installed pack away. Errors are *attune.Error: NotFound
// for one that was not installed, such as a named or built-in one.
func (l *Library) ProposeRemove(ref string) (*Proposal, error) {
	if err := l.names(ref); err != nil {
		return nil, err
	}
	if l.at(l.place(ref)) == nil {
		e := attune.NewError(attune.NotFound, "unknown_pack", fmt.Sprintf("there is no installed pack %q", ref))
		if near := rules.Nearest(ref, l.installed()); near != "" {
			e.Try = "did you mean " + near + "?"
		}
		for _, p := range l.Packs() {
			if p.Ref == ref {
				e.Message += ": " + ref + " is loaded from " + from(p)
			}
		}
		return nil, e
	}
	p := &Proposal{library: l, ref: ref}
	var err error
	if p.Change, err = fileChange(ref, l.place(ref), ""); err != nil {
		return nil, err
	}
	p.join(nil)
	return p, nil
}

// installed are the refs of the installed packs.
func (l *Library) installed() []string {
	var refs []string
	for _, s := range l.shelves {
		if s.root == l.folders.Installed && !s.lost() {
			refs = append(refs, s.pack.Ref)
		}
	}
	return refs
}

// place is where a pack is installed.
func (l *Library) place(ref string) string { return filepath.Join(l.folders.Installed, ref) }

// may tells that a pack of this ref may be installed.
func (l *Library) may(ref string) error {
	if err := l.names(ref); err != nil {
		return err
	}
	for _, p := range l.Packs() {
		if p.Ref == ref && (p.Dir == "" || filepath.Dir(p.Dir) != absolute(l.folders.Installed)) {
			return &attune.Error{Kind: attune.Conflict, Code: "pack_elsewhere", Message: fmt.Sprintf("the pack %s is loaded from %s", ref, from(p)), Try: "change it there, or choose another name"}
		}
	}
	return nil
}

// names tells that a ref can be that of an installed pack.
func (l *Library) names(ref string) error {
	if l.folders.Installed == "" {
		return &attune.Error{Kind: attune.Invalid, Code: "no_installs", Message: "this node has no folder to install packs into"}
	}
	if !reference.MatchString(ref) {
		return &attune.Error{Kind: attune.Invalid, Code: "invalid_ref", Message: fmt.Sprintf("%q is no name for a pack", ref), Try: "use letters, digits and _"}
	}
	return nil
}

func absolute(dir string) string {
	if a, err := filepath.Abs(dir); err == nil {
		return a
	}
	return dir
}

// join holds the pack against the others; nil leaves it out.
func (p *Proposal) join(pack *attune.Pack) {
	all := slices.DeleteFunc(p.library.Packs(), func(k *attune.Pack) bool { return k.Dir == absolute(p.library.place(p.ref)) })
	if pack != nil {
		all = append(all, pack)
	}
	p.Snapshot = NewSnapshot(all)
	if pack != nil {
		p.Pack = p.Snapshot.pack(p.ref)
	}
}

// Breaks are the rules among these that work now and would not after the
// change, with the reason. Those of the pack itself are its own affair.
func (p *Proposal) Breaks(present *rules.Set) []attune.Fault {
	var faults []attune.Fault
	own := map[string]bool{}
	if s := p.library.at(p.library.place(p.ref)); s != nil {
		for _, r := range s.pack.Rules {
			own[r.Ref] = true
		}
	}
	for _, r := range present.Sound() {
		if own[r.Ref()] {
			continue
		}
		_, wrong := p.Snapshot.Compile(r.Definition)
		faults = append(faults, wrong...)
	}
	return faults
}

// Apply makes the change, so that a crash leaves the pack as it was or as it is
// to be. Then the library has to be read again.
func (p *Proposal) Apply() error {
	place := p.library.place(p.ref)
	old := filepath.Join(p.library.folders.Installed, replaced+p.ref)
	if p.staged == "" {
		old = filepath.Join(p.library.folders.Installed, leaving+p.ref)
	}
	if err := os.RemoveAll(old); err != nil {
		return errors.Join(fmt.Errorf("put the pack %s in place: %w", p.ref, err), p.Drop())
	}
	err := os.Rename(place, old)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil && p.staged != "" {
		if err = os.Rename(p.staged, place); err != nil {
			err = errors.Join(err, os.Rename(old, place))
		}
	}
	if err == nil {
		err = syncFolder(p.library.folders.Installed)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("put the pack %s in place: %w", p.ref, err), p.Drop())
	}
	return errors.Join(os.RemoveAll(old), p.Drop())
}

// Drop forgets the change.
func (p *Proposal) Drop() error {
	if p.staged == "" {
		return nil
	}
	return os.RemoveAll(filepath.Dir(p.staged))
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the operator's own folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// fileChange compares two folders file by file; one that is not there has none.
func fileChange(ref, before, after string) (Change, error) {
	old, err := digests(before)
	if err != nil {
		return Change{}, err
	}
	now, err := digests(after)
	if err != nil {
		return Change{}, err
	}
	c := Change{Ref: ref, Change: Changed}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		switch digest, had := old[name]; {
		case !had:
			c.Details = append(c.Details, "added "+name)
		case !bytes.Equal(digest, now[name]):
			c.Details = append(c.Details, "changed "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		if _, has := now[name]; !has {
			c.Details = append(c.Details, "removed "+name)
		}
	}
	switch {
	case len(old) == 0:
		c.Change = Added
	case len(now) == 0:
		c.Change = Removed
	case len(c.Details) == 0:
		c.Change = Unchanged
	}
	return c, nil
}

// digests are those of the files below a folder, with their modes.
func digests(dir string) (map[string][]byte, error) {
	all := map[string][]byte{}
	if _, err := os.Stat(dir); dir == "" || errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	err := filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		stat, err := e.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(file) //nolint:gosec // below the folder of installed packs
		if err != nil {
			return err
		}
		sum := sha256.Sum256(fmt.Appendf(content, "%v", stat.Mode()&0o111))
		all[filepath.ToSlash(name)] = sum[:]
		return nil
	})
	return all, err
}
