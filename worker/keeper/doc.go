// Package keeper starts and ends the processes of actions on behalf of a
// worker, in a process of its own that outlives a frozen or killed worker.
//
//	worker process                     keeper process (the same binary)
//	┌──────────────┐  start, stop,     ┌──────────────┐
//	│ Keeper       │  lease, files     │ loop         │──┬─ run: a process and
//	│   Start      │──────────────────▶│   forks      │  │  all it ever starts
//	│   Stop       │◀──────────────────│   reaps      │  ├─ run
//	│   Extend     │  started, ended,  │   kills      │  └─ run
//	└──────────────┘  refused          └──────────────┘
//
// # What a keeper promises
//
//   - It forks only while the lease lasts. The lease is a moment on
//     CLOCK_BOOTTIME, which the worker computes; a delay on the way to the
//     keeper can therefore never make it longer. At its end every run is killed
//     without grace, and the keeper starts nothing more, ever.
//   - A run has ended when its first process has ended. What that one left
//     behind in the background is killed then. [Ended] is told only when no
//     process of the run remains, so its pipes are closed as well.
//   - Stop and timeout are SIGTERM (then SIGCONT, or a stopped process would not
//     see it) to the whole tree, a grace, and SIGKILL to the last process.
//   - When the worker is gone, runs go on until the lease ends; then they are
//     killed and the keeper ends.
//   - [KillEarlier] ends what the keepers of an earlier worker process left.
//
// The keeper adds nothing to argv and environment, and leaves umask and limits
// alone, but for memory where [Run.Limits] asks for it and no controller holds it.
// A process starts in a session of its own with descriptors 0, 1, 2 and, if asked
// for, 3; it gets no other one.
//
// # Two ways to hold a tree together
//
// With cgroup v2 ([ByCgroup]) each run has a control group, in which its first
// process is born; cgroup.kill ends the group in one step. One keeper serves all
// runs. It needs a writable own group (under systemd: Delegate=yes), clone3 and
// cgroup.kill (Linux 5.14). No controller needs to be enabled; those that can be
// (memory, pids, cpu) limit a run as a whole, see [Run.Limits] and quarters for
// what the group must be like.
//
// Elsewhere ([ByReaper]) the keeper is a child sub-reaper: whatever loses its
// parent becomes the keeper's child. It kills what it finds below itself until
// the kernel says that it has no child at all. Since nobody could tell the
// orphans of two runs apart, each attempt has a keeper of its own; one that is
// done serves the next attempt.
//
// # What is not covered
//
//   - A keeper that is itself killed with SIGKILL. The kernel then kills the
//     first process of each run (its parent-death signal); unless it has changed
//     its user, which clears that signal. With cgroup v2 the rest is killed by
//     the worker, or by KillEarlier if the worker is gone as well. With a
//     sub-reaper they kill what is still in the session of the first process;
//     a process that had left that session goes on, and nobody knows of it.
//   - A process that leaves on purpose: one that asks another service (cron, a
//     container engine) to start something, or one of root that moves itself into
//     another control group or kills the keeper.
//   - With a sub-reaper: a process that the keeper may not signal because it runs
//     as another user. Its run does not end before that process does.
//   - An exec that hangs (a dead network file system) holds up the starts behind
//     it, until it is stopped; not the kills.
//
// A unit file for systemd should say KillMode=mixed; the keeper itself does not
// react to SIGINT, SIGTERM and SIGHUP, as it ends only after its runs.
//
// The package needs Linux 5.4.
package keeper
