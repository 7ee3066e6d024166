// Package proxy is a TCP connection that breaks on demand. A [Proxy] stands on a
// loopback port before a server and forwards bytes; a test tells it what to do to
// them:
//
//	client ── Addr ──▶ │ freeze │ delay, throttle │ cut after n more bytes │ ──▶ server
//	client ◀────────── │        (the same, apart, for the way back)        │ ◀── server
//
// It knows no protocol. A connection that is cut is reset at both ends, as when a
// machine's kernel forgets it; one that is frozen stays open and silent, as when
// a cable is pulled: neither end is told of the other's end either.
package proxy
