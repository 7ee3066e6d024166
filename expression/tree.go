package expression

import (
	"errors"
	"fmt"
	"strconv"
)

// Tree is a compiled structure of lists and dicts with templates in it. It
// never changes and is safe for concurrent use.
type Tree struct {
	template *Template
	list     []*Tree
	keys     []string // of a dict, sorted; values are in list
	value    any      // a leaf that is no text
	kind     treeKind
	constant bool // nothing in it needs rendering
}

type treeKind uint8

const (
	leafTree treeKind = iota
	textTree
	listTree
	dictTree
)

// PathError says where in a tree an error is, as in parameters.hosts[0].
type PathError struct {
	Path string
	Err  error
}

// Error is the path and the error.
func (e *PathError) Error() string {
	if e.Path == "" {
		return e.Err.Error()
	}
	return e.Path + ": " + e.Err.Error()
}

// Unwrap returns the error without its path.
func (e *PathError) Unwrap() error { return e.Err }

// MaxTree is the largest number of values in a tree.
const MaxTree = 100_000

// CompileTree compiles every text in v, which is made of maps, slices and
// plain values. Keys are not templates. All errors are reported at once, each
// a *PathError. v is copied: later changes to it do not matter.
func CompileTree(v any) (*Tree, error) {
	c := treeCompiler{}
	t := c.compile(v, "", 0)
	return t, errors.Join(c.errs...)
}

type treeCompiler struct {
	errs  []error
	count int
}

func (c *treeCompiler) fail(path string, err error) *Tree {
	c.errs = append(c.errs, &PathError{path, err})
	return &Tree{constant: true}
}

func (c *treeCompiler) compile(v any, path string, depth int) *Tree {
	c.count++
	if c.count == MaxTree+1 {
		return c.fail(path, &Error{Kind: Budget, Message: fmt.Sprintf("more than %d values in a tree", MaxTree)})
	}
	if depth > MaxNesting {
		return c.fail(path, &Error{Kind: Budget, Message: fmt.Sprintf("nested more than %d deep", MaxNesting)})
	}
	if c.count > MaxTree {
		return &Tree{constant: true}
	}
	v, err := normal(v)
	if err != nil {
		return c.fail(path, &Error{Kind: Type, Message: err.Error()})
	}
	switch v := v.(type) {
	case string:
		template, err := Compile(v)
		if err != nil {
			return c.fail(path, err)
		}
		return &Tree{kind: textTree, template: template, constant: template.Constant(), value: v}
	case []any:
		t := &Tree{kind: listTree, constant: true}
		for i, item := range v {
			child := c.compile(item, path+"["+strconv.Itoa(i)+"]", depth+1)
			t.list, t.constant = append(t.list, child), t.constant && child.constant
		}
		return t
	case map[string]any:
		t := &Tree{kind: dictTree, constant: true, keys: sortedKeys(v)}
		for _, k := range t.keys {
			child := c.compile(v[k], joinPath(path, k), depth+1)
			t.list, t.constant = append(t.list, child), t.constant && child.constant
		}
		return t
	}
	return &Tree{value: v, constant: true}
}

// joinPath appends a key to a path.
func joinPath(path, k string) string {
	switch {
	case !isIdentifier(k):
		return path + "[" + quote(k) + "]"
	case path == "":
		return k
	}
	return path + "." + k
}

// Constant says whether no value of the tree needs rendering.
func (t *Tree) Constant() bool { return t.constant }

// Names are the variables that the tree's templates may read, sorted.
func (t *Tree) Names() []string {
	set := map[string]any{}
	t.names(set)
	return sortedKeys(set)
}

func (t *Tree) names(set map[string]any) {
	if t.template != nil {
		for _, n := range t.template.names {
			set[n] = nil
		}
	}
	for _, child := range t.list {
		child.names(set)
	}
}

// Render renders every text and returns a new structure; a text that is
// exactly one {{ }} is replaced by the native value. All errors are reported at
// once, each a *PathError.
func (t *Tree) Render(scope Scope) (any, error) { return t.renderAt("", scope, &Purse{}) }

// RenderFrom is Render with a budget that other renders share.
func (t *Tree) RenderFrom(scope Scope, purse *Purse) (any, error) {
	return t.renderAt("", scope, purse)
}

func (t *Tree) renderAt(path string, scope Scope, purse *Purse) (any, error) {
	var errs []error
	v := t.render(scope, purse, path, &errs)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return v, nil
}

func (t *Tree) render(scope Scope, purse *Purse, path string, errs *[]error) any {
	switch t.kind {
	case textTree:
		v, err := t.template.RenderFrom(scope, purse)
		if err != nil {
			*errs = append(*errs, &PathError{path, err})
		}
		return v
	case listTree:
		out := make([]any, len(t.list))
		for i, child := range t.list {
			if child.kind == leafTree || child.kind == textTree && child.constant {
				out[i] = child.value
				continue
			}
			out[i] = child.render(scope, purse, path+"["+strconv.Itoa(i)+"]", errs)
		}
		return out
	case dictTree:
		out := make(map[string]any, len(t.list))
		for i, child := range t.list {
			if child.kind == leafTree || child.kind == textTree && child.constant {
				out[t.keys[i]] = child.value
				continue
			}
			out[t.keys[i]] = child.render(scope, purse, joinPath(path, t.keys[i]), errs)
		}
		return out
	}
	return t.value
}

// RenderTree compiles and renders in one go.
func RenderTree(v any, scope Scope) (any, error) {
	t, err := CompileTree(v)
	if err != nil {
		return nil, err
	}
	return t.Render(scope)
}
