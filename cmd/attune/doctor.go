package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune/api/client"
)

// finding is what one check of the doctor found.
type finding struct {
	Check string `json:"check"`
	// State is ok, warn or fail.
	State string `json:"state"`
	Found string `json:"found"`
	// Means is what follows from it, Do what to do about it; empty where all is
	// well.
	Means string `json:"means,omitempty"`
	Do    string `json:"do,omitempty"`
}

// The states of a finding.
const (
	stateOK   = "ok"
	stateWarn = "warn"
	stateFail = "fail"
)

func good(check, format string, args ...any) finding {
	return finding{Check: check, State: stateOK, Found: fmt.Sprintf(format, args...)}
}

// trouble is a finding that somebody should do something about.
func trouble(state, check, found, means, do string) finding {
	return finding{Check: check, State: state, Found: found, Means: means, Do: do}
}

// patient is what the doctor looks at.
type patient struct {
	data     string
	thorough bool
	now      time.Time
	// client is nil where no server is known; named says that one was asked
	// for.
	client *client.Client
	named  bool
	absent error
}

func (p *program) doctorCommand() *cobra.Command {
	var thorough bool
	c := &cobra.Command{
		Use: "doctor", Short: "Look for trouble: the data folder, the machine, the node; exit code 1 when something fails", Args: cobra.NoArgs,
		Long: "Look for trouble: the data folder and the machine, and the node if one runs here.\nNothing is changed. Each finding says what it means and what to do. Exit code 1\nwhen something fails; a warning is no failure.",
		RunE: func(c *cobra.Command, _ []string) error {
			data, err := dataFolder(p.data, p.env)
			if err != nil {
				return err
			}
			who := &patient{data: data, thorough: thorough, now: time.Now(), named: p.server != "" || p.env("ATTUNE_SERVER") != ""}
			if who.client, who.absent = p.connect(); who.client != nil {
				defer who.client.Close()
			}
			return p.showFindings(who.examine(c.Context()))
		},
	}
	c.Flags().BoolVar(&thorough, "thorough", false, "check the indexes of the database too; takes as long as reading all of it")
	return c
}

func (who *patient) examine(ctx context.Context) (all []finding) {
	for _, look := range []func(context.Context) []finding{who.folder, who.disk, who.database, who.secrets, who.machine, who.node} {
		all = append(all, look(ctx)...)
	}
	return all
}

func (p *program) showFindings(all []finding) error {
	failed := false
	for _, f := range all {
		failed = failed || f.State == stateFail
	}
	err := p.show(all, "", func(t *table) {
		for _, f := range all {
			t.row(f.State, f.Check, f.Found)
			if f.Means != "" {
				t.row("", "", "means: "+f.Means)
			}
			if f.Do != "" {
				t.row("", "", "do: "+f.Do)
			}
		}
	})
	if err == nil && failed {
		err = exitError{exitFailed}
	}
	return err
}
