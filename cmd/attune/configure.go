package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/cmd/attune/settings"
)

// configVariable names the configuration file where --config does not.
const configVariable = "ATTUNE_CONFIG"

// settle gives the flags of all commands that have settings their words and
// defaults from the table, and the flag --config.
func (p *program) settle(root *cobra.Command) {
	for _, name := range settings.Commands {
		c := findCommand(root, name)
		if c == nil {
			continue
		}
		c.Flags().StringVar(&p.config, "config", "", "configuration file ("+configVariable+"; else "+settings.FileName+" in the data folder)")
		for _, s := range settings.All() {
			if f := c.LocalNonPersistentFlags().Lookup(s.Flag); f != nil && s.Of(name) {
				f.Usage = s.Usage()
				if s.Default != "" && f.DefValue != s.Default {
					_ = f.Value.Set(s.Default) // a test holds it against its kind
					f.DefValue = s.Default
				}
			}
		}
	}
}

// findCommand is the command with these words, or nil.
func findCommand(c *cobra.Command, words string) *cobra.Command {
	for word := range strings.FieldsSeq(words) {
		var next *cobra.Command
		for _, one := range c.Commands() {
			if one.Name() == word {
				next = one
			}
		}
		if next == nil {
			return nil
		}
		c = next
	}
	return c
}

// configure sets the flags that were not given from the environment and the
// configuration file. What has no settings is left alone.
func (p *program) configure(c *cobra.Command) error {
	name := settingsOf(c)
	if name == "" {
		return nil
	}
	values, file, err := p.resolve(c)
	if err != nil {
		return err
	}
	for _, v := range values {
		f := c.Flags().Lookup(v.Flag)
		if f == nil || v.Origin.Source == settings.Unsaid {
			continue
		}
		if err := setFlag(f, v.Texts); err != nil {
			return usage(fmt.Sprintf("%s (%s) does not fit --%s", v.Path, v.Origin, v.Flag), "--"+v.Flag+" "+v.Kind.Sample)
		}
	}
	if file != nil {
		fmt.Fprintln(p.talk, "configuration:", file.Name)
		p.warn(file.Exposed())
	}
	p.warn(p.misspelt())
	return nil
}

// warn tells what is dubious and stops nobody.
func (p *program) warn(faults []attune.Fault) {
	for _, f := range faults {
		fmt.Fprintln(p.talk, "warning:", f)
	}
}

// settingsOf is the name by which the table of settings knows a command, or
// empty.
func settingsOf(c *cobra.Command) string {
	_, name, _ := strings.Cut(c.CommandPath(), " ")
	for _, known := range settings.Commands {
		if name == known {
			return name
		}
	}
	return ""
}

func setFlag(f *pflag.Flag, texts []string) error {
	f.Changed = true
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return list.Replace(texts)
	}
	for _, text := range texts {
		if err := f.Value.Set(text); err != nil {
			return err
		}
	}
	return nil
}

// given are the texts of a flag that was given on the command line.
func given(flags *pflag.FlagSet) func(string) ([]string, bool) {
	return func(name string) ([]string, bool) {
		f := flags.Lookup(name)
		if f == nil || !f.Changed {
			return nil, false
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			return list.GetSlice(), true
		}
		return []string{f.Value.String()}, true
	}
}

// resolve is what the settings of a command come to, with its flags, and the
// file that was read, if any. All faults of all sources come at once.
func (p *program) resolve(c *cobra.Command) ([]settings.Value, *settings.File, error) {
	file, err := p.readConfig()
	if err != nil && file == nil {
		return nil, nil, err
	}
	values, faults := settings.Resolve(settingsOf(c), settings.Sources{File: file, Env: p.env, Flags: given(c.Flags())})
	where := ""
	if file != nil {
		where = file.Name
	}
	return values, file, settings.Faulty(where, append(faultsOf(err), faults...))
}

// readConfig reads the file that the flag or the environment names, else the
// one in the data folder, if there is one. It is nil where there is none.
func (p *program) readConfig() (*settings.File, error) {
	for _, name := range []string{p.config, p.env(configVariable)} {
		if name != "" {
			return settings.ReadFile(name)
		}
	}
	data, err := dataFolder(p.data, p.env)
	if err != nil {
		return nil, nil // who needs one says so
	}
	name := filepath.Join(data, settings.FileName)
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	f, err := settings.ReadFile(name)
	if f != nil && err == nil && f.Says("data") {
		err = &attune.Error{Kind: attune.Invalid, Code: "invalid_config", Message: "a file that is found in the data folder cannot say which one that is", Where: name, Try: "leave out data, or name the file: --config FILE"}
	}
	return f, err
}

// misspelt are variables of the environment that nobody reads and that look
// like one of a setting.
func (p *program) misspelt() []attune.Fault {
	if p.environ == nil {
		return nil
	}
	return settings.Misspelt(p.environ(), configVariable, "ATTUNE_SERVER", "ATTUNE_TOKEN", "ATTUNE_DATA")
}
