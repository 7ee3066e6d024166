package attune

import "time"

// Clock is the time a node acts on: database time, carried forward on the
// monotonic clock. The wall clock is for display only.
//
// Implementations are safe for concurrent use. A simulation supplies a virtual
// one.
type Clock interface {
	// Now is the current database time, UTC. It never goes backwards within
	// one process.
	Now() time.Time
	// AfterFunc calls f once, on an arbitrary goroutine (the simulation's only
	// one), when d has passed; a d of zero or less calls it as soon as
	// possible. f must not block: it sends a message.
	AfterFunc(d time.Duration, f func()) Timer
}

// Monotonic is a [Clock] with a second face that leases are counted on: it
// never jumps, and it runs while the machine is suspended. A clock without it,
// such as a simulation's, must itself never jump.
type Monotonic interface {
	// Mono is the time since some fixed moment.
	Mono() time.Duration
}

// Timer is one pending call of [Clock.AfterFunc].
type Timer interface {
	// Stop prevents the call and reports whether it did; false means that the
	// call was made, is being made, or was stopped before.
	Stop() bool
}

// Lend runs f away from the caller, so that an actor need not block: a
// goroutine that the node owns and waits for, or a step of the simulation's
// queue. It never runs f before it returns.
type Lend func(f func())
