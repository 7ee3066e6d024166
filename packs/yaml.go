package packs

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/attune-automation/attune"
	"go.yaml.in/yaml/v4"
)

// Bounds of one file.
const (
	maxFileBytes = 1 << 20
	// maxValues stops a file whose aliases multiply: it counts the values
	// after aliases are followed.
	maxValues = 100_000
	maxDepth  = 100
	// maxFaults of one file are reported; nobody reads more at once.
	maxFaults = 100
)

// value is a YAML value with its place. Scalars are nil, bool, int64, float64
// or string; dates are text.
type value struct {
	at     attune.Position
	scalar any
	raw    string // the scalar as it is written: 1.10 is no 1.1 in a version
	list   []*value
	fields []field // in the order of the file
	kind   valueKind
}

type valueKind uint8

const (
	scalarKind valueKind = iota
	listKind
	mapKind
)

type field struct {
	name  string
	at    attune.Position
	value *value
}

// source is one file being read. It collects what is wrong with it.
type source struct {
	name   string // as the user knows it
	faults []attune.Fault
	left   int // values until maxValues
}

func (s *source) fault(at attune.Position, try, format string, args ...any) {
	if len(s.faults) == maxFaults {
		return
	}
	s.faults = append(s.faults, attune.Fault{Where: at.String(), Message: fmt.Sprintf(format, args...), Try: try})
}

// top is the place of a fault about the whole file.
func (s *source) top() attune.Position { return attune.Position{File: s.name, Line: 1, Column: 1} }

// parse reads one YAML document. It returns nil after a fault of syntax; other
// faults, such as a key written twice, leave a value to go on with.
func (s *source) parse(text []byte) *value {
	if len(text) > maxFileBytes {
		s.fault(s.top(), "", "the file has %d bytes, at most %d are read", len(text), maxFileBytes)
		return nil
	}
	if strings.TrimSpace(string(text)) == "" {
		s.fault(s.top(), "", "the file is empty")
		return nil
	}
	var root yaml.Node
	if err := s.load(text, &root); err != nil {
		s.syntax(err)
		return nil
	}
	if len(root.Content) != 1 {
		s.fault(s.top(), "", "the file holds nothing but comments")
		return nil
	}
	s.left = maxValues
	v := s.convert(root.Content[0], 0)
	if s.left < 0 {
		s.fault(s.top(), "use fewer aliases", "the file holds more than %d values once its aliases are followed", maxValues)
		return nil
	}
	return v
}

// load turns a panic of the library, which reads what anybody wrote, into an
// error.
func (s *source) load(text []byte, root *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML reader gave up: %v", r)
		}
	}()
	return yaml.Load(text, root)
}

func (s *source) syntax(err error) {
	var many *yaml.LoadErrors
	if errors.As(err, &many) {
		for _, e := range many.Errors {
			s.syntaxFault(e)
		}
		return
	}
	var one *yaml.LoadError
	if errors.As(err, &one) {
		s.syntaxFault(one)
		return
	}
	s.fault(s.top(), "", "%v", err)
}

func (s *source) syntaxFault(e *yaml.LoadError) {
	at := attune.Position{File: s.name, Line: e.Mark.Line, Column: e.Mark.Column}
	if at.Line == 0 {
		at = s.top()
	}
	message, try := strings.TrimPrefix(e.Message, "yaml: "), ""
	switch {
	case strings.Contains(message, "tab character"):
		try = "indent with spaces"
	case strings.Contains(message, "cannot start any token"):
		try = "indent with spaces, not tabs, and quote texts that begin with @, ` or %"
	case strings.Contains(message, "mapping values are not allowed"):
		try = "quote the text if it holds a colon"
	case strings.Contains(message, "expected single document"):
		try = "split it into one file each"
	}
	if e.ContextMsg != "" {
		message += ", " + e.ContextMsg
	}
	s.fault(at, try, "%s", message)
}

func (s *source) convert(n *yaml.Node, depth int) *value {
	v := &value{at: attune.Position{File: s.name, Line: n.Line, Column: n.Column}}
	s.left--
	if s.left < 0 {
		return v
	}
	if depth > maxDepth {
		s.fault(v.at, "", "nested more than %d deep", maxDepth)
		return v
	}
	switch n.Kind {
	case yaml.AliasNode:
		if n.Alias != nil {
			w := *s.convert(n.Alias, depth+1) // an alias within itself ends at maxDepth
			w.at = v.at
			return &w
		}
	case yaml.SequenceNode:
		v.kind = listKind
		for _, c := range n.Content {
			v.list = append(v.list, s.convert(c, depth+1))
		}
	case yaml.MappingNode:
		v.kind = mapKind
		s.convertMap(v, n, depth)
	case yaml.ScalarNode:
		v.scalar, v.raw = s.convertScalar(v.at, n), n.Value
	}
	return v
}

func (s *source) convertMap(v *value, n *yaml.Node, depth int) {
	var merged []field
	first := map[string]attune.Position{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		at := attune.Position{File: s.name, Line: key.Line, Column: key.Column}
		if key.Kind == yaml.AliasNode && key.Alias != nil {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			s.fault(at, "", "a key must be a text")
			continue
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, s.mergeFields(at, s.convert(n.Content[i+1], depth+1))...)
			continue
		}
		if before, twice := first[key.Value]; twice {
			s.fault(at, "", "the key %q is written twice, first on line %d", key.Value, before.Line)
			continue
		}
		first[key.Value] = at
		v.fields = append(v.fields, field{key.Value, at, s.convert(n.Content[i+1], depth+1)})
	}
	for _, f := range merged {
		if _, own := first[f.name]; !own {
			first[f.name] = f.at
			v.fields = append(v.fields, f)
		}
	}
}

// mergeFields are the fields that <<: brings in; earlier ones win.
func (s *source) mergeFields(at attune.Position, v *value) []field {
	switch v.kind {
	case mapKind:
		return v.fields
	case listKind:
		var all []field
		for _, item := range v.list {
			all = append(all, s.mergeFields(at, item)...)
		}
		return all
	}
	s.fault(at, "", "<< needs a mapping or a list of mappings")
	return nil
}

func (s *source) convertScalar(at attune.Position, n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int":
		if i, ok := integer(n.Value); ok {
			return i
		}
		s.fault(at, "quote it", "the number %s does not fit into 64 bits", n.Value)
		return nil
	case "!!float":
		f, err := strconv.ParseFloat(strings.ReplaceAll(n.Value, "_", ""), 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			s.fault(at, "quote it", "%s is not a number that JSON can carry", n.Value)
			return nil
		}
		return f
	case "!!str":
		if plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0; plain {
			switch strings.ToLower(n.Value) { // YAML 1.1, which StackStorm reads
			case "yes", "on":
				return true
			case "no", "off":
				return false
			}
		}
	}
	return n.Value
}

// integer reads YAML's integers: 12, -1_000, 0x1f, 0o17 and 017.
func integer(text string) (int64, bool) {
	text = strings.TrimPrefix(strings.ReplaceAll(text, "_", ""), "+")
	i, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		i, err = strconv.ParseInt(text, 10, 64) // 08 and 09
	}
	return i, err == nil
}

// plain is the value without its places: nil, bool, int64, float64, string,
// []any and map[string]any.
func (v *value) plain() any {
	switch v.kind {
	case listKind:
		list := make([]any, len(v.list))
		for i, item := range v.list {
			list[i] = item.plain()
		}
		return list
	case mapKind:
		m := make(map[string]any, len(v.fields))
		for _, f := range v.fields {
			m[f.name] = f.value.plain()
		}
		return m
	}
	return v.scalar
}
