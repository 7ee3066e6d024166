package worker

import (
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Runner runs attempts of one kind of action.
type Runner interface {
	// Pure runners have no effect outside: their attempts need no journal,
	// since one that is repeated does no harm.
	Pure() bool
	// Start runs an attempt and does not block. events is called in order, by
	// one goroutine at a time, within Start or after it: Started at most once,
	// Wrote any number of times, up to [StreamBytes] of each stream and a bit,
	// and at last Ended exactly once, when nothing of the run is left. It never
	// blocks. d must not be changed.
	Start(d *messages.Dispatch, events func(Event))
	// Stop ends an attempt: politely, then after the grace by force. It does
	// not block, may be called twice, and after the end. A grace of zero is
	// the dispatch's.
	Stop(token attune.Token, grace time.Duration)
}

// EventKind is what a runner tells of an attempt.
type EventKind uint8

// The kinds of events.
const (
	// Started: it runs.
	Started EventKind = iota + 1
	// Wrote: it wrote output.
	Wrote
	// Ended: nothing of it runs.
	Ended
)

// StreamBytes is how much of each stream is kept: 10 MB.
const StreamBytes = 10 << 20

// The streams of an attempt's output.
const (
	Stdout uint8 = 1
	Stderr uint8 = 2
)

// Event is a runner's word on an attempt.
type Event struct {
	Kind EventKind
	// Stream and Data are what was written; Data is copied before events
	// returns.
	Stream uint8
	Data   []byte
	cut    bool // the stream was longer, and is cut behind Data
	// End says how it ended: Finished, FailedRun, TimedOutRun, StoppedRun,
	// LostRun; RefusedRun and Returned if it was never started.
	End messages.ReportKind
	// Result is a JSON document or nil; Failure why it did not succeed; Reason
	// why it was not started.
	Result  []byte
	Failure *attune.Failure
	Reason  string
}
