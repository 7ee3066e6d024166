package runners_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/memory"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/journal"
	"github.com/attune-automation/attune/worker/keeper"
	"github.com/attune-automation/attune/worker/runners"
)

type wall struct{}

func (wall) Now() time.Time                                   { return time.Now() }
func (wall) AfterFunc(d time.Duration, f func()) attune.Timer { return time.AfterFunc(d, f) }

// machine is a folder with a worker on it, and a node that hears its reports.
type machine struct {
	t       *testing.T
	dir     string
	broker  *memory.Broker
	count   atomic.Int32
	reports chan messages.Report
	hellos  chan messages.Registered
}

// boot starts a worker on the machine as a new process would, and returns what
// crashes it.
func (m *machine) boot() (crash func()) {
	m.t.Helper()
	p := runners.NewProcesses(runners.ProcessConfig{Dir: m.dir, Args: []string{"keeper"}, Env: runners.Environment()})
	d, err := journal.NewDisk(journal.DiskConfig{Dir: filepath.Join(m.dir, "journal")})
	if err != nil {
		m.t.Fatal(err)
	}
	w, err := worker.New(worker.Config{
		Name: "w", Slots: 2, NewIncarnation: func() string { return fmt.Sprintf("w-%d", m.count.Add(1)) }, Broker: m.broker, Clock: wall{},
		Mono:    func() time.Duration { return time.Duration(keeper.BoottimeNow()) },
		Journal: d, Keeper: p, Runners: map[string]worker.Runner{"local-shell-cmd": p.Shell(), "process": p.Program()},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		w.Stop()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = p.Close(ctx) // a crashed one has no keeper any more
		d.Close()
	})
	return func() {
		w.Stop()
		d.Close()
	}
}

func (m *machine) answer(b any) {
	for _, item := range b.(messages.Bundle).Items {
		var answer any
		switch item := item.(type) {
		case messages.Registered:
			defer func() { m.hellos <- item }() // dispatches that come before the answer are dropped
			answer = messages.RegisterAck{Incarnation: item.Incarnation, Sent: item.Sent}
		case messages.Heartbeat:
			answer = messages.HeartbeatAck{Incarnation: item.Incarnation, Sent: item.Sent}
		case messages.Output:
			answer = messages.OutputAck{Token: item.Token, Stream: item.Stream, Through: item.Offset + int64(len(item.Data))}
		case messages.Report:
			if m.reports <- item; item.Kind == messages.Started {
				continue
			}
			answer = messages.ReportAck{Tokens: []attune.Token{item.Token}}
		}
		_ = m.broker.Send(messages.ToWorkers, "w", answer)
	}
}

func (m *machine) dispatch(n int, incarnation, cmd string) {
	d := dispatch(n, object{"cmd": cmd})
	d.Worker, d.Incarnation, d.Node, d.Runner = "w", incarnation, "n", "local-shell-cmd"
	_ = m.broker.Send(messages.ToWorkers, "w", d)
}

func await[T any](t *testing.T, from chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// A worker that is started again ends what the one before left, and tells what
// became of it.
func TestAWorkerThatIsStartedAgain(t *testing.T) {
	t.Parallel()
	m := &machine{t: t, dir: t.TempDir(), broker: memory.New(memory.Config{}), reports: make(chan messages.Report, 100), hellos: make(chan messages.Registered, 100)}
	t.Cleanup(func() { m.broker.Close() })
	for _, exchange := range []messages.Exchange{messages.Heartbeats, messages.Reports} {
		if _, err := m.broker.Subscribe(exchange, "n", m.answer); err != nil {
			t.Fatal(err)
		}
	}
	crash := m.boot()
	await(t, m.hellos)
	m.dispatch(1, "w-1", "echo hello")
	r := await(t, m.reports)
	if r.Kind == messages.Started {
		r = await(t, m.reports)
	}
	if r.Kind != messages.Finished || !strings.Contains(string(r.Result), `"stdout":"hello"`) {
		t.Fatalf("%s %s %s", r.Kind, r.Reason, r.Result)
	}
	alive := filepath.Join(m.dir, "alive")
	m.dispatch(2, "w-1", "echo $$ > "+alive+"; mv "+alive+" "+alive+"2; exec sleep 1000")
	if r := await(t, m.reports); r.Kind != messages.Started {
		t.Fatalf("%s %s", r.Kind, r.Reason)
	}
	var pid string
	for end := time.Now().Add(patience); pid == "" && time.Now().Before(end); {
		b, _ := os.ReadFile(alive + "2")
		pid = strings.TrimSpace(string(b))
	}
	crash()

	m.boot()
	if hello := await(t, m.hellos); fmt.Sprint(hello.Earlier) != "[w-1]" {
		t.Fatal(hello.Earlier)
	}
	if _, err := os.Stat("/proc/" + pid); err == nil || pid == "" {
		t.Errorf("%q runs, though the new worker has registered", pid)
	}
	if r := await(t, m.reports); r.Kind != messages.LostRun || r.Token != token(2) || r.Incarnation != "w-1" {
		t.Errorf("%+v", r)
	}
	m.dispatch(1, "w-1", "echo hello") // acknowledged, so the journal may not know it any more
	if r := await(t, m.reports); r.Kind == messages.Started {
		t.Errorf("%+v", r)
	}
	m.dispatch(3, "w-2", "exit 1")
	for r.Kind != messages.FailedRun {
		r = await(t, m.reports)
	}
}
