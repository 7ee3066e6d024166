package floors

import (
	"go/ast"
	"slices"
	"strconv"
)

// Code finds what must not be written at all: goroutines where nobody waits for
// them, init functions, tests that sleep on the real clock, and calls of the actor
// library that are known to break.
func Code(t *Tree) []Fault {
	var faults []Fault
	bubbles := map[string]bool{} // folders whose tests run in synctest bubbles
	for _, f := range t.files {
		if f.imports("testing/synctest") {
			bubbles[f.folder] = true
		}
	}
	for _, f := range t.files {
		spawns := f.test || within(f.folder, spawners...)
		sleeps := !f.test || within(f.folder, "test") || bubbles[f.folder] // else the linter, or real servers, or a bubble
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				if !spawns {
					faults = append(faults, t.at(n.Pos(), "a go statement: "+f.folder+" has no owner that waits for it"))
				}
			case *ast.SelectorExpr:
				if !spawns && (isName(n.X, "sync") && n.Sel.Name == "WaitGroup" || isName(n.X, "errgroup")) {
					faults = append(faults, t.at(n.Pos(), n.Sel.Name+" starts goroutines: "+f.folder+" may not"))
				}
				if !sleeps && isName(n.X, "time") && n.Sel.Name == "Sleep" {
					faults = append(faults, t.at(n.Pos(), "a test sleeps: use testing/synctest, an injected clock or a wait point"))
				}
			case *ast.FuncDecl:
				if !f.test && n.Recv == nil && n.Name.Name == "init" {
					faults = append(faults, t.at(n.Pos(), "an init function: let the caller construct it"))
				}
			case *ast.CallExpr:
				if what := hazard(n); what != "" {
					faults = append(faults, t.at(n.Pos(), what))
				}
			}
			return true
		})
	}
	return faults
}

// hazard says what is wrong with a call that looks like one of protoactor's.
func hazard(call *ast.CallExpr) string {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	switch method.Sel.Name {
	case "SetReceiveTimeout":
		return "SetReceiveTimeout fires once and races: send a message to self from a timer"
	case "Stash":
		return "Stash replays in reverse: keep a queue"
	case "Respond":
		if len(call.Args) == 1 && isName(call.Args[0], "nil") {
			return "Respond(nil) leaves the asker waiting: answer with a message"
		}
	}
	return ""
}

func (f *file) imports(path string) bool {
	return slices.ContainsFunc(f.ast.Imports, func(spec *ast.ImportSpec) bool { return spec.Path.Value == strconv.Quote(path) })
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}
