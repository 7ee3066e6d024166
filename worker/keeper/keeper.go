package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// helloLimit bounds the start of a keeper process.
	helloLimit = 30 * time.Second
	// sendLimit is how long a keeper may take to accept a message. It always
	// listens, so one that does not is frozen, and is killed with its runs.
	sendLimit = 5 * time.Second
	// maxIdle bounds the keepers without a run that are held for the next one
	// (ByReaper); each costs some megabytes, a new one some milliseconds.
	maxIdle = 16
)

// Errors of a Keeper.
var (
	// ErrLeaseEnded: the lease has ended; this Keeper starts nothing any more. A
	// new incarnation of the worker opens a new one.
	ErrLeaseEnded = errors.New("the lease has ended")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("the keeper is closed")
	// ErrInvalid: the call is wrong, and would be at any time.
	ErrInvalid = errors.New("invalid")
)

// Config says how to run keepers.
type Config struct {
	// Executable is the program that calls Main; empty is this very program, even
	// if its file has been replaced since.
	Executable string
	// Args lead that program to Main, for instance "keeper".
	Args []string
	// Dir is a folder of this worker alone, on a local disk, for lock files, by
	// which KillEarlier finds the keepers. It is made if it does not exist.
	Dir string
	// Mode is Auto unless one containment is demanded.
	Mode Mode
	// Events is told what happens. Calls do not overlap, and those of one run come
	// in order. It may call the Keeper, except Close, and should return soon: no
	// further event is told meanwhile.
	Events func(Event)
	// Log takes what goes wrong with keepers; nil discards it.
	Log *slog.Logger
	// Stderr is where a keeper writes if it crashes; nil is /dev/null. It is held
	// open by keepers that outlive the worker.
	Stderr *os.File
}

// Keeper starts and stops runs for one incarnation of a worker. Its methods may
// be called from any goroutine.
type Keeper struct {
	cfg     Config
	null    *os.File
	readers sync.WaitGroup // one per process
	telling sync.Mutex     // held while Events runs

	mu     sync.Mutex // guards what follows; never held while Events runs
	mode   Mode
	why    string
	limits []string
	lease  int64 // 0 before the first Extend
	closed bool
	live   map[*process]bool   // all that run
	idle   []*process          // those that may take a run (ByCgroup: the one, always)
	runs   map[string]*process // where each run that has not ended is
}

// Open starts the first keeper process and waits until it has found its
// containment. Runs can be started after the first Extend. Call KillEarlier
// before it, to end what an earlier worker process left.
func Open(ctx context.Context, cfg Config) (*Keeper, error) {
	if cfg.Events == nil || cfg.Dir == "" {
		return nil, fmt.Errorf("open a keeper: %w: Events and Dir are needed", ErrInvalid)
	}
	if cfg.Executable == "" {
		cfg.Executable = "/proc/self/exe"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open a keeper: %w", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open a keeper: %w", err)
	}
	k := &Keeper{cfg: cfg, null: null, mode: cfg.Mode, live: make(map[*process]bool), runs: make(map[string]*process)}
	if err := k.first(ctx); err != nil {
		k.mu.Lock()
		for p := range k.live {
			p.kill()
		}
		k.mu.Unlock()
		k.readers.Wait()
		null.Close()
		return nil, fmt.Errorf("open a keeper: %w", err)
	}
	return k, nil
}

// first starts the first process and waits for its greeting.
func (k *Keeper) first(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, helloLimit)
	defer cancel()
	k.mu.Lock()
	p, err := k.spawn()
	k.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-p.hello:
		if mode, why := k.Mode(); mode == Auto {
			return errors.New(why)
		}
		return nil
	case <-p.ended:
		return fmt.Errorf("the keeper process ended at once (%s); its standard error may say why", p.state)
	case <-ctx.Done():
		return fmt.Errorf("wait for the keeper process: %w", context.Cause(ctx))
	}
}

// Mode names the containment in use, and says why the other one is not.
func (k *Keeper) Mode() (Mode, string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mode, k.why
}

