package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"time"
)

// Report is what was measured.
type Report struct {
	// Machine is where: cores and Go version.
	Machine string `json:"machine"`
	// Foreign is how many cores other processes used meanwhile, on average.
	Foreign float64 `json:"foreign_cores"`

	// Rate is executions per second at saturation.
	Rate float64 `json:"executions_per_second"`
	// Latencies run from the offer of an event to the announced completion.
	AloneP50 time.Duration `json:"alone_p50_ns"`
	AloneP99 time.Duration `json:"alone_p99_ns"`
	HalfP50  time.Duration `json:"half_load_p50_ns"`
	HalfP99  time.Duration `json:"half_load_p99_ns"`

	// The counts, per execution at saturation.
	CPU         float64 `json:"cpu_us_per_execution"`
	Commits     float64 `json:"commits_per_execution"`
	Rows        float64 `json:"rows_per_execution"`
	Bytes       float64 `json:"bytes_written_per_execution"`
	FileBytes   float64 `json:"file_bytes_per_execution"`
	Allocations float64 `json:"allocations_per_execution"`
	Allocated   float64 `json:"bytes_allocated_per_execution"`
	// HeapPerIdle is bytes of heap per live execution that waits.
	HeapPerIdle float64 `json:"heap_bytes_per_idle_execution"`
	// HeapPerWaiting is bytes of heap per execution that waits for a moment.
	HeapPerWaiting float64 `json:"heap_bytes_per_waiting_execution"`

	// Servers are the figures of servers; nil where there are none.
	Servers *Servers `json:"servers,omitempty"`

	began time.Time
	busy  time.Duration
	own   time.Duration
}

// aim is what a count is held to, with half as much again as slack.
type aim struct {
	name string
	aim  float64
	of   func(*Report) float64
}

// aims are those of a node that is embedded.
var aims = []aim{
	{"CPU µs per execution", 150, func(r *Report) float64 { return r.CPU }},
	{"commits per execution", 0.05, func(r *Report) float64 { return r.Commits }},
	{"rows per execution", 6, func(r *Report) float64 { return r.Rows }},
	{"bytes written per execution", 1500, func(r *Report) float64 { return r.Bytes }},
	{"bytes of log per execution", 8192, func(r *Report) float64 { return r.FileBytes }},
	{"allocations per execution", 220, func(r *Report) float64 { return r.Allocations }},
	{"heap bytes per idle execution", 2048, func(r *Report) float64 { return r.HeapPerIdle }},
	{"heap bytes per waiting execution", 400, func(r *Report) float64 { return r.HeapPerWaiting }},
}

// serverAims are those of all processes on servers together.
var serverAims = []aim{
	{"CPU µs per execution, everywhere", 160, func(r *Report) float64 { return r.CPU }},
	{"commits per execution", 0.05, func(r *Report) float64 { return r.Commits }},
	{"rows per execution", 6, func(r *Report) float64 { return r.Rows }},
	{"bytes of WAL per execution", 2000, func(r *Report) float64 { return r.Servers.WAL }},
	{"work messages per execution", 0.7, func(r *Report) float64 { return r.Servers.Messages }},
	{"commits/s while idle", 2, func(r *Report) float64 { return r.Servers.IdleCommits }},
	{"cores while idle", 0.01, func(r *Report) float64 { return r.Servers.IdleCPU }},
}

// aims are those that the report is held to.
func (r *Report) aims() []aim {
	if r.Servers != nil {
		return serverAims
	}
	return aims
}

const slack = 1.5

func (r *Report) begin() {
	r.Machine = fmt.Sprintf("%d cores, %s, %s/%s", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	r.began, r.busy, r.own = time.Now(), busy(), cpuTime()
}

func (r *Report) end() {
	others := (busy() - r.busy) - (cpuTime() - r.own)
	r.Foreign = max(0, others.Seconds()/time.Since(r.began).Seconds())
}

func (r *Report) print(w io.Writer) {
	fmt.Fprintf(w, "%s; other processes used %.2f cores meanwhile\n\n", r.Machine, r.Foreign)
	fmt.Fprintf(w, "executions/s at saturation   %10.0f\n", r.Rate)
	fmt.Fprintf(w, "latency alone        p50     %10s   p99 %s\n", r.AloneP50.Round(10*time.Microsecond), r.AloneP99.Round(10*time.Microsecond))
	fmt.Fprintf(w, "latency at half load p50     %10s   p99 %s\n", r.HalfP50.Round(10*time.Microsecond), r.HalfP99.Round(10*time.Microsecond))
	fmt.Fprintf(w, "bytes allocated/execution    %10.0f\n", r.Allocated)
	if r.Servers != nil {
		r.Servers.print(w)
	}
	fmt.Fprintln(w)
	for _, a := range r.aims() {
		fmt.Fprintf(w, "%-32s %8.3f   aim %g, gate %g\n", a.name, a.of(r), a.aim, a.aim*slack)
	}
}

func (f *Servers) print(w io.Writer) {
	for _, name := range slices.Sorted(maps.Keys(f.Processes)) {
		fmt.Fprintf(w, "CPU µs/execution of %-8s %10.1f\n", name, f.Processes[name])
	}
	fmt.Fprintf(w, "transactions/execution       %10.3f\n", f.Transactions)
	fmt.Fprintf(w, "announcements/execution      %10.3f\n", f.Announcements)
}

func (r *Report) gate() error {
	var errs []error
	for _, a := range r.aims() {
		if v := a.of(r); v > a.aim*slack {
			errs = append(errs, fmt.Errorf("%s: %.3f is over %g, 1.5 times its aim", a.name, v, a.aim*slack))
		}
	}
	return errors.Join(errs...)
}
