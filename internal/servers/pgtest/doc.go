// Package pgtest gives tests a real PostgreSQL: [URL] a database of the test's
// own on the server of the test program, [Private] a server that the test may
// stop, kill and start. Programs use [Open] and [Start].
//
// A private server is guarded by a shell that waits for the end of its standard
// input: however the program ends, the server ends too, and its folder with it.
//
//	program ──pipe── sh ── postgres
//
// It trusts everybody who can reach its port on this machine, and does not sync:
// the machine is not what these tests lose.
package pgtest
