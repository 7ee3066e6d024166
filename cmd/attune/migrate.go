package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune/cmd/attune/settings"
	"github.com/attune-automation/attune/persistence/postgres"
)

// migration is what admin migrate says as a document.
type migration struct {
	Database string          `json:"database"`
	Try      bool            `json:"dry_run"`
	Steps    []migrationStep `json:"steps"`
}

// migrationStep is one step of the schema.
type migrationStep struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
}

func (p *program) migrateCommand() *cobra.Command {
	var database string
	var try bool
	c := &cobra.Command{
		Use: "migrate", Short: "Bring the schema of the PostgreSQL database up to date; with --dry-run, say by which steps", Args: cobra.NoArgs,
		Long: "Bring the schema of the PostgreSQL database of attune server up to date, or make it.\nThere is no way back: take a backup first. A schema newer than this program is\nrefused. With --dry-run nothing is changed, and the exit code is 2 when something\nwould be.",
		RunE: func(c *cobra.Command, _ []string) error {
			if database == "" {
				return usage("no database is named", "ATTUNE_DATABASE=postgres://USER:PASSWORD@HOST/NAME; or --database @FILE")
			}
			steps, err := postgres.Migrate(c.Context(), database, try)
			if err != nil {
				return err
			}
			m := migration{Database: settings.MaskURL(database), Try: try, Steps: []migrationStep{}}
			for _, s := range steps {
				m.Steps = append(m.Steps, migrationStep{s.Version, s.Name})
			}
			if err := p.showMigration(m); err != nil {
				return err
			}
			if try && len(steps) > 0 {
				return exitError{exitWouldChange}
			}
			return nil
		},
	}
	c.Flags().StringVar(&database, "database", "", "URL of PostgreSQL")
	c.Flags().BoolVar(&try, "dry-run", false, "change nothing; exit code 2 when something would be")
	return c
}

func (p *program) showMigration(m migration) error {
	return p.show(m, fmt.Sprint(len(m.Steps)), func(t *table) {
		if len(m.Steps) == 0 {
			fmt.Fprintf(t, "the schema of %s is up to date\n", line(m.Database))
			return
		}
		what := "DONE"
		if m.Try {
			what = "WOULD BE DONE"
		}
		t.row("VERSION", what)
		for _, s := range m.Steps {
			t.row(s.Version, s.Name)
		}
	})
}