// Limits are the words of the limits of a run that hold here for its whole tree:
// memory, processes, cpu.
func (k *Keeper) Limits() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.limits)
}

// Extend lets the lease last until a moment on the clock of BoottimeNow. A
// moment before the present end changes nothing. Once the lease has ended, it
// cannot be extended.
func (k *Keeper) Extend(end int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return ErrClosed
	}
	if k.expired() {
		return ErrLeaseEnded
	}
	if end <= k.lease {
		return nil
	}
	k.lease = end
	for p := range k.live {
		_ = k.send(p, k.leaseMessage()) // its runs are told ended if it fails
	}
	return nil
}

func (k *Keeper) leaseMessage() *message {
	return &message{verb: sayLease, numbers: []int64{k.lease}}
}

func (k *Keeper) expired() bool { return k.lease != 0 && BoottimeNow() >= k.lease }

// Start hands a run to a keeper. If it returns nil, events follow; if it returns
// an error, the run was not started and no event comes. It may block for as long
// as it takes to start a process, and for 5 s when a keeper is frozen.
func (k *Keeper) Start(r Run) error {
	if r.Token == "" || len(r.Argv) == 0 || r.Argv[0] == "" {
		return fmt.Errorf("start run %q: %w: a token and a program are needed", r.Token, ErrInvalid)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed:
		return fmt.Errorf("start run %s: %w", r.Token, ErrClosed)
	case k.expired():
		return fmt.Errorf("start run %s: %w", r.Token, ErrLeaseEnded)
	case k.runs[r.Token] != nil:
		return fmt.Errorf("start run %s: %w: a run of that token has not ended", r.Token, ErrInvalid)
	}
	p, err := k.free()
	if err != nil {
		return fmt.Errorf("start run %s: %w", r.Token, err)
	}
	m := &message{
		verb: sayStart, token: r.Token, text: r.Dir, args: r.Argv, env: r.Env,
		numbers: []int64{int64(r.Grace), int64(r.Timeout), r.Limits.Memory, int64(r.Limits.Processes), int64(math.Ceil(r.Limits.CPU * 1000))},
	}
	if m.text == "" {
		m.text = "/"
	}
	if err := k.sendFiles(p, m, r); err != nil {
		return fmt.Errorf("start run %s: %w", r.Token, err)
	}
	k.runs[r.Token] = p
	p.runs[r.Token] = true
	if k.mode == ByReaper {
		k.idle = k.idle[:len(k.idle)-1]
	}
	return nil
}

// free makes sure that the last of k.idle is a process that takes a run.
func (k *Keeper) free() (*process, error) {
	if n := len(k.idle); n > 0 {
		return k.idle[n-1], nil
	}
	return k.spawn()
}

func (k *Keeper) sendFiles(p *process, m *message, r Run) error {
	files := []*os.File{r.Stdin, r.Stdout, r.Stderr}
	if r.Result != nil {
		files = append(files, r.Result)
	}
	return k.withDescriptors(files, func(fds []int) error {
		m.files = fds
		return k.send(p, m)
	})
}

// Stop ends a run: SIGTERM to its whole tree, and SIGKILL when the grace is
// over; 0 is the run's own grace, NoGrace kills at once. It may be repeated, and
// the shortest grace counts. A run that is unknown has ended, or its Ended is on
// the way; one whose Start has not returned is unknown.
func (k *Keeper) Stop(token string, grace time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.runs[token]; p != nil {
		_ = k.send(p, &message{verb: sayStop, token: token, numbers: []int64{int64(grace)}})
	}
}

// Close kills all runs without grace, tells their end, and waits until every
// keeper process has ended. When ctx ends first (a keeper is frozen, or a process
// hangs in the kernel and cannot be killed), Close kills the keepers too and
// returns its error, and the end goes on unattended. It may be called twice.
func (k *Keeper) Close(ctx context.Context) error {
	k.mu.Lock()
	first := !k.closed
	k.closed = true
	for p := range k.live {
		if first {
			_ = k.send(p, &message{verb: sayClose})
		}
	}
	k.mu.Unlock()
	quiet := make(chan struct{})
	go func() { // ends with the readers, which end with their processes
		k.readers.Wait()
		k.null.Close()
		close(quiet)
	}()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		k.mu.Lock()
		defer k.mu.Unlock()
		for p := range k.live {
			p.kill()
		}
		return fmt.Errorf("close the keeper: %w", context.Cause(ctx))
	}
}

