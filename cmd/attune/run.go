package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune/api"
)

type runOptions struct {
	json, timeout, dedupe string
	deadline, after       string
	retry                 string
	retryDelay            time.Duration
	detach                bool
	wait                  time.Duration
}

func (p *program) runCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run ACTION [NAME=TEXT | NAME:=JSON | @FILE]...",
		Short: "Run an action and follow its output",
		Long: `Run an action and follow its output.

Text is cast to the type the action declares. What the action prints goes to
standard output and standard error; everything else is said on standard error.
Ctrl-C detaches: the execution goes on.`,
		Example: "  attune run core.local cmd='echo hi'\n  attune run core.pause delay:=30 --timeout 1s\n  attune run core.local --json '{\"cmd\": \"date\"}' -o json",
		Args:    minArgs("ACTION"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.run(c.Context(), args[0], args[1:], o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.json, "json", "", "parameters as a JSON object, or @FILE (@- is standard input)")
	f.BoolVar(&o.detach, "detach", false, "print the id and do not wait")
	f.StringVar(&o.timeout, "timeout", "", "limit of one attempt, such as 90s; else that of the action")
	f.StringVar(&o.deadline, "deadline", "", "limit of the whole execution: 10m from now, or a time; else that of the action")
	f.StringVar(&o.retry, "retry", "", "number of attempts, or a JSON object as in a pack; else that of the action")
	f.DurationVar(&o.retryDelay, "retry-delay", 0, "with a number in --retry: the pause before the next attempt")
	f.StringVar(&o.after, "after", "", "do not start before: 10m from now, or a time")
	f.DurationVar(&o.wait, "wait", 0, "how long to wait for the end; the execution goes on, exit code 124")
	f.StringVar(&o.dedupe, "dedupe", "", "key that makes repetitions of this command one execution")
	return c
}

func (p *program) run(ctx context.Context, action string, args []string, o runOptions) error {
	parameters, err := p.assignments(o.json, args)
	if err != nil {
		return err
	}
	retry, err := o.retryDocument()
	if err != nil {
		return err
	}
	c, err := p.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	x, err := c.Run(ctx, api.RunRequest{Action: action, Parameters: parameters, Timeout: o.timeout, Deadline: o.deadline, Retry: retry, At: o.after, Dedupe: o.dedupe})
	if err != nil {
		return err
	}
	if x.Duplicate {
		fmt.Fprintf(p.talk, "%s was requested before with this key\n", x.ID)
	}
	if o.detach {
		return p.show(x, x.ID, func(t *table) { fmt.Fprintln(t, x.ID) })
	}
	a := attachment{program: p, client: c, id: x.ID, attempt: 1, output: p.format == "table"}
	if x.Duplicate {
		a.attempt = 0
	}
	last, err := a.follow(ctx, x.ExecutionView, o.wait)
	if err != nil {
		return err
	}
	if err := p.showEnd(last, a.printed.Load()); err != nil {
		return err
	}
	return outcome(last)
}

// retryDocument is what --retry and --retry-delay say, in JSON.
func (o runOptions) retryDocument() (json.RawMessage, error) {
	switch {
	case o.retry == "" && o.retryDelay != 0:
		return nil, usage("--retry-delay says nothing without --retry", "--retry 3 --retry-delay 10s")
	case o.retry == "":
		return nil, nil
	case !json.Valid([]byte(o.retry)):
		return nil, usage("--retry is neither a number nor JSON: "+o.retry, `--retry 3, or --retry '{"max_attempts": 3, "delay": "10s"}'`)
	case o.retryDelay == 0:
		return json.RawMessage(o.retry), nil
	}
	n, err := strconv.Atoi(o.retry)
	if err != nil {
		return nil, usage("--retry-delay goes with a number in --retry; an object says the delay itself", "--retry 3 --retry-delay 10s")
	}
	return json.Marshal(map[string]any{"max_attempts": n, "delay": o.retryDelay.String()})
}

// showEnd writes what an execution came to. In a table that is its result,
// where it printed nothing that says as much.
func (p *program) showEnd(x api.ExecutionView, printed int64) error {
	if p.format != "table" {
		return p.show(x, x.ID, nil)
	}
	var result any
	if len(x.Result) > 0 {
		if err := json.Unmarshal(x.Result, &result); err != nil {
			return fmt.Errorf("result of %s: %w", x.ID, err)
		}
	}
	fields, _ := result.(map[string]any)
	if _, ofShell := fields["stdout"]; printed == 0 && result != nil && !ofShell {
		return writeJSON(p.out, x.Result)
	}
	return nil
}
