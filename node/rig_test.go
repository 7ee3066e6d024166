package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors/retention"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	brokermemory "github.com/attune-automation/attune/messages/memory"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/memory"
	"github.com/attune-automation/attune/secret"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/journal"
)

// database is the clock of the store, decades from that of the bubble: whoever
// takes the machine's time for it is found out.
type database struct{}

func (database) Now() time.Time { return time.Now().AddDate(26, 0, 0).UTC() }

func (database) AfterFunc(d time.Duration, f func()) attune.Timer { return time.AfterFunc(d, f) }

// rig is a node with its store, broker and workers, in a bubble of virtual
// time. Nothing takes time there but what a test lets take time.
type rig struct {
	*testing.T
	*ledger
	rows    *memory.Store // what is stored, below all faults
	writes  *writes
	broker  messages.Broker
	inbox   *inbox // what clients outside say goes into it
	log     *slog.Logger
	box     *secret.Box                                // of the node and of all workers
	packs   func() *packs.Snapshot                     // what the next incarnation knows
	observe hook[func(path, kind string, message any)] // what the node's Observe calls
	fault   hook[func(method string, call int) memory.Fault]
	lose    hook[func(exchange messages.Exchange, key string, m any) bool] // which messages get lost

	// cut is while the broker's server is away from everybody.
	cut atomic.Bool
	// via makes what a worker speaks through; nil is the broker.
	via func(name string, mono func() time.Duration) messages.Broker
	// lease is that of the next worker; zero is the default.
	lease time.Duration

	// maxLive and warm are the node's, from its next start on.
	maxLive, warm int
	statuses      bool // announced too

	*node.Node  // the present incarnation, nil while it is down
	lent        *node.Lent
	turns       *node.Turns
	incarnation int
	keep        retention.Ages
	clock       *node.Clock // of the present incarnation
	machines    map[string]*machine
	workers     map[string]*process
}

// process is a worker that runs.
type process struct {
	*worker.Worker
	machine *machine
	journal *journal.Memory
	slots   int
	starts  int
	way     messages.Broker // of its own, or nil
}

// inBubble runs a test in virtual time on a node that takes work.
func inBubble(t *testing.T, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.end()
		r.start()
		test(r)
	})
}

func newRig(t *testing.T) *rig {
	out := io.Discard
	if testing.Verbose() && os.Getenv("ATTUNE_TEST_LOG") != "" {
		out = t.Output()
	}
	r := &rig{T: t, packs: catalog, box: newBox(t, 1), inbox: newInbox(), ledger: newLedger(t), rows: memory.New(memory.Config{Clock: database{}, Exclusive: true}), writes: &writes{},
		log:      slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		machines: map[string]*machine{}, workers: map[string]*process{}}
	r.broker = brokermemory.NewFaulty(brokermemory.New(brokermemory.Config{}), database{}, func(x messages.Exchange, key string, m any) brokermemory.Fate {
		if lose, ok := r.lose.get(); ok && lose(x, key, m) {
			return nil
		}
		return brokermemory.Passes
	})
	r.broker = linked{r.broker, &r.cut}
	if _, err := r.broker.Subscribe(messages.Executions, "#", r.hear); err != nil {
		t.Fatal(err)
	}
	return r
}

// Name, Helper and the like are the test's, which the ledger has too.
func (r *rig) Errorf(format string, args ...any) { r.T.Helper(); r.T.Errorf(format, args...) }
func (r *rig) Fatalf(format string, args ...any) { r.T.Helper(); r.T.Fatalf(format, args...) }
func (r *rig) Fatal(args ...any)                 { r.T.Helper(); r.T.Fatal(args...) }
func (r *rig) Helper()                           { r.T.Helper() }
func (r *rig) Error(args ...any)                 { r.T.Helper(); r.T.Error(args...) }
func (r *rig) Context() context.Context          { return r.T.Context() }

// start starts a node incarnation on the store and waits until it takes work.
func (r *rig) start() {
	r.Helper()
	r.boot()
	r.until("the node takes work", 5*time.Second, func() bool { return r.Ready() == nil })
	synctest.Wait()
}

