package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune/api"
)

func (p *program) executionCommand() *cobra.Command {
	list := listCommand(p, "/executions", "executions", []column[api.ExecutionView]{
		{"ID", func(x api.ExecutionView) any { return x.ID }},
		{"ACTION", func(x api.ExecutionView) any { return x.Action }},
		{"STATUS", func(x api.ExecutionView) any { return x.Status }},
		{"WORKER", func(x api.ExecutionView) any { return x.Worker }},
		{"REQUESTED", func(x api.ExecutionView) any { return x.Requested }},
		{"DURATION", func(x api.ExecutionView) any { return x.Duration }},
		{"WHY", why},
	}, "action", "status", "rule", "trigger", "worker", "event", "parent", "since")
	return noun("execution", "Look at executions, wait for them, end them, run them again", list, p.executionGetCommand(), p.watchCommand(), p.logsCommand(), p.waitCommand(), p.cancelCommand(),
		p.rerunExecutionCommand())
}

// why is what an execution waits for, or why it did not complete.
func why(x api.ExecutionView) any {
	if x.Error != nil {
		return x.Error.Message
	}
	return x.Reason
}

func (p *program) logsCommand() *cobra.Command {
	var follow, all bool
	var attempt int
	c := &cobra.Command{
		Use: "logs ID", Short: "Print what an execution printed", Args: exactArgs("ID"),
		Long: "Print what an execution printed, in the order in which it came: its standard\noutput to standard output, its standard error to standard error, byte for byte.",
		RunE: func(c *cobra.Command, args []string) error {
			if all && attempt > 0 {
				return usage("--all and --attempt exclude each other", "attune execution logs ID --all")
			}
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			x, err := cl.Execution(c.Context(), args[0])
			if err != nil {
				return err
			}
			a := attachment{program: p, client: cl, id: x.ID, attempt: attempt, only: attempt > 0, output: true}
			if all {
				a.attempt = 1
			}
			if follow && !x.Terminal {
				_, err = a.follow(c.Context(), x, 0)
				return err
			}
			return a.copy(c.Context(), false)
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the execution has ended")
	c.Flags().IntVar(&attempt, "attempt", 0, "only this attempt; else the newest, and with -f those after it")
	c.Flags().BoolVar(&all, "all", false, "all attempts, from the first")
	return c
}

func (p *program) waitCommand() *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use: "wait ID", Short: "Wait for the end of an execution; the exit code is its own", Args: exactArgs("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			x, err := cl.Execution(c.Context(), args[0])
			if err != nil {
				return err
			}
			a := attachment{program: p, client: cl, id: x.ID}
			last, err := a.follow(c.Context(), x, wait)
			if err != nil {
				return err
			}
			if err := p.showEnd(last, 0); err != nil {
				return err
			}
			return outcome(last)
		},
	}
	c.Flags().DurationVar(&wait, "wait", 0, "how long to wait; then exit code 124")
	return c
}

func (p *program) cancelCommand() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "cancel ID", Short: "End an execution", Args: exactArgs("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			x, err := cl.Cancel(c.Context(), args[0], reason)
			if err != nil {
				return err
			}
			return p.show(x, x.ID, func(t *table) {
				if x.Terminal {
					t.row(ending(x))
				} else {
					t.row(standing(x))
				}
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, kept in the history")
	return c
}
