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
		{"ACTIONS", func(k api.PackView) any { return len(k.Actions) }},
		{"TRIGGERS", func(k api.PackView) any { return len(k.Triggers) }},
		{"RULES", func(k api.PackView) any { return len(k.Rules) }},
		{"FAULTS", func(k api.PackView) any { return len(k.Faults) }},
		{"DESCRIPTION", func(k api.PackView) any { return firstLine(k.Description) }},
	})
	get := getCommand(p, "/packs/", "REF", func(k api.PackView) string { return k.Ref })
	return noun("pack", "Look at packs, check their files", list, get, p.checkCommand())
}

// checked is what pack check found in one pack.
type checked struct {
	Ref      string         `json:"ref"`
	Actions  int            `json:"actions"`
	Triggers int            `json:"triggers"`
	Rules    int            `json:"rules"`
	Faults   []attune.Fault `json:"faults"`
}

// checkCommand reads the files itself: it needs no server.
func (p *program) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check DIR...", Short: "Check the files of packs; exit code 1 when something is wrong", Args: minArgs("DIR"),
		RunE: func(_ *cobra.Command, dirs []string) error {
			faults := 0
			all := []checked{}
			for _, k := range withCore(packs.Load(dirs...)) {
				faults += len(k.Faults)
				all = append(all, checked{k.Ref, len(k.Actions), len(k.Triggers), len(k.Rules), append([]attune.Fault{}, k.Faults...)})
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
			if len(k.Faults) == 0 {
				fmt.Fprintf(t, "%s: good: %d actions, %d triggers, %d rules\n", k.Ref, k.Actions, k.Triggers, k.Rules)
			}
		}
	})
}
