package runners

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/keeper"
)

// ProcessConfig of [Processes].
type ProcessConfig struct {
	// Dir is a folder of this worker alone, on a local disk: for the keeper's
	// records and for the files that actions write results to.
	Dir string
	// Executable, Args and Mode say how to run keepers, see [keeper.Config].
	Executable string
	Args       []string
	Mode       keeper.Mode
	// Env is what every action gets, as NAME=value: PATH, HOME, LANG and what
	// the operator allows. See [Environment].
	Env []string
	// Limits are the most that one attempt may use, whatever its action says.
	Limits attune.Resources
	// APIURL is told to actions; may be empty.
	APIURL string
	// Log may be nil.
	Log *slog.Logger
}

// Processes runs actions as processes of a keeper. It is the worker's
// [worker.Keeper], and makes its runners: [Processes.Shell],
// [Processes.Script] and [Processes.Program]. The worker's Mono must be [keeper.BoottimeNow].
type Processes struct {
	config ProcessConfig
	lent   sync.WaitGroup // all goroutines

	mu      sync.Mutex
	keeper  *keeper.Keeper // nil before the first Begin
	queue   []func()       // for the keeper, in order: it may block
	queuing bool
	runs    map[string]*run
	closed  bool
	cancel  context.CancelFunc // of a Begin under way, or nil
}

// NewProcesses starts nothing yet: see [Processes.Begin].
func NewProcesses(config ProcessConfig) *Processes {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Processes{config: config, runs: map[string]*run{}}
}

// beginAtMost bounds one try to end what runs.
const beginAtMost = time.Minute

// Begin implements [worker.Keeper].
func (p *Processes) Begin(string) error {
	ctx, cancel := context.WithTimeout(context.Background(), beginAtMost)
	defer cancel()
	p.mu.Lock()
	before, closed := p.keeper, p.closed
	p.keeper, p.cancel = nil, cancel
	p.mu.Unlock()
	if closed {
		return keeper.ErrClosed
	}
	if before != nil {
		if err := before.Close(ctx); err != nil { // what is left of it is ended below
			p.config.Log.Warn("a keeper does not end", "error", err)
		}
	}
	if err := keeper.KillEarlier(ctx, p.keeperDir()); err != nil {
		return err
	}
	if err := os.RemoveAll(p.outputDir()); err != nil {
		return err
	}
	if err := os.MkdirAll(p.outputDir(), 0o700); err != nil {
		return err
	}
	k, err := keeper.Open(ctx, keeper.Config{
		Executable: p.config.Executable, Args: p.config.Args, Dir: p.keeperDir(), Mode: p.config.Mode, Events: p.hear, Log: p.config.Log,
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	closed = p.closed
	if !closed {
		p.keeper = k
	}
	p.mu.Unlock()
	if closed {
		_ = k.Close(ctx) // it has started nothing
		return keeper.ErrClosed
	}
	return nil
}

func (p *Processes) keeperDir() string { return filepath.Join(p.config.Dir, "keeper") }
func (p *Processes) outputDir() string { return filepath.Join(p.config.Dir, "output") }

// Extend implements [worker.Keeper].
func (p *Processes) Extend(until time.Duration) {
	p.enqueue(func(k *keeper.Keeper) {
		if err := k.Extend(int64(until)); err != nil && !errors.Is(err, keeper.ErrClosed) {
			p.config.Log.Warn("the lease is not extended", "error", err)
		}
	})
}

// Close kills what runs, and waits for it and for all goroutines; ctx bounds
// the first. Stop the worker before. It may be called twice.
func (p *Processes) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	k := p.keeper
	if p.cancel != nil {
		p.cancel()
	}
	p.mu.Unlock()
	var err error
	if k != nil {
		err = k.Close(ctx)
	}
	p.lent.Wait()
	return err
}

// Labels implements [worker.Describer]: how the machine holds processes together,
// and which limits hold for all that an attempt starts.
func (p *Processes) Labels() map[string]string {
	p.mu.Lock()
	k := p.keeper
	p.mu.Unlock()
	if k == nil {
		return nil
	}
	mode, _ := k.Mode()
	limits := k.Limits()
	if !slices.Contains(limits, "memory") {
		limits = append(limits, "memory of each process")
	}
	return map[string]string{"containment": string(mode), "limits": strings.Join(limits, ", ")}
}

// enqueue calls f with the keeper of this moment, after all calls before it,
// away from the caller. False means that there is none.
func (p *Processes) enqueue(f func(*keeper.Keeper)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keeper
	if k == nil || p.closed {
		return false
	}
	p.queue = append(p.queue, func() { f(k) })
	if !p.queuing {
		p.queuing = true
		p.lent.Go(p.drain)
	}
	return true
}

func (p *Processes) drain() {
	for {
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.queuing = false
			p.mu.Unlock()
			return
		}
		f := p.queue[0]
		p.queue = p.queue[1:]
		p.mu.Unlock()
		f()
	}
}

