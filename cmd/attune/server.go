package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/cmd/attune/settings"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/core"
)

// serverOptions are the flags of attune server, defaults applied.
type serverOptions struct {
	nodeOptions
	// Name is the node's.
	Name string
	// Database and Broker are the URLs of PostgreSQL and RabbitMQ, with
	// passwords.
	Database, Broker string
	// CA is a file of authorities that the broker is verified by, besides those of
	// the system; or empty.
	CA string
	// Key is the file of the key; empty is the one in the data folder.
	Key string
	// AnnounceStatuses announces every change of status, not only ends.
	AnnounceStatuses bool
	// Migrate brings the schema of the database up to date at the start.
	Migrate bool
}

func (p *program) serverCommand() *cobra.Command {
	o := serverOptions{nodeOptions: newNodeOptions()}
	c := &cobra.Command{
		Use: "server", Short: "Run a node on PostgreSQL and RabbitMQ", Args: cobra.NoArgs,
		Long: "Run a node on PostgreSQL and RabbitMQ. Actions run on workers, see attune worker\nstart. The data folder holds what is this machine's alone: the key, the first\nadmin token, installed packs. Whoever may list processes reads what stands on a\ncommand line: give the URLs with their passwords in the environment, in the\nconfiguration file or as @FILE. The first SIGTERM drains, a second ends at once;\nSIGHUP reads the certificate again.",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(p); err != nil {
				return err
			}
			return runServer(c.Context(), o)
		},
	}
	o.flags(c)
	f := c.Flags()
	f.StringVar(&o.Name, "name", "", "name of the node")
	f.StringVar(&o.Database, "database", "", "URL of PostgreSQL")
	f.StringVar(&o.Broker, "broker", "", "URL of RabbitMQ")
	f.StringVar(&o.CA, "ca", "", "file of authorities")
	f.StringVar(&o.Key, "key", "", "file of the key")
	f.StringVar(&o.TLS.Certificate, "tls-cert", "", "file of the certificate")
	f.StringVar(&o.TLS.Key, "tls-key", "", "file of the certificate's private key")
	f.StringVar(&o.URL, "url", "", "URL under which others reach the API")
	f.BoolVar(&o.Migrate, "migrate", false, "bring the schema of the database up to date at the start")
	f.BoolVar(&o.AnnounceStatuses, "announce-statuses", false, "announce every change of an execution's status on the broker, not only its end")
	return c
}

// check refuses what cannot be.
func (o *serverOptions) check(p *program) error {
	if err := o.nodeOptions.check(p); err != nil {
		return err
	}
	if o.Database == "" {
		return usage("no database is named", "ATTUNE_DATABASE=postgres://USER:PASSWORD@HOST/NAME; or --database @FILE")
	}
	if o.Broker == "" {
		return usage("no broker is named", "ATTUNE_BROKER=amqp://USER:PASSWORD@HOST/VHOST; or --broker @FILE")
	}
	if (o.TLS.Certificate == "") != (o.TLS.Key == "") {
		return usage("--tls-cert and --tls-key go together", "--tls-cert server.pem --tls-key server-key.pem")
	}
	if o.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return usage("the name of this machine is not known", "--name attune-1")
		}
		o.Name = strings.ToLower(host)
	}
	if !nodeName.MatchString(o.Name) {
		return usage("--name "+o.Name+" is no name of a node: small letters, digits, dots and hyphens, 63 at most", "--name attune-1")
	}
	return nil
}

// nodeName is what becomes part of routing keys and of the names of tokens.
var nodeName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

// runServer runs a node on PostgreSQL and RabbitMQ until ctx ends, then drains it.
func runServer(ctx context.Context, o serverOptions) error {
	node.Ballast()
	o.Reload = true
	var ca []byte
	var err error
	if o.CA != "" {
		if ca, err = readAuthorities(o.CA); err != nil {
			return err
		}
	}
	secure, err := brokerTLS(o.Broker, ca)
	if err != nil {
		return err
	}
	return runNode(ctx, o.nodeOptions, func(ctx context.Context, at site) (running, error) {
		n, err := node.OpenServers(ctx, node.ServersConfig{OpenConfig: node.OpenConfig{Name: o.Name, Data: o.Data, Packs: []*attune.Pack{packs.LoadFS(core.Files, core.Ref, "")},
			Folders: folders(o.nodeOptions), PacksChanged: tellChanges(o.Streams.talk), MaxLive: o.MaxLive, Keep: o.Keep, AnnounceStatuses: o.AnnounceStatuses, Version: versionText(), Log: at.log, Traces: at.spans.node()},
			Database: o.Database, BrokerURL: o.Broker, BrokerTLS: secure, KeyFile: o.Key, Migrate: o.Migrate, Waits: at.waits})
		if err != nil {
			return running{}, err
		}
		return running{Opened: n, admin: n, token: "admin-" + o.Name, close: n.Close, describe: func() {
			banner(o.Streams.talk, n.Catalog(), o.nodeOptions, at.url, [2]string{"name", o.Name},
				[2]string{"store", settings.MaskURL(o.Database)}, [2]string{"via", settings.MaskURL(o.Broker)})
			fmt.Fprintf(o.Streams.talk, "next, for each machine that is to run actions:\n  attune token create NAME --kind worker\n  attune worker start --server %s --broker … --token …\n", at.url)
		}}, nil
	})
}
