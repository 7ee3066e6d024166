package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors/retention"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence"
)

// OpenConfig says what a node runs on, whatever its store and its broker are.
type OpenConfig struct {
	// Name is the node's. Its incarnation is that and a random id.
	Name string
	// Store and Broker belong to the node from now on: it closes both, also on
	// error.
	Store  persistence.Store
	Broker messages.Broker
	// Keys seal secrets and sign the tokens of actions. Nodes on one store share
	// them.
	Keys Keys
	// Data is the folder of what is this machine's alone, for display.
	Data string
	// Packs are packs that never change, Folders where others stand, which are
	// read again when their files are saved; nil is nowhere. PacksChanged is told
	// of every change, one at a time; it may be nil.
	Packs        []*attune.Pack
	Folders      *packs.Folders
	PacksChanged func([]packs.Change, *packs.Snapshot)
	// MaxLive is [Config.MaxLive].
	MaxLive int
	// Keep says how long what is kept; its zero value is the default.
	Keep retention.Ages
	// AnnounceStatuses is [Config.AnnounceStatuses].
	AnnounceStatuses bool
	// Version is the program's, for display.
	Version string
	// Log may be nil.
	Log *slog.Logger
	// Traces is [Parts.Traces].
	Traces Traces
	// Observe is [Parts.Observe].
	Observe func(path, kind string, message any)
}

// Opened is a node that runs, with all that it owns.
type Opened struct {
	*Node
	// Store is open until Close.
	Store persistence.Store
	clock *Clock
	closers
}

// settleWait bounds how long the start waits for the tree to load: a million
// executions that wait take half a minute on a slow machine.
const settleWait = 5 * time.Minute

// Open starts a node. It returns when the node takes work. On error nothing is
// left open.
func Open(ctx context.Context, c OpenConfig) (_ *Opened, err error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	lent, turns := &Lent{}, NewTurns()
	o := &Opened{Store: c.Store, clock: NewClock()}
	o.add(func(context.Context) error { return c.Store.Close() })
	o.add(func(context.Context) error {
		err := c.Broker.Close()
		lent.Wait()
		turns.Stop()
		return err
	})
	defer func() {
		if err != nil {
			err = errors.Join(err, o.unwind(context.WithoutCancel(ctx)))
		}
	}()
	box, err := c.Keys.box()
	if err != nil {
		return nil, err
	}
	o.Node = New(Config{Name: c.Name, Incarnation: c.Name + "-" + randomID(), Version: c.Version, Data: c.Data, MaxLive: c.MaxLive, Keep: c.Keep, AnnounceStatuses: c.AnnounceStatuses},
		Parts{Clock: o.clock, Lend: lent.Lend, Dispatcher: turns, Store: c.Store, Broker: c.Broker, Secrets: box, Log: c.Log, Traces: c.Traces,
			Observe: c.Observe, Tokens: api.NewExecutionTokens(c.Keys.Key.Derive("execution tokens"))})
	if c.Folders != nil { // the data folder is ours alone by now
		o.library.packs, o.library.changed = packs.NewLibrary(*c.Folders, c.Packs...), c.PacksChanged
		c.Packs = o.library.packs.Packs()
	}
	if err := o.SetPacks(ctx, c.Packs); err != nil {
		return nil, err
	}
	if err := o.Start(ctx); err != nil {
		return nil, err
	}
	o.add(o.Stop)
	if err := o.settle(ctx); err != nil {
		return nil, err
	}
	if c.Folders != nil {
		o.watch()
	}
	return o, nil
}

// watch watches the files of packs until the end.
func (o *Opened) watch() {
	watching, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		o.watchPacks(watching)
	}()
	o.add(func(context.Context) error {
		stop()
		<-ended
		return nil
	})
}

// settle waits until the tree is loaded.
func (o *Opened) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settleWait, fmt.Errorf("the node did not open within %s", settleWait))
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for o.Ready() != nil || !o.loaded() {
		select {
		case <-tick.C:
		case <-o.Failed():
			return attune.NewError(attune.Internal, "node_failed", "the node did not start: "+o.Reason())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// loaded reports that nobody in the tree is loading.
func (o *Opened) loaded() bool {
	for _, a := range o.tree.Census().List(o.parts.Clock.Now()) {
		switch a.State {
		case "loading", "starting", "claiming", "connecting":
			return false
		}
	}
	return true
}

// Close drains and ends everything: requests under way become durable, waiting
// work stays stored. What runs elsewhere goes on.
func (o *Opened) Close(ctx context.Context) error {
	err := o.drained(ctx)
	return errors.Join(err, o.unwind(context.WithoutCancel(ctx)))
}

// drained drains the node unless it has failed: then there is nobody left to
// drain into.
func (o *Opened) drained(ctx context.Context) error {
	select {
	case <-o.Failed():
		return nil
	default:
		return o.Drain(ctx)
	}
}

// closers undo what was opened, the last first.
type closers struct{ all []func(context.Context) error }

func (c *closers) add(undo func(context.Context) error) { c.all = append(c.all, undo) }

// unwindWait bounds the end of each part once the drain is over.
const unwindWait = 15 * time.Second

func (c *closers) unwind(ctx context.Context) error {
	var errs []error
	for i := len(c.all) - 1; i >= 0; i-- {
		step, cancel := context.WithTimeout(ctx, unwindWait)
		errs = append(errs, c.all[i](step))
		cancel()
	}
	c.all = nil
	return errors.Join(errs...)
}

func randomID() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
