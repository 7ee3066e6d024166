// Package check judges what is left after a run of the simulation: plain rows,
// the ledger of what really ran, and what the clients were told.
//
// It shares no code with the product, only the names of columns, statuses and
// signals: it has its own reading of a history, its own copy of the table of an
// execution's life, and its own evaluator of the few rules the simulation has.
// A fault of the product therefore cannot hide itself here. It also refuses
// input that is too thin to prove anything: see [Plan].
//
// The promises are those of docs/simulation.md; every finding begins with the
// one it breaks.
package check
