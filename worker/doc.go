// Package worker runs the attempts that nodes dispatch to this machine.
//
//	broker ── bundles ──▶ inbox ─▶ turn ──▶ attempts ──▶ Runner (noop, shell, …)
//	                        ▲       │  ▲                   │
//	      reports ◀─────────┼───────┘  └── journalled ── Journal
//	                        └──────────────────── events ──┘
//
// A [Worker] is one state machine. Whatever happens (a message, a runner's
// event, a timer, a journal entry on disk) is put into its inbox, and a turn
// handles all that waits there, one after the other; nothing in a turn blocks.
// What a turn wants to say is sent at its end: so many small things that
// happened together become one bundle, and nothing ever waits to be bundled.
// With a lent turn and a virtual clock a worker is deterministic.
//
// # Incarnations
//
//	preparing ── earlier runs ended, journals read ──▶ registering
//	    ▲                                                   │ answered
//	    └──── lease ended, or declared lost ──── serving ◀──┘
//
// An incarnation that ends within a living process and a worker that is started
// again go the same way: [Keeper.Begin] proves that nothing of before runs any
// more, [Journal.Begin] tells what was started and how it ended.
//
// # What a worker promises
//
//   - A token is started at most once, only by the incarnation it is addressed
//     to, only within the lease, never beyond the slots, and, unless its runner
//     is pure, only after the journal has it.
//   - A token enters the seen set before anything is said of it.
//   - The end of an attempt is reported until it is acknowledged, across
//     restarts too, and after all of its output is stored.
//   - A node that lost a partition to another is not listened to for it.
//
// Runners, journals and the keeper of processes stand in the folders below.
package worker