// hear passes a keeper's event on to its run.
func (p *Processes) hear(e keeper.Event) {
	p.mu.Lock()
	r := p.runs[e.Token]
	if e.Kind != keeper.Started {
		delete(p.runs, e.Token)
	}
	p.mu.Unlock()
	if r != nil {
		r.told <- e // has room for all that is told of a run
	}
}

// Shell is the runner local-shell-cmd.
func (p *Processes) Shell() worker.Runner { return kind{p, shellCommand, shellResult} }

// Script is the runner local-shell-script.
func (p *Processes) Script() worker.Runner { return kind{p, scriptCommand, shellResult} }

// Program is the runner process.
func (p *Processes) Program() worker.Runner { return kind{p, programCommand, programResult} }

// kind is one way to make a process of an action, and a result of its end.
type kind struct {
	*Processes
	command func(*Processes, *messages.Dispatch) (*command, error)
	result  func(*run, outcome) ([]byte, error)
}

// Pure implements [worker.Runner].
func (kind) Pure() bool { return false }

// Start implements [worker.Runner].
func (k kind) Start(d *messages.Dispatch, events func(worker.Event)) {
	r := newRun(d, k, events)
	k.mu.Lock()
	without := k.keeper == nil || k.closed
	if !without {
		k.runs[r.name] = r
		k.lent.Go(r.live)
	}
	k.mu.Unlock()
	if without {
		events(worker.Event{Kind: worker.Ended, End: messages.Returned, Reason: "the worker has no keeper"})
	}
}

// Stop implements [worker.Runner].
func (k kind) Stop(token attune.Token, grace time.Duration) {
	name := token.String()
	k.mu.Lock()
	if r := k.runs[name]; r != nil {
		r.stopped = true // the keeper does not know it yet, perhaps
	}
	k.mu.Unlock()
	k.enqueue(func(k *keeper.Keeper) { k.Stop(name, grace) })
}

// start gives a run to the keeper, unless it was stopped before.
func (p *Processes) start(r *run, process keeper.Run) error {
	started := make(chan error, 1)
	if !p.enqueue(func(k *keeper.Keeper) {
		p.mu.Lock()
		stopped := r.stopped
		p.mu.Unlock()
		if stopped {
			started <- errors.New("it was stopped before it started")
			return
		}
		started <- k.Start(process)
	}) {
		return keeper.ErrClosed
	}
	return <-started
}

// forget drops a run that the keeper did not take.
func (p *Processes) forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.runs, name)
}

// errRefused wraps what can never run, with the code of the failure unless it is
// the usual one.
type errRefused struct {
	error
	code string
}

func refusal(format string, args ...any) error { return refusalAs("", format, args...) }

func refusalAs(code, format string, args ...any) error {
	return errRefused{fmt.Errorf(format, args...), code}
}
