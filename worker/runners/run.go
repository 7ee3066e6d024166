package runners

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/keeper"
)

// command is what to start, before its pipes.
type command struct {
	argv  []string
	dir   string
	env   []string
	stdin []byte
	// output is a file the action may write its result to, or empty.
	output string
}

// run is one attempt as a process: a goroutine that lives as long, with one for
// each pipe.
type run struct {
	kind
	name     string
	dispatch *messages.Dispatch
	command  *command
	told     chan keeper.Event
	stopped  bool // guarded by Processes.mu
	pipes    sync.WaitGroup

	mu     sync.Mutex // one event at a time
	events func(worker.Event)

	streams [2]capture // each its pipe's, until that has ended
}

// outcome is how a run ended.
type outcome struct {
	end        messages.ReportKind
	returnCode int
	failure    *attune.Failure
}

func newRun(d *messages.Dispatch, k kind, events func(worker.Event)) *run {
	return &run{kind: k, name: d.Token.String(), dispatch: d, events: events, told: make(chan keeper.Event, 3)}
}

func (r *run) tell(e worker.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events(e)
}

// live is the whole life of a run.
func (r *run) live() {
	last := r.last()
	if r.command != nil && r.command.output != "" {
		os.Remove(r.command.output)
	}
	r.tell(last)
}

// last starts the process, and waits for its end.
func (r *run) last() worker.Event {
	pipes, err := r.begin()
	if err != nil {
		r.forget(r.name)
		last := worker.Event{Kind: worker.Ended, End: messages.Returned, Reason: err.Error()}
		refused := errRefused{}
		if errors.As(err, &refused) || errors.Is(err, keeper.ErrInvalid) {
			last.End = messages.RefusedRun
		}
		if refused.code != "" {
			last.Failure = &attune.Failure{Code: refused.code, Message: err.Error()}
		}
		return last
	}
	e := <-r.told
	if e.Kind == keeper.Started {
		r.tell(worker.Event{Kind: worker.Started})
		e = <-r.told
	}
	// Nothing of the run is left to hold a pipe, unless it left on purpose.
	for _, pipe := range pipes {
		_ = pipe.SetDeadline(time.Now().Add(pipesAtMost)) //nolint:forbidigo // a deadline of the kernel's
	}
	r.pipes.Wait()
	return r.ended(e)
}

// pipesAtMost is how long a pipe may stay open behind its run.
const pipesAtMost = 2 * time.Second

// begin hands the run to the keeper, and returns our ends of its pipes.
func (r *run) begin() ([]*os.File, error) {
	var err error
	if r.command, err = r.kind.command(r.Processes, r.dispatch); err != nil {
		return nil, err
	}
	var ours, theirs [3]*os.File
	closeAll := func(files [3]*os.File) {
		for _, f := range files {
			if f != nil {
				f.Close()
			}
		}
	}
	for i := range theirs {
		reader, writer, err := os.Pipe()
		if err != nil {
			closeAll(ours)
			closeAll(theirs)
			return nil, fmt.Errorf("make a pipe: %w", err)
		}
		if ours[i], theirs[i] = reader, writer; i == 0 {
			ours[i], theirs[i] = writer, reader
		}
	}
	err = r.start(r, keeper.Run{
		Token: r.name, Argv: r.command.argv, Env: r.command.env, Dir: r.command.dir,
		Stdin: theirs[0], Stdout: theirs[1], Stderr: theirs[2], Timeout: r.dispatch.Timeout, Grace: r.dispatch.Grace,
		Limits: r.limits(),
	})
	closeAll(theirs)
	if err != nil {
		closeAll(ours)
		return nil, err
	}
	r.pipes.Go(func() {
		_, _ = ours[0].Write(r.command.stdin) // whether it reads is its own affair
		ours[0].Close()
	})
	for i := range r.streams {
		r.pipes.Go(func() { r.read(ours[i+1], uint8(i+1)) })
	}
	return ours[:], nil
}

