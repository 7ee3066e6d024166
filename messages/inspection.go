package messages

import (
	"encoding/json"
	"time"
)

// ActorView is one actor as the inspection shows it.
type ActorView struct {
	// Path is the actor's place in the tree: node/partitions/p-017/ex-….
	Path string `json:"path"`
	// Kind is what it is: execution, partition, scheduler, ….
	Kind string `json:"kind"`
	// State says in a word where it stands.
	State string `json:"state"`
	// Mailbox is how many messages wait, OldestAge how long the first of them
	// has.
	Mailbox   int           `json:"mailbox"`
	OldestAge time.Duration `json:"oldest_age_ns"`
	// Handled counts messages since the actor was first started, Restarts its
	// failures.
	Handled  int64 `json:"handled"`
	Restarts int   `json:"restarts"`
	// LastError is what it failed with last, secrets masked.
	LastError string `json:"last_error,omitempty"`
	// Parent is a path; Children are counted here and listed for one actor.
	Parent   string `json:"parent,omitempty"`
	Children int    `json:"children"`
}

// ActorDetail is one actor in full.
type ActorDetail struct {
	ActorView
	// ChildPaths are its children, at most 1000.
	ChildPaths []string `json:"child_paths,omitempty"`
	// Detail is its own state; null when the actor did not answer within a
	// second (its mailbox tells why).
	Detail json.RawMessage `json:"detail"`
	// Signals are the last messages it handled, oldest first, at most 50.
	Signals []SignalView `json:"signals"`
}

// SignalView is one message an actor handled.
type SignalView struct {
	// At is when it was put into the mailbox.
	At time.Time `json:"at"`
	// Name is the message's type, with what identifies it.
	Name string `json:"name"`
}
