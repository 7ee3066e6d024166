package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/starter"
)

func (p *program) newCommand() *cobra.Command {
	return &cobra.Command{
		Use: "new NAME", Short: "Write a new pack into the folder NAME: small, commented, and good as it stands", Args: exactArgs("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			written, err := starter.Write(filepath.Clean(args[0]))
			if err != nil {
				return err
			}
			for _, name := range written {
				fmt.Fprintln(p.out, filepath.ToSlash(filepath.Join(args[0], name)))
			}
			fmt.Fprintf(p.talk, "next: attune pack install %s\n      attune run %s.greet who=Ada\n", args[0], filepath.Base(args[0]))
			return nil
		},
	}
}

func (p *program) installCommand() *cobra.Command {
	var force, dry bool
	c := &cobra.Command{
		Use: "install DIR", Short: "Install the pack in a folder, or what has changed of it", Args: exactArgs("DIR"),
		Long: "Sends the folder to the server, which puts it into the folder packs of its data\nfolder in one step, and loads it. A pack with faults is refused, and so is one that\nwould break a rule of another that works. What is under way goes on as it began.",
		RunE: func(c *cobra.Command, args []string) error {
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			if k := packs.LoadDir(dir); k.Name == "" && len(k.Files) <= 1 {
				return &attune.Error{Kind: attune.Invalid, Code: "invalid_pack", Message: "no pack is in the folder", Where: args[0], Try: "name a folder that holds a pack.yaml"}
			}
			archive, err := packs.Archive(dir)
			if err != nil {
				return err
			}
			return p.change(dry, func(cl *client.Client) (api.PackChange, error) {
				return cl.InstallPack(c.Context(), filepath.Base(dir), archive, force, dry)
			})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "install what is sound of a pack with faults, and break rules of others")
	c.Flags().BoolVar(&dry, "dry-run", false, "change nothing; exit code 2 when something would change")
	return c
}

func (p *program) removeCommand() *cobra.Command {
	var force, dry bool
	c := &cobra.Command{
		Use: "remove REF", Short: "Remove an installed pack; its configuration stays", Args: exactArgs("REF"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.change(dry, func(cl *client.Client) (api.PackChange, error) {
				return cl.RemovePack(c.Context(), args[0], force, dry)
			})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "remove it although rules of others need it")
	c.Flags().BoolVar(&dry, "dry-run", false, "change nothing; exit code 2 when something would change")
	return c
}

// change makes one change of an installed pack and shows it.
func (p *program) change(dry bool, make func(*client.Client) (api.PackChange, error)) error {
	cl, err := p.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	change, err := make(cl)
	if err != nil {
		return err
	}
	if err := p.show(change, change.Ref, func(t *table) { showChange(t, change) }); err != nil {
		return err
	}
	if dry && change.Change.Change != packs.Unchanged {
		return exitError{exitWouldChange}
	}
	return nil
}

func (p *program) reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reload [REF]", Short: "Read packs again whose files have changed, or one in any case", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			changes, err := cl.ReloadPacks(c.Context(), args...)
			if err != nil {
				return err
			}
			if p.format == "name" {
				for _, change := range changes.Items {
					fmt.Fprintln(p.out, change.Ref)
				}
				return nil
			}
			if len(changes.Items) == 0 {
				fmt.Fprintln(p.talk, "no file has changed")
			}
			return p.show(changes, "", func(t *table) {
				for _, change := range changes.Items {
					showChange(t, change)
				}
			})
		},
	}
}

// showChange says what became of a pack, every fault of it, and where what a
// faulty file held before goes on.
func showChange(w io.Writer, c api.PackChange) {
	word := c.Change.Change
	if c.DryRun && word != packs.Unchanged {
		word = "would be " + word
	}
	if c.Pack != nil && c.Pack.Status != attune.PackLoaded {
		word += ", " + string(c.Pack.Status)
	}
	fmt.Fprintln(w, line(fmt.Sprintf("pack %s: %s", c.Ref, word)))
	for _, d := range c.Details {
		fmt.Fprintln(w, line("  "+d))
	}
	if c.Pack == nil {
		return
	}
	for _, f := range c.Pack.Faults {
		fmt.Fprintln(w, line("  fault: "+f.String()))
	}
	for _, f := range c.Pack.Files {
		if f.State == attune.FileKept || f.State == attune.FileIncomplete {
			fmt.Fprintln(w, line(fmt.Sprintf("  %s: %s: %s", f.State, f.File, f.Reason)))
		}
	}
}
