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
	// Slots is how many attempts the built-in worker runs at a time; 0 is its
	// own default.
	Slots int
	// Limits are the most that one attempt may use.
	Limits attune.Resources
	// AllowHTTP are networks that http-request may reach although they lead
	// inside.
	AllowHTTP []netip.Prefix
}

func (p *program) devCommand() *cobra.Command {
	o := devOptions{nodeOptions: newNodeOptions()}
	var memory string
	var allow []string
	c := &cobra.Command{
		Use: "dev", Short: "Run everything in one process, on a data folder", Args: cobra.NoArgs,
		Long: "Run everything in one process, on a data folder: nothing else is needed. Other\ncommands on this machine find it by that folder. The first Ctrl-C drains, a\nsecond ends at once.",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(p); err != nil {
				return err
			}
			if o.Slots < 0 {
				return usage("--slots is below zero", "--slots 8")
			}
			if err := o.limits(memory); err != nil {
				return err
			}
			var err error
			if o.AllowHTTP, err = networks(allow); err != nil {
				return err
			}
			return runDev(c.Context(), o)
		},
	}
	f := c.Flags()
	o.flags(c)
	f.IntVar(&o.Slots, "slots", 0, "how many actions run at a time; 0 chooses by the machine")
	f.StringVar(&memory, "max-memory", "", "the most memory of one attempt, such as 512MiB; none without")
	f.IntVar(&o.Limits.Processes, "max-processes", 0, "the most processes and threads of one attempt; 0 is no limit")
	f.Float64Var(&o.Limits.CPU, "max-cpu", 0, "the most processors of one attempt, such as 1.5; 0 is no limit")
	f.StringArrayVar(&allow, "allow-http", nil, "`network`, such as 10.1.0.0/16, that http-request may reach although it is private; may be given several times")
	return c
}

// limits reads and checks what the flags --max-… say.
func (o *devOptions) limits(memory string) (err error) {
	if memory != "" {
		if o.Limits.Memory, err = attune.ParseSize(memory); err != nil {
			return usage("--max-memory "+memory+" is no number of bytes", "--max-memory 512MiB")
		}
	}
	if err := o.Limits.Check(); err != nil {
		return usage("--max-memory, --max-processes or --max-cpu: "+err.Error(), "--max-memory 512MiB --max-processes 256 --max-cpu 1.5")
	}
	return nil
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
