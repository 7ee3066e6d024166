package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
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

	began time.Time
	busy  time.Duration
	own   time.Duration
}

// aims are what the counts are held to, with half as much again as slack.
var aims = []struct {
	name string
	aim  float64
	of   func(*Report) float64
}{
	{"CPU µs per execution", 150, func(r *Report) float64 { return r.CPU }},
	{"commits per execution", 0.05, func(r *Report) float64 { return r.Commits }},
	{"rows per execution", 6, func(r *Report) float64 { return r.Rows }},
	{"bytes written per execution", 1500, func(r *Report) float64 { return r.Bytes }},
	{"bytes of log per execution", 8192, func(r *Report) float64 { return r.FileBytes }},
	{"allocations per execution", 220, func(r *Report) float64 { return r.Allocations }},
	{"heap bytes per idle execution", 2048, func(r *Report) float64 { return r.HeapPerIdle }},
	{"heap bytes per waiting execution", 400, func(r *Report) float64 { return r.HeapPerWaiting }},
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
	fmt.Fprintf(w, "bytes allocated/execution    %10.0f\n\n", r.Allocated)
	for _, a := range aims {
		fmt.Fprintf(w, "%-32s %8.3f   aim %g, gate %g\n", a.name, a.of(r), a.aim, a.aim*slack)
	}
}

func (r *Report) gate() error {
	var errs []error
	for _, a := range aims {
		if v := a.of(r); v > a.aim*slack {
			errs = append(errs, fmt.Errorf("%s: %.3f is over %g, 1.5 times its aim", a.name, v, a.aim*slack))
		}
	}
	return errors.Join(errs...)
}
