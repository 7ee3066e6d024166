package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Waiting is what many executions that only wait cost.
type Waiting struct {
	// Count is how many wait, MemoryLimit the GOMEMLIMIT in bytes.
	Count       int   `json:"count"`
	MemoryLimit int64 `json:"memory_limit_bytes"`
	// FillRate is how many were admitted per second.
	FillRate float64 `json:"admitted_per_second"`
	// FilledRSS and StartedRSS are the resident memory with all of them waiting:
	// of the process that admitted them, and of one that has just started.
	// Anonymous is the part of StartedRSS that is not the store's file.
	FilledRSS  int64 `json:"filled_rss_bytes"`
	StartedRSS int64 `json:"started_rss_bytes"`
	Anonymous  int64 `json:"started_anonymous_bytes"`
	// StartUp is from the opening of the store until the node takes work.
	StartUp time.Duration `json:"start_up_ns"`
	// StartUpCPU is what that took of the processors, WakeCPU what one of Woken
	// does from its moment to its end, in microseconds. They do not depend on
	// what else the machine does.
	StartUpCPU time.Duration `json:"start_up_cpu_ns"`
	WakeCPU    float64       `json:"cpu_us_per_wake_up"`
	// Foreign is how many cores other processes used meanwhile, on average.
	Foreign float64 `json:"foreign_cores"`
	// Woken came to their moments at Rate per second. Late is from the moment to
	// the actor that goes on, Begun to the assigned attempt.
	Woken    int           `json:"woken"`
	Rate     int           `json:"wake_ups_per_second"`
	LateP50  time.Duration `json:"late_p50_ns"`
	LateP99  time.Duration `json:"late_p99_ns"`
	BegunP99 time.Duration `json:"begun_p99_ns"`
	// BusyRSS is the resident memory after that.
	BusyRSS int64 `json:"busy_rss_bytes"`
}

// wakeRate is how many moments come per second.
const wakeRate = 1000

