package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/attune-automation/attune/cmd/attune/settings"
)

// notSettings are flags of commands with settings that nobody writes into a
// file: they are about one call.
var notSettings = []string{"config", "help", "dry-run"}

// Whoever gives a command a flag gives the table a row, or says that it is none.
func TestFlagsAreThoseOfTheTable(t *testing.T) {
	root := (&program{}).root()
	for _, name := range settings.Commands {
		c := findCommand(root, name)
		if c == nil {
			continue
		}
		rows := map[string]bool{}
		for _, s := range settings.All() {
			if !s.Of(name) {
				continue
			}
			rows[s.Flag] = true
			f := c.Flag(s.Flag)
			if f == nil {
				t.Errorf("attune %s has no --%s, which the table says", name, s.Flag)
				continue
			}
			if _, list := f.Value.(pflag.SliceValue); list != s.List {
				t.Errorf("attune %s: --%s takes several: %t, and the table says %t", name, s.Flag, list, s.List)
			}
			if sample := strings.Split(s.Kind.Sample, ", ")[0]; setFlag(f, []string{sample}) != nil {
				t.Errorf("attune %s: --%s does not take %q", name, s.Flag, sample)
			}
		}
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if !rows[f.Name] && !slices.Contains(notSettings, f.Name) {
				t.Errorf("attune %s --%s has no row in the table of settings", name, f.Name)
			}
		})
	}
}

// configured runs a command of settings with its body replaced, and returns
// what its flags came to.
func configured(t *testing.T, env map[string]string, args ...string) (map[string]string, string, int) {
	t.Helper()
	var talk bytes.Buffer
	got := map[string]string{}
	p := &program{streams: streams{in: strings.NewReader(""), out: &talk, talk: &talk, env: func(name string) string { return env[name] },
		environ: func() []string { return []string{"ATTUNE_LISTN=x"} }}}
	root := p.root()
	c := findCommand(root, settings.Dev)
	c.RunE = func(c *cobra.Command, _ []string) error {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if got[f.Name] = f.Value.String(); !f.Changed {
				delete(got, f.Name)
			}
		})
		return nil
	}
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	explain(&talk, err)
	return got, talk.String(), exitCode(err)
}

func TestTheFileOfTheDataFolderIsRead(t *testing.T) {
	data := t.TempDir()
	file := filepath.Join(data, settings.FileName)
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("slots: 3\npacks: [mine, /p]\nkeep: {executions: 60d}\nmax_live: 5\n")
	got, talk, code := configured(t, map[string]string{"ATTUNE_DATA": data, "ATTUNE_MAX_LIVE": "7"}, "dev", "--listen", "127.0.0.1:1")
	want := map[string]string{"slots": "3", "packs": "[" + data + "/mine,/p]", "keep": "60d", "max-live": "7", "listen": "127.0.0.1:1", "data": data}
	if code != 0 {
		t.Fatalf("%d: %s", code, talk)
	}
	for name, text := range want {
		if got[name] != text {
			t.Errorf("--%s is %q, want %q", name, got[name], text)
		}
	}
	if _, said := got["keep-audit"]; said {
		t.Error("what nobody said is taken for said")
	}
	for _, words := range []string{"configuration: " + file + "\n", "warning: ATTUNE_LISTN: no setting has this variable (do you mean ATTUNE_LISTEN?)\n"} {
		if !strings.Contains(talk, words) {
			t.Errorf("%q does not say %q", talk, words)
		}
	}

	write("data: /elsewhere\n")
	if _, talk, code := configured(t, map[string]string{}, "dev", "--data", data); code != exitUsage || !strings.Contains(talk, "cannot say which one that is") {
		t.Errorf("%d: %s", code, talk)
	}
	other := filepath.Join(t.TempDir(), "other.yaml")
	if err := os.WriteFile(other, []byte("slots: 9\ndata: /elsewhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, talk, _ := configured(t, map[string]string{"ATTUNE_CONFIG": other}, "dev"); got["slots"] != "9" || got["data"] != "/elsewhere" {
		t.Errorf("%v: %s", got, talk)
	}
}

func TestAFaultyConfigurationStartsNothing(t *testing.T) {
	got, talk, code := configured(t, map[string]string{"HOME": "/nowhere", "ATTUNE_SLOTS": "x", "ATTUNE_KEEP_AUDIT": "y"}, "dev")
	if len(got) > 0 || code != exitUsage {
		t.Errorf("%v, %d", got, code)
	}
	for _, words := range []string{`- ATTUNE_SLOTS: slots: "x" is no whole number from 0 on (8)`, `- ATTUNE_KEEP_AUDIT: keep.audit: "y" is no age`} {
		if !strings.Contains(talk, words) {
			t.Errorf("%s\ndoes not say %s", talk, words)
		}
	}
}
