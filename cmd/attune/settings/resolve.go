package settings

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/attune-automation/attune"
)

// Origin is where the value of a setting is from.
type Origin struct {
	// Source is default, file, env or flag.
	Source Source
	// Place is file:line, the variable, or the flag; empty for a default.
	Place string
}

// Source is one of the four places where settings are from; a later one goes
// before an earlier one.
type Source uint8

// The sources, the weakest first.
const (
	Unsaid Source = iota
	InFile
	InEnvironment
	AsFlag
)

// String is the origin as attune config show says it.
func (o Origin) String() string {
	switch o.Source {
	case InFile:
		return o.Place
	case InEnvironment:
		return "env " + o.Place
	case AsFlag:
		return "flag " + o.Place
	}
	return "default"
}

// Value is what one setting comes to.
type Value struct {
	*Setting
	// Texts is one text, or as many as a list has. Paths of a file are made
	// from its folder. Empty means that nobody said anything, and there is no
	// default.
	Texts  []string
	Origin Origin
}

// Shown are the texts as they may be shown.
func (v Value) Shown() []string {
	shown := make([]string, len(v.Texts))
	for i, text := range v.Texts {
		shown[i] = v.mask(text)
	}
	return shown
}

// Sources are where settings come from.
type Sources struct {
	// File is a file that was read, or nil.
	File *File
	// Env is the environment; empty and missing are the same.
	Env func(string) string
	// Flags are the texts of a flag, and whether it was given; nil without any.
	Flags func(flag string) (texts []string, given bool)
}

// Resolve is what the settings of a command come to, in the order of the
// table; of no command, all. Faults of all sources come at once; the values of
// settings with faults are left out.
func Resolve(command string, s Sources) ([]Value, []attune.Fault) {
	var values []Value
	var faults []attune.Fault
	for _, one := range All() {
		if command != "" && !one.Of(command) {
			continue
		}
		v, fault := s.value(one)
		if len(fault) > 0 {
			faults = append(faults, fault...)
			continue
		}
		values = append(values, v)
	}
	return values, append(faults, together(values)...)
}

// together finds settings that need each other.
func together(values []Value) []attune.Fault {
	by := map[string]Value{}
	for _, v := range values {
		by[v.Path] = v
	}
	cert, key := by["tls.certificate"], by["tls.key"]
	if cert.Setting == nil || key.Setting == nil || (len(cert.Texts) > 0) == (len(key.Texts) > 0) {
		return nil
	}
	if len(cert.Texts) == 0 {
		cert, key = key, cert
	}
	return []attune.Fault{{Where: cert.Origin.String(), Message: cert.Path + " is said and " + key.Path + " is not", Try: "say both, or none"}}
}

func (s Sources) value(one *Setting) (Value, []attune.Fault) {
	if s.Flags != nil {
		if texts, given := s.Flags(one.Flag); given {
			return plain(one, texts, Origin{AsFlag, "--" + one.Flag})
		}
	}
	if text := s.Env(one.Env()); text != "" {
		texts := []string{text}
		if one.List {
			texts = strings.Split(text, ",")
		}
		return plain(one, texts, Origin{InEnvironment, one.Env()})
	}
	if s.File != nil {
		if texts, there := s.File.texts[one.Path]; there {
			return s.filed(one, texts)
		}
	}
	if one.Default == "" {
		return Value{Setting: one}, nil
	}
	return Value{one, []string{one.Default}, Origin{}}, nil
}

// plain is the value of a flag or a variable.
func plain(one *Setting, texts []string, from Origin) (Value, []attune.Fault) {
	v := Value{Setting: one, Origin: from}
	for _, text := range texts {
		text, fault := follow(one, strings.TrimSpace(text), from.Place, func(p string) string { return p })
		if fault != nil {
			return v, []attune.Fault{*fault}
		}
		v.Texts = append(v.Texts, text)
	}
	return v, nil
}

// filed is the value of a file.
func (s Sources) filed(one *Setting, texts []said) (Value, []attune.Fault) {
	v := Value{Setting: one, Origin: Origin{Source: InFile, Place: s.File.Name}}
	var faults []attune.Fault
	for i, t := range texts {
		if i == 0 {
			v.Origin.Place = fmt.Sprintf("%s:%d", s.File.Name, t.at.Line)
		}
		text, missing := expand(t.text, s.Env)
		for _, name := range missing {
			faults = append(faults, attune.Fault{Where: t.at.String(), Message: fmt.Sprintf("%s: the environment has no %s", one.Path, name), Try: "export " + name + "=…, or $${ for a plain ${"})
		}
		if len(missing) > 0 {
			continue
		}
		text, fault := follow(one, text, t.at.String(), s.File.beside)
		if fault != nil {
			faults = append(faults, *fault)
			continue
		}
		if one.Kind.path {
			text = s.File.beside(text)
		}
		v.Texts = append(v.Texts, text)
	}
	return v, faults
}

// follow reads the file of a secret that is @FILE, and checks the text.
func follow(one *Setting, text, where string, from func(string) string) (string, *attune.Fault) {
	if path, ok := strings.CutPrefix(text, "@"); ok && one.Secret {
		path = from(path)
		inside, err := secretIn(path)
		if err != nil {
			return "", &attune.Fault{Where: where, Message: fmt.Sprintf("%s: the file %s: %v", one.Path, filepath.Clean(path), err), Try: "a file that this user can read and that holds the value alone"}
		}
		text = inside
	}
	if one.Kind.check(text) != nil {
		fault := one.wanted(text, where)
		return "", &fault
	}
	return text, nil
}
