package packs

import (
	"os"
	"path/filepath"

	"github.com/attune-automation/attune"
)

// loosePack is the pack of a rule that lies in none and names none.
const loosePack = "default"

// ReadRule reads one file with a rule, in a pack or not. Its pack is the one in
// whose folder rules the file lies, else the one that the file names, else
// default. With faults, all those of the file at once, the rule is nil. Whether
// what it names is there, and can be compiled, is for [Snapshot.Compile] to say.
func ReadRule(file string) (*attune.Rule, []attune.Fault) {
	dir, name := filepath.Split(filepath.Clean(file))
	if dir == "" {
		dir = "."
	}
	l := &loading{files: os.DirFS(dir), shown: dir, pack: &attune.Pack{}, taken: map[string]attune.Position{}, file: &attune.PackFile{}}
	s, v := l.read(name)
	return l.loose(s, v, packAround(dir))
}

// ParseRule reads a rule that is in no file; faults name it by name. It is as for
// [ReadRule], of no folder.
func ParseRule(name string, text []byte) (*attune.Rule, []attune.Fault) {
	l := &loading{pack: &attune.Pack{}, taken: map[string]attune.Position{}, file: &attune.PackFile{}}
	s := &source{name: name}
	return l.loose(s, s.parse(text), "")
}

// loose reads the one rule of a source, of the pack around it.
func (l *loading) loose(s *source, v *value, around string) (*attune.Rule, []attune.Fault) {
	if v == nil {
		return nil, s.faults
	}
	l.pack.Ref = around
	if l.pack.Ref == "" {
		l.pack.Ref = v.named("pack")
	}
	if !reference.MatchString(l.pack.Ref) {
		l.pack.Ref = loosePack
	}
	l.rule(s, v)
	if len(s.faults) > 0 {
		return nil, s.faults
	}
	return l.pack.Rules[0], nil
}

// packAround is the ref of the pack whose folder rules is dir, or empty.
func packAround(dir string) string {
	absolute, err := filepath.Abs(dir)
	if err != nil || filepath.Base(absolute) != "rules" || !isPack(filepath.Dir(absolute)) {
		return ""
	}
	return filepath.Base(filepath.Dir(absolute))
}

// named is the text of a field, or empty.
func (v *value) named(name string) string {
	for _, f := range v.fields {
		if f.name == name {
			text, _ := f.value.text()
			return text
		}
	}
	return ""
}

// IsName tells whether a text can be the name of a pack, or of what is in one.
func IsName(s string) bool { return reference.MatchString(s) }
