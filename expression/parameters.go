package expression

import (
	"errors"
	"maps"
	"strings"
)

// Parameters are the compiled parameters of an action: each may read the
// others by name. It is safe for concurrent use.
type Parameters struct {
	names []string // in the order of rendering
	trees map[string]*Tree
}

// CompileParameters compiles values and puts them into an order in which each
// comes after the parameters it reads. A cycle is an error that names it. All
// errors are reported at once, each a *PathError that begins with the
// parameter's name.
func CompileParameters(values map[string]any) (*Parameters, error) {
	p := &Parameters{trees: make(map[string]*Tree, len(values))}
	c := treeCompiler{}
	for _, n := range sortedKeys(values) {
		p.trees[n] = c.compile(values[n], n, 0)
	}
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	state := map[string]int{} // 0 new, 1 on the way, 2 done
	var way []string
	var visit func(n string)
	visit = func(n string) {
		switch state[n] {
		case 1:
			for way[0] != n {
				way = way[1:]
			}
			c.errs = append(c.errs, &PathError{n, &Error{
				Kind: Undefined, Path: n,
				Message: "parameters depend on each other in a circle: " + strings.Join(append(way, n), " -> "),
				Try:     "give one of them a value of its own",
			}})
			return
		case 2:
			return
		}
		state[n] = 1
		way = append(way, n)
		for _, needed := range p.trees[n].Names() {
			if _, ok := p.trees[needed]; ok && len(c.errs) == 0 {
				visit(needed)
			}
		}
		if len(c.errs) == 0 {
			way = way[:len(way)-1]
		}
		state[n] = 2
		p.names = append(p.names, n)
	}
	for _, n := range sortedKeys(values) {
		if visit(n); len(c.errs) > 0 {
			return nil, c.errs[0]
		}
	}
	return p, nil
}

// Render renders the parameters in their order. A parameter hides a variable
// of the scope with its name. A parameter that reads one which failed is not
// rendered: only the cause is reported. Errors are *PathError, all at once.
func (p *Parameters) Render(scope Scope) (map[string]any, error) {
	seen := make(Scope, len(scope)+len(p.names))
	maps.Copy(seen, scope)
	out := make(map[string]any, len(p.names))
	failed := map[string]bool{}
	var errs []error
	purse := &Purse{}
next:
	for _, n := range p.names {
		t := p.trees[n]
		if !t.constant && len(failed) > 0 {
			for _, needed := range t.Names() {
				if failed[needed] {
					failed[n] = true
					continue next
				}
			}
		}
		v, err := t.renderAt(n, seen, purse)
		if err != nil {
			failed[n] = true
			errs = append(errs, err)
			continue
		}
		out[n], seen[n] = v, v
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return out, nil
}

// RenderParameters compiles and renders in one go.
func RenderParameters(values map[string]any, scope Scope) (map[string]any, error) {
	p, err := CompileParameters(values)
	if err != nil {
		return nil, err
	}
	return p.Render(scope)
}
