package node

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages/rabbitmq"
	"github.com/attune-automation/attune/persistence/postgres"
	"github.com/attune-automation/attune/persistence/sqlite"
)

// ServersConfig says how to run a node on PostgreSQL and RabbitMQ.
type ServersConfig struct {
	// OpenConfig is all the rest; its Store, Broker and Keys are made here.
	OpenConfig
	// Database and BrokerURL are where the servers are.
	Database, BrokerURL string
	// BrokerTLS is how the broker is verified at amqps://; nil is by the
	// authorities of the system.
	BrokerTLS *tls.Config
	// KeyFile is a file of [ReadKeys]; empty is the key of the data folder, which
	// is made where there is none.
	KeyFile string
	// Migrate brings an older schema up to date, and makes a new one; otherwise
	// both are refused.
	Migrate bool
	// Waits is told why the node is not open yet, each time that changes; it may
	// be nil.
	Waits func(reason string)
}

// How long between two tries to reach the store at the start: from the first, it
// doubles up to the last.
const (
	firstTry = 250 * time.Millisecond
	lastTry  = 2 * time.Second
	// sayAgain is how often it is said that the store is still away.
	sayAgain = 30 * time.Second
)

// OpenServers opens a node on PostgreSQL and RabbitMQ. Where the database cannot
// be reached it tries again until ctx ends: whatever started this process starts
// the database too, and in any order. The broker may be away for as long as it
// likes. The data folder holds what is this machine's alone, and is locked.
func OpenServers(ctx context.Context, c ServersConfig) (_ *Opened, err error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Waits == nil {
		c.Waits = func(string) {}
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, err
	}
	held, err := sqlite.Hold(c.Data)
	if err != nil {
		return nil, err
	}
	undo := &closers{}
	undo.add(func(context.Context) error { return held.Close() })
	defer func() {
		if err != nil {
			err = errors.Join(err, undo.unwind(context.WithoutCancel(ctx)))
		}
	}()
	if c.KeyFile == "" {
		c.Keys, err = OpenKeys(c.Data)
	} else {
		c.Keys, err = ReadKeys(c.KeyFile)
	}
	if err != nil {
		return nil, err
	}
	store, err := c.reach(ctx)
	if err != nil {
		return nil, err
	}
	broker, err := rabbitmq.Open(rabbitmq.Config{URL: c.BrokerURL, TLS: c.BrokerTLS, Name: "attune server " + c.Name, Clock: NewClock(), Log: c.Log, Prove: true})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	c.Waits("it loads")
	c.Store, c.Broker = store, broker
	o, err := Open(ctx, c.OpenConfig)
	if err != nil {
		return nil, err
	}
	o.all = append(undo.all, o.all...)
	return o, nil
}

// reach opens the store, as soon as it is there.
func (c ServersConfig) reach(ctx context.Context) (*postgres.Store, error) {
	var said time.Time
	for wait := firstTry; ; wait = min(2*wait, lastTry) {
		store, err := postgres.Open(ctx, postgres.Config{URL: c.Database, Migrate: c.Migrate, Log: c.Log})
		if err == nil || attune.KindOf(err) != attune.Unavailable {
			return store, err
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		c.Waits("the database is not there yet")
		if time.Since(said) >= sayAgain {
			said = time.Now()
			c.Log.Warn("the database cannot be reached, trying again until it can", slog.String("error", err.Error()))
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, context.Cause(ctx)
		}
	}
}

// Backup implements api.Admin: the data of this node is elsewhere.
func (o *Opened) Backup(context.Context, api.BackupRequest) (api.BackupArchive, error) {
	return nil, &attune.Error{Kind: attune.Invalid, Code: "no_backup", Message: "this node keeps its data in PostgreSQL: a backup is made there",
		Try: "pg_dump --format=custom of the database, and a copy of the key and the configuration; docs/operations.md says how"}
}
