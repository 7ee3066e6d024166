// Package https is the second way between workers and nodes, for the time in
// which the broker is away, and for workers that have none: bundles travel by
// requests to the API of a node.
//
//	worker                                        node
//	[Way] ── Send, Subscribe ──▶ broker ◀──────── [Desk] ◀── Send, Subscribe
//	  └── POST /api/v1/workers/NAME/link ──────────▶ │
//	      ◀── what the node has for the worker ──────┘
//
// The worker decides: it calls when its own link to the broker is down, or when
// nothing came by it for longer than answers to heartbeats take. As long as it
// calls, both send by both ways, so nobody has to find out which of them is
// broken: everything may come twice, which the worker protocol is made for. Once
// the broker carries answers again, the worker calls no more.
//
// The way keeps no promise, as a [messages.Broker] keeps none: a request that
// fails loses what it carried, and whoever needs an answer says it again.
package https
