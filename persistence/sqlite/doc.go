// Package sqlite keeps everything in one file of a folder, for one process at a
// time: the embedded mode. It is pure Go.
//
// There is one writing connection, used under a mutex, and a pool of reading
// ones; in WAL mode they do not wait for each other. The writing connection is
// the driver's own and not database/sql's, because a flush binds thousands of
// values. The folder is locked by a lock file that the kernel lets go with the
// process, so that a restart after kill -9 takes over at once.
//
//	attune.lock     held (flock) as long as the store is open
//	attune.db       tables: migrations/*.sql
//	attune.db-wal   the newest commits, synced by each; folded in at 4,000 pages
//
// A flush is tried as a whole with statements of many rows. Only when a row
// contradicts another (an id or a pair that is there already) is it rolled back
// and done again operation by operation. What that looks like from outside is
// the same, and a test compares both with the memory store.
package sqlite
