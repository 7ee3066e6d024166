package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
)

func (p *program) deadLetterCommand() *cobra.Command {
	list := listCommand(p, "/deadletters", "messages from outside that nobody could handle", []column[api.DeadLetterView]{
		{"ID", func(l api.DeadLetterView) any { return l.ID }},
		{"AT", func(l api.DeadLetterView) any { return l.At }},
		{"KEY", func(l api.DeadLetterView) any { return l.Key }},
		{"DELIVERIES", func(l api.DeadLetterView) any { return l.Deliveries }},
		{"CODE", func(l api.DeadLetterView) any { return l.Code }},
		{"REASON", func(l api.DeadLetterView) any { return l.Reason }},
	}, "key")
	get := getCommand(p, "/deadletters/", "ID", func(l api.DeadLetterView) string { return l.ID })
	replay := p.letterCommand("replay", "Publish them again as they were sent, when the cause is mended", (*client.Client).ReplayDeadLetter, "is published again")
	drop := p.letterCommand("drop", "Throw them away for good", (*client.Client).DropDeadLetter, "is gone")
	return noun("deadletter", "Look at messages from outside that were set aside", list, get, replay, drop)
}

// letterCommand does something with dead letters, one after the other. The first
// that fails ends it: those before are done.
func (p *program) letterCommand(verb, short string, do func(*client.Client, context.Context, string) (api.DeadLetterView, error), done string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " ID…", Short: short, Args: minArgs("an ID"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			for _, id := range args {
				l, err := do(cl, c.Context(), id)
				if err != nil {
					return err
				}
				if err := p.show(l, l.ID, func(t *table) { t.row(l.ID + " (" + l.Key + ") " + done) }); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
