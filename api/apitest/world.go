package apitest

import (
	"context"
	"log/slog"
	"net"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/packs"
)

// Noon is the time of all rows.
var Noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// World is a server with its engine and store.
type World struct {
	Engine *Engine
	Store  *Store
	// Ruler is the api.Admin.
	Ruler *Admin
	// URL is where it listens.
	URL string
	// Admin, Operator, Viewer are secrets of tokens of those kinds, named
	// after them.
	Admin, Operator, Viewer string
	// Executions are the tokens that actions have.
	Executions *api.ExecutionTokens
	// EndRequests ends all requests, as the end of a node does.
	EndRequests context.CancelFunc
}

// New serves an empty world with one pack, demo, until the test ends.
func New(t testing.TB, changes ...func(*api.Config)) *World {
	t.Helper()
	w := &World{Engine: &Engine{Snapshot: Pack(t), Watched: make(chan attune.ExecutionID, 16)}, Store: NewStore(), Ruler: &Admin{}}
	for kind, secret := range map[attune.Role]*string{attune.RoleAdmin: &w.Admin, attune.RoleOperator: &w.Operator, attune.RoleViewer: &w.Viewer} {
		var token attune.AccessToken
		*secret, token = api.NewToken(string(kind), kind)
		w.Store.Put(token)
	}
	config := api.Config{Engine: w.Engine, Store: w.Store, Admin: w.Ruler, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Now: func() time.Time { return Noon },
		AfterFunc:  func(d time.Duration, f func()) attune.Timer { return time.AfterFunc(d, f) }, //nolint:forbidigo // a server of a test, on real connections
		Executions: api.NewExecutionTokens(make([]byte, 32))}
	w.Executions = config.Executions
	for _, change := range changes {
		change(&config)
	}
	handler, err := api.New(config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	ctx, cancel := context.WithCancel(context.Background())
	w.EndRequests = cancel
	server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	server.Start()
	t.Cleanup(func() { cancel(); server.Close() })
	w.URL = server.URL
	return w
}

// Pack is a catalogue with the pack demo.
func Pack(t testing.TB) *packs.Snapshot {
	t.Helper()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	p := packs.LoadFS(fstest.MapFS{
		"pack.yaml": file("name: demo\ndescription: For tests.\nversion: 1.0.0\nauthor: us\n"),
		"actions/greet.yaml": file(`name: greet
runner_type: echo
description: Says hello.
parameters:
  message: {type: string, required: true}
  times: {type: integer, default: 1}
  password: {type: string, secret: true}
`),
		"triggers/alert.yaml": file("name: alert\nwebhook:\n  url: alerts/in\n  split: body.alerts\n  dedupe: \"{{ item.id }}\"\n"),
		"rules/alert.yaml": file(`name: on_alert
trigger: {type: demo.alert}
criteria:
  trigger.item.status: {type: equals, pattern: firing}
action:
  ref: demo.greet
  parameters: {message: hello, password: hunter22}
`),
	}, "demo", "")
	if len(p.Faults) > 0 {
		t.Fatal(p.Faults)
	}
	return packs.NewSnapshot([]*attune.Pack{p})
}

// ID is the nth id of the world, of any kind.
func ID(n int) attune.ID { return attune.MakeID(Noon.Sub(attune.Epoch).Milliseconds(), 5, n) }

// Execution is an execution of demo.greet that a request made, after the given
// signals. Each comes a second after the one before.
func Execution(t testing.TB, n int, signals ...attune.Input) *attune.Execution {
	t.Helper()
	x := &attune.Execution{ID: attune.ExecutionID(ID(n)), Requested: ID(n).Time(), Action: "demo.greet", Runner: "echo", Status: attune.Requested, Version: 1,
		Parameters: []byte(`{"message":"hello","password":"hunter22"}`), Chain: attune.Chain{Principal: "operator"}}
	x.Root, x.Chain.Correlation = x.ID, x.ID.String()
	a, err := Pack(t).Action(x.Action)
	if err != nil {
		t.Fatal(err)
	}
	x.ActionHash = a.Hash
	for _, in := range signals {
		Apply(t, x, in)
	}
	return x
}

// Apply makes a transition, a second after the one before.
func Apply(t testing.TB, x *attune.Execution, in attune.Input) {
	t.Helper()
	in.At = Noon.Add(time.Duration(x.Version) * time.Second)
	if _, err := x.Apply(in); err != nil {
		t.Fatal(err)
	}
	x.Version++
}

// The signals of a life without trouble.
var (
	Admitted = attune.Input{Signal: attune.Admit, Reason: "waiting for a free slot"}
	Assigned = attune.Input{Signal: attune.Assign, Worker: "w1", Incarnation: "w1-1"}
	Started  = attune.Input{Signal: attune.Start}
	Finished = attune.Input{Signal: attune.Finish, Result: []byte(`{"greeting":"hello with hunter22"}`)}
	Failed   = attune.Input{Signal: attune.Fail, Result: []byte(`{"stdout":"","return_code":3}`), Failure: &attune.Failure{Code: "exit_code", Message: "the exit code is 3"}}
)
