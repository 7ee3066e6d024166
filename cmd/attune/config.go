package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/cmd/attune/settings"
)

func (p *program) configCommand() *cobra.Command {
	return noun("config", "Check a configuration, and show what it comes to", p.configCheckCommand(), p.configShowCommand())
}

// checkedConfig is what config check found in one file.
type checkedConfig struct {
	File string `json:"file"`
	// Settings is how many the file sets.
	Settings int            `json:"settings"`
	Faults   []attune.Fault `json:"faults"`
}

func (p *program) configCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check [FILE]", Short: "Check a configuration file and the environment; exit code 64 when something is wrong", Args: cobra.MaximumNArgs(1),
		Long: "Check a configuration file, else the one that " + configVariable + " names or that is in the\ndata folder, with the environment as it is here: what the file refers to must be\nthere. All faults come at once.",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				p.config = args[0]
			}
			file, err := p.readConfig()
			if file == nil && err == nil {
				err = usage("no configuration file is known", "attune config check FILE, or "+configVariable)
			}
			if file == nil {
				return err
			}
			values, faults := settings.Resolve("", settings.Sources{File: file, Env: p.env})
			k := checkedConfig{File: file.Name, Faults: append(faultsOf(err), faults...)}
			k.Faults = append(k.Faults, p.misspelt()...)
			for _, v := range values {
				if file.Says(v.Path) {
					k.Settings++
				}
			}
			p.warn(file.Exposed())
			return p.showCheckedConfig(k)
		},
	}
}

// faultsOf are the single faults of an error, which may be one itself.
func faultsOf(err error) []attune.Fault {
	e, ok := err.(*attune.Error) //nolint:errorlint // what readConfig returns, as it stands
	switch {
	case !ok:
		return []attune.Fault{}
	case len(e.Faults) == 0:
		return []attune.Fault{{Where: e.Where, Message: e.Message, Try: e.Try}}
	}
	return e.Faults
}

func (p *program) showCheckedConfig(k checkedConfig) error {
	err := p.show(k, k.File, func(t *table) {
		for _, f := range k.Faults {
			fmt.Fprintln(t, line(f.String()))
		}
		if len(k.Faults) == 0 {
			fmt.Fprintf(t, "%s: good: %d settings\n", line(k.File), k.Settings)
		}
	})
	if err == nil && len(k.Faults) > 0 {
		fmt.Fprintf(p.talk, "faults: %d\n", len(k.Faults))
		err = exitError{exitUsage}
	}
	return err
}

// shownSetting is one line of config show.
type shownSetting struct {
	Setting string   `json:"setting"`
	Values  []string `json:"values"`
	Origin  string   `json:"origin,omitempty"`
}

// shownConfig is what config show says as a document.
type shownConfig struct {
	File     string         `json:"file,omitempty"`
	Settings []shownSetting `json:"settings"`
}

func (p *program) configShowCommand() *cobra.Command {
	var origin bool
	c := &cobra.Command{
		Use: "show [-- COMMAND FLAGS...]", Short: "Show what the settings come to, secrets masked; with --origin, where each is from",
		Long: "Show what the settings come to by the file and the environment as they are here,\nsecrets masked. Behind -- stands a command with its flags, such as\n\n  attune config show --origin -- server --listen 0.0.0.0:9370\n\nand then the settings are those of that command, with these flags.",
		RunE: func(c *cobra.Command, args []string) error {
			of, q, err := p.asked(args)
			if err != nil {
				return err
			}
			if of == nil {
				of = c
			}
			values, file, err := q.resolve(of)
			if err != nil {
				return err
			}
			return p.showConfig(values, file, origin)
		},
	}
	c.Flags().StringVar(&p.config, "config", "", "configuration file ("+configVariable+"; else "+settings.FileName+" in the data folder)")
	c.Flags().BoolVar(&origin, "origin", false, "where each is from: default, file:line, variable or flag")
	return c
}

// asked is the command behind --, with its flags, and the program that they
// were given to; without one, no command and p.
func (p *program) asked(args []string) (*cobra.Command, *program, error) {
	if len(args) == 0 {
		return nil, p, nil
	}
	q := &program{streams: p.streams}
	c, rest, err := q.root().Find(args)
	if err == nil && settingsOf(c) == "" {
		err = fmt.Errorf("attune %s has no settings", strings.Join(args, " "))
	}
	if err == nil {
		err = c.ParseFlags(rest)
	}
	if err != nil {
		return nil, nil, usage(err.Error(), "attune config show -- "+strings.Join(settings.Commands, "|"))
	}
	if q.config == "" {
		q.config = p.config
	}
	if q.data == "" {
		q.data = p.data
	}
	return c, q, nil
}

func (p *program) showConfig(values []settings.Value, file *settings.File, origin bool) error {
	d := shownConfig{Settings: []shownSetting{}}
	if file != nil {
		d.File = file.Name
	}
	for _, v := range values {
		s := shownSetting{Setting: v.Path, Values: v.Shown()}
		if origin {
			s.Origin = v.Origin.String()
		}
		d.Settings = append(d.Settings, s)
	}
	return p.show(d, d.File, func(t *table) {
		title := []any{"SETTING", "VALUE"}
		if origin {
			title = append(title, "ORIGIN")
		}
		t.row(title...)
		for i, s := range d.Settings {
			value := strings.Join(s.Values, ", ")
			if fallback := values[i].Fallback; fallback != "" && (value == "" || value == "0") {
				value = "(" + strings.ReplaceAll(fallback, "`", "") + ")"
			}
			cells := []any{s.Setting, value}
			if origin {
				cells = append(cells, s.Origin)
			}
			t.row(cells...)
		}
	})
}
