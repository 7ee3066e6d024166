package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/cmd/attune/settings"
	"github.com/attune-automation/attune/node"
)

func (p *program) adminCommand() *cobra.Command {
	return noun("admin", "Delete what is old, back up, restore, look for trouble", p.gcCommand(), p.backupCommand(), p.restoreCommand(), p.doctorCommand(), p.migrateCommand())
}

// exitChange says that something would change.
const exitChange = 2

func (p *program) gcCommand() *cobra.Command {
	var older string
	var try bool
	c := &cobra.Command{
		Use: "gc", Short: "Delete now what is over its age; with --dry-run, say what that is", Args: cobra.NoArgs,
		Long: "Delete now what is over its age, and say how many rows of each table went. The\nnode does the same each hour. With --dry-run nothing is deleted, and the exit code\nis 2 when something would be. Output is counted without regard to whether its\nexecution goes too.",
		RunE: func(c *cobra.Command, _ []string) error {
			if older != "" {
				if _, err := api.ParseAge(older); err != nil {
					return err
				}
			}
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			r, err := cl.Prune(c.Context(), older, try)
			if err != nil {
				return err
			}
			if err := p.showPruned(r); err != nil {
				return err
			}
			if try && r.Rows > 0 {
				return exitError{exitChange}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&try, "dry-run", false, "delete nothing; exit code 2 when something would be")
	c.Flags().StringVar(&older, "older-than", "", "age for executions and output, such as 12h or 30d; else the node's own")
	return c
}

func (p *program) showPruned(r api.PruneReport) error {
	what := "DELETED"
	if r.Try {
		what = "WOULD GO"
	}
	return p.show(r, fmt.Sprint(r.Rows), func(t *table) {
		t.row("TABLE", what)
		for _, one := range r.Tables {
			t.row(one.Table, one.Rows)
		}
	})
}

// ageFlag is a flag that takes an age, or forever.
type ageFlag struct{ age *time.Duration }

// Set implements pflag.Value.
func (f ageFlag) Set(s string) error {
	d, err := settings.ParseAge(s)
	*f.age = d
	return err
}

// String implements pflag.Value.
func (f ageFlag) String() string {
	if f.age == nil {
		return ""
	}
	return ageText(*f.age)
}

// Type implements pflag.Value.
func (f ageFlag) Type() string { return "age" }

// ageText is an age as it is typed.
func ageText(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "forever"
	case d >= day && d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}

func (p *program) backupCommand() *cobra.Command {
	var withKey bool
	c := &cobra.Command{
		Use: "backup FILE", Short: "Write a backup of the running node to a file on this machine", Args: exactArgs("FILE"),
		Long: "Write a backup of the running node to a file: everything as it is at one moment,\nwith the packs and configurations of its data folder. The node goes on working.\nThe key of the data folder is left out: without it what is encrypted in the backup\ncannot be read, by anybody. Keep it elsewhere, or say --with-key and guard the\nbackup as you guard its secrets.",
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			m, size, err := writeBackup(c.Context(), args[0], func(ctx context.Context, f *os.File) error { return cl.Backup(ctx, withKey, f) })
			if err != nil {
				return err
			}
			if !withKey {
				fmt.Fprintln(p.talk, "the key of the data folder, attune.key, is NOT in the backup: keep a copy of it in another place")
			}
			return p.show(struct {
				node.Manifest
				File  string `json:"file"`
				Bytes int64  `json:"bytes"`
			}{m, args[0], size}, args[0], func(t *table) {
				fmt.Fprintf(t, "%s: %d bytes, as of %s\n", args[0], size, m.Taken.Format(time.RFC3339))
			})
		},
	}
	c.Flags().BoolVar(&withKey, "with-key", false, "put the key of the data folder into the backup too")
	return c
}

// writeBackup writes a file whole or not at all, and reads it once more.
func writeBackup(ctx context.Context, path string, fill func(context.Context, *os.File) error) (m node.Manifest, size int64, err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return m, 0, &attune.Error{Kind: attune.Conflict, Code: "file_exists", Message: "the file is there already", Where: path, Try: "another name"}
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return m, 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = fill(ctx, f)
	stat, serr := f.Stat()
	err = errors.Join(err, serr, f.Sync(), f.Close())
	if err == nil {
		m, err = node.CheckBackup(f.Name())
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return m, 0, err
	}
	return m, stat.Size(), nil
}

func (p *program) restoreCommand() *cobra.Command {
	c := node.RestoreConfig{Now: time.Now}
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Make a data folder of a backup; no node may run on it", Args: exactArgs("FILE"),
		Long: "Make a data folder (--data) of a backup, whole or not at all. What was running when\nthe backup was taken ends as abandoned at the next start and is not run again; what\nwas waiting waits on and runs, unless --cancel-waiting. A folder that is not empty\nis refused, or with --force moved aside.",
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := dataFolder(p.data, p.env)
			if err != nil {
				return err
			}
			c.File, c.Data = args[0], data
			r, err := node.Restore(cmd.Context(), c)
			if err != nil {
				return err
			}
			p.sayRestored(r)
			return p.show(r, r.Data, func(t *table) {
				fmt.Fprintf(t, "%s is as it was at %s\n", r.Data, r.Taken.Format(time.RFC3339))
			})
		},
	}
	cmd.Flags().BoolVar(&c.Force, "force", false, "move a data folder that is not empty aside")
	cmd.Flags().BoolVar(&c.CancelWaiting, "cancel-waiting", false, "cancel what was waiting when the backup was taken: it may have run since")
	return cmd
}

func (p *program) sayRestored(r node.Restored) {
	if r.Aside != "" {
		fmt.Fprintln(p.talk, "the folder before is now", r.Aside)
	}
	switch r.Key {
	case "nowhere":
		fmt.Fprintf(p.talk, "no key came with it: put attune.key into %s before the start, or what is encrypted stays unreadable\n", r.Data)
	case "folder before":
		fmt.Fprintln(p.talk, "the key is that of the folder before")
	}
	if r.Live > 0 {
		fmt.Fprintf(p.talk, "executions that had not ended: %d; cancelled: %d. Those that wait run after the start\n", r.Live, r.Cancelled)
	}
	fmt.Fprintf(p.talk, "next: attune dev --data %s\n", r.Data)
}