// spawn starts a keeper process, which becomes the last of k.idle.
func (k *Keeper) spawn() (*process, error) {
	p, err := startProcess(&k.cfg, k.mode, k.null)
	if err != nil {
		return nil, err
	}
	k.live[p] = true
	k.idle = append(k.idle, p)
	k.readers.Go(func() { k.read(p) })
	if k.lease != 0 {
		if err := k.send(p, k.leaseMessage()); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// send tells a process something. One that does not take it is killed; its
// reader then tells the end of its runs.
func (k *Keeper) send(p *process, m *message) error {
	if p.lost {
		return errors.New("the keeper process is being killed")
	}
	err := p.wire.send(m, sendLimit)
	if err != nil {
		k.cfg.Log.Error("keeper does not listen, killing it", "keeper", p.id, "error", err)
		k.lose(p)
	}
	return err
}

// lose takes a process out of use.
func (k *Keeper) lose(p *process) {
	p.lost = true
	p.kill()
	k.unidle(p)
}

func (k *Keeper) unidle(p *process) {
	for i, other := range k.idle {
		if other == p {
			k.idle = append(k.idle[:i], k.idle[i+1:]...)
			return
		}
	}
}

// read hears a process until it ends, and then ends what it left.
func (k *Keeper) read(p *process) {
	for {
		m, err := p.wire.receive()
		if err == nil {
			err = k.hear(p, m)
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) {
			k.cfg.Log.Error("keeper cannot be heard, killing it", "keeper", p.id, "error", err)
			p.kill()
		}
		break
	}
	k.mu.Lock()
	p.lost = true
	k.unidle(p)
	delete(k.live, p)
	k.mu.Unlock()
	if err := p.end(); err != nil {
		k.cfg.Log.Error("end what a keeper left", "keeper", p.id, "error", err)
	}
	for _, token := range k.forget(p) {
		k.tell(Event{Kind: Ended, Token: token, At: BoottimeNow(), ExitCode: -1, Cause: CauseOrphan})
	}
	close(p.ended)
}

// forget drops all runs of a process that has ended.
func (k *Keeper) forget(p *process) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var tokens []string
	for token := range p.runs {
		tokens = append(tokens, token)
		delete(k.runs, token)
	}
	if len(tokens) > 0 {
		k.cfg.Log.Error("a keeper was killed, and its runs with it", "keeper", p.id, "state", p.state, "runs", len(tokens))
	}
	return tokens
}

// hear takes one message of a process.
func (k *Keeper) hear(p *process, m *message) error {
	e, err := toEvent(m)
	if err != nil {
		return err
	}
	k.mu.Lock()
	switch {
	case m.verb == sayHello:
		if !p.greeted {
			p.greeted = true
			if k.why == "" { // the first process decides for all
				k.mode, k.why, k.limits = Mode(m.token), m.text, m.args
			}
			close(p.hello)
		}
	case e.Kind != Started:
		delete(k.runs, e.Token)
		delete(p.runs, e.Token)
		k.release(p)
	}
	k.mu.Unlock()
	if e.Kind != "" {
		k.tell(e)
	}
	return nil
}

// release makes a process that had one run free for the next, or lets it go.
func (k *Keeper) release(p *process) {
	if k.mode != ByReaper || p.lost || k.closed {
		return
	}
	if len(k.idle) < maxIdle {
		k.idle = append(k.idle, p)
		return
	}
	_ = k.send(p, &message{verb: sayClose})
}

func (k *Keeper) tell(e Event) {
	k.telling.Lock()
	defer k.telling.Unlock()
	k.cfg.Events(e)
}
