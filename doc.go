// Package attune holds the nouns of the automation engine and the rules of
// their lives: ids, statuses, signals, the transition table of an execution,
// and the typed errors every other package speaks in.
//
// It is floor 0 of the house. It imports the standard library only, starts no
// goroutine, and reads no clock, random source, disk or socket: everything
// impure reaches the runtime through interfaces such as [Clock] that are handed
// over at construction, so that the whole runtime can run in a seeded
// simulation.
//
// The life of an execution is one table, in transitions.go; docs/execution.md
// shows it as a drawing that a test keeps true.
package attune
