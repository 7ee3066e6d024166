// Package jsonpath finds values in decoded JSON by the part of JSONPath that
// StackStorm's rules and its filter jsonpath_query use:
//
//	$.a.b  a['b c']  a["b"]  'b c'.d     members of an object
//	a[0]  a[-1]                          an item of a list, from the end too
//	a[*]  a[1:3]  a[:2]                  all or some items; what is no list counts as a list of one
//	a.*                                  all members, by sorted name
//	a..b  a..*                           at any depth, the outer before the inner
//
// Refused, each with an error: filters [?(…)], unions (|), parent and where,
// slices with a step, a second .. (so that the work stays in proportion to the
// value). Nothing here panics, reads a clock or changes a value.
package jsonpath

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Path is a parsed path. It never changes and is safe for concurrent use.
type Path struct {
	steps []Step
	plain bool
}

// Kind says where a step goes.
type Kind uint8

// The kinds of steps.
const (
	// Name goes to a member of an object.
	Name Kind = iota
	// Index goes to an item of a list.
	Index
	// Members goes to all members of an object.
	Members
	// Items goes to the items From up to To of a list.
	Items
	// Deep goes to the value and to all within it.
	Deep
)

// Step is one step of a path.
type Step struct {
	Kind Kind
	// Name is the member's name.
	Name string
	// Index is the item's number, negative from the end.
	Index int
	// From and To bound Items, negative from the end; Open is no upper bound.
	From, To int
	Open     bool
}

// MaxSteps limits a path.
const MaxSteps = 100

// Parse parses a path. A $ at its beginning changes nothing.
func Parse(text string) (*Path, error) {
	if len(text) > 4<<10 {
		return nil, fmt.Errorf("the path has %d bytes, at most %d are allowed", len(text), 4<<10)
	}
	p := &parser{text: text, rest: strings.TrimSpace(text)}
	if rest, rooted := strings.CutPrefix(p.rest, "$"); rooted {
		p.rest = rest
	} else if !strings.HasPrefix(p.rest, "[") {
		if err := p.member(); err != nil {
			return nil, err
		}
	}
	for p.rest != "" {
		if err := p.step(); err != nil {
			return nil, err
		}
	}
	if len(p.steps) > MaxSteps {
		return nil, fmt.Errorf("the path has %d steps, at most %d are allowed", len(p.steps), MaxSteps)
	}
	plain := !slices.ContainsFunc(p.steps, func(s Step) bool { return s.Kind > Index })
	return &Path{p.steps, plain}, nil
}

// Steps are the steps; never change them.
func (p *Path) Steps() []Step { return p.steps }

// Behind is the path without its first step.
func (p *Path) Behind() *Path { return &Path{p.steps[1:], p.plain} }

type parser struct {
	text, rest string
	steps      []Step
}

func (p *parser) fault(format string, args ...any) error {
	return fmt.Errorf("the path %q has %s", p.text, fmt.Sprintf(format, args...))
}

func (p *parser) step() error {
	switch {
	case strings.HasPrefix(p.rest, ".."):
		if slices.ContainsFunc(p.steps, func(s Step) bool { return s.Kind == Deep }) {
			return p.fault("more than one ..")
		}
		p.rest = p.rest[2:]
		p.steps = append(p.steps, Step{Kind: Deep})
		if p.rest != "" && p.rest[0] == '[' {
			return p.bracket()
		}
		return p.member()
	case p.rest[0] == '.':
		if p.rest = p.rest[1:]; p.rest != "" && p.rest[0] == '[' {
			return p.bracket()
		}
		return p.member()
	case p.rest[0] == '[':
		return p.bracket()
	}
	return p.fault("%q where a . or [ was expected", p.rest)
}

// member reads a name, a quoted name or *.
func (p *parser) member() error {
	if p.rest != "" && (p.rest[0] == '\'' || p.rest[0] == '"') {
		name, err := p.quoted()
		p.steps = append(p.steps, Step{Name: name})
		return err
	}
	end := strings.IndexAny(p.rest, ".[")
	if end < 0 {
		end = len(p.rest)
	}
	name := p.rest[:end]
	p.rest = p.rest[end:]
	switch {
	case name == "":
		return p.fault("an empty name")
	case name == "*":
		p.steps = append(p.steps, Step{Kind: Members})
		return nil
	case strings.ContainsAny(name, "`|?()*]'\"$"):
		return p.fault("the name %s, which must be quoted", name)
	}
	p.steps = append(p.steps, Step{Name: name})
	return nil
}

func (p *parser) quoted() (string, error) {
	end := strings.IndexByte(p.rest[1:], p.rest[0])
	if end < 0 {
		return "", p.fault("a quote that is not closed")
	}
	name := p.rest[1 : end+1]
	p.rest = p.rest[end+2:]
	return name, nil
}

