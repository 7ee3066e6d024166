package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/cmd/attune/settings"
)

func without(faults []attune.Fault, words string) []attune.Fault {
	return slices.DeleteFunc(slices.Clone(faults), func(f attune.Fault) bool { return strings.Contains(f.Message, words) })
}

func TestFaultsOfFilesSayWhatWhereAndWhatToTry(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"an unknown key has a neighbour":            {"lisen: 127.0.0.1:1\n", []string{"f:1:1: there is no setting lisen (do you mean listen?)"}},
		"an unknown key below a group too":          {"keep:\n  outputs: 1d\n", []string{"f:2:3: there is no setting keep.outputs (do you mean keep.output?)"}},
		"a flag's name is not the key":              {"log-format: json\n", []string{"f:1:1: there is no setting log-format (do you mean log.format? It is written as format: below log:)"}},
		"a flag that has another word than its key": {"tls:\n  cert: x\n", []string{"f:2:3: there is no setting tls.cert (do you mean tls.certificate?)"}},
		"a key with a dot is nested":                {"log.format: json\n", []string{"f:1:1: there is no setting log.format (do you mean log.format? It is written as format: below log:)"}},
		"nothing is near":                           {"colour: red\n", []string{"f:1:1: there is no setting colour"}},
		"a group needs members":                     {"keep: 30d\n", []string{"f:1:1: keep holds several settings: keep.executions, keep.output, keep.audit, keep.dedupe (keep: {executions: …})"}},
		"a number is one":                           {"slots: many\n", []string{`f:1:8: slots: "many" is no whole number from 0 on (8)`}},
		"a list where one value belongs":            {"listen: [a, b]\n", []string{"f:1:9: listen is a list, not a single HOST:PORT (listen: 127.0.0.1:9370)"}},
		"a mapping where a list belongs":            {"packs: {a: b}\n", []string{"f:1:8: packs is a mapping, not a list (packs: /etc/attune/packs)"}},
		"a list in a list":                          {"packs: [[a]]\n", []string{"f:1:9: a member of packs is a list (/etc/attune/packs)"}},
		"nothing behind the colon":                  {"name:\n", []string{"f:1:6: name has no value (name: edge-1, or leave the key out)"}},
		"a key twice":                               {"slots: 1\nslots: 2\n", []string{`f:2:1: the key "slots" is written twice, first on line 1`}},
		"broken YAML":                               {"slots: 1\n\tname: x\n", []string{"f:2:1: found a tab character that violates indentation, while scanning a plain scalar (indent with spaces)"}},
		"a reference that is none":                  {`database: "postgres://${1x}@h/d"`, []string{"f:1:11: database: a reference is not ${NAME}, with a NAME of letters, digits and _ (${NAME}; $${ stands for ${ itself)"}},
		"a reference without an end":                {`name: "${NAME"`, []string{"f:1:7: name: a reference is not ${NAME}, with a NAME of letters, digits and _ (${NAME}; $${ stands for ${ itself)"}},
		"no mapping at all":                         {"[a]\n", []string{"f:1:1: the file is a list, not a mapping of settings (listen: 127.0.0.1:9370)"}},
		"all at once, in order": {"slots: x\nlisen: y\nkeep: {audit: 1w}\n", []string{
			`f:1:8: slots: "x" is no whole number from 0 on (8)`, "f:2:1: there is no setting lisen (do you mean listen?)",
			`f:3:15: keep.audit: "1w" is no age of a minute or more (30d, 12h or forever)`}},
		"comments alone are good": {"# nothing yet\n\n", nil},
		"an empty file is good":   {"", nil},
		"one value is a list too": {"packs: /p\n", nil},
		"labels are a mapping":    {"labels: {disk: ssd, rack: 12}\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, faults := settings.Read("f", []byte(c.text))
			var got []string
			for _, f := range faults {
				got = append(got, f.String())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("\ngot  %q\nwant %q", got, c.want)
			}
		})
	}
}

// world is an environment and a file in a folder of its own.
type world struct {
	env map[string]string
	dir string
}

func (w world) resolve(t *testing.T, command, text string, flags map[string][]string) (map[string]settings.Value, []attune.Fault) {
	t.Helper()
	file, faults := settings.Read(filepath.Join(w.dir, "attune.yaml"), []byte(text))
	values, more := settings.Resolve(command, settings.Sources{File: file, Env: func(name string) string { return w.env[name] },
		Flags: func(name string) ([]string, bool) { texts, there := flags[name]; return texts, there }})
	all := map[string]settings.Value{}
	for _, v := range values {
		all[v.Path] = v
	}
	return all, append(faults, more...)
}

