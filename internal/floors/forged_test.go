package floors

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// forge reads a tree made of the given files, with a module called m.
func forge(t *testing.T, files map[string]string) *Tree {
	t.Helper()
	root := fstest.MapFS{"go.mod": {Data: []byte("module m\n")}}
	for name, content := range files {
		root[name] = &fstest.MapFile{Data: []byte(content)}
	}
	tree, err := Read(root)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// importing is a file that imports the given paths.
func importing(paths ...string) string {
	return fmt.Sprintf("// Package x is forged.\npackage x\n\nimport (\n\t_ %q\n)\n", strings.Join(paths, "\"\n\t_ \""))
}

type forgery struct {
	name  string
	files map[string]string
	want  string // part of the one fault; empty for none
}

func one(path, content string) map[string]string { return map[string]string{path: content} }

func check(t *testing.T, rule func(*Tree) []Fault, cases []forgery) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			faults := rule(forge(t, c.files))
			if c.want == "" {
				if len(faults) > 0 {
					t.Errorf("got %v, want no fault", faults)
				}
				return
			}
			if len(faults) != 1 || !strings.Contains(faults[0].String(), c.want) {
				t.Errorf("got %v, want one fault with %q", faults, c.want)
			}
		})
	}
}

func TestImports(t *testing.T) {
	check(t, Imports, []forgery{
		{"a lower floor is fine", one("node/a.go", importing("m", "m/actors/writer", "m/persistence/sqlite")), ""},
		{"the own row is fine", one("worker/keeper/a.go", importing("m/worker")), ""},
		{"a higher floor is not", one("rules/a.go", importing("m/api")), "rules (floor 2) imports api (floor 4)"},
		{"the same floor is not", one("messages/a.go", importing("m/expression")), "only lower floors"},
		{"actors and api are the same floor", one("actors/rules/a.go", importing("m/api")), "only lower floors"},
		{"a transport is above messages", one("messages/a.go", importing("m/messages/memory")), "only node, cmd, test"},
		{"a transport may import messages", one("messages/memory/a.go", importing("m/messages")), ""},
		{"a store may import its interface", one("persistence/sqlite/a.go", importing("m/persistence")), ""},
		{"an interface may not import its store", one("persistence/a.go", importing("m/persistence/sqlite")), "only node, cmd, test"},
		{"stores do not import each other", one("persistence/sqlite/a.go", importing("m/persistence/memory")), "only node, cmd, test"},
		{"an actor does not know a store", one("actors/writer/a.go", importing("m/persistence/memory")), "only node, cmd, test"},
		{"an actor's test may use one", one("actors/writer/a_test.go", importing("m/persistence/memory")), ""},
		{"a test may use a neighbour", one("worker/a_test.go", importing("m/messages/memory")), ""},
		{"a test may not look up", one("rules/a_test.go", importing("m/worker")), "only lower floors"},
		{"kinds of actors stay apart", one("actors/writer/a.go", importing("m/actors/rules")), "stay apart"},
		{"kinds of actors share their parent", one("actors/writer/a.go", importing("m/actors")), ""},
		{"the product does not import test", one("cmd/attune/a.go", importing("m/test/sim")), "only lower floors"},
		{"nobody imports internal", one("test/e2e/a.go", importing("m/internal/floors")), "only lower floors"},
		{"root imports std", one("a.go", importing("strings", "encoding/json")), ""},
		{"root imports nothing else", one("a.go", importing("github.com/google/uuid")), "standard library only"},
		{"root imports no floor", one("a.go", importing("m/messages")), "only lower floors"},
		{"a new folder needs a floor", one("stuff/a.go", importing("fmt")), "has no floor"},
		{"a name that begins alike is another folder", one("nodes/a.go", importing("fmt")), "has no floor"},
		{"another module is none of ours", map[string]string{
			"tools/go.mod": "module t\n", "tools/a.go": importing("m/api")}, ""},
		{"test data is not code", one("packs/testdata/a.go", importing("m/api")), ""},
	})
}