// bracket reads [0], [1:2], [*], ['name'] and [name].
func (p *parser) bracket() error {
	p.rest = strings.TrimLeft(p.rest[1:], " ")
	if p.rest != "" && (p.rest[0] == '\'' || p.rest[0] == '"') {
		name, err := p.quoted()
		if err != nil {
			return err
		}
		p.steps = append(p.steps, Step{Name: name})
		p.rest = strings.TrimLeft(p.rest, " ")
		if !strings.HasPrefix(p.rest, "]") {
			return p.fault("a [ that is not closed behind %q", name)
		}
		p.rest = p.rest[1:]
		return nil
	}
	inner, after, closed := strings.Cut(p.rest, "]")
	if !closed {
		return p.fault("a [ that is not closed")
	}
	p.rest, inner = after, strings.TrimSpace(inner)
	if inner == "*" {
		p.steps = append(p.steps, Step{Kind: Items, Open: true})
		return nil
	}
	if from, to, slice := strings.Cut(inner, ":"); slice {
		s, err := p.slice(strings.TrimSpace(from), strings.TrimSpace(to))
		p.steps = append(p.steps, s)
		return err
	}
	index, err := strconv.ParseInt(inner, 10, 32)
	if err != nil {
		return p.fault("[%s], which is neither an index nor a quoted name", inner)
	}
	p.steps = append(p.steps, Step{Kind: Index, Index: int(index)})
	return nil
}

func (p *parser) slice(from, to string) (Step, error) {
	s := Step{Kind: Items, Open: to == ""}
	for _, bound := range []struct {
		text string
		to   *int
	}{{from, &s.From}, {to, &s.To}} {
		if bound.text == "" {
			continue
		}
		n, err := strconv.ParseInt(bound.text, 10, 32)
		if err != nil {
			return s, p.fault("the slice [%s:%s], which is not of two numbers", from, to)
		}
		*bound.to = int(n)
	}
	return s, nil
}

// First is the first value at the path, and whether there is one. v must be a
// tree: what is shared is walked each time.
func (p *Path) First(v any) (any, bool) {
	if !p.plain {
		w := walker{left: math.MaxInt}
		var found any
		there := false
		w.visit = func(at any) bool {
			found, there = at, true
			return false
		}
		w.walk(v, p.steps)
		return found, there
	}
	for i := range p.steps { // nine paths in ten, ten thousand times a second
		s := &p.steps[i]
		var ok bool
		if s.Kind == Name {
			object, _ := v.(map[string]any)
			v, ok = object[s.Name]
		} else {
			v, ok = item(v, s.Index)
		}
		if !ok {
			return nil, false
		}
	}
	return v, true
}

// All are the values at the path, in the order of the document with members
// sorted by name. It gives up with false when it has looked at limit values;
// looked is how many it did look at.
func (p *Path) All(v any, limit int) (found []any, looked int, ok bool) {
	w := walker{left: limit}
	w.visit = func(at any) bool {
		found = append(found, at)
		return true
	}
	w.walk(v, p.steps)
	return found, limit - w.left, w.left > 0
}

func item(v any, index int) (any, bool) {
	list, _ := v.([]any)
	if index < 0 {
		index += len(list)
	}
	if index < 0 || index >= len(list) {
		return nil, false
	}
	return list[index], true
}

// walker visits the values at a path until visit returns false or nothing is
// left of its work.
type walker struct {
	visit func(any) bool
	left  int
}

// walk returns false when there is no more to do.
func (w *walker) walk(v any, steps []Step) bool {
	if w.left--; w.left <= 0 {
		return false
	}
	if len(steps) == 0 {
		return w.visit(v)
	}
	s, rest := steps[0], steps[1:]
	switch s.Kind {
	case Name:
		object, _ := v.(map[string]any)
		if inner, ok := object[s.Name]; ok {
			return w.walk(inner, rest)
		}
	case Index:
		if inner, ok := item(v, s.Index); ok {
			return w.walk(inner, rest)
		}
	case Members:
		object, _ := v.(map[string]any)
		return w.each(object, rest)
	case Items:
		for _, inner := range s.of(v) {
			if !w.walk(inner, rest) {
				return false
			}
		}
	case Deep:
		if !w.walk(v, rest) {
			return false
		}
		switch v := v.(type) {
		case []any:
			for _, inner := range v {
				if !w.walk(inner, steps) {
					return false
				}
			}
		case map[string]any:
			return w.each(v, steps)
		}
	}
	return true
}

func (w *walker) each(object map[string]any, steps []Step) bool {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !w.walk(object[name], steps) {
			return false
		}
	}
	return true
}

// of are the items of v that the step goes to.
func (s Step) of(v any) []any {
	list, ok := v.([]any)
	if !ok {
		if v == nil {
			return nil
		}
		list = []any{v}
	}
	bound := func(n int) int {
		if n < 0 {
			n += len(list)
		}
		return min(max(n, 0), len(list))
	}
	from, to := bound(s.From), bound(s.To)
	if s.Open {
		to = len(list)
	}
	return list[from:max(from, to)]
}
