package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"runtime"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors/retention"
	"github.com/attune-automation/attune/api"
	brokermemory "github.com/attune-automation/attune/messages/memory"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence/sqlite"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/journal"
	"github.com/attune-automation/attune/worker/keeper"
	"github.com/attune-automation/attune/worker/runners"
)

// EmbeddedConfig says how to run everything in one process.
type EmbeddedConfig struct {
	// Data is the data folder; one process at a time can use it.
	Data string
	// Packs are packs that never change, Folders where others stand, which are
	// read again when their files are saved; nil is nowhere. PacksChanged is told
	// of every change, one at a time; it may be nil.
	Packs        []*attune.Pack
	Folders      *packs.Folders
	PacksChanged func([]packs.Change, *packs.Snapshot)
	// Slots is how many attempts run at a time; zero is four per core.
	Slots int
	// MaxLive is [Config.MaxLive].
	MaxLive int
	// Keep says how long what is kept; its zero value is the default.
	Keep retention.Ages
	// Version is the program's, for display.
	Version string
	// APIURL is told to actions; may be empty.
	APIURL string
	// KeeperArgs are the words by which this program becomes a keeper; Mode
	// demands one containment.
	KeeperArgs []string
	Mode       keeper.Mode
	// Limits are the most that one attempt may use, whatever its action says.
	Limits attune.Resources
	// AllowHTTP are networks that http-request may reach although they are
	// private, loopback or link-local; none by default.
	AllowHTTP []netip.Prefix
	// Log may be nil.
	Log *slog.Logger
	// Traces is [Parts.Traces].
	Traces Traces
	// Observe is [Parts.Observe].
	Observe func(path, kind string, message any)
}

// Embedded is a node with its store, broker and one worker in this process.
type Embedded struct {
	*Node
	// Store is open until Close.
	Store  *sqlite.Store
	worker *worker.Worker
	// closers undo what was opened, the last first.
	closers []func(context.Context) error
}

// localWorker is the name of the built-in worker.
const localWorker = "local"

// settleWait bounds how long the start waits for the tree to load: a million
// executions that wait take half a minute on a slow machine.
const settleWait = 5 * time.Minute

// OpenEmbedded opens the data folder and starts everything. It returns when the
// node takes work; its worker may still be ending what an earlier one left. On
// error nothing is left open.
func OpenEmbedded(ctx context.Context, c EmbeddedConfig) (_ *Embedded, err error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Slots == 0 {
		c.Slots = 4 * runtime.NumCPU()
	}
	e := &Embedded{}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.unwind(context.WithoutCancel(ctx)))
		}
	}()
	e.Store, err = sqlite.Open(ctx, sqlite.Config{Dir: c.Data})
	if err != nil {
		return nil, err
	}
	e.closers = append(e.closers, func(context.Context) error { return e.Store.Close() })
	key, err := OpenKey(c.Data) // the folder is ours alone by now
	if err != nil {
		return nil, err
	}
	box, err := openBox(c.Data, key)
	if err != nil {
		return nil, err
	}
	if err := removeParts(c.Data); err != nil {
		return nil, err
	}
	lent, turns, clock := &Lent{}, NewTurns(), NewClock()
	broker := brokermemory.New(brokermemory.Config{})
	e.closers = append(e.closers, func(context.Context) error {
		err := broker.Close()
		lent.Wait()
		turns.Stop()
		return err
	})
	e.Node = New(Config{Name: "dev", Incarnation: "dev-" + randomID(), Version: c.Version, Data: c.Data, MaxLive: c.MaxLive, Keep: c.Keep},
		Parts{Clock: clock, Lend: lent.Lend, Dispatcher: turns, Store: e.Store, Broker: broker, Secrets: box, Log: c.Log, Traces: c.Traces,
			Observe: c.Observe, Tokens: api.NewExecutionTokens(key.Derive("execution tokens"))})
	if c.Folders != nil { // only now: the lock of the data folder is held
		e.library.packs, e.library.changed = packs.NewLibrary(*c.Folders, c.Packs...), c.PacksChanged
		c.Packs = e.library.packs.Packs()
	}
	if err := e.SetPacks(ctx, c.Packs); err != nil {
		return nil, err
	}
	if err := e.Start(ctx); err != nil {
		return nil, err
	}
	e.closers = append(e.closers, e.Stop)
	if err := e.settle(ctx); err != nil {
		return nil, err
	}
	if c.Folders != nil {
		e.watch()
	}
	return e, e.startWorker(c, clock, broker)
}

