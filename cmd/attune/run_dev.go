package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors/retention"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/core"
)

// How long the end of attune dev may take.
const (
	// drainWait is how long running actions may go on after the first signal.
	drainWait = 60 * time.Second
	// shutdownWait is how long open requests may go on after that.
	shutdownWait = 5 * time.Second
)

// runDev runs a node until ctx ends, then drains it.
func runDev(ctx context.Context, o devOptions) error {
	log := newLog(o.Streams.talk, o.LogFormat)
	listener, err := api.Listen(o.Listen, o.AllowPlaintext)
	if err != nil {
		return err
	}
	defer listener.Close()
	url := "http://" + listener.Addr().String()
	spans, err := openTraces(ctx, o, log)
	if err != nil {
		return err
	}
	defer spans.close(ctx, log)
	n, err := node.OpenEmbedded(ctx, node.EmbeddedConfig{Data: o.Data, Packs: []*attune.Pack{packs.LoadFS(core.Files, core.Ref, "")}, Folders: folders(o),
		PacksChanged: tellChanges(o.Streams.talk), Slots: o.Slots, MaxLive: o.MaxLive, Keep: o.Keep, Version: versionText(), APIURL: url,
		KeeperArgs: []string{keeperWord}, Limits: o.Limits, AllowHTTP: o.AllowHTTP, Log: log, Traces: spans.node()})
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	// Streams and waits end with the node: what they show does.
	streaming, endStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer endStreams()
	server, err := serve(streaming, n, o.Data, url, log, spans)
	if err != nil {
		return errors.Join(err, closeNode(n))
	}
	go func() { served <- server.Serve(listener) }()
	banner(o.Streams.talk, n.Catalog(), o.Data, url, o.Keep)

	select {
	case <-ctx.Done():
		fmt.Fprintln(o.Streams.talk, "draining: what runs may finish, what waits is kept; interrupt again to end at once")
		err = nil
	case <-n.Failed():
		err = attune.NewError(attune.Internal, "node_failed", "the node cannot go on: "+n.Reason())
	case err = <-served:
		served <- nil
	}
	err = errors.Join(err, RemoveLocal(o.Data), closeNode(n))
	endStreams()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWait)
	defer cancel()
	if server.Shutdown(stop) != nil {
		err = errors.Join(err, server.Close())
	}
	return errors.Join(err, ended(<-served))
}

// folders are where packs stand: those that the operator names, and those that
// are installed in the data folder.
func folders(o devOptions) *packs.Folders {
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

// ended is what went wrong with a server that was asked to end.
func ended(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func closeNode(n *node.Embedded) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), drainWait, errors.New("the drain took longer than "+drainWait.String()))
	defer cancel()
	return n.Close(ctx)
}

// serve makes the HTTP server of a node, and the node findable. Requests end
// with ctx.
func serve(ctx context.Context, n *node.Embedded, data, url string, log *slog.Logger, spans tracing) (*http.Server, error) {
	handler, err := api.New(api.Config{Engine: n.Node, Store: n.Store, Admin: n, Log: log, Metrics: n.Metrics(), Now: time.Now, Version: versionText(),
		AfterFunc: func(d time.Duration, f func()) attune.Timer { return time.AfterFunc(d, f) }, Executions: n.ExecutionTokens(),
		Traces: spans.requests(), Observe: n.ObserveRequest})
	if err != nil {
		return nil, err
	}
	token, err := adminToken(n, data)
	if err != nil {
		return nil, err
	}
	if err := WriteLocal(data, url, token); err != nil {
		return nil, fmt.Errorf("write %s: %w", data, err)
	}
	return api.NewServer(ctx, handler), nil
}

// adminToken is the token in the data folder, made on the first start.
func adminToken(n *node.Embedded, data string) (string, error) {
	ctx := context.Background()
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
	return secret, n.Store.PutAccessToken(ctx, token)
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

// banner tells the operator where everything is and what to type next.
func banner(w io.Writer, s *packs.Snapshot, data, url string, keep retention.Ages) {
	fmt.Fprintf(w, "attune %s\n  API   %s\n  data  %s\n  keeps executions %s, output %s, dedupe keys %s, the audit %s\n", versionText(), url, data,
		ageText(keep.Executions), ageText(keep.Output), ageText(keep.Dedupe), ageText(keep.Audit))
	for _, p := range s.Packs() {
		fmt.Fprintf(w, "  pack  %s: %d actions, %d triggers, %d rules\n", p.Ref, len(p.Actions), len(p.Triggers), len(p.Rules))
		for _, f := range p.Faults {
			fmt.Fprintf(w, "        fault: %s\n", f)
		}
		if idle := idle(p); idle != "" {
			fmt.Fprintf(w, "        %s: attune pack get %s\n", idle, p.Ref)
		}
	}
	fmt.Fprintf(w, "next, in another terminal:\n  attune run core.local cmd='echo hi'\n")
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