func TestAFlagGoesBeforeTheEnvironmentBeforeTheFileBeforeTheDefault(t *testing.T) {
	w := world{env: map[string]string{"ATTUNE_SLOTS": "3", "ATTUNE_MAX_LIVE": "9", "ATTUNE_PACKS": "/a, /b"}, dir: "/etc/x"}
	got, faults := w.resolve(t, settings.Dev, "slots: 2\nlisten: 127.0.0.1:2\nmax_live: 8\npacks: [/c]\nconfigs: [mine, /d]\n", map[string][]string{"slots": {"4"}})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for path, want := range map[string]string{
		"slots":      "4 flag --slots",
		"max_live":   "9 env ATTUNE_MAX_LIVE",
		"listen":     "127.0.0.1:2 /etc/x/attune.yaml:2",
		"packs":      "/a /b env ATTUNE_PACKS",
		"configs":    "/etc/x/mine /d /etc/x/attune.yaml:5",
		"keep.audit": "90d default",
	} {
		v := got[path]
		if text := strings.Join(append(v.Texts, v.Origin.String()), " "); text != want {
			t.Errorf("%s is %q, want %q", path, text, want)
		}
	}
	if _, there := got["lease"]; there {
		t.Error("a node has what is of a worker alone")
	}
}

func TestSecretsComeFromTheEnvironmentOrAFile(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put("db", "postgres://a:pw@h/d\n")
	put("empty", "\n")
	put("large", strings.Repeat("x", 70_000))
	for name, c := range map[string]struct {
		path, text string
		env        map[string]string
		want       string
	}{
		"a variable within a text":          {"database", `database: "postgres://a:${PW}@h/d"`, map[string]string{"PW": "pw"}, "postgres://a:pw@h/d"},
		"a variable is the whole text":      {"broker", "broker: ${MQ}", map[string]string{"MQ": "amqp://h"}, "amqp://h"},
		"of any setting":                    {"name", "name: edge-${N}", map[string]string{"N": "7"}, "edge-7"},
		"a dollar that is none":             {"name", "name: a$${b}", nil, "a${b}"},
		"a file beside the configuration":   {"database", `database: "@db"`, nil, "postgres://a:pw@h/d"},
		"a file whose folder is a variable": {"database", `database: "@${DIR}/db"`, map[string]string{"DIR": dir}, "postgres://a:pw@h/d"},
		"a file in the environment":         {"database", "", map[string]string{"ATTUNE_DATABASE": "@" + filepath.Join(dir, "db")}, "postgres://a:pw@h/d"},
		"what is no secret is no file":      {"name", `name: "@db"`, nil, "@db"},
		"a variable that is missing":        {"database", `database: "postgres://a:${PW}@h/d"`, nil, "1:11: database: the environment has no PW"},
		"a file that is missing":            {"database", `database: "@gone"`, nil, "1:11: database: the file DIR/gone: no such file or directory"},
		"a file that is empty":              {"database", `database: "@empty"`, nil, "1:11: database: the file DIR/empty: it is empty"},
		"a file that is no secret":          {"database", `database: "@large"`, nil, "1:11: database: the file DIR/large: it has more than 65536 bytes"},
		"a number that is none in the end":  {"max_live", "max_live: ${N}", map[string]string{"N": "x"}, `1:11: max_live: "x" is no whole number from 0 on`},
	} {
		t.Run(name, func(t *testing.T) {
			got, faults := world{env: c.env, dir: dir}.resolve(t, settings.Server, c.text, nil)
			if len(faults) == 0 {
				if text := strings.Join(got[c.path].Texts, " "); text != c.want {
					t.Errorf("%q, want %q", text, c.want)
				}
				return
			}
			if text := strings.ReplaceAll(faults[0].String(), dir, "DIR"); !strings.HasPrefix(text, "DIR/attune.yaml:"+c.want) {
				t.Errorf("%q, want %q", text, c.want)
			}
		})
	}
}

// A server's environment need not have what a worker's settings refer to.
func TestReferencesOfOtherCommandsAreNotFollowed(t *testing.T) {
	if _, faults := (world{}).resolve(t, settings.Server, "token: ${GONE}\n", nil); len(faults) > 0 {
		t.Errorf("%v", faults)
	}
	if _, faults := (world{}).resolve(t, settings.Worker, "token: ${GONE}\n", nil); len(faults) != 1 {
		t.Errorf("%v", faults)
	}
}

