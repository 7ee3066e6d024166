package packs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
)

// reference is what a pack or definition may be called.
var reference = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$`)

// packFiles are the names pack.yaml may have.
var packFiles = []string{"pack.yaml", "pack.yml"}

// loading is one pack being read.
type loading struct {
	files fs.FS
	shown string // what files are relative to, as the user knows it
	pack  *attune.Pack
	taken map[string]attune.Position // kind and ref
	// file is the report of the file being read.
	file       *attune.PackFile
	anyPayload bool
	// hidden are the secret texts of its configuration.
	hidden []string
}

// Load loads the packs in some folders. A folder with a pack.yaml is a pack;
// in any other each sub-folder with one is, unless it is hidden. Packs come in
// the order of the folders, then of their names. A folder that cannot be read,
// or holds no pack, becomes a pack of nothing but that fault.
func Load(dirs ...string) []*attune.Pack { return Settings{}.Load(dirs...) }

// Load is [Load] with settings.
func (o Settings) Load(dirs ...string) []*attune.Pack {
	var all []*attune.Pack
	for _, dir := range dirs {
		found, err := packsIn(dir)
		if err != nil {
			all = append(all, noPack(dir, err))
		}
		for _, one := range found {
			all = append(all, o.load(one, one))
		}
	}
	return all
}

var errNoPack = errors.New("no pack is in the folder")

// packsIn are the folders of packs that a folder is or holds.
func packsIn(dir string) ([]string, error) {
	if isPack(dir) {
		return []string{dir}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries { // sorted by name
		if sub := filepath.Join(dir, e.Name()); !strings.HasPrefix(e.Name(), ".") && isPack(sub) {
			found = append(found, sub)
		}
	}
	if found == nil {
		return nil, errNoPack
	}
	return found, nil
}

// noPack stands for a folder that has none.
func noPack(dir string, err error) *attune.Pack {
	fault := attune.Fault{Where: dir, Message: plainError(err), Try: "name a folder that holds a pack.yaml, or one that holds such folders"}
	return &attune.Pack{Ref: filepath.Base(dir), Dir: dir, Faults: []attune.Fault{fault}}
}

func isPack(dir string) bool {
	return slices.ContainsFunc(packFiles, func(name string) bool {
		stat, err := os.Stat(filepath.Join(dir, name))
		return err == nil && stat.Mode().IsRegular()
	})
}

// LoadDir loads the pack in one folder. It always returns a pack: what did not
// load is in its Faults.
func LoadDir(dir string) *attune.Pack { return Settings{}.load(dir, dir) }

// Settings say how packs are read.
type Settings struct {
	// Configs are folders of configurations, PACK.yaml; the first that has one
	// counts. A folder may be missing.
	Configs []string
	// AnyPayload shows the payload schemas of triggers, and does not hold events
	// against them.
	AnyPayload bool
}

// load reads the pack in a folder; shown is what the user calls it.
func (o Settings) load(dir, shown string) *attune.Pack {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		absolute = dir
	}
	return load(os.DirFS(dir), refOf(dir), absolute, shown, o)
}

// LoadFS loads a pack from a file system, such as an embedded one. dir is the
// absolute folder that holds the same files for its entry points (see
// [Materialise]), or empty if no action of the pack has one. Faults name
// files as ref/file.
func LoadFS(files fs.FS, ref, dir string) *attune.Pack { return load(files, ref, dir, ref, Settings{}) }

func load(files fs.FS, ref, dir, shown string, o Settings) *attune.Pack {
	l := &loading{files: files, shown: shown, pack: &attune.Pack{Ref: ref, Dir: dir}, taken: map[string]attune.Position{}, anyPayload: o.AnyPayload}
	if !reference.MatchString(ref) {
		l.pack.Faults = []attune.Fault{{Where: shown, Message: fmt.Sprintf("the folder %q is no name for a pack", ref), Try: "use letters, digits and _"}}
		return l.pack
	}
	l.metadata()
	l.config(o.Configs)
	l.hidden = configSecrets(l.pack)
	l.folder("triggers", "trigger", l.trigger)
	l.folder("sensors", "sensor", l.sensor)
	l.folder("actions", "action", l.action)
	l.folder("rules", "rule", l.rule)
	l.unused("aliases", "alias", aliasReason)
	l.unused("policies", "policy", policyReason)
	return l.pack
}

// metadata reads pack.yaml, tolerantly: only a missing file, broken YAML and a
// missing name are faults.
func (l *loading) metadata() {
	name := packFiles[0]
	if !l.exists(name) && l.exists(packFiles[1]) {
		name = packFiles[1]
	}
	l.each(name, "pack", func(s *source, v *value) {
		o := s.object(v, "pack.yaml", nil)
		if o == nil {
			return
		}
		l.file.Ref = l.pack.Ref
		l.pack.Name = o.need("name", "pack.yaml")
		l.pack.Description = o.text("description")
		l.pack.Version = o.text("version")
		l.pack.Author = o.text("author")
	})
}

// folder reads each metadata file of a folder. A missing folder is fine.
func (l *loading) folder(name, kind string, each func(*source, *value)) {
	for _, file := range l.metadataOf(name) {
		l.each(file, kind, each)
	}
}

// unused lists the files of a folder that are not even read.
func (l *loading) unused(name, kind, reason string) {
	for _, file := range l.metadataOf(name) {
		l.pack.Files = append(l.pack.Files, attune.PackFile{File: l.called(file), Kind: kind, State: attune.FileUnused, Reason: reason})
	}
}

// metadataOf are the metadata files of a folder, sorted by name. Hidden files
// are what editors leave while they save.
func (l *loading) metadataOf(name string) []string {
	entries, err := fs.ReadDir(l.files, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.pack.Faults = append(l.pack.Faults, attune.Fault{Where: path.Join(l.shown, name), Message: plainError(err)})
	}
	var files []string
	for _, e := range entries {
		ext := path.Ext(e.Name())
		if !e.IsDir() && (ext == ".yaml" || ext == ".yml") && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, path.Join(name, e.Name()))
		}
	}
	return files
}

// each reads one file, and reports what became of it.
func (l *loading) each(name, kind string, read func(*source, *value)) {
	s, v := l.read(name)
	l.pack.Files = append(l.pack.Files, attune.PackFile{File: s.name, Kind: kind, State: attune.FileLoaded})
	l.file = &l.pack.Files[len(l.pack.Files)-1]
	if v != nil {
		read(s, v)
	}
	if len(s.faults) > 0 {
		l.file.State, l.file.Reason = attune.FileFaulty, ""
	}
	l.pack.Faults = append(l.pack.Faults, s.faults...)
}

// called is the name of a file as the user knows it.
func (l *loading) called(name string) string { return path.Join(filepath.ToSlash(l.shown), name) }

func (l *loading) read(name string) (*source, *value) {
	s := &source{name: l.called(name)}
	text, err := readFile(l.files, name)
	if err != nil {
		s.faults = []attune.Fault{{Where: s.name, Message: plainError(err)}}
		return s, nil
	}
	return s, s.parse(text)
}

// readFile reads one regular file: opening a pipe would wait for ever.
func readFile(files fs.FS, name string) ([]byte, error) {
	stat, err := fs.Stat(files, name)
	if err != nil {
		return nil, err
	}
	if !stat.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if stat.Size() > maxFileBytes {
		return nil, fmt.Errorf("the file has %d bytes, at most %d are read", stat.Size(), maxFileBytes)
	}
	return fs.ReadFile(files, name)
}

func (l *loading) exists(name string) bool {
	stat, err := fs.Stat(l.files, name)
	return err == nil && stat.Mode().IsRegular()
}

// name is the definition's name; the file's pack key is ignored in favour of
// the folder, as in StackStorm.
func (l *loading) name(o *object, what string) string {
	name := o.need("name", what)
	if name != "" && !reference.MatchString(name) {
		o.s.fault(o.get("name").at, "use letters, digits, _, - and .", "%q is no name for %s", name, what)
	}
	return name
}

// accept reports whether a definition has no fault, its ref being taken by
// another file included.
func (l *loading) accept(s *source, kind, ref string, at attune.Position) bool {
	if first, taken := l.taken[kind+" "+ref]; taken {
		s.fault(at, "", "the %s %s is defined twice, first in %s", kind, ref, first.File)
	} else {
		l.taken[kind+" "+ref] = at
	}
	return len(s.faults) == 0
}

// contentHash names the content of a definition: equal for files that mean the
// same, whatever their layout.
func contentHash(ref string, v *value) string {
	text, err := json.Marshal([]any{ref, v.plain()}) // sorts keys
	if err != nil {
		return "" // a value that JSON cannot carry was a fault before
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// plainError is what went wrong without the path, which stands before it.
func plainError(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return strings.TrimSuffix(err.Error(), ".")
}
