package losing_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/attune/api/client"
	"github.com/attune-automation/attune/internal/servers/mqtest"
	"github.com/attune-automation/attune/internal/servers/pgtest"
	"github.com/attune-automation/attune/internal/servers/proxy"
	"github.com/attune-automation/attune/test/losing/check"
)

// pace is how many things are asked for in a second.
const pace = 25

// rig is everything that a test has for itself: servers, proxies, processes, load.
type rig struct {
	// t is the scenario under way.
	t *testing.T
	// dir is above everything else, and known to every process of this rig by
	// its environment, its program or its arguments.
	dir, home, packs, program string
	random                    *rand.Rand
	supervised                []*supervised

	mu        sync.Mutex
	starts    int
	processes []*process

	pg *pgtest.Server
	mq *mqtest.Server
	// database and broker are the URLs of the servers themselves.
	database, broker string
	// databaseURL and brokerURL lead there through the proxies.
	databaseURL, brokerURL string
	// toPG and toMQ stand before them for the node.
	toPG, toMQ *proxy.Proxy

	proxies []*proxy.Proxy // all of them

	port  int // of the node's API
	data  string
	node  *supervised
	ended int          // how often it did, as far as known
	toAPI *proxy.Proxy // before the node, for the load
	// toOutside stands before the broker, for its other clients.
	toOutside *proxy.Proxy
	client    *client.Client
	workers   map[string]*worker
	load      *load
	report
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{t: t, dir: dir, home: filepath.Join(dir, "home"), packs: filepath.Join(dir, "packs"), data: filepath.Join(dir, "node"),
		program: filepath.Join(dir, "attune"), random: rand.New(rand.NewPCG(*seed, 1)), workers: map[string]*worker{}, report: newReport(), port: freePort(t)}
	must(t, os.Chmod(dir, 0o755))
	for _, folder := range []string{r.home, r.data, filepath.Join(dir, "tmp")} {
		must(t, os.MkdirAll(folder, 0o700))
	}
	must(t, os.CopyFS(r.packs, os.DirFS("testdata/packs")))
	place(t, built.attune, r.program)
	place(t, built.action, filepath.Join(r.packs, "lose", "actions", "program"))

	r.pg, r.mq = pgtest.Private(t), mqtest.Private(t)
	var err error
	r.database, _, err = r.pg.Database(t.Context()) // it goes with its server
	must(t, err)
	r.broker = mqtest.Host(t, r.mq)
	r.toPG, r.toMQ = r.before(hostOf(t, r.database)), r.before(r.mq.Address())
	r.databaseURL, r.brokerURL = through(t, r.database, r.toPG), through(t, r.broker, r.toMQ)
	t.Cleanup(r.end)
	return r
}

// hostOf is the host:port of a URL.
func hostOf(t *testing.T, of string) string {
	t.Helper()
	u, err := url.Parse(of)
	must(t, err)
	return u.Host
}

// through is a URL with the proxy's address.
func through(t *testing.T, of string, p *proxy.Proxy) string {
	t.Helper()
	u, err := url.Parse(of)
	must(t, err)
	u.Host = p.Addr()
	return u.String()
}

// freePort lies below the ports that the system gives to clients, one of which
// could take it while the node is away.
func freePort(t *testing.T) int {
	t.Helper()
	for port := 15_000 + rand.IntN(4000); ; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			must(t, l.Close())
			return port
		}
	}
}

// place makes a program appear under another name.
func place(t *testing.T, from, to string) {
	t.Helper()
	if os.Link(from, to) == nil {
		return
	}
	source, err := os.Open(from)
	must(t, err)
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	must(t, err)
	_, err = io.Copy(target, source)
	must(t, err)
	must(t, target.Close())
}

