package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/core"
)

func (p *program) packCommand() *cobra.Command {
	list := listCommand(p, "/packs", "packs", []column[api.PackView]{
		{"REF", func(k api.PackView) any { return k.Ref }},
		{"VERSION", func(k api.PackView) any { return k.Version }},
		{"STATUS", func(k api.PackView) any { return k.Status }},
		{"ACTIONS", func(k api.PackView) any { return len(k.Actions) }},
		{"TRIGGERS", func(k api.PackView) any { return len(k.Triggers) }},
		{"RULES", func(k api.PackView) any { return len(k.Rules) }},
		{"FAULTS", func(k api.PackView) any { return len(k.Faults) }},
		{"DESCRIPTION", func(k api.PackView) any { return firstLine(k.Description) }},
	})
	get := getCommand(p, "/packs/", "REF", func(k api.PackView) string { return k.Ref })
	get.Short = "Show one in full, with what became of each file"
	return noun("pack", "Look at packs, write, check, install, reload and remove them",
		list, get, p.checkCommand(), p.newCommand(), p.installCommand(), p.reloadCommand(), p.removeCommand())
}

// checked is what pack check found in one pack.
type checked struct {
	Ref      string            `json:"ref"`
	Status   attune.PackStatus `json:"status"`
	Actions  int               `json:"actions"`
	Triggers int               `json:"triggers"`
	Rules    int               `json:"rules"`
	Faults   []attune.Fault    `json:"faults"`
	Files    []attune.PackFile `json:"files"`
}

// checkCommand reads the files itself: it needs no server.
func (p *program) checkCommand() *cobra.Command {
	var configs []string
	c := &cobra.Command{
		Use: "check DIR...", Short: "Check the files of packs; exit code 1 when something is wrong", Args: minArgs("DIR"),
		RunE: func(_ *cobra.Command, dirs []string) error {
			faults := 0
			all := []checked{}
			for _, k := range withCore(packs.Settings{Configs: configs}.Load(dirs...)) {
				faults += len(k.Faults)
				all = append(all, checked{k.Ref, k.Status(), len(k.Actions), len(k.Triggers), len(k.Rules), append([]attune.Fault{}, k.Faults...), append([]attune.PackFile{}, k.Files...)})
			}
			if err := p.showChecked(all); err != nil {
				return err
			}
			if faults > 0 {
				fmt.Fprintf(p.talk, "faults: %d\n", faults)
				return exitError{exitFailed}
			}
			return nil
		},
	}
	c.Flags().StringArrayVar(&configs, "configs", nil, "folder of configurations, PACK.yaml; may be given several times")
	return c
}

// withCore holds packs against each other and against the built-in one, so that
// a rule that names what nobody has is found too. They come back sorted by ref.
func withCore(loaded []*attune.Pack) []*attune.Pack {
	all := append([]*attune.Pack{packs.LoadFS(core.Files, core.Ref, "")}, loaded...)
	checked := packs.NewSnapshot(all).Packs()
	return slices.DeleteFunc(slices.Clone(checked), func(k *attune.Pack) bool { return k.Ref == core.Ref && k.Dir == "" })
}

func (p *program) showChecked(all []checked) error {
	if p.format == "name" {
		for _, k := range all {
			fmt.Fprintln(p.out, k.Ref)
		}
		return nil
	}
	return p.show(all, "", func(t *table) {
		for _, k := range all {
			for _, f := range k.Faults {
				fmt.Fprintln(t, line(f.String()))
			}
			for _, f := range k.Files {
				switch {
				case f.State == attune.FileNoRunner:
					fmt.Fprintln(t, line(f.File+": "+f.Reason))
				case f.Reason != "":
					fmt.Fprintln(t, line(fmt.Sprintf("%s: %s: %s", f.File, f.State, f.Reason)))
				}
			}
			if len(k.Faults) == 0 {
				fmt.Fprintf(t, "%s: good: %d actions, %d triggers, %d rules\n", k.Ref, k.Actions, k.Triggers, k.Rules)
			}
		}
	})
}
