package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/internal/servers/mqtest"
	"github.com/attune-automation/attune/internal/servers/pgtest"
	"github.com/attune-automation/attune/messages/rabbitmq"
	"github.com/attune-automation/attune/node"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence"
	"github.com/attune-automation/attune/persistence/postgres"
	"github.com/attune-automation/attune/worker"
	"github.com/attune-automation/attune/worker/journal"
	"github.com/attune-automation/attune/worker/runners"
)

// servers are a PostgreSQL and a RabbitMQ of the bench's own, and a worker that is
// a process: this command again. The node is in this process, as `attune server`
// has it in its own, without the HTTP that an event would come by.
type servers struct {
	pg       *pgtest.Server
	mq       *mqtest.Server
	database string
	broker   *rabbitmq.Broker
	worker   *exec.Cmd
	ask      io.WriteCloser // a line asks the worker what it has sent, the end of it ends it
	answers  *bufio.Scanner
}

// synced are the settings of a server that loses nothing of what it has
// acknowledged when the machine stops.
var synced = map[string]string{"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "shared_buffers": "256MB", "max_wal_size": "4GB", "autovacuum_naptime": "60s"}

func openServers(ctx context.Context) (s *servers, err error) {
	s = &servers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.pg, err = pgtest.Start(ctx, pgtest.Config{Settings: synced}); err != nil {
		return s, err
	}
	if s.mq, err = mqtest.OpenPrivate(ctx); err != nil {
		return s, err
	}
	return s, nil
}

func (s *servers) close() (err error) {
	if s.pg != nil {
		err = s.pg.Close()
	}
	if s.mq != nil {
		err = errors.Join(err, s.mq.Close())
	}
	return err
}

// with runs use on a node with a new database and virtual host, and a worker.
func (s *servers) with(ctx context.Context, use func(*rig) error) (err error) {
	var drop func(context.Context) error
	if s.database, drop, err = s.pg.Database(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop(ctx)) }()
	store, err := postgres.Open(ctx, postgres.Config{URL: s.database, Migrate: true})
	if err != nil {
		return err
	}
	defer store.Close()
	host, err := s.mq.VirtualHost(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.mq.Drop(ctx, host)) }()
	if s.broker, err = rabbitmq.Open(rabbitmq.Config{URL: host, Name: "bench", Clock: node.NewClock()}); err != nil {
		return err
	}
	defer s.broker.Close()
	lent, turns := &node.Lent{}, node.NewTurns()
	r := &rig{store: store, servers: s, done: make(chan struct{}, 1<<20)}
	r.node = node.New(node.Config{Name: "bench", Incarnation: "bench-1", MaxLive: 2_000_000},
		node.Parts{Clock: node.NewClock(), Lend: lent.Lend, Dispatcher: turns, Store: ended{store, r.done}, Broker: s.broker})
	if err := r.node.SetCatalog(ctx, packs.NewSnapshot([]*attune.Pack{pack()})); err != nil {
		return err
	}
	if err := r.node.Start(ctx); err != nil {
		return err
	}
	err = s.startWorker(host)
	if err == nil {
		err = r.settle(ctx, "local-1")
	}
	if err == nil {
		err = use(r)
	}
	err = errors.Join(err, s.stopWorker(), r.node.Stop(ctx))
	lent.Wait()
	turns.Stop()
	return err
}

func (s *servers) startWorker(host string) error {
	me, err := os.Executable()
	if err != nil {
		return err
	}
	s.worker = exec.Command(me, "-worker", host)
	s.worker.Stderr = os.Stderr
	s.worker.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if s.ask, err = s.worker.StdinPipe(); err != nil {
		return err
	}
	out, err := s.worker.StdoutPipe()
	if err != nil {
		return err
	}
	s.answers = bufio.NewScanner(out)
	return s.worker.Start()
}

func (s *servers) stopWorker() error {
	if s.worker == nil || s.worker.Process == nil {
		return nil
	}
	err := s.ask.Close()
	return errors.Join(err, s.worker.Wait())
}

