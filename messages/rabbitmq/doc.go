// Package rabbitmq is the broker on a RabbitMQ server, 3.10 or newer: the
// transport between processes.
//
//	Send ──> buffer ──> connection "out"    ──> exchange ──> queue of each
//	           └──────> connection "output"                  subscription ──┐
//	deliver <── goroutine of the subscription <── connection "in" <─────────┘
//
//	Publish ─> confirmed, on "out" ─> exchange ─> quorum queue ─> Consume, on "in"
//
// A link keeps each connection: it begins anew for as long as it takes, declares
// the exchanges, and lets its user go on. Consumers have their own connection,
// since a server that runs out of memory stops reading from those that publish.
// Output has its own, begun with the first chunk, so that reports do not stand
// behind it.
//
// Bundles are transient, and nothing of what is sent without a connection is
// kept: whoever must be heard says it again until it is answered. A message that
// lies anywhere for a minute is dropped, in our buffer as in the server's queues,
// so that nothing old arrives after it was given up.
package rabbitmq
