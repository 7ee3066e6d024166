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
	// only leaves out what later attempts print.
	only bool
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
	var reader sync.WaitGroup
	var failed error
	if a.output {
		reader.Go(func() { failed = a.copy(reading, true) })
	}
	x, err := a.news(ctx, x)
	if err != nil {
		stop()
	}
	reader.Wait()
	if err == nil {
		err = failed
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

// copy writes what the attempts print, byte for byte and in the order in which
// it came, each stream to its own writer. A connection that breaks is made
// again, and goes on where it was.
func (a *attachment) copy(ctx context.Context, follow bool) error {
	var p retries
	place := ""
	for {
		before := place
		done, err := a.pieces(ctx, follow, &place)
		if done {
			return err
		}
		if place != before {
			p = retries{}
		}
		if err = p.again(ctx, err); err != nil {
			return err
		}
	}
}

// pieces copies what one answer holds, and says whether that was all: the end,
// or a fault that no other answer would mend.
func (a *attachment) pieces(ctx context.Context, follow bool, place *string) (done bool, err error) {
	stream, err := a.client.Logs(ctx, a.id, a.attempt, follow, *place)
	if err != nil {
		return false, err
	}
	defer stream.Close()
	for {
		m, err := stream.Next()
		*place = stream.Last()
		if err != nil {
			return false, err
		}
		switch m.Event {
		case api.StreamOutput:
			var piece api.OutputPiece
			if err := m.Into(&piece); err != nil {
				return true, err
			}
			if a.only && piece.Attempt > a.attempt {
				return true, nil
			}
			if err := a.write(piece); err != nil {
				return true, err
			}
		case api.StreamEnd:
			var end api.LogsEnd
			if err := m.Into(&end); err != nil {
				return true, err
			}
			if end.Status != "" {
				return true, nil
			}
			return false, client.Ended(m)
		}
	}
}

func (a *attachment) write(piece api.OutputPiece) error {
	var to io.Writer = a.out
	if piece.Stream == "stderr" {
		to = said{a}
	}
	n, err := to.Write(piece.Data)
	a.printed.Add(int64(n))
	return err
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