// sent is what the worker has sent over the broker.
func (s *servers) sent() (n uint64, err error) {
	if _, err := io.WriteString(s.ask, "\n"); err != nil {
		return 0, err
	}
	if !s.answers.Scan() {
		return 0, errors.New("the worker has ended")
	}
	return strconv.ParseUint(s.answers.Text(), 10, 64)
}

// workerProcess is the worker, until its input ends.
func workerProcess(_ context.Context, o options) error {
	node.Ballast()
	signal.Ignore(syscall.SIGINT) // its bench ends it
	broker, err := rabbitmq.Open(rabbitmq.Config{URL: o.Worker, Name: "bench worker", Clock: node.NewClock()})
	if err != nil {
		return err
	}
	defer broker.Close()
	lent, began := &node.Lent{}, time.Now()
	w, err := worker.New(worker.Config{Name: "local", NewIncarnation: func() string { return "local-1" }, Slots: serverSlots, Broker: broker,
		Clock: node.NewClock(), Mono: func() time.Duration { return time.Since(began) }, Journal: journal.NewMemory(lent.Lend),
		Runners: map[string]worker.Runner{"noop": runners.Noop{}}})
	if err != nil {
		return err
	}
	if err := w.Start(); err != nil {
		return err
	}
	for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
		fmt.Println(broker.Stats().Published)
	}
	w.Stop()
	lent.Wait()
	return nil
}

// ended is a store that says when the end of an execution is committed.
type ended struct {
	*postgres.Store
	done chan struct{}
}

func (e ended) Flush(ctx context.Context, incarnation string, ops []persistence.Op) ([]persistence.Answer, error) {
	answers, err := e.Store.Flush(ctx, incarnation, ops)
	for i, a := range answers {
		op, ok := ops[i].(*persistence.Save)
		if ok && op.Execution.Status.Terminal() && a.Outcome == persistence.Committed {
			e.done <- struct{}{}
		}
	}
	return answers, err
}

// Servers are the figures that only they have, per execution at saturation.
type Servers struct {
	// Processes is processor time in microseconds, by process.
	Processes map[string]float64 `json:"cpu_us_per_execution_by_process"`
	// WAL is bytes of PostgreSQL's log.
	WAL float64 `json:"wal_bytes_per_execution"`
	// Transactions is how many the server committed: also those that only read.
	Transactions float64 `json:"transactions_per_execution"`
	// Messages are AMQP messages between node and worker; Announcements those to
	// whoever listens.
	Messages      float64 `json:"work_messages_per_execution"`
	Announcements float64 `json:"announcements_per_execution"`
	// IdleCommits and IdleCPU are per second while nothing is done; the latter is
	// in cores.
	IdleCommits float64 `json:"idle_commits_per_second"`
	IdleCPU     float64 `json:"idle_cores"`
}

// use is what the servers and processes had used at a moment.
type use struct {
	cpu               map[string]time.Duration
	wal, transactions int64
	node, worker      uint64
	announced         int64
}

func (s *servers) use(ctx context.Context, r *rig) (u use, err error) {
	u.cpu = map[string]time.Duration{"server": cpuTime(), "worker": processTime(s.worker.Process.Pid)}
	if pid, err := s.pg.PID(); err == nil {
		u.cpu["postgres"] = treeTime(pid)
	}
	u.cpu["rabbitmq"] = treeTime(s.mq.PID())
	if u.wal, err = s.pg.WALBytes(ctx); err != nil {
		return u, err
	}
	if u.transactions, err = s.pg.Transactions(ctx, s.database); err != nil {
		return u, err
	}
	u.node = s.broker.Stats().Published
	if u.worker, err = s.sent(); err != nil {
		return u, err
	}
	rows, err := r.store.PartitionRows(ctx)
	for _, p := range rows {
		u.announced += p.FinishNumber
	}
	return u, err
}

