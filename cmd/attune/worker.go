package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
)

func (p *program) workerCommand() *cobra.Command {
	list := listCommand(p, "/workers", "workers", []column[api.WorkerAnswer]{
		{"NAME", func(w api.WorkerAnswer) any { return w.Name }},
		{"STATE", func(w api.WorkerAnswer) any { return stateOf(w) }},
		{"RUNNING", func(w api.WorkerAnswer) any { return w.Running }},
		{"SLOTS", func(w api.WorkerAnswer) any { return w.Slots }},
		{"RUNNERS", func(w api.WorkerAnswer) any { return strings.Join(w.Runners, ",") }},
		{"HEARD", func(w api.WorkerAnswer) any { return w.LastHeard }},
	})
	get := getCommand(p, "/workers/", "NAME", func(w api.WorkerAnswer) string { return w.Name })
	return noun("worker", "Run a worker, and look after workers", p.startWorkerCommand(), list, get, p.drainCommand(), p.resumeCommand(), p.forgetCommand())
}

// stateOf is the state of a worker in one word or two.
func stateOf(w api.WorkerAnswer) string {
	if w.Drained && w.State != attune.WorkerDraining.String() {
		return w.State + ", drained"
	}
	return w.State
}

// drainLook is how often a drain that is waited for is looked at.
const drainLook = 250 * time.Millisecond

func (p *program) drainCommand() *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use: "drain NAME", Short: "Give a worker nothing more; what it has it ends", Args: exactArgs("NAME"),
		Long: "Gives a worker nothing more, whether its process lives or is started again,\n" +
			"until attune worker resume. What it has it ends.",
		Example: "  attune worker drain w1 --wait 10m",
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			w, err := cl.DrainWorker(c.Context(), args[0])
			if err != nil {
				return err
			}
			if wait > 0 {
				if w, err = emptied(c.Context(), cl, w, wait); err != nil {
					return err
				}
			}
			return p.show(w, w.Name, func(t *table) {
				t.row(fmt.Sprintf("%s is given nothing more; %d attempts run on it", w.Name, w.Running))
			})
		},
	}
	c.Flags().DurationVar(&wait, "wait", 0, "how long to wait until nothing runs on it, such as 10m")
	return c
}

// emptied waits until nothing runs on a worker.
func emptied(ctx context.Context, cl *client.Client, w api.WorkerAnswer, wait time.Duration) (api.WorkerAnswer, error) {
	late := errors.New("late")
	ctx, cancel := context.WithTimeoutCause(ctx, wait, late)
	defer cancel()
	for w.Running > 0 {
		timer := time.NewTimer(drainLook)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		now, err := client.Fetch[api.WorkerAnswer](ctx, cl, "/workers/"+escaped(w.Name), nil)
		if errors.Is(err, late) || errors.Is(context.Cause(ctx), late) {
			return w, &attune.Error{Kind: attune.Unavailable, Code: "still_running", Message: fmt.Sprintf("%d attempts run on %s after %s", w.Running, w.Name, wait),
				Try: "a longer --wait; it is given nothing more meanwhile"}
		}
		if err != nil {
			return w, err
		}
		w = now
	}
	return w, nil
}

func (p *program) resumeCommand() *cobra.Command {
	return p.workerOrder("resume NAME", "Give a drained worker work again", (*client.Client).ResumeWorker, func(w api.WorkerAnswer) string {
		return w.Name + " is given work again"
	})
}

func (p *program) forgetCommand() *cobra.Command {
	return p.workerOrder("remove NAME", "Forget a worker that is lost or has left", (*client.Client).RemoveWorker, func(w api.WorkerAnswer) string {
		return w.Name + " is forgotten; if it starts again it is a new one"
	})
}

func (p *program) workerOrder(use, short string, order func(*client.Client, context.Context, string) (api.WorkerAnswer, error), said func(api.WorkerAnswer) string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: exactArgs("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			w, err := order(cl, c.Context(), args[0])
			if err != nil {
				return err
			}
			return p.show(w, w.Name, func(t *table) { t.row(said(w)) })
		},
	}
}
