package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
)

// The exit codes, the same for all commands.
const (
	exitOK          = 0
	exitFailed      = 1
	exitWouldChange = 2
	exitNotFound    = 3
	exitDenied      = 4
	exitConflict    = 5
	exitUsage       = 64
	exitUnreachable = 69
	exitTimeout     = 124
	exitInterrupted = 130
)

// errInterrupted is the cause of a context that a signal ended.
var errInterrupted = errors.New("interrupted")

// exitError ends the program with a code when all there is to say was said.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exitCode follows from the kind of an error alone.
func exitCode(err error) int {
	var exit exitError
	var e *attune.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.code
	case errors.Is(err, errInterrupted), errors.Is(err, context.Canceled):
		return exitInterrupted
	case !errors.As(err, &e):
		return exitFailed
	}
	switch e.Kind {
	case attune.Invalid, attune.TooLarge:
		return exitUsage
	case attune.NotFound:
		return exitNotFound
	case attune.Denied:
		return exitDenied
	case attune.Conflict:
		return exitConflict
	case attune.Unavailable, attune.TooMuch:
		return exitUnreachable
	}
	return exitFailed
}

// outcome is the exit code of an execution's last status.
func outcome(x api.ExecutionView) error {
	switch x.Status {
	case attune.Completed.String():
		return nil
	case attune.TimedOut.String():
		return exitError{exitTimeout}
	}
	return exitError{exitFailed}
}

// explain tells a person what is wrong, where, and what to try.
func explain(w io.Writer, err error) {
	var exit exitError
	if err == nil || errors.As(err, &exit) {
		return
	}
	if errors.Is(err, errInterrupted) {
		fmt.Fprintln(w, "interrupted")
		return
	}
	var e *attune.Error
	if !errors.As(err, &e) {
		fmt.Fprintln(w, "error:", err)
		return
	}
	message := e.Message
	if e.Cause != nil {
		message += ": " + e.Cause.Error()
	}
	fmt.Fprintln(w, "error:", message)
	if e.Where != "" {
		fmt.Fprintln(w, "  where:", e.Where)
	}
	for _, f := range e.Faults {
		fmt.Fprintln(w, "  -", f)
	}
	if e.Try != "" {
		fmt.Fprintln(w, "  try:", e.Try)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintln(w, "  again in:", e.RetryAfter)
	}
}

// usage is the error for a command line that says something impossible.
func usage(message, try string) error {
	return &attune.Error{Kind: attune.Invalid, Code: "usage", Message: strings.TrimSuffix(message, "."), Try: try}
}
