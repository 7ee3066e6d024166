package main

import (
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/cmd/attune/settings"
)

// devOptions are the flags of attune dev, defaults applied.
type devOptions struct {
	nodeOptions
	actionOptions
}

// actionOptions are the flags of commands that run actions, defaults applied.
type actionOptions struct {
	// Slots is how many attempts run at a time; 0 is the worker's own default.
	Slots int
	// Limits are the most that one attempt may use.
	Limits attune.Resources
	// AllowHTTP are networks that http-request may reach although they lead
	// inside.
	AllowHTTP []netip.Prefix

	memory string
	allow  []string
}

func (p *program) devCommand() *cobra.Command {
	o := devOptions{nodeOptions: newNodeOptions()}
	c := &cobra.Command{
		Use: "dev", Short: "Run everything in one process, on a data folder", Args: cobra.NoArgs,
		Long: "Run everything in one process, on a data folder: nothing else is needed. Other\ncommands on this machine find it by that folder. The first Ctrl-C drains, a\nsecond ends at once.",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.nodeOptions.check(p); err != nil {
				return err
			}
			if err := o.actionOptions.check(); err != nil {
				return err
			}
			return runDev(c.Context(), o)
		},
	}
	o.nodeOptions.flags(c)
	o.actionOptions.flags(c)
	return c
}

// flags makes them flags of a command.
func (o *actionOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.IntVar(&o.Slots, "slots", 0, "how many actions run at a time; 0 chooses by the machine")
	f.StringVar(&o.memory, "max-memory", "", "the most memory of one attempt, such as 512MiB; none without")
	f.IntVar(&o.Limits.Processes, "max-processes", 0, "the most processes and threads of one attempt; 0 is no limit")
	f.Float64Var(&o.Limits.CPU, "max-cpu", 0, "the most processors of one attempt, such as 1.5; 0 is no limit")
	f.StringArrayVar(&o.allow, "allow-http", nil, "`network`, such as 10.1.0.0/16, that http-request may reach although it is private; may be given several times")
}

// check reads what the flags say, and refuses what cannot be.
func (o *actionOptions) check() (err error) {
	if o.Slots < 0 {
		return usage("--slots is below zero", "--slots 8")
	}
	if o.memory != "" {
		if o.Limits.Memory, err = attune.ParseSize(o.memory); err != nil {
			return usage("--max-memory "+o.memory+" is no number of bytes", "--max-memory 512MiB")
		}
	}
	if err := o.Limits.Check(); err != nil {
		return usage("--max-memory, --max-processes or --max-cpu: "+err.Error(), "--max-memory 512MiB --max-processes 256 --max-cpu 1.5")
	}
	o.AllowHTTP, err = networks(o.allow)
	return err
}

// networks reads networks; an address alone is a network of one.
func networks(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		n, err := settings.ParseNetwork(text)
		if err != nil {
			return nil, usage("--allow-http "+text+" is no network", "--allow-http 10.1.0.0/16, or --allow-http 10.1.2.3")
		}
		all = append(all, n)
	}
	return all, nil
}
