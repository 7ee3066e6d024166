package floors

import (
	"fmt"
	"go/ast"
	"strconv"
	"strings"
)

// Imports finds imports of a floor that is not below, of an implementation by someone
// who should know its interface only, between siblings that stay apart, and anything
// but the standard library in the root package.
func Imports(t *Tree) []Fault {
	var faults []Fault
	t.eachImport(func(f *file, spec *ast.ImportSpec, imported string) {
		if what := t.refuse(f, imported); what != "" {
			faults = append(faults, t.at(spec.Pos(), what))
		}
	})
	for _, f := range t.files {
		if _, ok := rowOf(f.folder); !ok {
			faults = append(faults, Fault{f.path, "folder " + f.folder + " has no floor: give it a row in internal/floors"})
		}
	}
	return faults
}

func (t *Tree) eachImport(visit func(*file, *ast.ImportSpec, string)) {
	for _, f := range t.files {
		for _, spec := range f.ast.Imports {
			if imported, err := strconv.Unquote(spec.Path.Value); err == nil {
				visit(f, spec, imported)
			}
		}
	}
}

// refuse says why the file may not import the package, or nothing.
func (t *Tree) refuse(f *file, imported string) string {
	to, ours := t.folderOf(imported)
	if !ours {
		if first, _, _ := strings.Cut(imported, "/"); f.folder == "." && !f.test && strings.Contains(first, ".") {
			return "the root package imports the standard library only, not " + imported
		}
		return ""
	}
	from, ok1 := rowOf(f.folder)
	target, ok2 := rowOf(to)
	switch {
	case !ok1 || !ok2 || to == f.folder:
		return ""
	case from.folder == target.folder:
		if from.apart && !f.test && f.folder != from.folder && to != from.folder && !within(f.folder, to) && !within(to, f.folder) {
			return fmt.Sprintf("%s and %s stay apart: they talk by messages", f.folder, to)
		}
		return ""
	case target.below && !f.test && !within(f.folder, wires...):
		return fmt.Sprintf("only %s know the implementation %s", strings.Join(wires, ", "), to)
	case from.below && within(from.folder, target.folder), f.test && target.floor == from.floor:
		return ""
	case target.floor >= from.floor:
		return fmt.Sprintf("%s (floor %d) imports %s (floor %d): only lower floors", f.folder, from.floor, to, target.floor)
	}
	return ""
}

// folderOf turns the import path of a package of this module into its folder.
func (t *Tree) folderOf(imported string) (folder string, ours bool) {
	if imported == t.module {
		return ".", true
	}
	return strings.CutPrefix(imported, t.module+"/")
}

// rowOf finds the row with the longest folder that holds this one.
func rowOf(folder string) (found row, ok bool) {
	for _, r := range rows {
		if (folder == r.folder || r.folder != "." && within(folder, r.folder)) && len(r.folder) >= len(found.folder) {
			found, ok = r, true
		}
	}
	return found, ok
}

// Homes finds libraries away from home, and cgo.
func Homes(t *Tree) []Fault {
	var faults []Fault
	settled := map[string]string{} // the one folder of a library that lives alone
	t.eachImport(func(f *file, spec *ast.ImportSpec, imported string) {
		if imported == "C" {
			faults = append(faults, t.at(spec.Pos(), "cgo: the product is built without a C compiler"))
			return
		}
		h, ok := homeOf(imported)
		guest := within(f.folder, "test") || f.test
		switch {
		case !ok:
		case h.never:
			faults = append(faults, t.at(spec.Pos(), imported+" is never imported"))
		case guest:
		case !within(f.folder, h.folders...):
			faults = append(faults, t.at(spec.Pos(), imported+" lives in "+strings.Join(h.folders, ", ")))
		case h.alone && settled[h.library] == "":
			settled[h.library] = f.folder
		case h.alone && settled[h.library] != f.folder:
			faults = append(faults, t.at(spec.Pos(), imported+" has one home, and that is "+settled[h.library]))
		}
	})
	return faults
}

// homeOf finds the first home whose library is the path, holds it, or is a version of it.
func homeOf(imported string) (home, bool) {
	for _, h := range homes {
		if rest, ok := strings.CutPrefix(imported, h.library); ok && (rest == "" || rest[0] == '/' || rest[0] == '.') {
			return h, true
		}
	}
	return home{}, false
}