// boot starts a node incarnation and waits for nothing.
func (r *rig) boot() {
	r.Helper()
	r.incarnation++
	r.lent, r.turns = &node.Lent{}, node.NewTurns()
	r.writes.reset(r.rows)
	faulty := memory.NewFaulty(r.writes, func(method string, call int) memory.Fault {
		if fault, ok := r.fault.get(); ok {
			return fault(method, call)
		}
		return memory.Fault{}
	})
	clock, began := node.NewClock(), time.Now()
	r.clock = clock
	clock.BootTime = func() time.Duration { return time.Since(began) } // that of the bubble
	r.Node = node.New(node.Config{Name: "n", Incarnation: fmt.Sprintf("n-%d", r.incarnation), Version: "v", Data: "d", Keep: r.keep, MaxLive: r.maxLive, Warm: r.warm, AnnounceStatuses: r.statuses},
		node.Parts{Clock: clock, Lend: r.lent.Lend, Dispatcher: r.turns, Store: faulty, Broker: r.broker, Inbox: r.inbox, Secrets: r.box, Log: r.log,
			Observe: func(path, kind string, m any) {
				if observe, ok := r.observe.get(); ok {
					observe(path, kind, m)
				}
			}})
	if err := r.SetCatalog(r.Context(), r.packs()); err != nil {
		r.Fatal(err)
	}
	if err := r.Node.Start(r.Context()); err != nil {
		r.Fatal(err)
	}
}

// crash ends the node where it stands: what it holds in memory is gone.
func (r *rig) crash() {
	r.Helper()
	if r.Node == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.Node.Stop(ctx); err != nil {
		r.Errorf("the node does not end: %v", err)
	}
	r.lent.Wait()
	r.turns.Stop()
	r.Node = nil
}

// end ends everything, so that no goroutine outlives the bubble.
func (r *rig) end() {
	r.fault.clear()
	r.observe.clear()
	for _, name := range slices.Collect(maps.Keys(r.workers)) {
		r.kill(name)
	}
	r.crash()
	if err := r.broker.Close(); err != nil {
		r.Errorf("close the broker: %v", err)
	}
	time.Sleep(2 * time.Second) // the throttle of dead letters ends
}

// work starts a worker, on its machine of before if it had one, and waits until
// it is granted its slots.
func (r *rig) work(name string, slots int) {
	r.Helper()
	r.startWorker(name, slots)
	r.until("worker "+name+" is alive", 10*time.Second, func() bool {
		view := r.workerNamed(name)
		return view.State == attune.WorkerAlive && view.Incarnation == fmt.Sprintf("%s-%d", name, r.workers[name].starts)
	})
	synctest.Wait()
}

func (r *rig) startWorker(name string, slots int) {
	r.Helper()
	if r.machines[name] == nil {
		r.machines[name] = newMachine(name, slots, r.ledger)
	}
	p := &process{machine: r.machines[name], slots: slots, journal: journal.NewMemory(nil)}
	if before := r.workers[name]; before != nil {
		p.journal, p.starts = before.journal, before.starts
	}
	var err error
	broker := r.broker
	if r.via != nil {
		p.way = r.via(name, p.machine.mono)
		broker = p.way
	}
	p.Worker, err = worker.New(worker.Config{Name: name, Slots: slots, Broker: broker, Lease: r.lease, Clock: database{}, Mono: p.machine.mono, Journal: p.journal,
		Keeper: p.machine, Log: r.log, Open: r.box.Open,
		Runners: map[string]worker.Runner{"timed": timed{p.machine, false}, "pure": timed{p.machine, true}, "parrot": parrot{}},
		NewIncarnation: func() string {
			p.starts++
			return fmt.Sprintf("%s-%d", name, p.starts)
		}})
	if err != nil {
		r.Fatal(err)
	}
	r.workers[name] = p
	if err := p.Start(); err != nil {
		r.Fatal(err)
	}
}

// kill ends a worker and what it runs, as kill -9 and its keeper would. Its
// journal stays for the next start.
func (r *rig) kill(name string) {
	r.workers[name].Stop()
	r.machines[name].killAll()
	if way := r.workers[name].way; way != nil {
		if err := way.Close(); err != nil {
			r.Errorf("close the way of %s: %v", name, err)
		}
	}
}

