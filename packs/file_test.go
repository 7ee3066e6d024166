package packs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-automation/attune/packs"
)

func TestARuleFileOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const rule = "trigger: {type: a.b}\naction: {ref: c.d, parameters: {n: 2}}\nname: r\n"
	write("shop/pack.yaml", "name: shop\n")
	for path, ref := range map[string]string{
		write("loose.yaml", rule):                           "default.r",
		write("named.yaml", rule+"pack: mine\n"):            "mine.r",
		write("impossible.yaml", rule+"pack: ../up\n"):      "default.r",
		write("shop/rules/in.yaml", rule+"pack: mine\n"):    "shop.r",
		write("shop/rules/draft.txt", rule):                 "shop.r",
		write("shop/drafts/beside.yaml", rule):              "default.r",
		write("nopack/rules/in.yaml", rule+"pack: mine\n"):  "mine.r",
		write("nopack/rules/plain.yaml", rule+"when: 'x'"):  "default.r",
		write("nopack/rules/number.yaml", rule+"pack: []"):  "default.r",
		write("nopack/rules/quoted.yaml", rule+"pack: '7'"): "7.r",
	} {
		r, faults := packs.ReadRule(path)
		if len(faults) > 0 || r == nil || r.Ref != ref || r.At.File != filepath.ToSlash(path) || r.Parameters["n"] != int64(2) {
			t.Errorf("%s: %+v, %v", path, r, faults)
		}
	}
	for path, where := range map[string]string{
		write("twice.yaml", rule+"when: 1\nname: s\n"): ":5:1: the key \"name\" is written twice",
		write("unknown.yaml", rule+"wen: x\n"):         ":4:1: a rule has no key \"wen\" (did you mean when?)",
		write("list.yaml", "- 1\n"):                    ":1:1: a rule must be a mapping",
		write("empty.yaml", ""):                        ":1:1: the file is empty",
		write("open.yaml", "name: [\n"):                ":2:1: ",
		filepath.Join(dir, "none.yaml"):                ": no such file or directory",
		dir:                                            ": not a regular file",
	} {
		r, faults := packs.ReadRule(path)
		if r != nil || len(faults) == 0 || !strings.HasPrefix(faults[0].String(), filepath.ToSlash(path)+where) {
			t.Errorf("%s: %+v, %v", path, r, faults)
		}
	}
}

func TestARuleFileInTheFolderOneIsIn(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("r.yaml", []byte("name: r\nbogus: 1\ntrigger: {type: a.b}\naction: {ref: c.d}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, faults := packs.ReadRule("r.yaml"); len(faults) != 1 || !strings.HasPrefix(faults[0].Where, "r.yaml:2:1") {
		t.Errorf("%v", faults)
	}
}
