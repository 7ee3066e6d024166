package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
)

func (p *program) rerunEnforcementCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rerun ID", Short: "Start what a failed enforcement could not start, by its rule as it is today", Args: exactArgs("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.rerun(c.Context(), args[0]+" was run again before", func(ctx context.Context, cl *client.Client) (api.RunAnswer, error) {
				return cl.RerunEnforcement(ctx, args[0])
			})
		},
	}
}

func (p *program) rerunExecutionCommand() *cobra.Command {
	var key string
	c := &cobra.Command{
		Use: "rerun ID", Short: "Start an execution that has ended once more, with the same parameters", Args: exactArgs("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.rerun(c.Context(), args[0]+" was run again before with this key", func(ctx context.Context, cl *client.Client) (api.RunAnswer, error) {
				return cl.RerunExecution(ctx, args[0], api.RerunRequest{Dedupe: key})
			})
		},
	}
	c.Flags().StringVar(&key, "dedupe", "", "key that makes repetitions of this command one execution")
	return c
}

// rerun prints the id of what started; to follow it is another command.
func (p *program) rerun(ctx context.Context, before string, start func(context.Context, *client.Client) (api.RunAnswer, error)) error {
	cl, err := p.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	x, err := start(ctx, cl)
	if err != nil {
		return err
	}
	if x.Duplicate {
		fmt.Fprintln(p.talk, line(before))
	} else {
		fmt.Fprintf(p.talk, "what it does: attune execution logs -f %s\n", x.ID)
	}
	return p.show(x, x.ID, func(t *table) { fmt.Fprintln(t, x.ID) })
}
