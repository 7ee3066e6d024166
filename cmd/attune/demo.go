package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/packs/core"
	"github.com/attune-automation/attune/packs/examples"
)

func (p *program) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "Show an alert become a completed action, on a throw-away node", Args: cobra.NoArgs,
		Long: "Start a throw-away node, send it a recorded webhook of Prometheus Alertmanager\nwith three alerts, and show what follows: each alert an event, two of them matched\nby a rule, a script run for both. Then send it again: nothing may change. Exit 0\nonly if all of that is so. With --server (or ATTUNE_SERVER) the node is that one: it\nneeds the pack examples, a worker, and no other work meanwhile.",
		RunE: func(c *cobra.Command, _ []string) error { return p.demo(c.Context()) },
	}
}

// demoWait bounds the wait for what the alerts start.
const demoWait = 30 * time.Second

func (p *program) demo(ctx context.Context) error {
	if p.server == "" && p.env("ATTUNE_SERVER") == "" {
		return p.demoHere(ctx)
	}
	cl, err := p.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	return p.demonstrate(ctx, cl)
}

// demoHere makes a throw-away node for the demo.
func (p *program) demoHere(ctx context.Context) (err error) {
	data, err := os.MkdirTemp("", "attune-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	folder := filepath.Join(data, "packs", examples.Ref)
	if err := packs.Materialise(examples.Files, folder); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(p.talk, &slog.HandlerOptions{Level: slog.LevelWarn}))
	door, err := openDoor(ctx, nodeOptions{Listen: "127.0.0.1:0"}, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, door.close(ctx)) }()
	n, err := node.OpenEmbedded(ctx, node.EmbeddedConfig{Data: data, Version: versionText(), APIURL: door.url, KeeperArgs: []string{keeperWord}, Log: log,
		Packs: append([]*attune.Pack{packs.LoadFS(core.Files, core.Ref, "")}, packs.Load(folder)...)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeNode(n.Close)) }()
	here := running{Opened: n.Opened, admin: n, token: "admin"}
	handler, err := handlerOf(here, log, tracing{})
	if err != nil {
		return err
	}
	door.admit(handler)
	token, err := adminToken(ctx, here, data)
	if err != nil {
		return err
	}
	cl, err := client.New(door.url, token)
	if err != nil {
		return err
	}
	defer cl.Close()
	return p.demonstrate(ctx, cl)
}

func (p *program) demonstrate(ctx context.Context, cl *client.Client) (err error) {
	d := &demonstration{out: p.out, client: cl}
	if d.body, err = examples.Files.ReadFile("etc/alertmanager.json"); err != nil {
		return err
	}
	return d.run(ctx)
}

// demonstration is the job of the demo: what it sends, and what must follow.
type demonstration struct {
	out    io.Writer
	client *client.Client
	body   []byte
}

func (d *demonstration) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, demoWait, fmt.Errorf("the demo took longer than %s", demoWait))
	defer cancel()
	fmt.Fprintf(d.out, "POST /api/v1/webhooks/alertmanager: three alerts, recorded from Prometheus Alertmanager\n\n")
	first, err := d.send(ctx)
	if err != nil {
		return err
	}
	if len(first) != 3 {
		return fmt.Errorf("the webhook became %d events, not 3", len(first))
	}
	before, err := d.check(ctx, first, true)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "The same request again:\n\n")
	second, err := d.send(ctx)
	if err != nil {
		return err
	}
	for i, e := range second {
		if !e.Duplicate || e.ID != first[i].ID {
			return fmt.Errorf("the alert of %s, sent again, became %s", first[i].ID, e.ID)
		}
		fmt.Fprintf(d.out, "%s was there already\n", e.ID)
	}
	after, err := d.check(ctx, second, false)
	if err != nil {
		return err
	}
	if before != after {
		return fmt.Errorf("sent again, the alerts changed something: %+v, then %+v", before, after)
	}
	fmt.Fprintf(d.out, "\nNothing changed: still %d events, %d enforcements, %d executions.\n", after.events, after.enforcements, after.executions)
	return nil
}

// send posts the recorded request.
func (d *demonstration) send(ctx context.Context) ([]api.EventAnswer, error) {
	answer, err := d.client.Webhook(ctx, "alertmanager", d.body)
	return answer.Events, err
}

// totals is how much there is of everything.
type totals struct{ events, enforcements, executions int }

// check waits until what the events started has ended, shows the chains, and
// holds them against what the alerts call for.
func (d *demonstration) check(ctx context.Context, events []api.EventAnswer, show bool) (totals, error) {
	called := 0
	for _, e := range events {
		t, err := client.Fetch[api.Trace](ctx, d.client, "/trace/"+escaped(e.ID), nil)
		if err != nil {
			return totals{}, err
		}
		for _, en := range t.Enforcements {
			if en.Started == nil {
				return totals{}, fmt.Errorf("%s started nothing", en.ID)
			}
			if err := d.ended(ctx, en.Started.ID); err != nil {
				return totals{}, err
			}
			called++
		}
		if t, err = client.Fetch[api.Trace](ctx, d.client, "/trace/"+escaped(e.ID), nil); err != nil {
			return totals{}, err
		}
		if show {
			for _, root := range (drawing{ctx: ctx, client: d.client, lines: 3}).roots(t) {
				root.draw(d.out)
			}
			fmt.Fprintln(d.out)
		}
	}
	if called != 2 {
		return totals{}, fmt.Errorf("%d alerts were acted on, not the 2 that fire and are critical", called)
	}
	return d.count(ctx)
}

// ended waits for the end of an execution and holds its output against its
// parameters.
func (d *demonstration) ended(ctx context.Context, id string) error {
	x, err := d.client.Wait(ctx, id, 0, demoWait)
	for err == nil && !x.Terminal {
		x, err = d.client.Wait(ctx, id, x.Version, demoWait)
	}
	if err != nil {
		return err
	}
	if x.Status != attune.Completed.String() {
		return fmt.Errorf("%s is %s", id, x.Status)
	}
	var parameters struct {
		Instance string `json:"instance"`
	}
	if err := json.Unmarshal(x.Parameters, &parameters); err != nil {
		return err
	}
	if parameters.Instance == "" || !strings.Contains(string(x.Result), parameters.Instance) {
		return fmt.Errorf("the result of %s does not name the alert's instance %q: %s", id, parameters.Instance, x.Result)
	}
	return nil
}

func (d *demonstration) count(ctx context.Context) (n totals, err error) {
	events, err := client.All[json.RawMessage](ctx, d.client, "/events", nil)
	if err != nil {
		return n, err
	}
	enforcements, err := client.All[json.RawMessage](ctx, d.client, "/enforcements", nil)
	if err != nil {
		return n, err
	}
	executions, err := client.All[json.RawMessage](ctx, d.client, "/executions", nil)
	return totals{len(events), len(enforcements), len(executions)}, err
}
