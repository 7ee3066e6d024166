// Command bench measures the engine: events through a rule to a completed noop,
// durable, embedded.
//
// Figures come in two kinds. Counts (commits, rows, bytes, allocations, CPU
// time per execution, heap per idle execution) do not depend on what else the
// machine does, and are gated: over 1.5 times their aim the command fails.
// Times and rates do depend on it; they are recorded with the load of others
// beside them, and never gate.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/attune-automation/attune/node"
)

func main() {
	var o options
	flag.IntVar(&o.Count, "n", 100_000, "executions at saturation")
	flag.IntVar(&o.Alone, "alone", 500, "executions one at a time")
	flag.IntVar(&o.Idle, "idle", 20_000, "live executions held for the heap figure")
	flag.BoolVar(&o.JSON, "json", false, "print JSON instead of text")
	flag.StringVar(&o.Dir, "dir", "", "where the data folder is made; the system's place for temporary files by default")
	flag.IntVar(&o.Waiting, "waiting", 0, "measure that many executions that only wait, and nothing else")
	flag.IntVar(&o.Woken, "woken", 20_000, "with -waiting: how many come to their moments, a thousand a second")
	flag.BoolVar(&o.Slot, "slot", false, "with -waiting: they wait for a slot that nobody has, not for a moment")
	flag.StringVar(&o.Backend, "backend", "embedded", "embedded, or servers: on a PostgreSQL and a RabbitMQ of its own, with a worker that is a process")
	flag.StringVar(&o.Worker, "worker", "", "be the worker on this broker; the command calls itself with it")
	flag.StringVar(&o.Phase, "phase", "", "with -waiting: one phase, on a given folder; the command calls itself with it")
	flag.Parse()
	run := bench
	switch {
	case o.Worker != "":
		run = workerProcess
	case o.Backend == "servers":
		run = onServers
	case o.Backend != "embedded":
		fmt.Fprintln(os.Stderr, "bench: there is no backend", o.Backend)
		os.Exit(64)
	case o.Phase != "":
		run = waitPhase
	case o.Waiting > 0:
		run = wait
	}
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	Count, Alone, Idle int
	Waiting, Woken     int
	JSON, Slot         bool
	Dir, Phase         string
	Backend, Worker    string
}

func bench(ctx context.Context, o options) error {
	node.Ballast()
	var r Report
	r.begin()
	if err := withRig(ctx, o.Dir, func(rig *rig) error { return r.alone(ctx, rig, o.Alone) }); err != nil {
		return err
	}
	if err := withRig(ctx, o.Dir, func(rig *rig) error { return r.saturated(ctx, rig, o.Count) }); err != nil {
		return err
	}
	if err := withRig(ctx, o.Dir, func(rig *rig) error { return r.half(ctx, rig, 5*time.Second) }); err != nil {
		return err
	}
	if err := withRig(ctx, o.Dir, func(rig *rig) error { return r.idle(ctx, rig, o.Idle) }); err != nil {
		return err
	}
	if err := withRig(ctx, o.Dir, func(rig *rig) error { return r.waiting(ctx, rig, 5*o.Idle) }); err != nil {
		return err
	}
	r.end()
	return r.finish(o, os.Stdout)
}
