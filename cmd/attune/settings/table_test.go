package settings_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/attune-automation/attune/cmd/attune/settings"
)

var (
	pathForm = regexp.MustCompile(`^[a-z]+(_[a-z]+)*(\.[a-z]+)?$`)
	flagForm = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
)

func TestTheTableIsSound(t *testing.T) {
	seen := map[string]string{}
	once := func(what, of string) {
		if before, twice := seen[what]; twice {
			t.Errorf("%s is of %s and of %s", what, before, of)
		}
		seen[what] = of
	}
	for _, s := range settings.All() {
		once("path "+s.Path, s.Path)
		once("flag "+s.Flag, s.Path)
		once("variable "+s.Env(), s.Path)
		if !pathForm.MatchString(s.Path) || !flagForm.MatchString(s.Flag) || settings.Find(s.Path) != s {
			t.Errorf("%s, --%s: not as paths and flags are written", s.Path, s.Flag)
		}
		if s.Default == "" && s.Fallback == "" {
			t.Errorf("%s: nobody learns what happens when it is not said", s.Path)
		}
		if s.Default == "0" && s.Fallback == "" {
			t.Errorf("%s: nobody learns what 0 means", s.Path)
		}
		if !strings.HasSuffix(s.Doc, ".") || s.Example == "" || len(s.Commands) == 0 {
			t.Errorf("%s: a sentence, an example or a command is missing", s.Path)
		}
		for _, c := range s.Commands {
			if !slices.Contains(settings.Commands, c) {
				t.Errorf("%s: there is no command %s", s.Path, c)
			}
		}
		if strings.Contains(s.Path, ".") && settings.Find(strings.Split(s.Path, ".")[0]) != nil {
			t.Errorf("%s: its first word is a setting and a group", s.Path)
		}
	}
}

// What the table says by default, and as a sample, is of the kind it says.
func TestDefaultsAreOfTheirKind(t *testing.T) {
	for _, s := range settings.All() {
		for _, text := range []string{s.Default, strings.Split(s.Kind.Sample, ", ")[0]} {
			if text == "" {
				continue
			}
			env := map[string]string{s.Env(): text}
			if _, faults := settings.Resolve(s.Commands[0], settings.Sources{Env: func(name string) string { return env[name] }}); len(without(faults, "is not")) > 0 {
				t.Errorf("%s: %v", s.Path, faults)
			}
		}
	}
}

func TestTextsOfEachKind(t *testing.T) {
	for name, c := range map[string]struct {
		path         string
		right, wrong []string
	}{
		"a switch is true or false and nothing else": {"any_payload", []string{"true", "false"}, []string{"yes", "1", "True", "on"}},
		"a number counts from zero":                  {"slots", []string{"0", "12"}, []string{"-1", "1.5", "many", "1e3", "99999999999999999999"}},
		"a share ends at one":                        {"trace.sample", []string{"0", "0.25", "1"}, []string{"1.1", "-0.1", "10%", "NaN"}},
		"processors may be parts":                    {"max_cpu", []string{"0", "1.5"}, []string{"-1", "two", "Inf", "NaN"}},
		"a size has a unit or none":                  {"max_memory", []string{"512MiB", "1048576"}, []string{"much", "-1", "1 banana"}},
		"an age is a minute or more, or forever":     {"keep.output", []string{"30d", "12h", "forever"}, []string{"30", "10s", "-1d", "1w"}},
		"a length of time is not zero":               {"lease", []string{"10s", "1m30s"}, []string{"0", "10", "-1s"}},
		"an address has a port":                      {"listen", []string{"127.0.0.1:0", "[::1]:9370", ":9370"}, []string{"localhost", "1.2.3.4:http", "1.2.3.4:70000"}},
		"a database is PostgreSQL":                   {"database", []string{"postgres://a:b@h/d", "postgresql://h"}, []string{"mysql://h/d", "host=h password=p", "postgres:///d", "postgres://a:%zz@h"}},
		"a broker is AMQP":                           {"broker", []string{"amqp://h", "amqps://a:b@h:5671/v"}, []string{"http://h", "h:5672"}},
		"a network is one, or an address":            {"allow_http", []string{"10.0.0.0/8", "10.1.2.3", "fd00::/8"}, []string{"localhost", "10.0.0.0/33", "::ffff:10.0.0.1"}},
		"a label has both halves":                    {"labels", []string{"a=b"}, []string{"a", "=b", "a="}},
		"a format of logs is known":                  {"log.format", []string{"auto", "json", "text"}, []string{"xml", "JSON"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings.Find(c.path)
			try := func(text string) bool {
				_, faults := settings.Resolve(s.Commands[0], settings.Sources{Env: func(name string) string { return map[string]string{s.Env(): text}[name] }})
				return len(faults) == 0
			}
			for _, text := range c.right {
				if !try(text) {
					t.Errorf("%q is refused", text)
				}
			}
			for _, text := range c.wrong {
				if try(text) {
					t.Errorf("%q is taken", text)
				}
			}
		})
	}
}
