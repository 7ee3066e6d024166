// Package sim runs the whole engine, node, worker and clients, in one goroutine
// with a seeded random source, a virtual clock, the memory store and the memory
// broker: one seed, one trace.
//
//	            ┌──────────── the world's queue of runnable steps ───────────┐
//	seed ─────▶ │ an actor's turn · a lent call · a delivery · a due timer   │ ─▶ next step
//	            └──▲─────────▲──────────────▲───────────────▲────────────────┘
//	   Dispatcher  │  Lend   │       broker │    AfterFunc  │
//	            ┌──┴─────────┴───┐   ┌──────┴──────┐   ┌────┴──────────┐
//	            │ node (process) │   │ worker      │   │ clients,      │
//	            │                │   │ (process)   │   │ faults        │
//	            └────────────────┘   └─────────────┘   └───────────────┘
//
// A process is what dies together: its steps and timers are dropped when it is
// killed, and kept when it is frozen. The product is built by node.New and
// worker.New with other parts than usual, and by nothing else.
//
// A seed decides everything: the load, the faults and the order of all steps.
// While faults last, actors panic, nodes and workers crash, freeze and come
// back, the store loses connections, answers and commits, the broker loses,
// doubles and delays. Then all faults end, everything must come to rest within
// a bound, and package check judges what is left.
package sim