func TestSecretsAreShownNowhere(t *testing.T) {
	const word = "hunter2"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(word), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range settings.All() {
		if !s.Secret {
			continue
		}
		samples := []string{s.Kind.Sample, "postgres://a:" + word + "@h/d?sslpassword=" + word, "amqp://a:" + word + "@h", word, "mysql://a:" + word + "@h", "://" + word, "postgres://a:%zz" + word + "@h", "@secret"}
		for _, sample := range samples {
			for _, c := range []struct {
				env   map[string]string
				text  string
				flags map[string][]string
			}{
				{text: s.Path + ": '" + sample + "'\n"},
				{text: s.Path + ": ${W}\n", env: map[string]string{"W": sample}},
				{text: s.Path + ": ['" + sample + "']\n"},
				{env: map[string]string{s.Env(): sample}},
				{flags: map[string][]string{s.Flag: {sample}}},
			} {
				values, faults := world{env: c.env, dir: dir}.resolve(t, s.Commands[0], c.text, c.flags)
				for _, f := range faults {
					if strings.Contains(f.String(), word) {
						t.Errorf("a fault tells: %s", f)
					}
				}
				v := values[s.Path]
				if v.Setting == nil {
					continue
				}
				if shown := strings.Join(v.Shown(), " "); strings.Contains(shown, word) {
					t.Errorf("it is shown: %s", shown)
				}
			}
		}
	}
}

func TestSecretsInAFileThatEverybodyReadsAreTold(t *testing.T) {
	name := filepath.Join(t.TempDir(), "attune.yaml")
	for text, want := range map[string]int{
		"database: postgres://a:b@h/d\ntoken: x\n":            2,
		"database: postgres://a@h/d\nbroker: ${MQ}\n":         0,
		"database: \"postgres://a:${PW}@h/d\"\ntoken: '@f'\n": 0,
	} {
		for mode, want := range map[os.FileMode]int{0o644: want, 0o640: 0, 0o600: 0} {
			if err := errors.Join(os.WriteFile(name, []byte(text), mode), os.Chmod(name, mode)); err != nil {
				t.Fatal(err)
			}
			f, err := settings.ReadFile(name)
			if err != nil || len(f.Exposed()) != want {
				t.Errorf("%q with mode %o: %v, %v", text, mode, f.Exposed(), err)
			}
		}
	}
}

func TestMaskURL(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://a:b@h:5432/d?sslmode=require": "postgres://a:xxxxx@h:5432/d?sslmode=require",
		"postgres://a@h/d":                        "postgres://a@h/d",
		"postgres://h/d?user=a&password=b":        "postgres://h/d?user=a&password=xxxxx",
		"postgres://h/d?sslkey=/k&sslpassword=b":  "postgres://h/d?sslkey=/k&sslpassword=xxxxx",
		"amqps://a:b%40c@h/v":                     "amqps://a:xxxxx@h/v",
		"host=h password=b":                       "xxxxx",
		"postgres://a:b%zz@h/d":                   "xxxxx",
		"https://h:9370":                          "https://h:9370",
	} {
		if got := settings.MaskURL(text); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
}

func TestACertificateNeedsItsKey(t *testing.T) {
	_, faults := (world{}).resolve(t, settings.Server, "tls: {certificate: /c}\n", nil)
	if len(faults) != 1 || faults[0].String() != "attune.yaml:1: tls.certificate is said and tls.key is not (say both, or none)" {
		t.Errorf("%v", faults)
	}
	if _, faults := (world{env: map[string]string{"ATTUNE_TLS_KEY": "/k"}}).resolve(t, settings.Server, "tls: {certificate: /c}\n", nil); len(faults) > 0 {
		t.Errorf("%v", faults)
	}
}

func TestVariablesThatAreMisspelt(t *testing.T) {
	got := settings.Misspelt([]string{"ATTUNE_DATABSE=x", "ATTUNE_DATABASE=x", "ATTUNE_PACK=p", "ATTUNE_TEST_POSTGRES=x", "ATTUNE_CONFIG=x", "DATABSE=x", "ATTUNE_KEEP_OUTPUTS=1"}, "ATTUNE_CONFIG")
	var texts []string
	for _, f := range got {
		texts = append(texts, f.String())
	}
	if want := []string{"ATTUNE_DATABSE: no setting has this variable (do you mean ATTUNE_DATABASE?)", "ATTUNE_KEEP_OUTPUTS: no setting has this variable (do you mean ATTUNE_KEEP_OUTPUT?)"}; !slices.Equal(texts, want) {
		t.Errorf("%q", texts)
	}
}

// Whatever a file holds, reading it ends with values or faults.
func FuzzRead(f *testing.F) {
	for _, text := range []string{"", "slots: 3\n", "keep: {output: 3d}\npacks: [a, b]\n", "database: \"@x\"\n", "name: ${A}$${B}\n", "labels: {a: b}\n", "&a [*a]", "listen: {<<: {a: b}}\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, faults := settings.Read("f", text)
		values, more := settings.Resolve("", settings.Sources{File: file, Env: func(string) string { return "" }})
		for _, fault := range append(faults, more...) {
			if fault.Where == "" || fault.Message == "" {
				t.Errorf("a fault without words or place: %+v", fault)
			}
		}
		if len(values)+len(more) < len(settings.All()) {
			t.Errorf("%d values and %d faults of %d settings", len(values), len(more), len(settings.All()))
		}
	})
}
