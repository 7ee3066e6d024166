package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
)

// How long the end of a node may take.
const (
	// drainWait is how long running actions may go on after the first signal.
	drainWait = 60 * time.Second
	// shutdownWait is how long open requests may go on after that.
	shutdownWait = 5 * time.Second
)

// site is where a node is to run.
type site struct {
	url   string
	log   *slog.Logger
	spans tracing
	// waits tells callers why the node is not there yet.
	waits func(reason string)
}

// running is a node that was opened, and how it is served and ended.
type running struct {
	*node.Opened
	admin api.Admin
	// token is the name of the access token in the data folder where there is one
	// called admin already, of another folder or of one that is lost.
	token string
	close func(context.Context) error
	// describe prints the banner.
	describe func()
}

// end drains the node for as long as running actions may take.
func (n running) end() error { return closeNode(n.close) }

func closeNode(end func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), drainWait, errors.New("the drain took longer than "+drainWait.String()))
	defer cancel()
	return end(ctx)
}

// runNode listens, opens a node, serves it until ctx ends, then drains it. While
// the node opens, the API says that it does.
func runNode(ctx context.Context, o nodeOptions, open func(context.Context, site) (running, error)) (err error) {
	log := newLog(o.Streams.talk, o.LogFormat)
	spans, err := openTraces(ctx, o, log)
	if err != nil {
		return err
	}
	defer spans.close(ctx, log)
	// Streams and waits end with the node: what they show does.
	streaming, endStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer endStreams()
	door, err := openDoor(streaming, o, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, door.close(ctx)) }()
	n, err := open(ctx, site{url: door.url, log: log, spans: spans, waits: door.waits})
	if err != nil {
		return err
	}
	handler, err := handlerOf(n, log, spans)
	if err == nil {
		err = findable(ctx, n, o.Data, door.url)
	}
	if err != nil {
		return errors.Join(err, n.end())
	}
	door.admit(handler)
	n.describe()

	select {
	case <-ctx.Done():
		fmt.Fprintln(o.Streams.talk, "draining: what runs may finish, what waits is kept; interrupt again to end at once")
		err = nil
	case <-n.Failed():
		err = attune.NewError(attune.Internal, "node_failed", "the node cannot go on: "+n.Reason())
	case err = <-door.served:
		door.served <- nil
	}
	err = errors.Join(err, RemoveLocal(o.Data), n.end())
	endStreams()
	return err
}

// door is the HTTP server before and after there is a node behind it.
type door struct {
	url    string
	server *http.Server
	served chan error
	// certificate is nil without TLS.
	certificate *api.Certificate
	handler     atomic.Pointer[http.Handler]
	reason      atomic.Pointer[string]
	// heedless ends the listening to SIGHUP.
	heedless func()
}

func openDoor(ctx context.Context, o nodeOptions, log *slog.Logger) (*door, error) {
	d := &door{served: make(chan error, 1), heedless: func() {}}
	d.waits("it loads")
	var secure *tls.Config
	var err error
	scheme := "http"
	if o.TLS.Certificate != "" {
		if d.certificate, err = api.OpenCertificate(o.TLS.Certificate, o.TLS.Key, time.Now, log); err != nil {
			return nil, err
		}
		secure, scheme = d.certificate.Config(), "https"
	}
	listener, err := api.Listen(o.Listen, o.AllowPlaintext || secure != nil)
	if err != nil {
		return nil, err
	}
	d.url = scheme + "://" + reached(listener.Addr(), secure != nil)
	if o.URL != "" {
		d.url = o.URL
	}
	d.admit(api.Starting(func() string { return *d.reason.Load() }))
	d.server = api.NewServer(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*d.handler.Load()).ServeHTTP(w, r) }))
	d.server.TLSConfig, d.server.ErrorLog = secure, slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	go func() { d.served <- d.serve(listener) }()
	if o.Reload {
		d.heedHangup(log)
	}
	return d, nil
}

// reached is HOST:PORT under which this machine reaches what listens. What listens
// everywhere has no one name: with TLS that of the machine is the likeliest to be
// in the certificate.
func reached(at net.Addr, secure bool) string {
	tcp, ok := at.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return at.String()
	}
	host := "127.0.0.1"
	if name, err := os.Hostname(); err == nil && secure {
		host = name
	}
	return net.JoinHostPort(host, strconv.Itoa(tcp.Port))
}

// heedHangup reads the certificate again at each SIGHUP.
func (d *door) heedHangup(log *slog.Logger) {
	heard, done, ended := make(chan os.Signal, 1), make(chan struct{}), make(chan struct{})
	signal.Notify(heard, syscall.SIGHUP)
	go func() {
		defer close(ended)
		for {
			select {
			case <-heard:
				d.reload(log)
			case <-done:
				return
			}
		}
	}()
	d.heedless = func() {
		signal.Stop(heard)
		close(done)
		<-ended
	}
}

func (d *door) reload(log *slog.Logger) {
	if d.certificate == nil {
		log.Info("there is no certificate to read again")
		return
	}
	if err := d.certificate.Reload(); err != nil {
		log.Error("the certificate cannot be read; that of before goes on", slog.String("error", err.Error()))
		return
	}
	log.Info("the certificate was read again")
}

func (d *door) serve(l net.Listener) error {
	if d.server.TLSConfig != nil {
		return d.server.ServeTLS(l, "", "")
	}
	return d.server.Serve(l)
}