func TestHomes(t *testing.T) {
	var cases []forgery
	for _, h := range homes {
		away := one("workflow/a.go", importing(h.library+"/v2/x"))
		cases = append(cases, forgery{h.library + " away from home", away, h.library})
		for _, folder := range h.folders {
			cases = append(cases, forgery{h.library + " in " + folder, one(folder+"/a.go", importing(h.library)), ""})
		}
	}
	check(t, Homes, append(cases,
		forgery{"a version in the name", one("api/a.go", importing("gopkg.in/yaml.v3")), "never imported"},
		forgery{"a name that begins alike", one("api/a.go", importing("github.com/jackc2/x")), ""},
		forgery{"never means tests too", one("test/sim/a_test.go", importing(protoactor+"/cluster")), "never imported"},
		forgery{"tests are guests", one("test/sim/a.go", importing(protoactor+"/actor")), ""},
		forgery{"one package only", map[string]string{
			"packs/a.go": importing("go.yaml.in/yaml/v4"), "packs/x/a.go": importing("go.yaml.in/yaml/v4")}, "has one home"},
		forgery{"cgo", one("worker/a.go", "package x\n\nimport \"C\"\n"), "cgo"},
	))
}

func TestBudgets(t *testing.T) {
	lines := func(n int) string { return strings.Repeat("\tx()\n", n) }
	funcs := func(n int) string { return "package x\n" + strings.Repeat("func x() {}\n", n-1) }
	methods := func(n int) string {
		text := "package x\ntype I interface {\n\tfmt.Stringer\n"
		for i := range n - 1 {
			text += fmt.Sprintf("\tM%d()\n", i)
		}
		return text + "}\n"
	}
	check(t, Budgets, []forgery{
		{"a file of 600", one("a.go", funcs(600)), ""},
		{"a file of 601", one("a.go", funcs(601)), "file of 601"},
		{"blanks and comments are free", one("a.go", funcs(600)+strings.Repeat("\n// why\n/* and\nwherefore */\n", 50)), ""},
		{"a raw string is not", one("a.go", funcs(500)+"var s = `"+strings.Repeat("\n", 150)+"`\n"), "file of 651"},
		{"generated files are free", one("a.go", "// Code generated by hand. DO NOT EDIT.\n\n"+funcs(601)), ""},
		{"a function of 80", one("a.go", "package x\nfunc f() {\n"+lines(78)+"}\n"), ""},
		{"a function of 81", one("a.go", "package x\nfunc f() {\n"+lines(79)+"}\n"), "function f of 81"},
		{"a test of 160", one("a_test.go", "package x\nfunc f() {\n"+lines(158)+"}\n"), ""},
		{"a test of 161", one("a_test.go", "package x\nfunc f() {\n"+lines(159)+"}\n"), "function f of 161"},
		{"an interface of 12", one("a.go", methods(12)), ""},
		{"an interface of 13", one("a.go", methods(13)), "interface of 13"},
	})
}

func TestCode(t *testing.T) {
	in := func(statement string) string { return "package x\n\nfunc f() {\n\t" + statement + "\n}\n" }
	cases := []forgery{
		{"an actor starts no goroutine", one("actors/writer/a.go", in("go g()")), "go statement"},
		{"nor does messages itself", one("messages/a.go", in("go g()")), "go statement"},
		{"a store does not", one("persistence/sqlite/a.go", in("go g()")), "go statement"},
		{"not by a wait group either", one("api/a.go", in("var w sync.WaitGroup")), "WaitGroup"},
		{"not by an error group either", one("api/a.go", in("var w errgroup.Group")), "Group"},
		{"a test may", one("actors/writer/a_test.go", in("go g()")), ""},
		{"a test that sleeps", one("rules/a_test.go", in("time.Sleep(1)")), "a test sleeps"},
		{"in a bubble it may", one("rules/a_test.go", "package x\n\nimport \"testing/synctest\"\n\nvar _ = time.Sleep\n"), ""},
		{"init", one("api/a.go", "package x\n\nfunc init() {}\n"), "init function"},
		{"a method called init is none", one("api/a.go", "package x\n\nfunc (t T) init() {}\n"), ""},
		{"SetReceiveTimeout", one("actors/a.go", in("c.SetReceiveTimeout(1)")), "SetReceiveTimeout"},
		{"Stash", one("actors/a.go", in("c.Stash()")), "Stash"},
		{"Respond(nil)", one("actors/a.go", in("c.Respond(nil)")), "Respond(nil)"},
		{"Respond(x)", one("actors/a.go", in("c.Respond(x)")), ""},
	}
	for _, folder := range spawners {
		cases = append(cases, forgery{folder + " may", one(folder+"/a.go", in("go g()")), ""})
	}
	check(t, Code, cases)
}

