package node

import (
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/secret"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/journal"
	"github.com/attune-automation/attune/worker/keeper"
	"github.com/attune-automation/attune/worker/runners"
)

// workshop says what a worker runs on. The built-in worker and one that is a
// process of its own are made from the same.
type workshop struct {
	name string
	// incarnation makes a new one; nil makes them of the name.
	incarnation func() string
	// dir is a folder of this worker alone.
	dir    string
	slots  int
	labels map[string]string
	zone   string
	broker messages.Broker
	clock  attune.Clock
	open   func(action string, parameters []byte) ([]byte, *secret.Mask, error)
	packs  worker.Packs
	lease  time.Duration
	// apiURL is told to actions; may be empty.
	apiURL string
	// apiCA is a file of authorities that they verify the API by; or empty.
	apiCA      string
	keeperArgs []string
	mode       keeper.Mode
	limits     attune.Resources
	allowHTTP  []netip.Prefix
	log        *slog.Logger
}

// start starts the worker and hands what undoes it to c, also on error.
func (s workshop) start(c *closers) (*worker.Worker, error) {
	if s.incarnation == nil {
		s.incarnation = func() string { return s.name + "-" + randomID() }
	}
	book, err := journal.NewDisk(journal.DiskConfig{Dir: filepath.Join(s.dir, "journal")})
	if err != nil {
		return nil, err
	}
	c.add(func(context.Context) error { return book.Close() })
	env := runners.Environment()
	if s.apiCA != "" {
		env = append(env, "ATTUNE_CA="+s.apiCA)
	}
	processes := runners.NewProcesses(runners.ProcessConfig{Dir: s.dir, Args: s.keeperArgs, Mode: s.mode, Env: env,
		APIURL: s.apiURL, Limits: s.limits, Log: s.log})
	c.add(processes.Close)
	requests := runners.NewHTTP(runners.HTTPConfig{Allow: s.allowHTTP, Clock: s.clock, Mono: boottime})
	c.add(requests.Close)
	w, err := worker.New(worker.Config{Name: s.name, NewIncarnation: s.incarnation, Slots: s.slots, Labels: s.labels, Zone: s.zone,
		Broker: s.broker, Clock: s.clock, Mono: boottime, Open: s.open, Packs: s.packs, Lease: s.lease,
		Journal: book, Keeper: runners.Kept{processes, requests}, Log: s.log,
		Runners: map[string]worker.Runner{
			"noop": runners.Noop{}, "echo": runners.Echo{}, "process": processes.Program(), "http-request": requests,
			"local-shell-cmd": processes.Shell(), "local-shell-script": processes.Script(),
		}})
	if err != nil {
		return nil, err
	}
	if err := w.Start(); err != nil {
		return nil, err
	}
	c.add(func(context.Context) error { w.Stop(); return nil })
	return w, nil
}

// boottime is the clock of leases: it runs while the machine sleeps.
func boottime() time.Duration { return time.Duration(keeper.BoottimeNow()) }
