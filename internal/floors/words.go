package floors

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Comments finds packages and exported top-level names without a comment. Test files
// and generated ones need none; the methods that every reader knows need none.
func Comments(t *Tree) []Fault {
	var faults []Fault
	documented := map[string]bool{}
	for _, f := range t.files {
		documented[f.folder] = documented[f.folder] || f.ast.Doc != nil
	}
	for _, f := range t.files {
		if !documented[f.folder] {
			faults = append(faults, Fault{f.path, "package " + f.ast.Name.Name + " has no comment"})
			documented[f.folder] = true // said once
		}
		if f.test || f.generated {
			continue
		}
		for _, decl := range f.ast.Decls {
			for _, name := range bare(decl) {
				faults = append(faults, t.at(name.Pos(), name.Name+" is exported and has no comment"))
			}
		}
	}
	return faults
}

// known are methods whose interface says it all.
var known = []string{
	"String", "Error", "Unwrap", "Is", "As", "Len", "Less", "Swap", "Read", "Write", "Close", "ServeHTTP", "Receive",
	"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "MarshalYAML", "UnmarshalYAML", "Scan", "Value",
}

// bare returns the exported names of a declaration that nothing is said about. The
// comment of a group speaks for its members.
func bare(decl ast.Decl) []*ast.Ident {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		method := d.Recv != nil && (!receiverExported(d) || slices.Contains(known, d.Name.Name))
		if d.Name.IsExported() && d.Doc == nil && !method {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		if d.Doc != nil || d.Tok == token.IMPORT {
			return nil
		}
		var names []*ast.Ident
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Doc == nil && s.Comment == nil {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec:
				if s.Doc == nil && s.Comment == nil {
					names = append(names, s.Names...)
				}
			}
		}
		return slices.DeleteFunc(names, func(name *ast.Ident) bool { return !name.IsExported() })
	}
	return nil
}

func receiverExported(d *ast.FuncDecl) bool {
	receiver := d.Recv.List[0].Type
	for {
		switch e := receiver.(type) {
		case *ast.StarExpr:
			receiver = e.X
		case *ast.IndexExpr:
			receiver = e.X
		case *ast.IndexListExpr:
			receiver = e.X
		case *ast.Ident:
			return e.IsExported()
		default:
			return false
		}
	}
}

// Names finds folders, packages and Go files called by a word that says nothing.
func Names(t *Tree) []Fault {
	var faults []Fault
	for _, f := range t.files {
		stem := strings.TrimSuffix(path.Base(f.path), ".go")
		for _, name := range []string{path.Base(f.folder), f.ast.Name.Name, stem} {
			for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' }) {
				if slices.Contains(vague, strings.TrimSuffix(word, "s")) {
					faults = append(faults, Fault{f.path, fmt.Sprintf("%q says nothing: name the idea", word)})
				}
			}
		}
	}
	return faults
}

// machinePath is a path that only one machine has.
var machinePath = regexp.MustCompile(`(^|[^\w./~-]|file://)/(?:tmp|work|root|home)/`)

// Paths finds such paths in committed text. Tests and their data may name them, since
// there they are input.
func Paths(t *Tree) []Fault {
	var faults []Fault
	for _, file := range t.texts {
		if strings.HasSuffix(file.path, "_test.go") || strings.Contains("/"+file.path, "/testdata/") {
			continue
		}
		line := 0
		for content := range bytes.Lines(file.content) {
			line++
			if machinePath.Match(content) {
				faults = append(faults, Fault{fmt.Sprintf("%s:%d", file.path, line), "names a path of one machine"})
			}
		}
	}
	return faults
}
