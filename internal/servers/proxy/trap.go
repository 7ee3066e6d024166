package proxy

// trap waits for a byte, and then does something to the connection that carries
// it.
type trap struct {
	way   Way
	after int64
	// passed are bytes since it was laid, apart for each connection, so that a
	// quiet one does not spring what was laid for a busy one.
	passed map[*connection]int64
	act    func(*connection)
	hit    chan Hit
}

// Hit is what a trap met.
type Hit struct {
	Way Way
	// Held are the bytes that had arrived with the last one that passed, and
	// did not pass themselves: more than none when it was in the middle of
	// something.
	Held int
	// Connections is how many were open.
	Connections int
}

// CutAfter cuts the first connection over which n more bytes have gone that way;
// not one more goes. The answer comes by the channel. There is one trap at a time:
// a new one takes the place of the last.
func (p *Proxy) CutAfter(w Way, n int64) <-chan Hit {
	return p.lay(w, n, func(c *connection) {
		if c.cut() {
			p.count.Cut++
		}
	})
}

// FreezeAfter freezes both ways, of all connections, when n more bytes have gone
// that way over one of them. See [Proxy.Thaw].
func (p *Proxy) FreezeAfter(w Way, n int64) <-chan Hit {
	return p.lay(w, n, func(*connection) {
		p.orders.frozen = Both
		close(p.changed)
		p.changed = make(chan struct{})
	})
}

// Disarm takes the trap away, if it has not sprung.
func (p *Proxy) Disarm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trap = nil
}

func (p *Proxy) lay(w Way, n int64, act func(*connection)) <-chan Hit {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trap = &trap{way: w, after: n, passed: map[*connection]int64{}, act: act, hit: make(chan Hit, 1)}
	return p.trap.hit
}

// spring says how much of the bytes may pass, and what is to be done when they
// have passed, if this is where the trap lies.
func (p *Proxy) spring(c *connection, w Way, b []byte) ([]byte, func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.trap
	if t == nil || t.way&w == 0 {
		return b, nil
	}
	left := t.after - t.passed[c]
	t.passed[c] += int64(len(b))
	if int64(len(b)) < left {
		return b, nil
	}
	p.trap = nil
	held := len(b) - int(left)
	return b[:left], func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		t.act(c)
		t.hit <- Hit{Way: w, Held: held, Connections: len(p.open)}
	}
}

func (p *Proxy) passed(w Way, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w == ToServer {
		p.count.ToServer += int64(n)
	} else {
		p.count.ToClient += int64(n)
	}
}
