package keeper

import (
	"os"
	"time"

	"github.com/attune-automation/attune"
)

// DefaultGrace is the time between SIGTERM and SIGKILL where none is given.
const DefaultGrace = 10 * time.Second

// NoGrace as a grace means SIGKILL at once.
const NoGrace time.Duration = -1

// Run is one process to start, with the bounds the keeper holds it to.
type Run struct {
	// Token names the run in Stop and in events; not empty, and used by no other
	// run that has not ended.
	Token string
	// Argv is the program (a path; PATH is not searched) and its arguments.
	Argv []string
	// Env is the whole environment, as NAME=value; nothing is added.
	Env []string
	// Dir is the working directory; empty is "/".
	Dir string
	// Stdin, Stdout and Stderr become descriptors 0 to 2, and Result, if not nil,
	// 3; nil is /dev/null for the first three. They are set to blocking mode.
	// They stay the caller's, who may close them once Start has returned.
	Stdin, Stdout, Stderr, Result *os.File
	// Timeout bounds the run, counted from the start of its process; 0 is none.
	Timeout time.Duration
	// Grace is the time between SIGTERM and SIGKILL after a timeout, and after a
	// Stop that gives none; 0 is DefaultGrace, negative is NoGrace.
	Grace time.Duration
	// Limits are what the whole tree may use, as far as [Keeper.Limits] says that
	// they hold. Memory without the controller for it bounds the private memory of
	// each process by itself: what asks for more is refused it, and not killed.
	Limits attune.Resources
}

// Kind tells the three things a keeper says of a run. For each accepted Start
// it says either Refused, or Started and later Ended; only Ended, with cause
// CauseOrphan, when the keeper was lost in between.
type Kind string

// The kinds of event.
const (
	// Started: the process runs, after a successful exec.
	Started Kind = "started"
	// Ended: no process of the run remains.
	Ended Kind = "ended"
	// Refused: the run was never started, and will not be.
	Refused Kind = "refused"
)

// Cause is why a keeper ended a run. The first cause stays.
type Cause string

// The causes; CauseNone is a run that ended by itself.
const (
	CauseNone    Cause = "none"
	CauseStop    Cause = "stop"
	CauseTimeout Cause = "timeout"
	CauseLease   Cause = "lease"  // the lease ended
	CauseClose   Cause = "close"  // the worker closed its Keeper
	CauseOrphan  Cause = "orphan" // KillEarlier asked for it, or the keeper was killed
)

// Refusal is why a run was not started.
type Refusal string

// The refusals. Only after RefusedResource may the same run succeed later with
// the same keeper.
const (
	RefusedLease    Refusal = "lease"    // the lease has ended, or was never given
	RefusedStopped  Refusal = "stopped"  // Stop came before the process was started
	RefusedClosed   Refusal = "closed"   // the keeper is ending
	RefusedExec     Refusal = "exec"     // no such program, not executable, no such directory
	RefusedResource Refusal = "resource" // no process, memory, descriptor or control group to be had
)

// Event is what happened to a run. Which fields have a meaning depends on Kind.
type Event struct {
	Kind  Kind
	Token string
	// At is when it happened, on the clock of BoottimeNow.
	At int64

	// Pid is the first process (Started).
	Pid int

	// ExitCode is that of the first process (Ended); -1 if a signal ended it, or
	// the keeper was lost and nobody knows.
	ExitCode int
	// Signal is the number of the signal that ended the first process, or 0.
	Signal int
	// Cause is why the keeper ended the run (Ended). A process that ends by itself
	// within its grace still has the cause stop or timeout.
	Cause Cause
	// UserTime and SystemTime are the processor time of the whole tree.
	UserTime, SystemTime time.Duration
	// MaxRSS is the largest resident size of one process known, in bytes. Linux
	// counts in the moment before exec, so it is never below the keeper's own size.
	MaxRSS int64
	// MemoryKills is how many processes the kernel killed for want of memory, and
	// RefusedForks how many it did not start, at the limits.
	MemoryKills, RefusedForks int

	// Refusal and Reason (for people) say why a run was Refused.
	Refusal Refusal
	Reason  string
}

// TimedOut reports whether the run was ended for exceeding its Timeout.
func (e Event) TimedOut() bool { return e.Cause == CauseTimeout }
