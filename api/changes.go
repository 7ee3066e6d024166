package api

import (
	"time"

	"github.com/attune-automation/attune"
)

// Changes is the part of the engine that tells what was stored, in the order in
// which it was. Changes are numbered from 1 in each incarnation of the node; a
// number that is left out means nothing.
type Changes interface {
	// Listen begins behind the change of that number; below zero it begins
	// now. The listener must be closed. It never holds the engine up.
	Listen(after int64) Listener
}

// Listener is one reader of the changes. It reads at its own pace from what the
// node remembers; it is not safe for concurrent use.
type Listener interface {
	// Read copies the next changes and moves on. lost says that some of them
	// are forgotten, or were never known: then nothing is copied, and the
	// listener goes on behind the newest. It does not block.
	Read(into []Change) (n int, lost bool)
	// Place is the number up to which everything was read.
	Place() int64
	// Woken gets a word (capacity one) when there may be more.
	Woken() <-chan struct{}
	// Close may be called twice.
	Close()
}

// The kinds of a change.
const (
	ChangeOfEvent       = "event"
	ChangeOfEnforcement = "enforcement"
	ChangeOfExecution   = "execution"
	ChangeOfWorker      = "worker"
)

// Change is one stored change of a row: where the row stands now. It holds no
// payload, no parameter and no result. Fields that a kind does not have are
// zero.
type Change struct {
	// Number is its place.
	Number int64
	// At is when it was stored, in database time.
	At time.Time
	// Kind is one of the constants.
	Kind string
	// ID is the row's, 0 of a worker; Status its state in the words of its kind.
	ID     attune.ID
	Status string
	// Terminal says that the status of an execution is the last.
	Terminal bool
	// Version and Attempt are the execution's.
	Version int64
	Attempt int
	// Worker and Incarnation are where the newest attempt is, or the worker.
	Worker, Incarnation string
	// Trigger, Rule, Action are refs; ActionHash is what says which
	// parameters are secret.
	Trigger, Rule, Action, ActionHash string
	// Event, Execution, Parent are the rows it belongs to.
	Event             attune.EventID
	Execution, Parent attune.ExecutionID
	// Reason is what an execution waits for, or why it or an enforcement
	// failed; Code is the code of that failure. Secrets are not masked here.
	Reason, Code string
	// Requested, Started, Finished are the execution's times.
	Requested, Started, Finished time.Time
}

// ChangeView is a change as the stream shows it.
type ChangeView struct {
	Kind        string `json:"kind"`
	ID          string `json:"id"`
	Status      string `json:"status"`
	At          string `json:"at"`
	Terminal    bool   `json:"terminal,omitempty"`
	Version     int64  `json:"version,omitempty"`
	Attempt     int    `json:"attempt,omitempty"`
	Worker      string `json:"worker,omitempty"`
	Incarnation string `json:"incarnation,omitempty"`
	Trigger     string `json:"trigger,omitempty"`
	Rule        string `json:"rule,omitempty"`
	Action      string `json:"action,omitempty"`
	Event       string `json:"event,omitempty"`
	Execution   string `json:"execution,omitempty"`
	Parent      string `json:"parent,omitempty"`
	// Reason is what it waits for, or why it failed; Code is that failure's.
	Reason    string `json:"reason,omitempty"`
	Code      string `json:"code,omitempty"`
	Requested string `json:"requested,omitempty"`
	Started   string `json:"started,omitempty"`
	Finished  string `json:"finished,omitempty"`
}

func viewChange(c *Change) ChangeView {
	v := ChangeView{
		Kind: c.Kind, Status: c.Status, At: stamp(c.At), Terminal: c.Terminal, Version: c.Version, Attempt: c.Attempt,
		Worker: c.Worker, Incarnation: c.Incarnation, Trigger: c.Trigger, Rule: c.Rule, Action: c.Action,
		Event: c.Event.String(), Execution: c.Execution.String(), Parent: c.Parent.String(), Reason: c.Reason, Code: c.Code,
		Requested: stamp(c.Requested), Started: stamp(c.Started), Finished: stamp(c.Finished),
	}
	switch c.Kind {
	case ChangeOfEvent:
		v.ID, v.Event = attune.EventID(c.ID).String(), ""
	case ChangeOfEnforcement:
		v.ID = attune.EnforcementID(c.ID).String()
	case ChangeOfExecution:
		v.ID, v.Execution = attune.ExecutionID(c.ID).String(), ""
	case ChangeOfWorker:
		v.ID = c.Worker
	}
	return v
}
