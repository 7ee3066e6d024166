package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune/api"
)

func (p *program) eventCommand() *cobra.Command {
	list := listCommand(p, "/events", "events", []column[api.EventView]{
		{"ID", func(e api.EventView) any { return e.ID }},
		{"TRIGGER", func(e api.EventView) any { return e.Trigger }},
		{"ACCEPTED", func(e api.EventView) any { return e.Accepted }},
		{"EVALUATED", func(e api.EventView) any { return e.Evaluated }},
		{"PRINCIPAL", func(e api.EventView) any { return e.Principal }},
	}, "trigger", "since")
	get := getCommand(p, "/events/", "ID", func(e api.EventView) string { return e.ID })
	return noun("event", "Send and look at events", p.sendCommand(), list, get)
}

func (p *program) sendCommand() *cobra.Command {
	var document, dedupe string
	c := &cobra.Command{
		Use:     "send TRIGGER [NAME=TEXT | NAME:=JSON | @FILE]...",
		Short:   "Hand an event in",
		Example: "  attune event send core.st2.webhook?url=hello --json '{\"body\":{\"name\":\"World\"}}'\n  attune event send examples.alertmanager @payload.json --dedupe 42",
		Args:    minArgs("TRIGGER"),
		RunE: func(c *cobra.Command, args []string) error {
			payload, err := p.assignments(document, args[1:])
			if err != nil {
				return err
			}
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			e, err := cl.SendEvent(c.Context(), api.EventRequest{Trigger: args[0], Payload: payload, Dedupe: dedupe})
			if err != nil {
				return err
			}
			if e.Duplicate {
				fmt.Fprintf(p.talk, "%s was sent before with this key\n", e.ID)
			} else {
				fmt.Fprintf(p.talk, "what follows: attune trace %s\n", e.ID)
			}
			return p.show(e, e.ID, func(t *table) { fmt.Fprintln(t, e.ID) })
		},
	}
	c.Flags().StringVar(&document, "json", "", "payload as JSON, or @FILE (@- is standard input)")
	c.Flags().StringVar(&dedupe, "dedupe", "", "key that makes repetitions one event")
	return c
}

func (p *program) enforcementCommand() *cobra.Command {
	list := listCommand(p, "/enforcements", "enforcements", []column[api.EnforcementView]{
		{"ID", func(e api.EnforcementView) any { return e.ID }},
		{"RULE", func(e api.EnforcementView) any { return e.Rule }},
		{"EVENT", func(e api.EnforcementView) any { return e.Event }},
		{"STATUS", func(e api.EnforcementView) any { return e.Status }},
		{"EXECUTION", func(e api.EnforcementView) any { return e.Execution }},
	}, "rule", "action", "event", "since")
	get := getCommand(p, "/enforcements/", "ID", func(e api.EnforcementView) string { return e.ID })
	return noun("enforcement", "Look at what rules matched, run again what failed", list, get, p.rerunEnforcementCommand())
}

// escaped is a path segment.
func escaped(s string) string { return url.PathEscape(s) }
