// Package check judges what is left after servers, workers and connections were
// lost: rows as they were read from outside, the ledger of what really ran, and
// what clients were told. Like the checker of the simulation, whose reading of
// histories it uses, it shares no code with the product.
//
// A finding has one of a few kinds, the words in which the promise is given:
// nothing lost, nothing doubled, nothing stuck, no history with a gap, nothing
// killed without need. Input that holds less than was planned is thin, and a
// finding of its own.
package check
