package worker

import (
	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Journal is a worker's memory across restarts: which tokens were started, and
// how they ended.
//
// Implementations are safe for concurrent use.
type Journal interface {
	// Begin opens the journal of a new incarnation, after everything appended
	// before is written, and returns what is held of earlier ones. It may
	// block. After an error it is called again, with another incarnation.
	Begin(incarnation string) ([]Earlier, error)
	// Append stores entries in the journal of the newest incarnation, in the
	// order of the calls, and does not block. done is called once, within
	// Append or later: with nil when they will survive a crash
	// (acknowledgements may not, they only spare a repetition), else they may
	// or may not. Without entries it tells whether the journal can be written.
	Append(entries []Entry, done func(error))
	// Forget removes the journal of an earlier incarnation.
	Forget(incarnation string)
}

// Earlier is what is held of one earlier incarnation.
type Earlier struct {
	Incarnation string
	// Entries has one entry for each token that was not acknowledged, its last
	// one, in the order of their first ones.
	Entries []Entry
}

// EntryKind is what a journal entry says of a token.
type EntryKind uint8

// The kinds of entries.
const (
	// EntryStarted stands before the start.
	EntryStarted EntryKind = iota + 1
	// EntryEnded has the report.
	EntryEnded
	// EntryAcknowledged ends the story.
	EntryAcknowledged
)

// Entry is one line of a journal.
type Entry struct {
	Kind  EntryKind
	Token attune.Token
	// Node is the incarnation to report to.
	Node string
	// Report is that of EntryEnded, else nil. It is never changed.
	Report *messages.Report
}
