package floors

import (
	"fmt"
	"go/ast"
	"go/scanner"
	"go/token"
)

// Budgets finds files, functions and interfaces that have outgrown their idea.
// Generated files are outside of it.
func Budgets(t *Tree) []Fault {
	var faults []Fault
	for _, f := range t.files {
		if f.generated {
			continue
		}
		code := codeLines(f.source)
		if len(code) > maxFileLines {
			faults = append(faults, Fault{f.path, over("file", len(code), maxFileLines, "code lines")})
		}
		limit := maxFuncLines
		if f.test {
			limit = maxTestFuncLines
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if lines := t.linesOf(n, code); lines > limit {
					faults = append(faults, t.at(n.Pos(), over("function "+n.Name.Name, lines, limit, "code lines")))
				}
			case *ast.InterfaceType:
				if methods := n.Methods.NumFields(); methods > maxMethods {
					faults = append(faults, t.at(n.Pos(), over("interface", methods, maxMethods, "methods")))
				}
			}
			return true
		})
	}
	return faults
}

func over(what string, got, limit int, unit string) string {
	return fmt.Sprintf("%s of %d %s, at most %d: look for the second idea", what, got, unit, limit)
}

// linesOf counts the code lines from the first to the last line of the node.
func (t *Tree) linesOf(n ast.Node, code map[int]bool) int {
	lines := 0
	for line := t.set.Position(n.Pos()).Line; line <= t.set.Position(n.End()).Line; line++ {
		if code[line] {
			lines++
		}
	}
	return lines
}

// codeLines returns the lines that hold a token other than a comment; a raw string
// counts with all its lines.
func codeLines(source []byte) map[int]bool {
	set := token.NewFileSet()
	file := set.AddFile("", set.Base(), len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, 0)
	lines := map[int]bool{}
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			return lines
		}
		if tok == token.SEMICOLON && literal == "\n" {
			continue // put there by the scanner
		}
		last := file.Line(pos)
		for _, char := range literal {
			if char == '\n' {
				last++
			}
		}
		for line := file.Line(pos); line <= last; line++ {
			lines[line] = true
		}
	}
}
