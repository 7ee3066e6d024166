package proxy

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// Way is a direction in which bytes go.
type Way uint8

// The ways. Both is a set of the other two.
const (
	ToServer Way = 1 << iota
	ToClient
	Both = ToServer | ToClient
)

func (w Way) String() string {
	switch w {
	case ToServer:
		return "to the server"
	case ToClient:
		return "to the client"
	default:
		return "both ways"
	}
}

// Proxy forwards connections to one server. Its methods may be called from any
// goroutine; what they order holds for connections that are there and for those to
// come, until it is ordered otherwise.
type Proxy struct {
	listener net.Listener
	// served is done when the listener and every connection are.
	served sync.WaitGroup

	mu      sync.Mutex
	orders  orders
	changed chan struct{} // closed when there are other orders
	open    map[*connection]bool
	trap    *trap
	closed  bool
	count   Count
}

// orders are what is done to bytes, apart for each way.
type orders struct {
	target string
	refuse bool
	frozen Way
	delay  map[Way]time.Duration
	rate   map[Way]int
}

// Count is what a proxy has done since it was opened.
type Count struct {
	// Opened are the connections that reached the server; Refused those that
	// did not, by order or because the server was away.
	Opened, Refused int
	// Cut are the connections that were cut by order.
	Cut int
	// ToServer and ToClient are the bytes that went through.
	ToServer, ToClient int64
}

// Listen opens a proxy before the server at a host:port, on a free port of
// loopback. The server need not be there yet.
func Listen(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy before %s: %w", target, err)
	}
	p := &Proxy{listener: listener, changed: make(chan struct{}), open: map[*connection]bool{},
		orders: orders{target: target, delay: map[Way]time.Duration{}, rate: map[Way]int{}}}
	p.served.Go(p.accept)
	return p, nil
}

// Before is [Listen] for a test, which ends with it.
func Before(t testing.TB, target string) *Proxy {
	t.Helper()
	p, err := Listen(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// Addr is the host:port at which clients find the server.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Port is the port of [Proxy.Addr].
func (p *Proxy) Port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// Close cuts everything and returns when nothing of the proxy is left. It may be
// called twice.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.listener.Close()
	p.Cut()
	p.served.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Cut resets every connection, and says how many there were. New ones are taken;
// see [Proxy.Refuse].
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	cut := 0
	for c := range p.open {
		if c.cut() {
			cut++
		}
	}
	p.count.Cut += cut
	return cut
}

// Aim lets new connections reach another server.
func (p *Proxy) Aim(target string) { p.order(func(o *orders) { o.target = target }) }

// Refuse says whether new connections are reset at once.
func (p *Proxy) Refuse(yes bool) { p.order(func(o *orders) { o.refuse = yes }) }

// Freeze stops all bytes that go that way, and nothing else. Those of the other
// way still go if it is not frozen, too: a connection that is half open. What is
// on its way waits for [Proxy.Thaw], also the news that an end has closed.
func (p *Proxy) Freeze(w Way) { p.order(func(o *orders) { o.frozen |= w }) }

// Thaw lets everything go on that was frozen, by [Proxy.FreezeAfter] too.
func (p *Proxy) Thaw() { p.order(func(o *orders) { o.frozen = 0 }) }

// Delay holds every piece of what goes that way for so long, one after the other:
// so it also bounds how much goes. 0 ends it.
func (p *Proxy) Delay(w Way, d time.Duration) {
	p.order(func(o *orders) { set(o.delay, w, d) })
}

// Throttle lets so many bytes in a second go that way, on each connection. 0 ends
// it.
func (p *Proxy) Throttle(w Way, bytes int) {
	p.order(func(o *orders) { set(o.rate, w, bytes) })
}

func set[V any](of map[Way]V, w Way, v V) {
	for _, one := range []Way{ToServer, ToClient} {
		if w&one != 0 {
			of[one] = v
		}
	}
}

func (p *Proxy) order(change func(*orders)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.orders)
	close(p.changed)
	p.changed = make(chan struct{})
}

// Count is what was done so far.
func (p *Proxy) Count() Count {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// Connections is how many are open now.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.served.Go(func() { p.serve(client.(*net.TCPConn)) })
	}
}

// serve carries one connection to its end.
func (p *Proxy) serve(client *net.TCPConn) {
	p.mu.Lock()
	target, refuse := p.orders.target, p.orders.refuse
	p.mu.Unlock()
	var server net.Conn
	err := errors.New("refused")
	if !refuse {
		server, err = net.DialTimeout("tcp", target, 5*time.Second)
	}
	if err != nil {
		reset(client)
		p.mu.Lock()
		p.count.Refused++
		p.mu.Unlock()
		return
	}
	c := &connection{proxy: p, client: client, server: server.(*net.TCPConn), done: make(chan struct{})}
	p.mu.Lock()
	p.count.Opened++
	p.open[c] = true
	if p.closed {
		c.cut()
	}
	p.mu.Unlock()
	c.run()
	p.mu.Lock()
	delete(p.open, c)
	p.mu.Unlock()
}
