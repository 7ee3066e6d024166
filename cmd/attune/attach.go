package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
)

// errWaited is the cause of a context that --wait ended.
var errWaited = errors.New("the time to wait is over")

const (
	// oneWait is how long one request for news waits.
	oneWait = 30 * time.Second
	// patience is how long a server that does not answer is asked again, every
	// breath: long enough for a restart.
	patience = 30 * time.Second
	breath   = 500 * time.Millisecond
)

// attachment follows one execution to its end.
type attachment struct {
	*program
	client *client.Client
	id     string
	// attempt is the first whose output is wanted; 0 is the newest.
	attempt int
	// output copies what the attempts print.
	output bool
	// printed counts the bytes copied.
	printed atomic.Int64
	// mu guards talk, which output and news share.
	mu   sync.Mutex
	said string
}

// follow returns the execution when it has ended and all its output is written.
// When ctx ends first, or wait has passed, it says how to attach again.
func (a *attachment) follow(ctx context.Context, x api.ExecutionView, wait time.Duration) (api.ExecutionView, error) {
	if wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, wait, errWaited)
		defer cancel()
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var readers sync.WaitGroup
	failed := make([]error, 2)
	if a.output {
		for i, to := range []struct {
			stream string
			w      io.Writer
		}{{"stdout", a.out}, {"stderr", said{a}}} {
			readers.Go(func() { failed[i] = a.copy(reading, to.stream, to.w) })
		}
	}
	x, err := a.news(ctx, x)
	if err != nil {
		stop()
	}
	readers.Wait()
	if err == nil {
		err = errors.Join(failed...)
	}
	switch {
	case err == nil:
		a.say(ending(x))
	case errors.Is(err, errWaited):
		a.farewell(fmt.Sprintf("%s is still %s after %s and goes on", a.id, x.Status, wait))
		err = exitError{exitTimeout}
	case errors.Is(err, errInterrupted):
		a.farewell("detached; " + a.id + " goes on")
		err = exitError{exitInterrupted}
	default:
		a.farewell(a.id + " may go on")
	}
	return x, err
}

func (a *attachment) farewell(what string) {
	a.say(fmt.Sprintf("%s\n  attach again: attune execution logs -f %s\n  end it:       attune execution cancel %s", what, a.id, a.id))
}

// news tells every change of the execution until it has ended.
func (a *attachment) news(ctx context.Context, x api.ExecutionView) (api.ExecutionView, error) {
	var p retries
	for {
		if text := standing(x); !x.Terminal && text != a.said {
			a.said = text
			a.say(text)
		}
		if x.Terminal {
			return x, nil
		}
		next, err := a.client.Wait(ctx, a.id, x.Version, oneWait)
		if err == nil {
			x, p = next, retries{}
		} else if err = p.again(ctx, err); err != nil {
			return x, err
		}
	}
}

// copy writes one stream of all attempts to w.
func (a *attachment) copy(ctx context.Context, stream string, w io.Writer) error {
	var p retries
	want := client.OutputRequest{Stream: stream, Attempt: a.attempt, Follow: true}
	for {
		n, attempt, err := a.piece(ctx, want, w)
		want.Attempt, want.Offset = max(attempt, want.Attempt), want.Offset+n
		if n > 0 {
			p = retries{}
		}
		if err == nil {
			var x api.ExecutionView
			if x, err = a.client.Execution(ctx, a.id); err == nil {
				if x.Terminal && x.Attempt <= want.Attempt {
					return nil
				}
				want.Attempt, want.Offset = want.Attempt+1, 0
				continue
			}
		}
		if err = p.again(ctx, err); err != nil {
			return err
		}
	}
}

// piece copies what one answer holds.
func (a *attachment) piece(ctx context.Context, want client.OutputRequest, w io.Writer) (n int64, attempt int, err error) {
	body, attempt, err := a.client.Output(ctx, a.id, want)
	if err != nil {
		return 0, attempt, err
	}
	defer body.Close()
	to := &sink{w: w}
	n, err = io.Copy(to, body)
	a.printed.Add(n)
	if err != nil && to.err == nil { // the connection broke, not the writer
		err = &attune.Error{Kind: attune.Unavailable, Code: client.CodeUnreachable, Message: "the output broke off", Where: a.client.Server(), Cause: err}
	}
	return n, attempt, err
}

// sink remembers that it was the writer that failed.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.err = err
	return n, err
}

// said is a writer to talk that takes turns with the news.
type said struct{ a *attachment }

func (s said) Write(b []byte) (int, error) {
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	return s.a.talk.Write(b)
}

func (a *attachment) say(text string) { fmt.Fprintln(said{a}, text) }

// retries ask a server again that does not answer, for a while. The zero
// value has not failed yet.
type retries struct{ since time.Time }

// again returns nil when it is time for another try, else why there is none.
func (p *retries) again(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if attune.KindOf(err) != attune.Unavailable {
		return err
	}
	if p.since.IsZero() {
		p.since = time.Now()
	} else if time.Since(p.since) > patience {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(breath):
		return nil
	}
}

// standing says in a line where an execution stands and what it waits for.
func standing(x api.ExecutionView) string {
	text := x.ID + " " + x.Status
	if x.Status == attune.Stopping.String() && x.Cause != "" {
		text += " (" + x.Cause + ")"
	}
	waits := x.Status == attune.Delayed.String() || x.Status == attune.Scheduling.String()
	if x.Worker != "" && !waits {
		text += " on worker " + x.Worker
	}
	if x.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", x.Attempt)
	}
	if x.Reason != "" {
		text += ": " + x.Reason
	}
	return line(text)
}

// ending says in a line how an execution ended.
func ending(x api.ExecutionView) string {
	text := x.ID + " " + x.Status
	if x.Duration != "" {
		text += " after " + x.Duration
	}
	if x.Error != nil {
		text += ": " + x.Error.Message
	}
	return line(text)
}
