package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// piece is the most that is read at once. It is small, so that a throttle is
// smooth and a freeze holds little.
const piece = 16 << 10

// connection is one connection with both its halves.
type connection struct {
	proxy          *Proxy
	client, server *net.TCPConn
	once           sync.Once
	done           chan struct{} // closed when it was cut
}

// cut resets both ends and reports whether it was this call that did.
func (c *connection) cut() (now bool) {
	c.once.Do(func() {
		now = true
		close(c.done)
		reset(c.client)
		reset(c.server)
	})
	return now
}

// reset closes an end in such a way that the other is told of an error.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0) // a connection that is no longer there needs no reset
	_ = c.Close()
}

// run forwards both ways until both are at their end.
func (c *connection) run() {
	var back sync.WaitGroup
	back.Go(func() { c.forward(ToClient, c.server, c.client) })
	c.forward(ToServer, c.client, c.server)
	back.Wait()
	_ = c.client.Close() // in order: whatever was to be said is said
	_ = c.server.Close()
}

// forward carries one way to its end. A broken end breaks the other.
func (c *connection) forward(w Way, from, to *net.TCPConn) {
	buffer := make([]byte, piece)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !c.pass(w, to, buffer[:n]) {
			c.cut()
			return
		}
		if err == nil {
			continue
		}
		if !c.thawed(w) {
			return
		}
		if !errors.Is(err, io.EOF) || to.CloseWrite() != nil {
			c.cut()
		}
		return
	}
}

// pass hands bytes over as it was ordered, and reports whether the connection is
// still there.
func (c *connection) pass(w Way, to *net.TCPConn, b []byte) bool {
	for len(b) > 0 {
		if !c.thawed(w) {
			return false
		}
		p := c.proxy
		p.mu.Lock()
		delay, rate := p.orders.delay[w], p.orders.rate[w]
		p.mu.Unlock()
		if !c.wait(delay) {
			return false
		}
		part := b
		if rate > 0 {
			part = b[:min(len(b), max(1, rate/slices))]
			if !c.wait(time.Duration(len(part)) * time.Second / time.Duration(rate)) {
				return false
			}
		}
		part, sprung := p.spring(c, w, part)
		p.passed(w, len(part)) // before: who has them finds them counted
		if _, err := to.Write(part); err != nil {
			return false
		}
		if sprung != nil {
			sprung()
		}
		b = b[len(part):]
	}
	return true
}

// slices is into how many parts a second's bytes are cut by a throttle.
const slices = 50

// thawed waits while the way is frozen, and reports whether the connection is
// still there.
func (c *connection) thawed(w Way) bool {
	for {
		c.proxy.mu.Lock()
		frozen, changed := c.proxy.orders.frozen&w != 0, c.proxy.changed
		c.proxy.mu.Unlock()
		if !frozen {
			select {
			case <-c.done:
				return false
			default:
				return true
			}
		}
		select {
		case <-c.done:
			return false
		case <-changed:
		}
	}
}

// wait lets time pass, and reports whether the connection is still there.
func (c *connection) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.done:
		return false
	case <-timer.C:
		return true
	}
}