// end ends what was started, and finds it guilty of anything left.
func (r *rig) end() {
	for _, w := range r.standing() {
		w.stop(r.t)
	}
	if r.load != nil {
		r.load.outside.close()
	}
	for _, p := range r.supervised {
		p.stop(r.t)
	}
	for _, p := range r.everything() {
		if p.running() {
			p.kill()
		}
	}
	for _, p := range r.proxies {
		_ = p.Close() // nobody is behind it
	}
	var left []found
	if !eventually(patience, func() bool { left = processesOf(r.dir); return len(left) == 0 }) {
		r.t.Errorf("processes are left: %v", left)
	}
	for _, p := range left {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
}

// serve has the node run from now on, and waits until it takes work.
func (r *rig) serve() {
	r.t.Helper()
	r.node = r.supervise("node", r.data, r.address())
	token := filepath.Join(r.data, "token")
	await(r.t, "the node to write its token", func() bool {
		_, err := os.Stat(token)
		return err == nil
	})
	content, err := os.ReadFile(token)
	must(r.t, err)
	r.toAPI = r.before(r.address())
	r.client, err = client.New("http://"+r.toAPI.Addr(), strings.TrimSpace(string(content)))
	must(r.t, err)
	r.toOutside = r.before(r.mq.Address())
	r.load = &load{client: r.client, outside: &outside{url: through(r.t, r.broker, r.toOutside)}, random: rand.New(rand.NewPCG(*seed, 0))}
	r.ready()
}

func (r *rig) ready() {
	r.t.Helper()
	if !eventually(patience, func() bool {
		ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
		defer cancel()
		return r.client.Ready(ctx) == nil
	}) {
		r.t.Fatalf("the node does not get ready; it said:\n%s", r.node.now().said())
	}
}

// address is where the node listens, over all its starts.
func (r *rig) address() string { return fmt.Sprintf("127.0.0.1:%d", r.port) }

// scenario loses something while the load goes on, waits until everything is
// at its end, and has it judged.
func (r *rig) scenario(main *testing.T, name string, lose func()) {
	main.Run(name, func(t *testing.T) {
		was := r.t
		r.t = t
		defer func() { r.t = was }()
		defer r.explain()
		begun := time.Now()
		r.heal()
		r.load.begin(pace)
		func() {
			defer r.load.stop() // also where the scenario gave up
			lose()
		}()
		r.quiesce()
		r.judge(name, begun)
	})
}

// heal makes everything as it is between scenarios.
func (r *rig) heal() {
	r.t.Helper()
	for _, p := range []*proxy.Proxy{r.toPG, r.toMQ, r.toAPI, r.toOutside} {
		heal(p)
	}
	must(r.t, r.mq.Start(r.t.Context()))
	if c, err := pgx.Connect(r.t.Context(), r.database); err == nil {
		must(r.t, c.Close(r.t.Context()))
	} else {
		must(r.t, r.pg.Start(r.t.Context()))
	}
	r.ready()
	for _, name := range []string{"one", "two"} {
		w := r.workers[name]
		if w == nil {
			w = r.newWorker(name)
		}
		heal(w.toMQ)
		heal(w.toAPI)
		if w.process == nil || !w.running() {
			w.begin()
		}
		w.signal(syscall.SIGCONT)
	}
	await(r.t, "the workers to be there", func() bool { return r.isAlive("one") && r.isAlive("two") })
}

func heal(p *proxy.Proxy) {
	p.Disarm()
	p.Refuse(false)
	p.Thaw()
	p.Delay(proxy.Both, 0)
	p.Throttle(proxy.Both, 0)
}

// quiesce waits until nothing lives any more; the checker says what does. It asks
// the database, which tells all statuses as they are at one moment.
func (r *rig) quiesce() {
	r.t.Helper()
	left := 0
	if !eventually(2*patience, func() bool {
		left = r.untaken() + r.query("SELECT (SELECT count(*) FROM execution WHERE finished IS NULL) + (SELECT count(*) FROM event WHERE evaluated IS NULL)")[0]
		return left == 0
	}) {
		r.t.Errorf("waited %s in vain for quiet; %d executions, events and messages are left", 2*patience, left)
	}
}

// untaken is how many messages from outside the broker confirmed and the node did
// not store yet.
func (r *rig) untaken() int {
	const text = "SELECT count(*) FROM unnest($1::text[]) AS k (key) WHERE NOT EXISTS (SELECT 1 FROM event WHERE payload->>'key' = k.key)"
	return r.query(text, r.load.taken())[0]
}

// judge has the checker look at everything since the rig began.
func (r *rig) judge(name string, begun time.Time) {
	r.t.Helper()
	if n := r.node.again(); n > r.ended {
		r.t.Errorf("the node ended %d times, and none of this is a reason to", n-r.ended)
		r.ended = n
	}
	in := r.rows()
	in.Plan, in.Counts, in.Harm = check.Plan{Offers: 100}, r.counts, r.harm
	r.judged(r.t, name, begun, in, check.Check(in))
}

// explain shows what the processes said, when the scenario failed.
func (r *rig) explain() {
	if !r.t.Failed() {
		return
	}
	for _, p := range r.everything() {
		if p.running() || slices.ContainsFunc(r.standing(), func(w *worker) bool { return w.process == p }) {
			r.t.Logf("%s said:\n%s", p.name, p.said())
		}
	}
}
