package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
)

func (p *program) traceCommand() *cobra.Command {
	var lines int
	c := &cobra.Command{
		Use: "trace ID", Short: "Show the whole chain that an event, enforcement or execution belongs to", Args: exactArgs("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			t, err := client.Fetch[api.Trace](c.Context(), cl, "/trace/"+escaped(args[0]), nil)
			if err != nil {
				return err
			}
			if p.format != "table" {
				return p.show(t, t.ID, nil)
			}
			d := drawing{ctx: c.Context(), client: cl, lines: lines}
			for _, root := range d.roots(t) {
				root.draw(p.out)
			}
			if t.Truncated {
				fmt.Fprintln(p.talk, "the chain is longer than what is shown")
			}
			return nil
		},
	}
	c.Flags().IntVar(&lines, "lines", 10, "lines of output to show per stream; 0 is none")
	return c
}

// drawing makes a tree of a trace.
type drawing struct {
	// ctx ends the reading of output; a drawing lives no longer than the
	// command that made it.
	ctx    context.Context
	client *client.Client
	lines  int
}

func (d drawing) roots(t api.Trace) []*branch {
	var roots []*branch
	if t.Event != nil {
		e := t.Event
		root := &branch{text: line(fmt.Sprintf("%s event %s at %s by %s", e.ID, e.Trigger, e.Accepted, e.Principal))}
		for _, en := range t.Enforcements {
			b := root.add("%s rule %s matched: %s", en.ID, en.Rule, en.Status)
			switch {
			case en.Error != nil && en.Execution != "":
				b.text += line(", run again after: " + en.Error.Message)
			case en.Error != nil:
				b.text += line(": " + en.Error.Message)
			}
			if en.Started != nil {
				d.execution(b, en.Started)
			}
		}
		for _, v := range t.Evaluations {
			if !v.Matched {
				root.add("rule %s %s", v.Rule, whyNot(v))
			}
		}
		roots = append(roots, root)
	}
	for _, x := range t.Executions {
		top := &branch{}
		d.execution(top, x)
		roots = append(roots, top.below...)
	}
	return roots
}

// whyNot says why a rule did not match.
func whyNot(v attune.Evaluation) string {
	switch {
	case v.Disabled && v.Switched != nil:
		return "was disabled (" + v.Switched.String() + ")"
	case v.Disabled:
		return "is disabled"
	}
	for _, c := range v.Criteria {
		if !c.Passed {
			left, _ := json.Marshal(c.Left)
			right, _ := json.Marshal(c.Right)
			text := fmt.Sprintf("did not match: %s %s %s, found %s", c.Path, c.Type, right, left)
			if c.Error != "" {
				text += ": " + c.Error
			}
			return text
		}
	}
	if v.Error != "" {
		return "did not match: " + v.Error
	}
	return "did not match"
}

func (d drawing) execution(parent *branch, x *api.TraceExecution) {
	text := standing(x.ExecutionView)
	if x.Terminal {
		text = ending(x.ExecutionView)
	}
	if x.RerunOf != "" {
		text += ", again for " + x.RerunOf
	}
	b := parent.add("%s %s %s", x.ID, x.Action, strings.TrimPrefix(text, x.ID+" "))
	for n := 1; n <= x.Attempt; n++ {
		a := b.add("%s", attemptLine(n, x.ExecutionView))
		for _, stream := range []string{"stdout", "stderr"} {
			d.output(a, x.ID, n, stream)
		}
	}
	for _, c := range x.Children {
		d.execution(b, c)
	}
}

// attemptLine tells an attempt's steps, with their distance from its beginning,
// and why it ended.
func attemptLine(n int, x api.ExecutionView) string {
	text := fmt.Sprintf("attempt %d", n)
	var began time.Time
	for _, s := range x.History {
		if s.Attempt != n {
			continue
		}
		at, _ := time.Parse(time.RFC3339, s.At)
		if began.IsZero() {
			began = at
		}
		if s.Worker != "" {
			text += " on worker " + s.Worker
		}
		text += fmt.Sprintf(", %s +%s", s.Signal, at.Sub(began))
		if s.Refused {
			text += " (late, changed nothing)"
		}
	}
	for _, a := range x.Attempts {
		if a.Number == n && a.Note != "" {
			text += ": " + a.Note
		}
	}
	return text
}

// output shows the first lines of what an attempt printed. That it cannot be
// read spoils no trace.
func (d drawing) output(parent *branch, id string, attempt int, stream string) {
	if d.lines <= 0 {
		return
	}
	body, _, err := d.client.Output(d.ctx, id, client.OutputRequest{Stream: stream, Attempt: attempt})
	if err != nil {
		parent.add("%s: %v", stream, err)
		return
	}
	defer body.Close()
	lines := bufio.NewReader(io.LimitReader(body, 1<<20))
	for i := 0; ; i++ {
		text, err := lines.ReadString('\n')
		if text == "" && err != nil {
			return
		}
		if i == d.lines {
			parent.add("%s: … attune execution logs %s", stream, id)
			return
		}
		if text = strings.TrimSuffix(text, "\n"); len(text) > 200 {
			text = text[:200] + "…"
		}
		parent.add("%s: %s", stream, strings.ToValidUTF8(text, "�"))
	}
}
