package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
)

// program is one call of the command line: the world and the flags that all
// commands share.
type program struct {
	streams
	server, token, data string
	format              string
	// config names the configuration file, see configure.
	config string
	// began says that the command line was understood, so that a plain error
	// is not about how it was typed.
	began bool
}

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, args []string, s streams) int {
	p := &program{streams: s}
	root := p.root()
	root.SetArgs(args)
	ran, err := root.ExecuteContextC(ctx)
	var e *attune.Error
	if err != nil && !p.began && !errors.As(err, &e) {
		message, _, _ := strings.Cut(err.Error(), "\n")
		err = usage(message, ran.CommandPath()+" --help")
	}
	explain(s.talk, err)
	return exitCode(err)
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "attune",
		Short:         "Turn events into finished, audited work",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := p.checkFormat(); err != nil {
				return err
			}
			p.began = true
			return p.configure(c)
		},
	}
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.talk)
	flags := root.PersistentFlags()
	flags.StringVar(&p.server, "server", "", "URL of the server (ATTUNE_SERVER; else the attune dev that runs here)")
	flags.StringVar(&p.token, "token", "", "secret of a token (ATTUNE_TOKEN; else that of the data folder)")
	flags.StringVar(&p.data, "data", "", "data folder of attune dev (ATTUNE_DATA; else "+defaultDataHint+")")
	flags.StringVarP(&p.format, "output", "o", "table", "table, json, yaml or name")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	root.AddCommand(
		p.devCommand(), p.serverCommand(), p.demoCommand(), p.runCommand(), p.traceCommand(), p.versionCommand(),
		p.eventCommand(), p.enforcementCommand(), p.executionCommand(),
		p.actionCommand(), p.ruleCommand(), p.triggerCommand(), p.packCommand(), p.workerCommand(), p.actorCommand(),
		p.deadLetterCommand(), p.tokenCommand(), p.auditCommand(), p.adminCommand(),
		p.configCommand(),
	)
	p.settle(root)
	return root
}

// noun groups the verbs of one noun. Alone it shows them.
func noun(name, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: name, Short: short,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			var known []string
			for _, v := range c.Commands() {
				known = append(known, v.Name())
			}
			return usage(fmt.Sprintf("attune %s has no verb %q", name, args[0]), "attune "+name+" "+strings.Join(known, "|"))
		},
	}
	c.AddCommand(verbs...)
	return c
}
