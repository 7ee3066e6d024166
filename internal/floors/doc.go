// Package floors checks the house rules that a compiler does not: which package may
// import which, which library lives where, how long a file may grow, and what may
// not be written at all. Its test runs over the whole repository, on whatever
// packages exist; nothing imports it.
//
// The floors are in table.go. A package that is in no row is a fault: a new folder
// begins with a row here.
//
// Each rule is a function from a [Tree] to faults, and its own test feeds it a small
// forged tree in which it must find something.
package floors