// between fills in what was used from one moment to another, by n executions.
func (f *Servers) between(a, b use, n float64) {
	f.Processes = map[string]float64{}
	for name, cpu := range b.cpu {
		f.Processes[name] = float64((cpu - a.cpu[name]).Microseconds()) / n
	}
	f.WAL = float64(b.wal-a.wal) / n
	f.Transactions = float64(b.transactions-a.transactions) / n
	f.Announcements = float64(b.announced-a.announced) / n
	f.Messages = float64(b.node-a.node+b.worker-a.worker)/n - f.Announcements
}

func (f *Servers) cpu() (sum float64) {
	for _, cpu := range f.Processes {
		sum += cpu
	}
	return sum
}

// nothing measures what it costs that all is there and nobody asks for anything.
func (r *Report) nothing(ctx context.Context, rig *rig, during time.Duration) error {
	rig.offer(func() {})
	<-rig.done
	time.Sleep(2 * time.Second)
	a, err := rig.servers.use(ctx, rig)
	if err != nil {
		return err
	}
	commits := rig.store.Stats().Commits
	time.Sleep(during)
	r.Servers.IdleCommits = float64(rig.store.Stats().Commits-commits) / during.Seconds()
	b, err := rig.servers.use(ctx, rig)
	for _, name := range []string{"server", "worker", "postgres"} { // rabbitmq idles as it does
		r.Servers.IdleCPU += (b.cpu[name] - a.cpu[name]).Seconds() / during.Seconds()
	}
	return err
}

// processTime is the processor time of a process, to 10 ms.
func processTime(pid int) time.Duration {
	ticks, _ := stat(pid)
	return time.Duration(ticks) * 10 * time.Millisecond
}

// treeTime is that of a process and all below it that live.
func treeTime(root int) (sum time.Duration) {
	parents := map[int]int{}
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			_, parents[pid] = stat(pid)
		}
	}
	for pid := range parents {
		for up := pid; up > 1; up = parents[up] {
			if up == root {
				sum += processTime(pid)
				break
			}
		}
	}
	return sum
}

// stat reads the ticks that a process has used, with children that have ended,
// and its parent.
func stat(pid int) (ticks int64, parent int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	_, rest, _ := strings.Cut(string(text), ") ") // a name may hold anything
	f := strings.Fields(rest)
	if len(f) < 15 {
		return 0, 0
	}
	parent, _ = strconv.Atoi(f[1])
	for _, i := range []int{11, 12, 13, 14} {
		n, _ := strconv.ParseInt(f[i], 10, 64)
		ticks += n
	}
	return ticks, parent
}

// onServers is the bench on servers.
func onServers(ctx context.Context, o options) error {
	node.Ballast()
	s, err := openServers(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	r := Report{Servers: &Servers{}}
	r.begin()
	for _, figure := range []func(*rig) error{
		func(rig *rig) error { return r.alone(ctx, rig, o.Alone) },
		func(rig *rig) error { return r.saturated(ctx, rig, o.Count) },
		func(rig *rig) error { return r.half(ctx, rig, 5*time.Second) },
		func(rig *rig) error { return r.nothing(ctx, rig, 10*time.Second) },
	} {
		if err := s.with(ctx, figure); err != nil {
			return err
		}
	}
	r.own -= s.time() // their use is our own
	r.end()
	return r.finish(o, os.Stdout)
}

// time is the processor time of the servers, and of all workers that have ended.
func (s *servers) time() (sum time.Duration) {
	if pid, err := s.pg.PID(); err == nil {
		sum = treeTime(pid)
	}
	var ended syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &ended); err == nil {
		sum += time.Duration(ended.Utime.Nano() + ended.Stime.Nano())
	}
	return sum + treeTime(s.mq.PID())
}

func (r *Report) finish(o options, w io.Writer) error {
	if o.JSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return err
		}
	} else {
		r.print(w)
	}
	return r.gate()
}
