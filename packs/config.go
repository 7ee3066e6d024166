package packs

import (
	"encoding/json"
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

// configSchemas are the names config.schema.yaml may have.
var configSchemas = []string{"config.schema.yaml", "config.schema.yml"}

// config reads the schema of the pack's configuration, and the configuration.
// One with faults counts as none, so that nothing runs with half of it.
func (l *loading) config(dirs []string) {
	var shape *rules.Shape
	var known []string
	broken := false
	for _, name := range configSchemas {
		if !l.exists(name) {
			continue
		}
		before := len(l.pack.Faults)
		l.each(name, "config schema", func(s *source, v *value) { shape, known = l.configSchema(s, v) })
		broken = len(l.pack.Faults) > before
		break
	}
	file, text, err := findConfig(dirs, l.pack.Ref)
	switch {
	case err != nil:
		l.pack.Faults = append(l.pack.Faults, attune.Fault{Where: filepath.ToSlash(file), Message: plainError(err)})
		l.pack.Files = append(l.pack.Files, attune.PackFile{File: filepath.ToSlash(file), Kind: "config", Ref: l.pack.Ref, State: attune.FileFaulty})
	case text != nil:
		l.ownConfig(file, text, shape, known, broken)
	case shape != nil:
		l.defaultConfig(dirs, shape)
	}
}

// configSchema is the properties of the configuration. Its keys are names, each
// with its schema.
func (l *loading) configSchema(s *source, v *value) (*rules.Shape, []string) {
	if s.object(v, "config.schema.yaml", nil) == nil {
		return nil, nil
	}
	properties, _ := v.plain().(map[string]any)
	words := map[string]any{"properties": properties}
	shape, faults := rules.CompileShape(words)
	for _, f := range faults {
		f.Path, f.Where = f.Path[min(len(f.Path), 1):], strings.TrimPrefix(f.Where, ".properties")
		s.fault(v.place(f.Path), f.Try, "the schema of the configuration: %s", strings.TrimPrefix(f.Where+" "+f.Message, "."))
	}
	if shape == nil {
		return nil, nil
	}
	text, err := json.Marshal(words)
	if err != nil {
		s.fault(v.at, "", "the schema of the configuration cannot be carried by JSON")
		return nil, nil
	}
	l.pack.ConfigSchema = text
	return shape, slices.Sorted(maps.Keys(properties))
}

// findConfig is the first configuration of a pack in some folders.
func findConfig(dirs []string, ref string) (file string, text []byte, err error) {
	for _, dir := range dirs {
		for _, ext := range []string{".yaml", ".yml"} {
			text, err := readFile(os.DirFS(dir), ref+ext)
			if err != nil && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if text == nil {
				text = []byte{}
			}
			return filepath.Join(dir, ref+ext), text, err
		}
	}
	return "", nil, nil
}

// ownConfig is the configuration that the operator wrote.
func (l *loading) ownConfig(file string, text []byte, shape *rules.Shape, known []string, broken bool) {
	s := &source{name: filepath.ToSlash(file)}
	report := attune.PackFile{File: s.name, Kind: "config", Ref: l.pack.Ref, State: attune.FileLoaded}
	if v := s.parse(text); v != nil && s.object(v, "a configuration", nil) != nil {
		config, _ := v.plain().(map[string]any)
		if shape != nil {
			config, _ = shape.Fill(config, true).(map[string]any)
			for _, f := range shape.Check(config) {
				s.fault(v.place(f.Path), f.Try, "%s", strings.TrimPrefix(f.Where+" "+f.Message, "."))
			}
			report.Reason = strangers(config, known)
		}
		s.dynamic(v)
		if len(s.faults) == 0 && !broken {
			l.pack.Config = config
		}
	}
	switch {
	case len(s.faults) > 0:
		report.State, report.Reason = attune.FileFaulty, ""
	case broken:
		report.State, report.Reason = attune.FileIncomplete, "it cannot be checked: its schema has faults"
	}
	l.pack.Files = append(l.pack.Files, report)
	l.pack.Faults = append(l.pack.Faults, s.faults...)
}

// strangers names the keys that the schema does not know, which StackStorm
// accepts too.
func strangers(config map[string]any, known []string) string {
	for _, name := range slices.Sorted(maps.Keys(config)) {
		if !slices.Contains(known, name) {
			reason := fmt.Sprintf("the schema does not know %s", name)
			if near := rules.Nearest(name, known); near != "" {
				reason += " (did you mean " + near + "?)"
			}
			return reason
		}
	}
	return ""
}

// dynamic refuses values from the data store: taken as they are written they
// would be sent to somebody as a password.
func (s *source) dynamic(v *value) {
	if text, ok := v.scalar.(string); ok && strings.Contains(text, "{{") && strings.Contains(text, "st2kv") {
		s.fault(v.at, "write the value itself", "a configuration cannot read the data store: there is none")
	}
	for _, one := range v.list {
		s.dynamic(one)
	}
	for _, f := range v.fields {
		s.dynamic(f.value)
	}
}

// defaultConfig is what the schema alone gives. What is required and missing is
// no fault of the pack: the operator has yet to say it.
func (l *loading) defaultConfig(dirs []string, shape *rules.Shape) {
	config, _ := shape.Fill(map[string]any{}, true).(map[string]any)
	l.pack.Config = config
	var missing []string
	for _, f := range shape.Check(config) {
		missing = append(missing, strings.TrimPrefix(f.Where+" "+f.Message, "."))
	}
	if missing == nil {
		return
	}
	file := filepath.Join("configs", l.pack.Ref+".yaml")
	if len(dirs) > 0 {
		file = filepath.Join(dirs[0], l.pack.Ref+".yaml")
	}
	l.pack.Files = append(l.pack.Files, attune.PackFile{File: filepath.ToSlash(file), Kind: "config", Ref: l.pack.Ref, State: attune.FileIncomplete,
		Reason: "there is no such file: " + strings.Join(missing, ", ")})
}
