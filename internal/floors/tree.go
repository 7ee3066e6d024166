package floors

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A Tree is the repository as the rules see it.
type Tree struct {
	module string
	set    *token.FileSet
	files  []*file // Go files of the main module, sorted by path
	texts  []text  // every file of the repository that reads as text
}

type file struct {
	path, folder string // slash-separated, from the root; the root folder is "."
	test         bool   // a _test file
	generated    bool   // says so itself; outside the budgets
	source       []byte
	ast          *ast.File
}

type text struct {
	path    string
	content []byte
}

// A Fault is one place where the house breaks a rule.
type Fault struct {
	Where string // path, with a line where there is one
	What  string
}

// String is the form that an editor can jump to.
func (f Fault) String() string { return f.Where + ": " + f.What }

// maxText bounds the files that are read; larger ones are not written by people.
const maxText = 1 << 20

// skipped are folders that are built or fetched, never committed.
var skipped = []string{".git", "bin", "node_modules"}

// Read parses the Go files of the module at the root of the file system and takes in
// all other text. Folders with a go.mod of their own and testdata hold text only.
// An error means that a file cannot be read or parsed.
func Read(root fs.FS) (*Tree, error) {
	tree := &Tree{set: token.NewFileSet()}
	mod, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		return nil, err
	}
	line, _, _ := strings.Cut(string(mod), "\n")
	tree.module = strings.TrimSpace(strings.TrimPrefix(line, "module"))
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && slices.Contains(skipped, entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || entry.Name() == ".git": // in a linked work tree it is a file
			return nil
		}
		return tree.take(root, name, entry)
	})
	return tree, err
}

func (t *Tree) take(root fs.FS, name string, entry fs.DirEntry) error {
	about, err := entry.Info()
	if err != nil || !about.Mode().IsRegular() || about.Size() > maxText {
		return err
	}
	content, err := fs.ReadFile(root, name)
	if err != nil || bytes.IndexByte(content, 0) >= 0 {
		return err
	}
	t.texts = append(t.texts, text{name, content})
	if path.Ext(name) != ".go" || foreign(root, path.Dir(name)) {
		return nil
	}
	parsed, err := parser.ParseFile(t.set, name, content, parser.ParseComments)
	if err != nil {
		return err
	}
	t.files = append(t.files, &file{
		path:      name,
		folder:    path.Dir(name),
		test:      strings.HasSuffix(name, "_test.go"),
		generated: ast.IsGenerated(parsed),
		source:    content,
		ast:       parsed,
	})
	return nil
}

// foreign says whether the folder belongs to another module or to test data.
func foreign(root fs.FS, folder string) bool {
	for ; folder != "."; folder = path.Dir(folder) {
		if path.Base(folder) == "testdata" {
			return true
		}
		if _, err := fs.Stat(root, folder+"/go.mod"); err == nil {
			return true
		}
	}
	return false
}

// at makes a fault at a place in the source.
func (t *Tree) at(pos token.Pos, what string) Fault {
	where := t.set.Position(pos)
	where.Column = 0
	return Fault{where.String(), what}
}

// within says whether the folder is one of the others or below one of them.
func within(folder string, others ...string) bool {
	return slices.ContainsFunc(others, func(other string) bool {
		return folder == other || strings.HasPrefix(folder, other+"/")
	})
}
