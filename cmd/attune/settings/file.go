package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/rules"
)

// FileName is the file that is read from the data folder where nobody names
// another.
const FileName = "attune.yaml"

// File is a configuration file that was read.
type File struct {
	// Name is its path as the user knows it.
	Name  string
	texts map[string][]said
	open  bool // every user may read it
}

// said is one text of a setting and its place.
type said struct {
	text string
	at   attune.Position
}

// ReadFile reads a file, with all faults at once. The file is there also with
// faults, as far as it could be read.
func ReadFile(name string) (*File, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "no_config", Message: "the configuration cannot be read", Where: name, Cause: plainCause(err), Try: "--config FILE"}
	}
	f, faults := Read(name, text)
	if stat, err := os.Stat(name); err == nil {
		f.open = stat.Mode().Perm()&0o004 != 0
	}
	return f, Faulty(name, faults)
}

// plainCause leaves out the name, which stands beside it already.
func plainCause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Faulty is the error for the faults of a file or of all sources together, nil
// without any.
func Faulty(where string, faults []attune.Fault) error {
	if len(faults) == 0 {
		return nil
	}
	return &attune.Error{Kind: attune.Invalid, Code: "invalid_config", Message: "the settings are wrong", Where: where, Faults: faults}
}

// Read reads the text of a file. Keys must be known, and each text be of the
// kind of its setting; one that holds a reference is judged when that is
// followed, in [Resolve].
func Read(name string, text []byte) (*File, []attune.Fault) {
	f := &File{Name: name, texts: map[string][]said{}}
	if onlyComments(text) {
		return f, nil
	}
	root, faults := packs.ReadYAML(name, text)
	if root == nil {
		return f, faults
	}
	r := reader{file: f, faults: faults}
	if root.Shape != packs.Mapping {
		r.fault(root.At, "listen: 127.0.0.1:9370", "the file is %s, not a mapping of settings", root.Shape)
		return f, r.faults
	}
	r.mapping("", root)
	return f, r.faults
}

func onlyComments(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// reader is a file being read.
type reader struct {
	file   *File
	faults []attune.Fault
}

func (r *reader) fault(at attune.Position, try, format string, args ...any) {
	r.faults = append(r.faults, attune.Fault{Where: at.String(), Message: fmt.Sprintf(format, args...), Try: try})
}

func (r *reader) mapping(prefix string, n *packs.Node) {
	for _, field := range n.Fields {
		path := prefix + field.Name
		if s := Find(path); s != nil && !strings.Contains(field.Name, ".") {
			r.setting(s, field)
			continue
		}
		switch members := below(path + "."); {
		case len(members) == 0 || strings.Contains(field.Name, "."):
			r.unknown(prefix, field)
		case field.Value.Shape != packs.Mapping:
			r.fault(field.At, path+": {"+strings.TrimPrefix(members[0], path+".")+": …}", "%s holds several settings: %s", path, strings.Join(members, ", "))
		default:
			r.mapping(path+".", field.Value)
		}
	}
}

// below are the paths that begin with a prefix.
func below(prefix string) []string {
	var all []string
	for _, s := range All() {
		if strings.HasPrefix(s.Path, prefix) {
			all = append(all, s.Path)
		}
	}
	return all
}

func (r *reader) unknown(prefix string, field packs.NodeField) {
	try := ""
	if near := nearest(prefix, field.Name); near != "" {
		try = "do you mean " + near + "?"
		if group, name, ok := strings.Cut(near, "."); ok && prefix != group+"." {
			try += " It is written as " + name + ": below " + group + ":"
		}
	}
	r.fault(field.At, try, "there is no setting %s", prefix+field.Name)
}

// nearest is the path that is most likely meant by a name below a prefix.
func nearest(prefix, name string) string {
	var here, paths, leaves []string
	byLeaf := map[string]string{}
	for _, s := range All() {
		paths = append(paths, s.Path)
		if rest, ok := strings.CutPrefix(s.Path, prefix); ok {
			word, _, _ := strings.Cut(rest, ".")
			here = append(here, word)
		}
		leaf := s.Path[strings.LastIndex(s.Path, ".")+1:]
		for _, one := range []string{leaf, s.Flag} {
			if _, taken := byLeaf[one]; !taken {
				byLeaf[one] = s.Path
				leaves = append(leaves, one)
			}
		}
	}
	if near := rules.Nearest(name, here); near != "" {
		return prefix + near
	}
	if near := rules.Nearest(prefix+name, paths); near != "" {
		return near
	}
	if near := byLeaf[rules.Nearest(strings.ReplaceAll(prefix+name, ".", "-"), leaves)]; near != "" {
		return near
	}
	return byLeaf[rules.Nearest(name, leaves)]
}

func (r *reader) setting(s *Setting, field packs.NodeField) {
	items := []*packs.Node{field.Value}
	switch v := field.Value; {
	case v.Shape == packs.List && s.List:
		items = v.List
	case v.Shape == packs.Mapping && s.Kind.Name == Label.Name:
		items = nil
		for _, f := range v.Fields {
			items = append(items, &packs.Node{At: f.Value.At, Text: f.Name + "=" + f.Value.Text, Shape: f.Value.Shape, Empty: f.Value.Empty})
		}
	case v.Shape != packs.Scalar:
		want := "a single " + s.Kind.Name
		if s.List {
			want = "a list"
		}
		r.fault(v.At, s.Path+": "+s.Kind.Sample, "%s is %s, not %s", s.Path, v.Shape, want)
		return
	}
	r.file.texts[s.Path] = []said{}
	for _, item := range items {
		r.text(s, item)
	}
}

func (r *reader) text(s *Setting, n *packs.Node) {
	switch {
	case n.Shape != packs.Scalar:
		r.fault(n.At, s.Kind.Sample, "a member of %s is %s", s.Path, n.Shape)
		return
	case n.Empty || n.Text == "":
		r.fault(n.At, s.Path+": "+s.Kind.Sample+", or leave the key out", "%s has no value", s.Path)
		return
	}
	if refers(s, n.Text) {
		if err := checkReferences(n.Text); err != "" {
			r.fault(n.At, "${NAME}; $${ stands for ${ itself", "%s: %s", s.Path, err)
			return
		}
	} else if s.Kind.check(n.Text) != nil {
		r.faults = append(r.faults, s.wanted(n.Text, n.At.String()))
		return
	}
	r.file.texts[s.Path] = append(r.file.texts[s.Path], said{n.Text, n.At})
}

// beside is a path as it is meant in the file: from the file's folder.
func (f *File) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(f.Name), path)
}

// Exposed are secrets that stand in a file which every user may read.
func (f *File) Exposed() []attune.Fault {
	var faults []attune.Fault
	for _, s := range All() {
		for _, t := range f.texts[s.Path] {
			if f.open && s.Secret && !refers(s, t.text) && s.mask(t.text) != t.text {
				faults = append(faults, attune.Fault{Where: t.at.String(), Message: s.Path + ": every user of this machine can read it", Try: "chmod 600, or ${NAME}, or @FILE"})
			}
		}
	}
	return faults
}

// Says reports whether the file has something for a path.
func (f *File) Says(path string) bool {
	_, there := f.texts[path]
	return there
}
