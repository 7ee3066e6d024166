package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
	"github.com/attune-automation/attune/packs"
)

func (p *program) applyCommand() *cobra.Command {
	var files []string
	var dry bool
	c := &cobra.Command{
		Use: "apply -f FILE [-f FILE]... [--dry-run]", Args: cobra.NoArgs,
		Short: "Create or change rules without a pack, live at once",
		Long: "Creates or changes the rules in files, one in each, in StackStorm's format. They\nlie in the store, beside those of the packs, and judge the next event.\n" +
			"If one file is wrong nothing is changed. The same again is unchanged.\nExit code of --dry-run: 2 when something would change, else 0.",
		Example: "  attune rule apply -f my_rule.yaml --dry-run\n  attune rule apply -f one.yaml -f two.yaml\n  cat my_rule.yaml | attune rule apply -f -",
		RunE: func(c *cobra.Command, _ []string) error {
			documents, err := p.ruleFiles(files)
			if err != nil {
				return err
			}
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			applied, err := applyAll(c.Context(), cl, documents, dry)
			if err != nil {
				return err
			}
			return p.showApplied(applied, dry)
		},
	}
	c.Flags().StringArrayVarP(&files, "file", "f", nil, "a file with a rule, or - for standard input; may be given several times")
	c.Flags().BoolVar(&dry, "dry-run", false, "show what would change, and change nothing")
	return c
}

// ruleFiles reads all files and names the faults of all.
func (p *program) ruleFiles(files []string) ([]api.RuleDocument, error) {
	if len(files) == 0 {
		return nil, usage("apply needs a file", "attune rule apply -f FILE")
	}
	var documents []api.RuleDocument
	var faults []attune.Fault
	first := map[string]string{}
	for _, file := range files {
		r, wrong := p.ruleFile(file)
		faults = append(faults, wrong...)
		if r == nil {
			continue
		}
		if before, twice := first[r.Ref]; twice {
			faults = append(faults, attune.Fault{Where: r.At.String(), Message: "the rule " + r.Ref + " is also in " + before})
		}
		first[r.Ref] = r.At.File
		documents = append(documents, api.NewRuleDocument(r))
	}
	return documents, wrongRules(faults)
}

func (p *program) ruleFile(file string) (*attune.Rule, []attune.Fault) {
	if file != "-" {
		return packs.ReadRule(file)
	}
	text, err := io.ReadAll(io.LimitReader(p.in, 2*api.MaxBody)) // more is refused as too large
	if err != nil {
		return nil, []attune.Fault{{Where: "stdin", Message: err.Error()}}
	}
	return packs.ParseRule("stdin", text)
}

func wrongRules(faults []attune.Fault) error {
	if len(faults) == 0 {
		return nil
	}
	return &attune.Error{Kind: attune.Invalid, Code: "invalid_rule", Message: "nothing is applied: what the files say is wrong", Faults: faults}
}

// applyAll asks first what each rule would change, so that the faults of all are
// known before anything is changed.
func applyAll(ctx context.Context, cl *client.Client, documents []api.RuleDocument, dry bool) ([]api.AppliedRule, error) {
	var applied []api.AppliedRule
	var faults []attune.Fault
	for _, d := range documents {
		one, err := cl.ApplyRule(ctx, d, true)
		var e *attune.Error
		switch {
		case errors.As(err, &e) && e.Kind == attune.Invalid && len(e.Faults) > 0:
			faults = append(faults, e.Faults...)
		case err != nil:
			return nil, err
		}
		applied = append(applied, one)
	}
	if err := wrongRules(faults); err != nil || dry {
		return applied, err
	}
	for i, d := range documents {
		one, err := cl.ApplyRule(ctx, d, false)
		if err != nil {
			return nil, err
		}
		applied[i] = one
	}
	return applied, nil
}

// showApplied tells what became of each rule; of a dry run also the lines that
// would change.
func (p *program) showApplied(applied []api.AppliedRule, dry bool) error {
	changes := slices.ContainsFunc(applied, func(a api.AppliedRule) bool { return a.Change != api.RuleUnchanged })
	switch p.format {
	case "name":
		for _, a := range applied {
			fmt.Fprintln(p.out, a.Ref)
		}
	case "table":
		for _, a := range applied {
			p.tellApplied(a)
		}
	default:
		if err := p.show(api.List[api.AppliedRule]{Items: applied}, "", nil); err != nil {
			return err
		}
	}
	for _, a := range applied {
		if !a.Enabled && a.Switched != nil {
			fmt.Fprintln(p.talk, line(a.Ref+" stays disabled ("+a.Switched.String()+"): attune rule enable "+a.Ref))
		}
	}
	if dry && changes {
		return exitError{exitWouldChange}
	}
	return nil
}

func (p *program) tellApplied(a api.AppliedRule) {
	switch {
	case a.Change == api.RuleUnchanged:
		fmt.Fprintln(p.out, line(a.Ref+" is unchanged"))
	case !a.DryRun:
		fmt.Fprintln(p.out, line(a.Ref+" is "+a.Change))
	default:
		fmt.Fprintln(p.out, line(a.Ref+" would be "+a.Change))
		var before []string
		if a.Before != nil {
			before = contentLines(*a.Before)
		}
		lines := difference(before, contentLines(a.After))
		for _, l := range lines {
			fmt.Fprintln(p.out, line("  "+l))
		}
		if len(lines) == 0 {
			fmt.Fprintln(p.out, "  only in what is secret")
		}
	}
}

// contentLines are the lines of what a rule says, wherever it is written.
func contentLines(d api.RuleDocument) []string {
	d.At, d.Hash, d.Applied, d.Switched = attune.Position{}, "", nil, nil
	d.Criteria = slices.Clone(d.Criteria)
	for i := range d.Criteria {
		d.Criteria[i].At = attune.Position{}
	}
	var out strings.Builder
	if writeYAML(&out, d) != nil { // of what came as JSON
		return nil
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func (p *program) deleteRuleCommand() *cobra.Command {
	return &cobra.Command{
		Use: "delete REF", Short: "Delete a rule that was applied", Args: exactArgs("REF"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			if err := cl.DeleteRule(c.Context(), args[0]); err != nil {
				return err
			}
			return p.show(map[string]string{"ref": args[0], "change": "deleted"}, args[0], func(t *table) { t.row(args[0] + " is deleted") })
		},
	}
}

func (p *program) switchCommand(verb, short string, enabled bool) *cobra.Command {
	return &cobra.Command{
		Use: verb + " REF", Short: short, Args: exactArgs("REF"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			r, err := cl.SwitchRule(c.Context(), args[0], enabled)
			if err != nil {
				return err
			}
			return p.show(r, r.Ref, func(t *table) {
				by := ""
				if r.Switched != nil {
					by = " (" + r.Switched.String() + ")"
				}
				t.row(fmt.Sprintf("%s is %sd%s", r.Ref, verb, by))
			})
		},
	}
}
