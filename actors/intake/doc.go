// Package intake is the actor that takes what clients outside publish: it
// consumes the queues of the broker, offers each message to the node as the API
// would, and settles it.
//
//	delivered ──offered──┬─ stored ──────────────────────────▶ acknowledged
//	             ▲       ├─ the node cannot now ─▶ held ─┐
//	             └───────┼───────────────────────────────┘
//	                     └─ its own fault ─┬─ before the 5th delivery ─▶ paused ─▶ returned
//	                                       └─ else, or malformed ─▶ published to attune.dead ─▶ acknowledged
//
// A message is acknowledged after its commit, never before. While the store is
// away, the lease not held or the node full, messages are held, not given back:
// the broker's server would deliver them again at once, ten thousand times a
// second. How many are held is bounded by the prefetch, and the rest waits in
// the queue.
package intake
