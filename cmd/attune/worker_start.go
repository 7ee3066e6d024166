package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune/cmd/attune/settings"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/https"
	"github.com/attune-automation/attune/messages/rabbitmq"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
)

// workerOptions are the flags of attune worker start, defaults applied.
type workerOptions struct {
	actionOptions
	// Name is the worker's, Data its folder.
	Name, Data string
	Labels     map[string]string
	Zone       string
	// Broker is the URL of a RabbitMQ, Servers are those of nodes; either may be
	// missing. Token is the secret of the worker's token.
	Broker  string
	Servers []string
	Token   string
	// CA is a file of authorities, Key one of the key of secrets; or empty.
	CA, Key string
	Packs   []string
	Lease   time.Duration
	// LogFormat is auto, json or text.
	LogFormat string
	Streams   streams

	labels []string
}

func (p *program) startWorkerCommand() *cobra.Command {
	o := workerOptions{}
	c := &cobra.Command{
		Use: "start", Short: "Run a worker as a process of its own", Args: cobra.NoArgs,
		Long: "Run a worker as a process of its own, on any machine. It takes work from the\n" +
			"broker and, while that is away or where there is none, from the servers; packs\n" +
			"that are in none of its folders come from the servers too. The first Ctrl-C\n" +
			"drains, a second ends at once.",
		Example: "  attune token create w1 --kind worker > w1.token\n" +
			"  attune worker start --name w1 --broker amqps://attune@mq/attune --server https://attune:9370 --token @w1.token",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(p); err != nil {
				return err
			}
			return runWorker(c.Context(), o)
		},
	}
	f := c.Flags()
	o.flags(c)
	f.StringVar(&o.Name, "name", "", "what the worker is called; else the name of the machine")
	f.StringArrayVar(&o.labels, "labels", nil, "what is special about it, NAME=VALUE; may be given several times")
	f.StringVar(&o.Zone, "zone", "", "where it stands")
	f.StringVar(&o.Broker, "broker", "", "URL of the RabbitMQ")
	f.StringArrayVar(&o.Servers, "server", nil, "URL of a server; may be given several times")
	f.StringVar(&o.Token, "token", "", "secret of the worker's token, or @FILE that holds it")
	f.StringVar(&o.CA, "ca", "", "file with the authorities of the servers' certificates")
	f.StringVar(&o.Key, "key", "", "file with the key of secrets")
	f.StringArrayVar(&o.Packs, "packs", nil, "folder of packs; may be given several times")
	f.DurationVar(&o.Lease, "lease", 10*time.Second, "how long it runs on unheard")
	f.StringVar(&o.LogFormat, "log-format", "auto", "auto, json or text; auto is text on a terminal")
	return c
}

// workerName is what a worker may be called: its token bears the name too.
var workerName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// The bounds of a lease: shorter than three heartbeats ends running actions with
// every hiccup, longer than an hour is no lease.
const (
	minLease = 6 * time.Second
	maxLease = time.Hour
)