// wait measures in processes of their own, so that none carries the garbage of
// the one before.
func wait(ctx context.Context, o options) error {
	data, err := os.MkdirTemp(o.Dir, "attune-waiting-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	var w Waiting
	for _, phase := range []string{"fill", "start"} {
		cmd := exec.CommandContext(ctx, os.Args[0], "-waiting", fmt.Sprint(o.Waiting), "-woken", fmt.Sprint(o.Woken), "-phase", phase, "-dir", data, fmt.Sprintf("-slot=%t", o.Slot))
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err == nil {
			err = json.Unmarshal(out, &w)
		}
		if err != nil {
			return fmt.Errorf("phase %s: %w", phase, err)
		}
	}
	if o.JSON {
		return json.NewEncoder(os.Stdout).Encode(w)
	}
	mb := func(n int64) string { return fmt.Sprintf("%d MB", n/1e6) }
	fmt.Printf("%d executions wait; GOMEMLIMIT is %s\n\n", w.Count, mb(w.MemoryLimit))
	fmt.Printf("admitted per second             %8.0f\n", w.FillRate)
	fmt.Printf("resident, all admitted          %8s\n", mb(w.FilledRSS))
	fmt.Printf("resident, after a start         %8s   of it %s not the store's file\n", mb(w.StartedRSS), mb(w.Anonymous))
	fmt.Printf("start-up                        %8s   of CPU %s\n", w.StartUp.Round(10*time.Millisecond), w.StartUpCPU.Round(10*time.Millisecond))
	fmt.Printf("late, p50 of %d at %d/s    %8s   p99 %s\n", w.Woken, w.Rate, w.LateP50, w.LateP99)
	fmt.Printf("attempt assigned, p99           %8s\n", w.BegunP99)
	fmt.Printf("CPU µs of each, to its end      %8.0f   other processes used %.2f cores meanwhile\n", w.WakeCPU, w.Foreign)
	fmt.Printf("resident, after those           %8s\n", mb(w.BusyRSS))
	return nil
}

// waitPhase does one phase and prints what it measured.
func waitPhase(ctx context.Context, o options) error {
	w := Waiting{Count: o.Waiting, MemoryLimit: debug.SetMemoryLimit(-1), Rate: wakeRate}
	began := time.Now()
	err := onRig(ctx, o.Dir, o.Phase, func(rig *rig) error {
		if o.Phase == "fill" {
			began, action := time.Now(), "bench.noop"
			moment := began.AddDate(0, 0, 1)
			if o.Slot {
				action, moment = "bench.nobody", time.Time{}
			}
			if err := rig.ask(o.Waiting, action, func(int) time.Time { return moment }, nil); err != nil {
				return err
			}
			w.FillRate = float64(o.Waiting) / time.Since(began).Seconds()
			w.FilledRSS, _ = resident()
			return nil
		}
		w.StartUp, w.StartUpCPU = rig.open.Sub(began), rig.openCPU
		debug.FreeOSMemory()
		w.StartedRSS, w.Anonymous = resident()
		err := w.wake(ctx, rig, o.Woken)
		w.BusyRSS, _ = resident()
		return err
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(onlyOf(o.Phase, w))
}

// onlyOf leaves to each phase what it measured, so that the next does not undo
// it.
func onlyOf(phase string, w Waiting) any {
	if phase == "fill" {
		return map[string]any{"count": w.Count, "admitted_per_second": w.FillRate, "filled_rss_bytes": w.FilledRSS}
	}
	b, _ := json.Marshal(w) // plain numbers
	all := map[string]json.RawMessage{}
	_ = json.Unmarshal(b, &all)
	delete(all, "admitted_per_second")
	delete(all, "filled_rss_bytes")
	return all
}

// wake lets n come to their moments, a thousand a second, and reads from their
// histories how late they were.
func (w *Waiting) wake(ctx context.Context, rig *rig, n int) error {
	first := time.Now().Add(time.Duration(n)*time.Second/3000 + 5*time.Second).Truncate(time.Millisecond)
	var ids []attune.ExecutionID
	moments := map[attune.ExecutionID]time.Time{}
	at := func(i int) time.Time { return first.Add(time.Duration(i) * time.Second / wakeRate) }
	err := rig.ask(n, "bench.noop", at, func(i int, id attune.ExecutionID) {
		ids = append(ids, id)
		moments[id] = at(i)
	})
	if err != nil {
		return err
	}
	time.Sleep(time.Until(first))
	cpu, busyBefore := cpuTime(), busy()
	for range n {
		<-rig.done
	}
	w.WakeCPU = float64((cpuTime() - cpu).Microseconds()) / float64(n)
	w.Foreign = max(0, ((busy()-busyBefore)-(cpuTime()-cpu)).Seconds()/time.Since(first).Seconds())
	var late, begun []time.Duration
	for _, id := range ids {
		x, err := rig.store.Execution(ctx, id)
		if err != nil {
			return err
		}
		steps, err := x.History.Steps()
		if err != nil {
			return err
		}
		for _, s := range steps {
			switch s.Signal {
			case attune.Admit:
				late = append(late, s.At.Sub(moments[id]))
			case attune.Assign:
				begun = append(begun, s.At.Sub(moments[id]))
			}
		}
	}
	w.Woken = n
	w.LateP50, w.LateP99 = percentiles(late)
	_, w.BegunP99 = percentiles(begun)
	return nil
}

// ask admits n executions of an action that are not to start before their
// moments. stored is told of each in turn; it may be nil.
func (r *rig) ask(n int, action string, at func(i int) time.Time, stored func(i int, id attune.ExecutionID)) error {
	type answer struct {
		i int
		messages.Admitted
	}
	answers := make(chan answer, window)
	var failed error
	take := func() {
		a := <-answers
		if failed == nil {
			failed = a.Err
		}
		if stored != nil {
			stored(a.i, attune.ExecutionID(a.ID))
		}
	}
	for i := range n {
		if i >= window {
			take()
		}
		name := strings.TrimPrefix(action, "bench.")
		x := &attune.Execution{Action: action, ActionHash: name, Runner: name, Parameters: []byte(`{"host":"web-1","summary":"DiskFull on web-1"}`),
			Status: attune.Requested, Chain: attune.Chain{Principal: "bench"}}
		r.node.Propose(messages.Proposal{Execution: x, NotBefore: at(i)}, "", func(a messages.Admitted) { answers <- answer{i, a} })
	}
	for range min(n, window) {
		take()
	}
	return failed
}

// resident is the memory of this process, and what of it is no file.
func resident() (all, anonymous int64) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		if i := slices.Index([]string{"VmRSS", "RssAnon"}, name); i >= 0 {
			var kb int64
			if _, err := fmt.Sscan(rest, &kb); err != nil {
				return 0, 0
			}
			if i == 0 {
				all = kb << 10
			} else {
				anonymous = kb << 10
			}
		}
	}
	return all, anonymous
}
