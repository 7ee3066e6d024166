package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/https"
	"github.com/attune-automation/attune/secret"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/keeper"
)

// WorkerConfig says how to run a worker that is a process of its own.
type WorkerConfig struct {
	// Name is the worker's; its token bears it too.
	Name string
	// Data is a folder of this worker alone, on a local disk.
	Data string
	// Slots is how many attempts run at a time; zero is four per core.
	Slots int
	// Labels and Zone are for placement; may be empty.
	Labels map[string]string
	Zone   string
	// Broker carries the messages, and is closed with the worker; nil leaves the
	// servers alone to carry them.
	Broker messages.Broker
	// Servers are the URLs of nodes: the second way of all messages, and where
	// packs come from. Client sends requests to them, with the secret of a token.
	Servers []string
	Client  *http.Client
	Token   string
	// CA is a file of authorities that actions verify the servers by; or empty.
	CA string
	// Packs are folders of packs, or folders of those, that are used as they
	// stand, before what the servers have.
	Packs []string
	// Keys open the parameters that are sealed; without one such attempts are
	// refused.
	Keys *Keys
	// Lease is [worker.Config.Lease].
	Lease time.Duration
	// KeeperArgs are the words by which this program becomes a keeper; Mode
	// demands one containment.
	KeeperArgs []string
	Mode       keeper.Mode
	// Limits are the most that one attempt may use, whatever its action says.
	Limits attune.Resources
	// AllowHTTP is [EmbeddedConfig.AllowHTTP].
	AllowHTTP []netip.Prefix
	// Log may be nil.
	Log *slog.Logger
}

// Worker is a worker that is a process of its own.
type Worker struct {
	worker      *worker.Worker
	way         *https.Way
	incarnation atomic.Pointer[string]
	shelf       *packShelf
	closers
}

// secretsLabel tells which workers can open secrets.
const secretsLabel = "secrets"

// OpenWorker starts a worker. It returns at once: neither broker nor servers need
// be there. On error nothing is left open.
func OpenWorker(c WorkerConfig) (_ *Worker, err error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Slots == 0 {
		c.Slots = 4 * runtime.NumCPU()
	}
	w := &Worker{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.unwind(context.Background()))
		}
	}()
	w.way = https.New(https.Config{Worker: c.Name, Session: randomID(), Servers: c.Servers, Token: c.Token, Client: c.Client, Broker: c.Broker,
		Mono: boottime, Patience: c.Lease / 2, Log: c.Log})
	w.add(func(context.Context) error { return w.way.Close() })
	folder, err := lockFolder(c.Data)
	if err != nil {
		return nil, err
	}
	w.add(func(context.Context) error { return folder.Close() })
	shop := workshop{name: c.Name, dir: c.Data, slots: c.Slots, labels: maps.Clone(c.Labels), zone: c.Zone, broker: w.way, clock: NewClock(),
		lease: c.Lease, keeperArgs: c.KeeperArgs, mode: c.Mode, limits: c.Limits, allowHTTP: c.AllowHTTP, log: c.Log}
	shop.incarnation = w.newIncarnation(c.Name)
	if len(c.Servers) > 0 {
		shop.apiURL, shop.apiCA = c.Servers[0], c.CA
	}
	if w.shelf, err = openShelf(c); err != nil {
		return nil, err
	}
	shop.packs = w.shelf
	if shop.labels == nil {
		shop.labels = map[string]string{}
	}
	var box *secret.Box
	if c.Keys == nil {
		shop.labels[secretsLabel] = "none"
	} else if box, err = c.Keys.box(); err != nil {
		return nil, err
	}
	shop.open = box.Open
	w.worker, err = shop.start(&w.closers)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// newIncarnation makes ids, the first of which is known at once.
func (w *Worker) newIncarnation(name string) func() string {
	next := name + "-" + randomID()
	w.incarnation.Store(&next)
	return func() string {
		id := next
		next = name + "-" + randomID()
		w.incarnation.Store(&id)
		return id
	}
}

// Incarnation is the present one.
func (w *Worker) Incarnation() string { return *w.incarnation.Load() }

// PackRefs are the packs in the folders of its operator, sorted.
func (w *Worker) PackRefs() []string { return w.shelf.own() }

// lastWords bounds how long what a worker says at its end may be on its way.
const lastWords = 2 * time.Second

// Close takes no more attempts, waits until all that runs has ended and was
// acknowledged, and ends the worker. When ctx ends first, what still runs is
// killed; its fate is told at the next start.
func (w *Worker) Close(ctx context.Context) error {
	err := w.worker.Drain(ctx)
	said, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer cancel()
	_ = w.way.Sync(said) // whoever does not hear that it left, declares it lost
	return errors.Join(err, w.unwind(context.WithoutCancel(ctx)))
}

// lockFolder makes a folder this process's alone. The naive way, to leave that to
// names, lets a second process of the same name kill the runs of the first: it
// finds them in the folder, and takes them for what an earlier one left.
func lockFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the worker: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "attune.lock"), os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator's own folder
	if err != nil {
		return nil, fmt.Errorf("lock the folder of the worker: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &attune.Error{Kind: attune.Conflict, Code: "worker_folder_in_use", Message: "another worker is using the folder", Where: dir,
				Try: "stop the other, or give this one another --name, or another --data"}
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return f, nil
}
