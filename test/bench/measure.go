package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// window is how many events are on their way to the store at a time, at
// saturation.
const window = 500

// alone measures the latency of one event at a time, from the offer to the
// announced completion.
func (r *Report) alone(_ context.Context, rig *rig, n int) error {
	times := make([]time.Duration, 0, n)
	for i := range n + n/10 {
		began := time.Now()
		rig.offer(func() {})
		<-rig.done
		if i >= n/10 { // the first tenth warms up
			times = append(times, time.Since(began))
		}
	}
	r.AloneP50, r.AloneP99 = percentiles(times)
	return nil
}

// flight is how many executions are on their way on servers at a time, from the
// offer to the committed end, at saturation.
const flight = 1000

// run offers n events and waits for all ends: with the window always full, so that
// what is stored waits for slots; on servers with the flight always full, as from
// that many clients that wait for their answers.
func (r *rig) run(n int) {
	if r.servers == nil {
		places := make(chan struct{}, window)
		for range n {
			places <- struct{}{}
			r.offer(func() { <-places })
		}
		for range n {
			<-r.done
		}
		return
	}
	offered := 0
	for ended := 0; ended < n; {
		if offered < n && offered-ended < flight {
			r.offer(func() {})
			offered++
			continue
		}
		<-r.done
		ended++
	}
}

// saturated measures the rate and the counts.
func (r *Report) saturated(ctx context.Context, rig *rig, n int) error {
	rig.run(n / 10)
	var before use
	if rig.servers != nil {
		var err error
		if before, err = rig.servers.use(ctx, rig); err != nil {
			return err
		}
	}
	store, cpu, memory, began := rig.store.Stats(), cpuTime(), allocations(), time.Now()
	rig.run(n)
	took := time.Since(began)
	after, per := rig.store.Stats(), float64(n)
	r.Rate = per / took.Seconds()
	r.CPU = float64((cpuTime() - cpu).Microseconds()) / per
	r.Commits = float64(after.Commits-store.Commits) / per
	r.Rows = float64(after.Rows-store.Rows) / per
	r.Bytes = float64(after.Bytes-store.Bytes) / per
	r.FileBytes = float64(after.FileBytes-store.FileBytes) / per
	m := allocations()
	r.Allocations = float64(m.Mallocs-memory.Mallocs) / per
	r.Allocated = float64(m.TotalAlloc-memory.TotalAlloc) / per
	if rig.servers == nil {
		return nil
	}
	used, err := rig.servers.use(ctx, rig)
	r.Servers.between(before, used, per)
	r.CPU = r.Servers.cpu()
	return err
}

// half measures the latency at half the measured rate.
func (r *Report) half(_ context.Context, rig *rig, during time.Duration) error {
	every := time.Duration(2 * float64(time.Second) / r.Rate)
	var times []time.Duration
	begin := time.Now()
	starts := make(chan time.Time, 1<<20)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for began := range starts {
			<-rig.done
			times = append(times, time.Since(began))
		}
	}()
	for next := begin; time.Since(begin) < during; next = next.Add(every) {
		if wait := time.Until(next); wait > 0 {
			time.Sleep(wait)
		}
		starts <- time.Now()
		rig.offer(func() {})
	}
	close(starts)
	<-finished
	r.HalfP50, r.HalfP99 = percentiles(times)
	return nil
}

// idle measures the heap of live executions that wait: for a worker that does
// not exist.
func (r *Report) idle(_ context.Context, rig *rig, n int) error {
	before := heap()
	stored := make(chan struct{}, n)
	places := make(chan struct{}, window)
	for range n {
		places <- struct{}{}
		x := &attune.Execution{Action: "bench.nobody", ActionHash: "nobody", Runner: "nobody", Parameters: []byte("{}"), Status: attune.Requested,
			Chain: attune.Chain{Principal: "bench"}}
		rig.node.Request(x, "", func(messages.Admitted) {
			<-places
			stored <- struct{}{}
		})
	}
	for range n {
		<-stored
	}
	r.HeapPerIdle = float64(heap()-before) / float64(n)
	return nil
}

// waiting measures the heap of executions that wait for their moment.
func (r *Report) waiting(_ context.Context, rig *rig, n int) error {
	before, moment := heap(), time.Now().Add(time.Hour)
	if err := rig.ask(n, "bench.noop", func(int) time.Time { return moment }, nil); err != nil {
		return err
	}
	for rig.executions() > 0 { // their actors end
		time.Sleep(time.Millisecond)
	}
	r.HeapPerWaiting = float64(heap()-before) / float64(n)
	return nil
}

// executions counts those that have an actor.
func (r *rig) executions() int { return r.node.Tree().Census().Kinds()["execution"] }

func percentiles(times []time.Duration) (p50, p99 time.Duration) {
	slices.Sort(times)
	return times[len(times)/2], times[len(times)*99/100]
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it cannot fail for ourselves
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func allocations() runtime.MemStats {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	return allocations().HeapAlloc
}

// foreign is how much CPU other processes used since begin, in cores, as far as
// /proc tells.
func busy() (total time.Duration) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	var user, nice, system int64
	line, _, _ := strings.Cut(string(text), "\n")
	if _, err := fmt.Sscanf(line, "cpu %d %d %d", &user, &nice, &system); err != nil {
		return 0
	}
	return time.Duration(user+nice+system) * 10 * time.Millisecond
}
