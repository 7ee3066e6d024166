// Package persistence says what the runtime asks of a store. The store is the
// only truth: losing every queue, mailbox and actor costs latency, never work.
//
// Implementations stand one folder below (memory, sqlite, postgres) and pass the one
// contract suite in storetest. Two ideas carry the whole package:
//
//   - Every write of a node is part of a flush: one transaction that first
//     proves, under lock, that the node's lease is alive, and otherwise writes
//     nothing (Fenced).
//   - Every operation of a flush gets exactly one of five answers: Committed,
//     Duplicate, Fenced, Conflict, Rejected. Nobody is answered while the
//     outcome is unknown.
package persistence
