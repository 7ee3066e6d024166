// Package postgres keeps everything in a PostgreSQL database, version 15 or
// newer, no extension: the store of a cluster.
//
//	writer    one connection: the flushes, under a mutex
//	renewals  one, for nothing else: a lease that waits is lost
//	leases    two: take-overs, and what became of a flush
//	aside     what else writes: output, the audit, definitions, pruning
//	readers   the rest
//
// Whatever goes to the server is a batch (batch.go): one round trip, one
// transaction, settings for that transaction alone. So nothing depends on which
// connection it gets, and a pooler in transaction mode may stand between.
//
// A flush (flush.go) is one batch that begins with the fence. It answers every
// operation by what its statements return, each joined to the row that decides.
// Only when an id is there already is it rolled back, and the rows are looked at
// first (careful.go); what one row is refused for is found by halving.
//
// A commit whose outcome is unknown (resolve.go) is over once the lease has a
// new session: the row is locked after whoever is at work, and what is still on
// its way is fenced by the session that it names.
package postgres