func (d *door) admit(h http.Handler) { d.handler.Store(&h) }

func (d *door) waits(reason string) { d.reason.Store(&reason) }

// close lets open requests end, for a while.
func (d *door) close(ctx context.Context) (err error) {
	d.heedless()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWait)
	defer cancel()
	if d.server.Shutdown(stop) != nil {
		err = d.server.Close()
	}
	return errors.Join(err, ended(<-d.served))
}

// ended is what went wrong with a server that was asked to end.
func ended(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// handlerOf is the API of a node.
func handlerOf(n running, log *slog.Logger, spans tracing) (http.Handler, error) {
	return api.New(api.Config{Engine: n.Node, Store: n.Store, Admin: n.admin, Log: log, Metrics: n.Metrics(), Now: time.Now, Version: versionText(),
		AfterFunc: func(d time.Duration, f func()) attune.Timer { return time.AfterFunc(d, f) }, Executions: n.ExecutionTokens(),
		Traces: spans.requests(), Observe: n.ObserveRequest})
}

// findable makes the node one that commands on this machine find by its data
// folder.
func findable(ctx context.Context, n running, data, url string) error {
	token, err := adminToken(ctx, n, data)
	if err != nil {
		return err
	}
	if err := WriteLocal(data, url, token); err != nil {
		return fmt.Errorf("write %s: %w", data, err)
	}
	return nil
}

// adminToken is the token in the data folder, made on the first start.
func adminToken(ctx context.Context, n running, data string) (string, error) {
	_, secret, err := FindLocal(data)
	if err != nil {
		return "", fmt.Errorf("read the token in %s: %w", data, err)
	}
	if secret != "" {
		known, err := n.Store.AccessTokens(ctx)
		if err != nil {
			return "", err
		}
		sum := sha256.Sum256([]byte(secret))
		for _, t := range known {
			if t.Hash == hex.EncodeToString(sum[:]) {
				return secret, nil
			}
		}
	}
	secret, token := api.NewToken("admin", attune.RoleAdmin)
	token.Created = time.Now()
	if err = n.Store.AddAccessToken(ctx, token); attune.KindOf(err) == attune.Conflict {
		token.Name = n.token
		err = n.Store.PutAccessToken(ctx, token)
	}
	return secret, err
}

// folders are where packs stand: those that the operator names, and those that
// are installed in the data folder.
func folders(o nodeOptions) *packs.Folders {
	return &packs.Folders{
		Settings:  packs.Settings{Configs: append(slices.Clone(o.Configs), filepath.Join(o.Data, "configs")), AnyPayload: o.AnyPayload},
		Named:     o.Packs,
		Installed: filepath.Join(o.Data, "packs"),
	}
}

// tellChanges says what was read again, with every fault.
func tellChanges(w io.Writer) func([]packs.Change, *packs.Snapshot) {
	return func(changes []packs.Change, s *packs.Snapshot) {
		for _, c := range changes {
			showChange(w, api.NewPackChange(c, s))
		}
	}
}

// newLog writes text to a terminal and JSON to anything else.
func newLog(w io.Writer, format string) *slog.Logger {
	options := &slog.HandlerOptions{AddSource: true, Level: slog.LevelInfo, ReplaceAttr: shortSource}
	if format == "json" || format == "auto" && !isTerminal(w) {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// shortSource names the file of a log line without the machine's folders.
func shortSource(_ []string, a slog.Attr) slog.Attr {
	if s, ok := a.Value.Any().(*slog.Source); ok && a.Key == slog.SourceKey {
		a.Value = slog.StringValue(fmt.Sprintf("%s/%s:%d", filepath.Base(filepath.Dir(s.File)), filepath.Base(s.File), s.Line))
	}
	return a
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	stat, err := f.Stat()
	return err == nil && stat.Mode()&os.ModeCharDevice != 0
}

// banner tells the operator where everything is.
func banner(w io.Writer, s *packs.Snapshot, o nodeOptions, url string, more ...[2]string) {
	fmt.Fprintf(w, "attune %s\n", versionText())
	for _, line := range append([][2]string{{"API", url}, {"data", o.Data}}, more...) {
		fmt.Fprintf(w, "  %-5s %s\n", line[0], line[1])
	}
	fmt.Fprintf(w, "  keeps executions %s, output %s, dedupe keys %s, the audit %s\n",
		ageText(o.Keep.Executions), ageText(o.Keep.Output), ageText(o.Keep.Dedupe), ageText(o.Keep.Audit))
	for _, p := range s.Packs() {
		fmt.Fprintf(w, "  pack  %s: %d actions, %d triggers, %d rules\n", p.Ref, len(p.Actions), len(p.Triggers), len(p.Rules))
		for _, f := range p.Faults {
			fmt.Fprintf(w, "        fault: %s\n", f)
		}
		if idle := idle(p); idle != "" {
			fmt.Fprintf(w, "        %s: attune pack get %s\n", idle, p.Ref)
		}
	}
}

// idle counts what of a pack does not run here.
func idle(p *attune.Pack) string {
	counts := map[attune.FileState]int{}
	for _, f := range p.Files {
		counts[f.State]++
	}
	var parts []string
	for _, state := range []attune.FileState{attune.FileNoRunner, attune.FileIncomplete, attune.FileUnused} {
		if n := counts[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d files %s", n, state))
		}
	}
	return strings.Join(parts, ", ")
}
