package losing_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/attune-automation/attune/internal/servers/proxy"
)

// Connections are cut in the middle of what they carry: a flush on its way to
// PostgreSQL, the answer to one, bundles and confirms both ways between the broker
// and the node, a worker, and a client of somebody else's.
func (r *rig) cutConnections() {
	const times = 6
	cuts := []struct {
		name string
		by   *proxy.Proxy
		way  proxy.Way
		most int // bytes that pass before
	}{
		{"in the middle of a flush", r.toPG, proxy.ToServer, 6000},
		{"in the middle of the answer to a flush", r.toPG, proxy.ToClient, 6000},
		{"in the middle of a bundle to the broker", r.toMQ, proxy.ToServer, 6000},
		{"in the middle of a report to the node", r.toMQ, proxy.ToClient, 6000},
		{"in the middle of a worker's report", r.workers["one"].toMQ, proxy.ToServer, 6000},
		{"in the middle of a dispatch", r.workers["two"].toMQ, proxy.ToClient, 6000},
		{"in the middle of a message from outside", r.toOutside, proxy.ToServer, 1000},
		{"in the middle of the confirm of a message from outside", r.toOutside, proxy.ToClient, 60},
	}
	met := map[string]int{}
	for range times {
		for _, cut := range cuts {
			trap := cut.by.CutAfter(cut.way, int64(r.random.IntN(cut.most)))
			for range 8 { // so that there is something in the middle of which it can be
				r.load.offer(r.load.any())
			}
			hit, sprung := r.hit(trap)
			cut.by.Disarm()
			if !sprung {
				continue // it was quiet for 5 s
			}
			back := time.Now()
			if hit.Held > 0 {
				r.count("connections cut " + cut.name)
				met[cut.name]++
			}
			r.acknowledgesAgain("requests acknowledged after a cut "+cut.name, back, 5*time.Second)
			if cut.by != r.toPG && cut.by != r.toOutside { // these connect when they need to
				await(r.t, "the connection to be there again", func() bool { return cut.by.Connections() >= hit.Connections })
				r.recovered(r.t, "connected again after a cut "+cut.name, time.Since(back), 0)
			}
		}
	}
	for _, cut := range cuts {
		if met[cut.name] < times/2 {
			r.t.Errorf("thin: only %d of %d cuts were %s", met[cut.name], times, cut.name)
		}
	}
}

// hit waits for a trap to spring.
func (r *rig) hit(trap <-chan proxy.Hit) (proxy.Hit, bool) {
	select {
	case h := <-trap:
		return h, true
	case <-time.After(5 * time.Second):
		return proxy.Hit{}, false
	}
}

// noticed is how long it may take until everybody knows whose lease has ended.
const noticed = 5 * time.Second

// The node is frozen while a flush is half sent, for longer than its lease. When it
// goes on it has lost nothing, and nothing is done twice. It answers no worker
// meanwhile, so that leases of workers may end, too.
func (r *rig) freezeNode() {
	defer r.harming()()
	for range 2 {
		node := r.freezeInFlush()
		pass(7 * time.Second)
		r.toPG.Thaw()
		node.signal(syscall.SIGCONT)
		r.acknowledgesAgain("requests acknowledged by a node that was frozen", time.Now(), 0)
	}
	pass(noticed)
}

// freezeInFlush freezes the node and its way to PostgreSQL when a flush is half
// sent.
func (r *rig) freezeInFlush() *process {
	r.t.Helper()
	trap := r.toPG.FreezeAfter(proxy.ToServer, int64(10_000+r.random.IntN(100_000)))
	r.offerText(20, 20_000)
	hit, met := r.hit(trap)
	if !met {
		r.t.Fatal("nothing was written")
	}
	node := r.node.now()
	node.signal(syscall.SIGSTOP)
	if hit.Held > 0 {
		r.count("nodes frozen in the middle of a flush")
	}
	return node
}

// The same, and another node takes over meanwhile. The first one, when it goes on,
// is fenced: what it had half sent is not stored, and it ends.
func (r *rig) succeedNode() {
	defer r.harming()()
	first, way := r.node, r.toPG
	frozen := r.freezeInFlush()
	at := time.Now()
	key := filepath.Join(r.data, "attune.key")
	r.port, r.data, r.toPG = freePort(r.t), r.data+"-2", r.before(hostOf(r.t, r.database))
	r.databaseURL = through(r.t, r.database, r.toPG)
	r.node = r.supervise("successor", r.data, r.address(), "--key", key)
	r.ended = 0
	r.toAPI.Aim(r.address())
	r.toAPI.Cut()
	for _, w := range r.workers {
		w.toAPI.Aim(r.address())
	}
	aimed := time.Now()
	r.ready()
	r.recovered(r.t, "another node takes over from one that is frozen in the middle of a flush", time.Since(at), 0)
	r.acknowledgesAgain("requests acknowledged by the node that took over, after its start", aimed, 0)
	pass(3 * time.Second)
	first.retire()
	way.Thaw()
	frozen.signal(syscall.SIGCONT)
	thawed := time.Now()
	if !eventually(patience, func() bool { return !frozen.running() }) {
		r.t.Errorf("a node that another took over from goes on; it said:\n%s", frozen.said())
		frozen.kill()
	}
	r.recovered(r.t, "a node that another took over from ends", time.Since(thawed), 0)
	r.worksAgain("work begins at the node that took over", r.lines(), time.Now(), 0)
	pass(noticed)
}

// offerText offers events with much to store.
func (r *rig) offerText(many, size int) {
	for range many {
		o := r.load.any()
		for o.Kind == "" {
			o = r.load.any()
		}
		o.text = strings.Repeat("text ", size/5)
		r.load.offer(o)
	}
}
