package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
)

// executionGetCommand shows one execution: as a table what a person asks first,
// with its attempts and its history; in the other formats the whole document.
func (p *program) executionGetCommand() *cobra.Command {
	return &cobra.Command{
		Use: "get ID", Short: "Show one in full", Args: exactArgs("ID"),
		Long: "Show one execution: where it stands, its attempts, its history, step by step, and\nits result. -o json and -o yaml have every field.",
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			x, err := client.Fetch[api.ExecutionView](c.Context(), cl, "/executions/"+escaped(args[0]), nil)
			if err != nil {
				return err
			}
			return p.show(x, x.ID, func(t *table) { tellExecution(t, x) })
		},
	}
}

func tellExecution(t *table, x api.ExecutionView) {
	status := x.Status
	if x.Cause != "" {
		status += " (" + x.Cause + ")"
	}
	var failure, until string
	if x.Error != nil {
		failure = x.Error.Code + ": " + x.Error.Message
	}
	if x.Until != "" && !x.Terminal {
		until = x.Until
	}
	for _, f := range []struct{ name, value string }{
		{"id", x.ID}, {"action", x.Action}, {"status", status}, {"why", x.Reason}, {"until", until}, {"error", failure}, {"rule", x.Rule}, {"trigger", x.Trigger},
		{"event", x.Event}, {"parent", x.Parent}, {"by", x.Principal}, {"timeout", x.Timeout}, {"deadline", x.Deadline},
		{"requested", x.Requested}, {"started", x.Started}, {"finished", x.Finished}, {"duration", x.Duration},
	} {
		if f.value != "" {
			t.row(f.name+":", f.value)
		}
	}
	tellAttempts(t, x)
	tellHistory(t, x)
	for _, d := range []struct {
		name string
		doc  json.RawMessage
	}{{"parameters", x.Parameters}, {"result", x.Result}} {
		if len(d.doc) > 0 {
			_ = t.Flush()
			fmt.Fprintf(t, "\n%s:\n", d.name)
			writeIndented(t, d.doc)
		}
	}
}

// writeIndented writes a document as YAML, further in.
func writeIndented(w io.Writer, doc json.RawMessage) {
	var b strings.Builder
	if writeYAML(&b, doc) != nil {
		return
	}
	for text := range strings.Lines(b.String()) {
		fmt.Fprint(w, "  "+text)
	}
	if !strings.HasSuffix(b.String(), "\n") {
		fmt.Fprintln(w)
	}
}

func tellAttempts(t *table, x api.ExecutionView) {
	if len(x.Attempts) == 0 {
		return
	}
	_ = t.Flush() // each table has its own columns
	fmt.Fprintln(t)
	t.row("ATTEMPT", "WORKER", "ASSIGNED", "STARTED", "ENDED", "DURATION", "OUTCOME", "WHY")
	for _, a := range x.Attempts {
		outcome, reason := a.Outcome, a.Note
		if outcome == "" {
			outcome = "goes on"
		}
		if a.Error != nil {
			reason = a.Error.Message
		}
		if len(a.Late) > 0 {
			reason = strings.TrimPrefix(fmt.Sprintf("%s; %d late reports changed nothing", reason, len(a.Late)), "; ")
		}
		t.row(a.Number, a.Worker, clockTime(a.Assigned, x.Requested), clockTime(a.Started, x.Requested), clockTime(a.Ended, x.Requested), a.Duration, outcome, reason)
	}
}

func tellHistory(t *table, x api.ExecutionView) {
	if len(x.History) == 0 {
		return
	}
	_ = t.Flush()
	fmt.Fprintln(t)
	t.row("AT", "SIGNAL", "STATUS", "ATTEMPT", "NOTE")
	for _, s := range x.History {
		note := s.Note
		if s.Worker != "" {
			note = strings.TrimSuffix("on worker "+s.Worker+", "+note, ", ")
		}
		if s.Refused {
			note = strings.TrimSuffix("refused, changed nothing: "+note, ": ")
		}
		attempt := ""
		if s.Attempt > 0 {
			attempt = fmt.Sprint(s.Attempt)
		}
		t.row(clockTime(s.At, x.Requested), s.Signal, s.Status, attempt, note)
	}
}

// clockTime is the time of day of a moment, on the day of another that is
// written in full; on any other day it is the whole.
func clockTime(at, day string) string {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil || len(day) < len(time.DateOnly) || !strings.HasPrefix(at, day[:len(time.DateOnly)]) {
		return at
	}
	return t.Format("15:04:05.000")
}
