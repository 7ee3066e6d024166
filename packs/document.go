package packs

import "github.com/attune-automation/attune"

// Node is a value of a YAML file and its place, for readers of other files than
// packs: this package is the one home of the YAML library. A node is a scalar,
// a list, or a mapping.
type Node struct {
	// At is where it begins.
	At attune.Position
	// Text is a scalar as it is written, without quotes. What it means is for
	// the reader, who knows the type he wants.
	Text string
	// Empty is a scalar that is null: nothing behind the colon.
	Empty bool
	// List are the members of a list.
	List []*Node
	// Fields are the members of a mapping, in the order of the file; no name
	// is there twice.
	Fields []NodeField
	// Shape says which of the three it is.
	Shape Shape
}

// NodeField is one member of a mapping.
type NodeField struct {
	Name  string
	At    attune.Position // of the name
	Value *Node
}

// Shape is what a [Node] is: scalar, list or mapping.
type Shape uint8

// The shapes.
const (
	Scalar Shape = iota
	List
	Mapping
)

func (s Shape) String() string {
	return [...]string{"a single value", "a list", "a mapping"}[s]
}

// ReadYAML reads a text that the user knows by name, with the bounds of a
// pack's files. All faults come at once; the node is nil after one of syntax.
// Keys that are written twice are faults, and so is an empty file.
func ReadYAML(name string, text []byte) (*Node, []attune.Fault) {
	s := &source{name: name}
	v := s.parse(text)
	return v.node(), s.faults
}

func (v *value) node() *Node {
	if v == nil {
		return nil
	}
	n := &Node{At: v.at, Text: v.raw, Shape: Shape(v.kind), Empty: v.kind == scalarKind && v.scalar == nil}
	for _, one := range v.list {
		n.List = append(n.List, one.node())
	}
	for _, f := range v.fields {
		n.Fields = append(n.Fields, NodeField{f.name, f.at, f.value.node()})
	}
	return n
}