// read passes output on, and keeps what a result needs of it. What is beyond
// the bound is read and dropped: the action must not block.
func (r *run) read(pipe *os.File, stream uint8) {
	defer pipe.Close()
	c := &r.streams[stream-1]
	b := make([]byte, 32<<10)
	for {
		n, err := pipe.Read(b)
		if n > 0 {
			if c.total <= worker.StreamBytes {
				r.tell(worker.Event{Kind: worker.Wrote, Stream: stream, Data: b[:n]})
			}
			c.write(b[:n])
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
				r.config.Log.Warn("output is not read to its end", "token", r.name, "error", err)
			}
			return
		}
	}
}

// limits are the action's, within the worker's.
func (r *run) limits() attune.Resources { return r.dispatch.Limits.Within(r.config.Limits) }

// ended makes the last event of what the keeper says.
func (r *run) ended(e keeper.Event) worker.Event {
	if e.Kind == keeper.Refused {
		end := messages.Returned
		if e.Refusal == keeper.RefusedExec {
			end = messages.RefusedRun
		}
		return worker.Event{Kind: worker.Ended, End: end, Reason: e.Reason}
	}
	o := judge(e, r.limits())
	if o.end == messages.LostRun {
		return worker.Event{Kind: worker.Ended, End: o.end, Reason: "its processes were killed: " + string(e.Cause)}
	}
	result, err := r.result(r, o)
	if err != nil {
		o.failure = &attune.Failure{Code: "result_unusable", Message: err.Error()}
		if o.end == messages.Finished {
			o.end = messages.FailedRun
		}
	}
	return worker.Event{Kind: worker.Ended, End: o.end, Result: result, Failure: o.failure}
}

// judge says what the end of a process means. Return codes are StackStorm's:
// below zero for a signal, -9 for a timeout.
func judge(e keeper.Event, limits attune.Resources) outcome {
	o := outcome{end: messages.Finished, returnCode: e.ExitCode}
	if e.Signal != 0 {
		o.returnCode = -e.Signal
	}
	switch {
	case e.Cause == keeper.CauseTimeout:
		o.end, o.returnCode = messages.TimedOutRun, -9
		o.failure = &attune.Failure{Code: "timeout", Message: "the attempt ran into its time limit"}
	case e.Cause == keeper.CauseStop:
		o.end = messages.StoppedRun
		o.failure = &attune.Failure{Code: "stopped", Message: "the attempt was stopped"}
	case e.Cause != keeper.CauseNone:
		o.end = messages.LostRun
	case e.MemoryKills > 0 && (e.Signal != 0 || e.ExitCode != 0):
		o.end, o.failure = messages.FailedRun, outOfMemory(limits)
	case e.RefusedForks > 0 && (e.Signal != 0 || e.ExitCode != 0):
		o.end = messages.FailedRun
		o.failure = &attune.Failure{Code: "too_many_processes",
			Message: fmt.Sprintf("it may have at most %d processes, and failed after more were refused", limits.Processes)}
	case e.Signal != 0:
		o.end = messages.FailedRun
		o.failure = &attune.Failure{Code: "signal", Message: fmt.Sprintf("a signal ended the process: %d", e.Signal)}
	case e.ExitCode != 0:
		o.end = messages.FailedRun
		o.failure = &attune.Failure{Code: "exit_code", Message: fmt.Sprintf("the exit code is %d", e.ExitCode)}
	}
	return o
}

// outOfMemory is the failure of a run that the kernel has killed.
func outOfMemory(limits attune.Resources) *attune.Failure {
	f := &attune.Failure{Code: "out_of_memory", Message: "the machine had no memory left, and killed it"}
	if limits.Memory > 0 {
		f.Message = fmt.Sprintf("its processes asked for more than the %d bytes of memory that they may have together, and were killed", limits.Memory)
	}
	return f
}