// check takes from the program what no flag of its own says, and refuses what
// cannot be.
func (o *workerOptions) check(p *program) error {
	if err := o.actionOptions.check(); err != nil {
		return err
	}
	if o.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return usage("the worker needs a name", "--name w1")
		}
		o.Name = strings.ToLower(host)
	}
	o.Labels = map[string]string{}
	for _, text := range o.labels {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return usage("--labels "+text+" is no label", "--labels disk=ssd")
		}
		o.Labels[name] = value
	}
	switch {
	case !workerName.MatchString(o.Name):
		return usage(fmt.Sprintf("--name %q is no name of a worker", o.Name), "up to 64 of a-z, 0-9, dot, dash and underscore, the first a letter or digit")
	case o.Broker == "" && len(o.Servers) == 0:
		return usage("the worker needs to know a broker, a server, or both", "--broker amqps://USER@HOST/VHOST --server https://HOST:9370 --token @FILE")
	case len(o.Servers) > 0 && o.Token == "":
		return usage("--server needs the token of the worker", "attune token create "+o.Name+" --kind worker > FILE, then --token @FILE")
	case o.Lease < minLease || o.Lease > maxLease:
		return usage("--lease "+o.Lease.String()+" is not between "+minLease.String()+" and "+maxLease.String(), "--lease 10s")
	}
	for _, server := range o.Servers {
		if err := https.CheckServer(server); err != nil {
			return err
		}
	}
	switch o.LogFormat {
	case "auto", "json", "text":
	default:
		return usage("--log-format "+o.LogFormat+" is no format of logs", "--log-format auto|json|text")
	}
	if _, err := packs.FoldersIn(o.Packs...); err != nil {
		return err
	}
	data, err := dataFolder(p.data, p.env)
	if err != nil {
		return err
	}
	if o.Key == "" {
		if own := filepath.Join(data, "attune.key"); exists(own) {
			o.Key = own
		}
	}
	o.Data, o.Streams = filepath.Join(data, "workers", o.Name), p.streams
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// runWorker runs a worker until ctx ends, then drains it.
func runWorker(ctx context.Context, o workerOptions) error {
	node.Ballast()
	log := newLog(o.Streams.talk, o.LogFormat)
	var ca []byte
	var err error
	if o.CA != "" {
		if ca, err = readAuthorities(o.CA); err != nil {
			return err
		}
		if o.CA, err = filepath.Abs(o.CA); err != nil {
			return err
		}
	}
	c := node.WorkerConfig{Name: o.Name, Data: o.Data, Slots: o.Slots, Labels: o.Labels, Zone: o.Zone, Servers: o.Servers, Token: o.Token, CA: o.CA,
		Packs: o.Packs, Lease: o.Lease, KeeperArgs: []string{keeperWord}, Limits: o.Limits, AllowHTTP: o.AllowHTTP, Log: log}
	if c.Client, err = https.NewClient(ca); err != nil {
		return err
	}
	if o.Key != "" {
		keys, err := node.ReadKeys(o.Key)
		if err != nil {
			return err
		}
		c.Keys = &keys
	}
	if o.Broker != "" {
		if c.Broker, err = o.openBroker(ca, log); err != nil {
			return err
		}
	}
	w, err := node.OpenWorker(c)
	if err != nil {
		return err
	}
	o.banner(w)
	<-ctx.Done()
	fmt.Fprintln(o.Streams.talk, "draining: what runs may finish, nothing new is taken; interrupt again to end at once")
	return closeNode(w.Close)
}

// openBroker begins to look for the broker, which need not be there.
func (o *workerOptions) openBroker(ca []byte, log *slog.Logger) (messages.Broker, error) {
	secure, err := brokerTLS(o.Broker, ca)
	if err != nil {
		return nil, err
	}
	return rabbitmq.Open(rabbitmq.Config{URL: o.Broker, Name: "worker " + o.Name, Clock: node.NewClock(), Log: log, TLS: secure})
}

// brokerTLS verifies a broker by authorities besides those of the system; without
// any it is nil, the transport's own way.
func brokerTLS(broker string, ca []byte) (*tls.Config, error) {
	if len(ca) == 0 {
		return nil, nil //nolint:nilnil // the transport takes nil for its own way
	}
	u, err := url.Parse(broker)
	if err != nil {
		return nil, usage("--broker is no URL", "--broker amqps://USER@HOST/VHOST") // without the password in it
	}
	roots, err := https.Authorities(ca)
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: roots, ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}, nil
}

// banner tells the operator what the worker is and what to type next.
func (o *workerOptions) banner(w *node.Worker) {
	out := o.Streams.talk
	fmt.Fprintf(out, "attune %s\n  worker      %s\n  incarnation %s\n  data        %s\n", versionText(), o.Name, w.Incarnation(), o.Data)
	broker := "none: the servers carry everything"
	if o.Broker != "" {
		broker = settings.MaskURL(o.Broker)
	}
	fmt.Fprintf(out, "  broker      %s\n", broker)
	for _, server := range o.Servers {
		fmt.Fprintf(out, "  server      %s\n", settings.MaskURL(server))
	}
	if len(o.Servers) == 0 {
		fmt.Fprintln(out, "  server      none: while the broker is away the worker is not heard, and packs come from folders only")
	}
	from := "those of the servers"
	if len(o.Servers) == 0 {
		from = "none"
	}
	if refs := w.PackRefs(); len(refs) > 0 {
		from = strings.Join(refs, ", ") + "; besides " + from
	}
	fmt.Fprintf(out, "  packs       %s\n", from)
	if o.Key == "" {
		fmt.Fprintln(out, "  secrets     none can be opened: actions with secret parameters are refused here (--key FILE)")
	}
	fmt.Fprintf(out, "next, where attune commands find a server:\n  attune worker get %s\n", o.Name)
}
