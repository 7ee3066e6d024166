// Package losing loses things on purpose: a worker in each phase of an attempt, the
// broker, its queues, the database, and connections in the middle of a sentence.
// Real processes of attune work on private servers of PostgreSQL and RabbitMQ;
// before each connection stands a proxy that can break it, and every worker has
// proxies of its own:
//
//	load ── HTTP ──▶ attune server ── proxy ──▶ PostgreSQL
//	                  ▲         └──── proxy ──▶ RabbitMQ
//	                  │ proxy                      ▲
//	          attune worker start ──────── proxy ──┘
//	                  └── keeper ── actions ──▶ ledger
//
// A load of events and requests, each with a dedupe key, goes on all the while. After
// every loss everything must come to its end, and the checker below, which knows
// nothing of the product, must find nothing lost, doubled or stuck. How long it took
// until work went on is measured and printed.
//
// All moments that are not measured come from one seed, which is printed.
package losing