func TestComments(t *testing.T) {
	after := func(declaration string) string { return "// Package x is forged.\npackage x\n\n" + declaration + "\n" }
	check(t, Comments, []forgery{
		{"a package without", one("a.go", "package x\n"), "package x has no comment"},
		{"doc.go speaks for the package", map[string]string{"a.go": "package x\n", "doc.go": after("")}, ""},
		{"a function", one("a.go", after("func F() {}")), "F is exported"},
		{"a method", one("a.go", after("func (*t[K]) F() {}\nfunc (*T[K, V]) F() {}")), "F is exported"},
		{"a type", one("a.go", after("type T int")), "T is exported"},
		{"a constant of two", one("a.go", after("const (\n\tA = 1 // one\n\tB = 2\n)")), "B is exported"},
		{"a variable", one("a.go", after("var v, V int")), "V is exported"},
		{"a group speaks for its members", one("a.go", after("// All.\nconst (\n\tA = 1\n\tB = 2\n)")), ""},
		{"what everybody knows", one("a.go", after("func (T) String() string { return \"\" }")), ""},
		{"what nobody sees", one("a.go", after("func f() {}\ntype t int\nfunc (t) F() {}")), ""},
		{"tests", map[string]string{"a.go": after(""), "a_test.go": "package x\nfunc TestX() {}\n"}, ""},
	})
}

func TestNames(t *testing.T) {
	const source = "package x\n"
	check(t, Names, []forgery{
		{"a file", one("api/job_manager.go", source), "manager"},
		{"a test file", one("api/helpers_test.go", source), "helpers"},
		{"a folder", one("api/utils/a.go", source), "utils"},
		{"a package", one("api/a.go", "package common\n"), "common"},
		{"only whole words", one("api/database.go", source), ""},
	})
	for _, word := range vague {
		if len(Names(forge(t, one("api/"+word+".go", source)))) != 1 {
			t.Errorf("%s.go passes", word)
		}
	}
}

func TestPaths(t *testing.T) {
	check(t, Paths, []forgery{
		{"in code", one("a.go", "package x\n\nconst p = \"/tmp/x\"\n"), "a.go:3"},
		{"in a document", one("docs/a.md", "look in\n/home/me/x\n"), "docs/a.md:2"},
		{"in a script", one(".ci/run", "cd=/work/x\n"), "machine"},
		{"in a URL", one("a.yml", "at: file:///root/x\n"), "machine"},
		{"below another folder", one("a.md", "/var/tmp/x and ~/work/x and /api/v1/work/x and ./tmp/x\n"), ""},
		{"a test may", one("a_test.go", "package x\n\nconst p = \"/tmp/x\"\n"), ""},
		{"test data may", one("packs/testdata/a.yaml", "cwd: /home/stanley/\n"), ""},
		{"what is built is not committed", one("bin/a.txt", "/tmp/x"), ""},
		{"neither are bytes", one("a.png", "\x00 /tmp/x"), ""},
	})
}

func TestReadRefusesWhatIsNotGo(t *testing.T) {
	root := fstest.MapFS{"go.mod": {Data: []byte("module m\n")}, "a.go": {Data: []byte("pakage x")}}
	if _, err := Read(root); err == nil {
		t.Error("a file that does not parse is no fault")
	}
	if _, err := Read(fstest.MapFS{}); err == nil {
		t.Error("a root without go.mod is no fault")
	}
}

func TestEveryRuleFindsSomething(t *testing.T) {
	source := "package util\n\nimport _ \"m/api\"\nimport _ \"C\"\n\nfunc init() {\n" + strings.Repeat("\tx(\"/tmp/\")\n", 90) + "}\n"
	tree := forge(t, one("rules/a.go", source))
	var silent []string
	for name, rule := range rules {
		if len(rule(tree)) == 0 {
			silent = append(silent, name)
		}
	}
	if slices.Sort(silent); len(silent) > 0 {
		t.Errorf("nothing found by %v", silent)
	}
}
