package node

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"runtime"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors/retention"
	brokermemory "github.com/attune-automation/attune/messages/memory"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence/sqlite"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/keeper"
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
	*Opened
	// Store is open until Close.
	Store  *sqlite.Store
	worker *worker.Worker
}

// localWorker is the name of the built-in worker.
const localWorker = "local"

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
	store, err := sqlite.Open(ctx, sqlite.Config{Dir: c.Data})
	if err != nil {
		return nil, err
	}
	keys, err := OpenKeys(c.Data) // the folder is ours alone by now
	if err == nil {
		err = removeParts(c.Data)
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	broker := brokermemory.New(brokermemory.Config{})
	e := &Embedded{Store: store}
	e.Opened, err = Open(ctx, OpenConfig{Name: "dev", Store: store, Broker: broker, Keys: keys, Data: c.Data, Packs: c.Packs, Folders: c.Folders,
		PacksChanged: c.PacksChanged, MaxLive: c.MaxLive, Keep: c.Keep, Version: c.Version, Log: c.Log, Traces: c.Traces, Observe: c.Observe})
	if err != nil {
		return nil, err
	}
	if err := e.startWorker(c, broker); err != nil {
		return nil, errors.Join(err, e.unwind(context.WithoutCancel(ctx)))
	}
	return e, nil
}

// startWorker starts the built-in worker: the same as a worker elsewhere, over
// a broker in this process.
func (e *Embedded) startWorker(c EmbeddedConfig, broker *brokermemory.Broker) (err error) {
	e.worker, err = workshop{name: localWorker, dir: filepath.Join(c.Data, "worker"), slots: c.Slots, broker: broker, clock: e.clock,
		open: e.parts.Secrets.Open, apiURL: c.APIURL, keeperArgs: c.KeeperArgs, mode: c.Mode, limits: c.Limits, allowHTTP: c.AllowHTTP, log: c.Log,
	}.start(&e.closers)
	return err
}

// Close drains and ends everything: requests under way become durable, running
// attempts end and are reported, waiting work stays stored. When ctx ends
// first, what still runs is killed; its fate is told at the next start.
func (e *Embedded) Close(ctx context.Context) error {
	err := e.drained(ctx)
	select {
	case <-e.Failed():
	default:
		if derr := e.worker.Drain(ctx); err == nil {
			err = derr
		}
	}
	return errors.Join(err, e.unwind(context.WithoutCancel(ctx)))
}
