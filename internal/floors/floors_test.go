package floors

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

const root = "../.." // of the repository

// rules are all that the house asks of its files.
var rules = map[string]func(*Tree) []Fault{
	"imports":  Imports,
	"homes":    Homes,
	"budgets":  Budgets,
	"code":     Code,
	"comments": Comments,
	"names":    Names,
	"paths":    Paths,
}

func TestTheHouse(t *testing.T) {
	tree, err := Read(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.files) == 0 {
		t.Fatal("the repository has no Go file: is this its root?")
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			for _, fault := range rule(tree) {
				t.Error(fault)
			}
		})
	}
}

// The linter refuses the same libraries while one types; this test is the authority.
func TestTheLinterKnowsEveryRowAndHome(t *testing.T) {
	config, err := os.ReadFile(root + "/.golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range homes {
		if !bytes.Contains(config, []byte(h.library)) {
			t.Errorf(".golangci.yml does not name %s", h.library)
		}
	}
	for _, r := range rows {
		if r.floor > 0 && r.floor < 6 && !bytes.Contains(config, []byte("${config-path}/"+r.folder+"/**")) {
			t.Errorf(".golangci.yml has no rule for the files of %s", r.folder)
		}
	}
}

func TestEveryHomeIsInTheHouse(t *testing.T) {
	for _, h := range homes {
		for _, folder := range h.folders {
			if _, ok := rowOf(folder); !ok || folder == "." {
				t.Errorf("%s lives in %s, which has no floor", h.library, folder)
			}
		}
		if h.never == (len(h.folders) > 0) {
			t.Errorf("%s: never, or some folders", h.library)
		}
	}
	for _, folder := range append(spawners, wires...) {
		if _, ok := rowOf(folder); !ok || strings.HasSuffix(folder, "/") {
			t.Errorf("%s has no floor", folder)
		}
	}
}
