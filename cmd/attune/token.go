package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune/api"
)

func (p *program) tokenCommand() *cobra.Command {
	list := listCommand(p, "/tokens", "tokens", []column[api.TokenView]{
		{"NAME", func(t api.TokenView) any { return t.Name }},
		{"KIND", func(t api.TokenView) any { return t.Kind }},
		{"CREATED", func(t api.TokenView) any { return t.Created }},
		{"BY", func(t api.TokenView) any { return t.By }},
		{"EXPIRES", func(t api.TokenView) any {
			if t.Expired {
				return t.Expires + " (expired)"
			}
			return t.Expires
		}},
	})
	return noun("token", "Make, list and revoke keys to the API", p.createTokenCommand(), list, p.revokeCommand())
}

func (p *program) createTokenCommand() *cobra.Command {
	var request api.TokenRequest
	c := &cobra.Command{
		Use: "create NAME --kind KIND", Short: "Make a token and print its secret, this once", Args: exactArgs("NAME"),
		Long: "Makes a token and prints its secret, this once: nothing keeps it.\n" +
			"viewer reads; operator also sends events, runs and cancels; admin may do everything; worker is for workers.",
		Example: "  attune token create ci --kind operator --expires 90d",
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case request.Kind == "":
				return usage("a token needs --kind", "--kind admin|operator|viewer|worker")
			case p.format == "name":
				return usage("-o name would throw the secret away", "-o json, or none")
			}
			request.Name = args[0]
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			made, err := cl.CreateToken(c.Context(), request)
			if err != nil {
				return err
			}
			until := "for ever"
			if made.Expires != "" {
				until = "until " + made.Expires
			}
			fmt.Fprintf(p.talk, "%s is a token of the kind %s and works %s; its secret is shown this once\n", made.Name, made.Kind, until)
			return p.show(made, made.Name, func(t *table) { t.row(made.Secret) })
		},
	}
	c.Flags().StringVar(&request.Kind, "kind", "", "admin, operator, viewer or worker")
	c.Flags().StringVar(&request.ExpiresIn, "expires", "", "how long it works, such as 90d or 12h; without it for ever")
	_ = c.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{"admin", "operator", "viewer", "worker"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (p *program) revokeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "revoke NAME", Short: "Make a token useless, at once", Args: exactArgs("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			t, err := cl.RevokeToken(c.Context(), args[0])
			if err != nil {
				return err
			}
			return p.show(t, t.Name, func(b *table) { b.row(t.Name + " is revoked; what it had open ends within a second") })
		},
	}
}

func (p *program) auditCommand() *cobra.Command {
	list := listCommand(p, "/audit", "requests that changed something or were denied", []column[api.AuditView]{
		{"AT", func(a api.AuditView) any { return a.At }},
		{"PRINCIPAL", func(a api.AuditView) any { return a.Principal }},
		{"FROM", func(a api.AuditView) any { return a.From }},
		{"ACTION", func(a api.AuditView) any { return a.Action }},
		{"TARGET", func(a api.AuditView) any { return a.Target }},
		{"STATUS", func(a api.AuditView) any { return a.Status }},
		{"CODE", func(a api.AuditView) any { return a.Code }},
	}, "principal", "action", "since")
	return noun("audit", "Look at who did what by request", list)
}