// workerNamed is the node's view of a worker; zero when it has none.
func (r *rig) workerNamed(name string) api.WorkerView {
	r.Helper()
	views, err := r.Workers(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	for _, v := range views {
		if v.Name == name {
			return v
		}
	}
	return api.WorkerView{}
}

// until lets time pass until the condition holds.
func (r *rig) until(what string, limit time.Duration, holds func() bool) {
	r.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		synctest.Wait()
		if holds() {
			return
		}
		if time.Since(began) > limit {
			r.Fatalf("not within %s: %s\n%s", limit, what, r.picture())
		}
	}
}

// picture is what lives that is not at rest, for a test that fails.
func (r *rig) picture() string {
	var b []byte
	for _, x := range r.rows.Rows().Executions {
		if !x.Status.Terminal() {
			b = fmt.Appendf(b, "%s %s v%d attempt %d on %s: %s\n", x.ID, x.Status, x.Version, x.Attempt, x.Incarnation, x.Reason)
		}
		if len(b) > 2000 {
			break
		}
	}
	if r.Node == nil {
		return string(b)
	}
	for _, a := range r.Tree().Census().List(database{}.Now()) {
		if a.Kind != "partition" && a.Kind != "execution" || a.Mailbox > 0 || a.Restarts > 0 {
			d, _ := r.Node.Actor(context.Background(), a.Path)
			b = fmt.Appendf(b, "%s %s mailbox %d restarts %d %s %s\n", a.Path, a.State, a.Mailbox, a.Restarts, a.LastError, d.Detail)
		}
	}
	return string(b)
}

// request asks for an execution and returns when it is durable.
func (r *rig) request(s settings) (attune.ExecutionID, error) {
	return r.requestOf("t.run", s, api.ExecutionRequest{})
}

func (r *rig) requestOf(action string, s settings, more api.ExecutionRequest) (attune.ExecutionID, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return 0, err
	}
	parameters := map[string]any{}
	if err := json.Unmarshal(b, &parameters); err != nil {
		return 0, err
	}
	parameters["ms"], parameters["print"] = int64(s.MS), int64(s.Print)
	more.Action, more.Parameters, more.Chain.Principal = action, parameters, "me"
	receipt, err := r.RequestExecution(r.Context(), more)
	return receipt.ID, err
}

// must is a request that has to succeed.
func (r *rig) must(s settings) attune.ExecutionID {
	r.Helper()
	id, err := r.request(s)
	if err != nil {
		r.Fatal(err)
	}
	return id
}

// row is what is stored of an execution.
func (r *rig) row(id attune.ExecutionID) *attune.Execution {
	r.Helper()
	x, err := r.rows.Execution(context.Background(), id)
	if err != nil {
		r.Fatal(err)
	}
	return x
}

// reaches waits until an execution has that status, and returns its row.
func (r *rig) reaches(id attune.ExecutionID, s attune.Status, limit time.Duration) *attune.Execution {
	r.Helper()
	r.until(fmt.Sprintf("%s is %s", id, s), limit, func() bool { return r.row(id).Status == s })
	return r.row(id)
}

// allOnce waits until everything stored has ended and checks it against the
// ledger.
func (r *rig) allOnce(limit time.Duration) {
	r.Helper()
	r.until("all has ended", limit, func() bool {
		for _, x := range r.rows.Rows().Executions {
			if !x.Status.Terminal() {
				return false
			}
		}
		return r.running() == 0
	})
	time.Sleep(100 * time.Millisecond) // the ends are announced, also where the store hid them for a moment
	synctest.Wait()
	for _, x := range r.rows.Rows().Executions {
		if fault := r.once(x); fault != "" {
			r.Errorf("%s", fault)
		}
		r.steps(x)
	}
}

// steps reads the history of an execution, which must end with its status.
func (r *rig) steps(x *attune.Execution) []attune.Step {
	r.Helper()
	steps, err := x.History.Steps()
	if err != nil {
		r.Fatal(err)
	}
	status := attune.NoStatus
	for _, s := range steps {
		if !s.Refused {
			status = s.To
		}
	}
	if status != x.Status {
		r.Errorf("the history of %s ends with %s, and it is %s", x.ID, status, x.Status)
	}
	return steps
}

var _ persistence.Store = (*writes)(nil)
