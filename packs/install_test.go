package packs_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/starter"
)

func archive(t testing.TB, dir string) []byte {
	t.Helper()
	b, err := packs.Archive(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// install installs a folder, and reads the library again.
func install(t testing.TB, l *packs.Library, ref, dir string) string {
	t.Helper()
	p, err := l.ProposeInstall(ref, archive(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(); err != nil {
		t.Fatal(err)
	}
	l.Reload(ref)
	return tell([]packs.Change{p.Change})
}

// names are what is in a folder.
func names(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestAPackIsInstalledChangedAndRemoved(t *testing.T) {
	f := newFolder(t)
	f.shop("src")
	f.put("src/shop/actions/run.sh", "#!/bin/sh\n")
	f.put("src/shop/.git/config", "secret")
	if err := os.Chmod(f.at("src/shop/actions/run.sh"), 0o777); err != nil {
		t.Fatal(err)
	}
	l := packs.NewLibrary(packs.Folders{Installed: f.at("data/packs")}, builtIn(t))
	if got := install(t, l, "shop", f.at("src/shop")); got != "shop added added actions/a.yaml, added actions/run.sh, added pack.yaml, added rules/r.yaml, added triggers/t.yaml" {
		t.Errorf("got %s", got)
	}
	stat, err := os.Stat(f.at("data/packs/shop/actions/run.sh"))
	if err != nil || stat.Mode().Perm() != 0o755 {
		t.Errorf("the script has the mode %v, %v", stat.Mode(), err)
	}
	if p := find(t, l, "shop"); len(p.Rules) != 1 || p.Dir != f.at("data/packs/shop") || l.Look() {
		t.Errorf("got %+v", p)
	}
	same, err := l.ProposeInstall("shop", archive(t, f.at("src/shop")))
	if err != nil || same.Change.Change != packs.Unchanged || same.Drop() != nil {
		t.Errorf("the same again: got %v %v", same, err)
	}
	f.put("src/shop/actions/run.sh", "#!/bin/sh\necho\n")
	f.remove("src/shop/rules")
	if got := install(t, l, "shop", f.at("src/shop")); got != "shop changed changed actions/run.sh, removed rules/r.yaml" {
		t.Errorf("got %s", got)
	}
	gone, err := l.ProposeRemove("shop")
	if err != nil || gone.Apply() != nil || tell(l.Reload()) != "shop removed removed action shop.a, removed trigger shop.t" {
		t.Errorf("got %v", err)
	}
	if got := names(t, f.at("data/packs")); got != "" {
		t.Errorf("left behind: %s", got)
	}
}

func TestWhatCannotBeInstalledIsRefusedAndLeavesNothing(t *testing.T) {
	f := newFolder(t)
	f.shop("named")
	f.put("empty/x", "")
	l := packs.NewLibrary(packs.Folders{Named: []string{f.at("named")}, Installed: f.at("data")}, builtIn(t))
	good := archive(t, f.at("named/shop"))
	for _, c := range []struct {
		name, ref string
		archive   []byte
		kind      attune.ErrorKind
		want      string
	}{
		{"a pack of the operator's folder", "shop", good, attune.Conflict, "the pack shop is loaded from " + f.at("named/shop")},
		{"the built-in pack", "core", good, attune.Conflict, "the pack core is loaded from the program itself"},
		{"a name that is none", "../up", good, attune.Invalid, "is no name for a pack"},
		{"a hidden name", ".incoming-x", good, attune.Invalid, "is no name for a pack"},
		{"no archive", "new", []byte("x"), attune.Invalid, "no good tar.gz archive"},
		{"half an archive", "new", good[:len(good)/2], attune.Invalid, "no good tar.gz archive"},
		{"a folder without a pack", "new", archive(t, f.at("empty")), attune.Invalid, "no pack.yaml at its top"},
	} {
		p, err := l.ProposeInstall(c.ref, c.archive)
		if p != nil || attune.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	if _, err := l.ProposeRemove("shop"); attune.KindOf(err) != attune.NotFound || !strings.Contains(err.Error(), "shop is loaded from") {
		t.Errorf("got %v", err)
	}
	if got := names(t, f.at("data")); got != "" {
		t.Errorf("left behind: %s", got)
	}
	if _, err := packs.NewLibrary(packs.Folders{}).ProposeInstall("x", good); attune.KindOf(err) != attune.Invalid {
		t.Errorf("got %v", err)
	}
}

// hostile is an archive that Archive would never make.
func hostile(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	w := tar.NewWriter(zip)
	for _, h := range headers {
		if h.Typeflag == tar.TypeReg {
			h.Mode |= 0o600
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 1<<20 { // what it says is enough
			if err := zip.Close(); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if w.Close() != nil || zip.Close() != nil {
		t.Fatal("close")
	}
	return b.Bytes()
}

func TestAHostileArchiveWritesNothingOutside(t *testing.T) {
	file := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 1} }
	for _, c := range []struct {
		name    string
		headers []tar.Header
		want    string // empty: it is taken
	}{
		{"up", []tar.Header{file("../evil")}, `the name "../evil"`},
		{"up within", []tar.Header{file("a/../../evil")}, "the name"},
		{"absolute", []tar.Header{file("/evil")}, "the name"},
		{"a backslash", []tar.Header{file(`..\evil`)}, "the name"},
		{"a symbolic link", []tar.Header{{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/etc"}}, "neither a file nor a folder"},
		{"a hard link", []tar.Header{{Name: "l", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}, "neither a file nor a folder"},
		{"a device", []tar.Header{{Name: "d", Typeflag: tar.TypeChar}}, "neither a file nor a folder"},
		{"a pipe", []tar.Header{{Name: "p", Typeflag: tar.TypeFifo}}, "neither a file nor a folder"},
		{"twice", []tar.Header{file("a"), file("a")}, `"a" twice`},
		{"a file as a folder", []tar.Header{file("a"), file("a/b")}, "no good tar.gz archive"},
		{"too deep", []tar.Header{file(strings.Repeat("d/", 30) + "f")}, "the name"},
		{"too much, well packed", []tar.Header{file("a"), {Name: "b", Typeflag: tar.TypeReg, Size: 256 << 20}}, "more than 256 MiB"},
		{"a mode with all bits", []tar.Header{{Name: "a", Typeflag: tar.TypeReg, Mode: 0o7777}}, ""},
		{"folders", []tar.Header{{Name: "./", Typeflag: tar.TypeDir}, {Name: "d/", Typeflag: tar.TypeDir}, file("d/e/f")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			around := t.TempDir()
			dir := filepath.Join(around, "in")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			err := packs.Unpack(hostile(t, c.headers...), dir)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			if got := names(t, around); got != "in" {
				t.Errorf("outside: %s", got)
			}
			if stat, err := os.Stat(filepath.Join(dir, "a")); err == nil && stat.Mode()&^0o755 != 0 {
				t.Errorf("the mode is %v", stat.Mode())
			}
		})
	}
}

func TestALinkIsNotSent(t *testing.T) {
	f := newFolder(t)
	f.shop("src")
	if err := os.Symlink("/etc/passwd", f.at("src/shop/actions/l.sh")); err != nil {
		t.Fatal(err)
	}
	if _, err := packs.Archive(f.at("src/shop")); attune.KindOf(err) != attune.Invalid || !strings.Contains(err.Error(), "l.sh") {
		t.Errorf("got %v", err)
	}
}

// A process may end between any two steps of an install.
func TestAnInstallThatWasCutShortIsWholeAfterTheNextStart(t *testing.T) {
	for _, c := range []struct{ name, now, want string }{
		{"while it was unpacked", "shop .incoming-1", "shop"},
		{"between the renames", ".replaced-shop .incoming-1", "shop"},
		{"before the old one was deleted", "shop .replaced-shop", "shop"},
		{"while a removed one was deleted", ".incoming-leaving-shop other", "other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			for _, name := range strings.Fields(c.now) {
				f.put("data/"+name+"/pack.yaml", "name: shop\n")
			}
			l := packs.NewLibrary(packs.Folders{Installed: f.at("data")})
			if got := names(t, f.at("data")); got != c.want || len(l.Packs()) != 1 {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestAChangeThatBreaksRulesOfOthersSaysWhich(t *testing.T) {
	f := newFolder(t)
	f.shop("data")
	f.put("named/user/pack.yaml", "name: user\n")
	f.put("named/user/rules/r.yaml", rule("r", "shop.t", "shop.a"))
	f.put("named/user/rules/broken.yaml", rule("broken", "shop.t", "shop.none"))
	l := packs.NewLibrary(packs.Folders{Named: []string{f.at("named")}, Installed: f.at("data")}, builtIn(t))
	present := packs.NewSnapshot(l.Packs()).Rules()
	p, err := l.ProposeRemove("shop")
	if err != nil {
		t.Fatal(err)
	}
	text := faultText(p.Breaks(present))
	if strings.Count(text, "\n") != 2 || !strings.Contains(text, "the rule user.r waits for the unknown trigger shop.t") || !strings.Contains(text, "the rule user.r starts the unknown action shop.a") {
		t.Errorf("got %s", text)
	}
	f.put("data/shop/actions/a.yaml", "name: b\nrunner_type: echo\n")
	p, err = l.ProposeInstall("shop", archive(t, f.at("data/shop")))
	if err != nil {
		t.Fatal(err)
	}
	if text := faultText(p.Breaks(present)); strings.Count(text, "\n") != 1 || !strings.Contains(text, "the rule user.r starts the unknown action shop.a") || p.Drop() != nil {
		t.Errorf("got %s", text)
	}
}

func TestANewPackIsGoodAsItStands(t *testing.T) {
	f := newFolder(t)
	written, err := starter.Write(f.at("my_pack2"))
	if err != nil || len(written) != 8 {
		t.Fatal(written, err)
	}
	l := packs.NewLibrary(packs.Folders{Named: []string{f.at("my_pack2")}}, builtIn(t))
	p := find(t, l, "my_pack2")
	if p.Status() != attune.PackLoaded || len(p.Actions) != 1 || len(p.Triggers) != 1 || len(p.Rules) != 1 || p.Actions[0].Refusal != "" {
		t.Errorf("got %s %+v", faultText(p.Faults), p)
	}
	payload, err := os.ReadFile(f.at("my_pack2/etc/hello.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := packs.NewSnapshot(l.Packs()).CheckPayload("my_pack2.hello", payload); err != nil {
		t.Error(err)
	}
	for _, name := range written {
		text, err := os.ReadFile(f.at("my_pack2/" + name))
		if err != nil || strings.Contains(string(text), "__pack__") {
			t.Errorf("%s: %s %v", name, text, err)
		}
	}
	if _, err := starter.Write(f.at("my_pack2")); attune.KindOf(err) != attune.Conflict {
		t.Errorf("got %v", err)
	}
	if _, err := starter.Write(f.at("My-Pack")); attune.KindOf(err) != attune.Invalid {
		t.Errorf("got %v", err)
	}
}