// watch watches the files of packs until the end.
func (e *Embedded) watch() {
	watching, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.watchPacks(watching)
	}()
	e.closers = append(e.closers, func(context.Context) error {
		stop()
		<-ended
		return nil
	})
}

// startWorker starts the built-in worker: the same as a worker elsewhere, over
// a broker in this process.
func (e *Embedded) startWorker(c EmbeddedConfig, clock *Clock, broker *brokermemory.Broker) error {
	dir := filepath.Join(c.Data, "worker")
	book, err := journal.NewDisk(journal.DiskConfig{Dir: filepath.Join(dir, "journal")})
	if err != nil {
		return err
	}
	e.closers = append(e.closers, func(context.Context) error { return book.Close() })
	processes := runners.NewProcesses(runners.ProcessConfig{Dir: dir, Args: c.KeeperArgs, Mode: c.Mode, Env: runners.Environment(),
		APIURL: c.APIURL, Limits: c.Limits, Log: c.Log})
	e.closers = append(e.closers, processes.Close)
	mono := func() time.Duration { return time.Duration(keeper.BoottimeNow()) }
	requests := runners.NewHTTP(runners.HTTPConfig{Allow: c.AllowHTTP, Clock: clock, Mono: mono})
	e.closers = append(e.closers, requests.Close)
	e.worker, err = worker.New(worker.Config{Name: localWorker, NewIncarnation: func() string { return localWorker + "-" + randomID() },
		Slots: c.Slots, Broker: broker, Clock: clock, Mono: mono, Open: e.parts.Secrets.Open,
		Journal: book, Keeper: runners.Kept{processes, requests}, Log: c.Log,
		Runners: map[string]worker.Runner{
			"noop": runners.Noop{}, "echo": runners.Echo{}, "process": processes.Program(), "http-request": requests,
			"local-shell-cmd": processes.Shell(), "local-shell-script": processes.Script(),
		}})
	if err != nil {
		return err
	}
	if err := e.worker.Start(); err != nil {
		return err
	}
	e.closers = append(e.closers, func(context.Context) error { e.worker.Stop(); return nil })
	return nil
}

// settle waits until the tree is loaded.
func (e *Embedded) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settleWait, fmt.Errorf("the node did not open within %s", settleWait))
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for e.Ready() != nil || !e.loaded() {
		select {
		case <-tick.C:
		case <-e.Failed():
			return attune.NewError(attune.Internal, "node_failed", "the node did not start: "+e.Reason())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// loaded reports that nobody in the tree is loading.
func (e *Embedded) loaded() bool {
	for _, a := range e.tree.Census().List(e.parts.Clock.Now()) {
		switch a.State {
		case "loading", "starting", "claiming", "connecting":
			return false
		}
	}
	return true
}

// Close drains and ends everything: requests under way become durable, running
// attempts end and are reported, waiting work stays stored. When ctx ends
// first, what still runs is killed; its fate is told at the next start.
func (e *Embedded) Close(ctx context.Context) error {
	var err error
	select {
	case <-e.Failed(): // there is nobody left to drain into
	default:
		err = e.Drain(ctx)
		if derr := e.worker.Drain(ctx); err == nil {
			err = derr
		}
	}
	return errors.Join(err, e.unwind(context.WithoutCancel(ctx)))
}

// unwindWait bounds the end of each part once the drain is over.
const unwindWait = 15 * time.Second

func (e *Embedded) unwind(ctx context.Context) error {
	var errs []error
	for i := len(e.closers) - 1; i >= 0; i-- {
		step, cancel := context.WithTimeout(ctx, unwindWait)
		errs = append(errs, e.closers[i](step))
		cancel()
	}
	e.closers = nil
	return errors.Join(errs...)
}

func randomID() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
