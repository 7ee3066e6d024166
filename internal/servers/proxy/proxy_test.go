package proxy_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/attune-automation/attune/internal/servers/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// patience bounds what must happen soon; soon is what must not happen.
	patience, soon = 10 * time.Second, 50 * time.Millisecond
)

// server is one that the proxy stands before; it echoes what it is sent.
type server struct {
	t        *testing.T
	listener net.Listener
	// heard gets the error with which each connection ended for the server.
	heard chan error

	mu   sync.Mutex
	took int // bytes
}

func serve(t *testing.T) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, listener: listener, heard: make(chan error, 16)}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			served.Go(func() { s.echo(c) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		served.Wait()
	})
	return s
}

func (s *server) echo(c net.Conn) {
	defer c.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := c.Read(buffer)
		if n > 0 {
			s.mu.Lock()
			s.took += n
			s.mu.Unlock()
			if _, err := c.Write(buffer[:n]); err != nil {
				s.heard <- err
				return
			}
		}
		if err != nil {
			s.heard <- err
			return
		}
	}
}

func (s *server) addr() string { return s.listener.Addr().String() }

func (s *server) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.took
}

func dial(t *testing.T, p *proxy.Proxy) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

func send(t *testing.T, c net.Conn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
}

// echoes sends something and waits until it is back.
func echoes(t *testing.T, c net.Conn) {
	t.Helper()
	send(t, c, []byte("ping"))
	receive(t, c, "ping")
}

func receive(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("received %q, %v, want %q", got, err, want)
	}
}

// silent fails the test if a byte or an end arrives soon.
func silent(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(soon))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.EAGAIN) && !isTimeout(err) {
		t.Fatalf("%d bytes arrived, %v", n, err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// refused fails the test unless a new connection is reset, now or when it is used.
func refused(t *testing.T, p *proxy.Proxy) {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err == nil {
		err = ends(t, c)
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("it ended with %v", err)
	}
}

// ends is the error with which a connection ends.
func ends(t *testing.T, c net.Conn) error {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, c)
	if isTimeout(err) {
		t.Fatal("the connection does not end")
	}
	return err
}

func TestBytesAndEndsGoThrough(t *testing.T) {
	s := serve(t)
	p := proxy.Before(t, s.addr())
	c := dial(t, p)
	large := bytes.Repeat([]byte("0123456789"), 30_000)
	var sender sync.WaitGroup
	sender.Go(func() { _, _ = c.Write(large); _ = c.CloseWrite() })
	_ = c.SetReadDeadline(time.Now().Add(patience))
	back, err := io.ReadAll(c)
	sender.Wait()
	if err != nil || !bytes.Equal(back, large) {
		t.Fatalf("%d of %d bytes are back, %v", len(back), len(large), err)
	}
	if err := <-s.heard; !errors.Is(err, io.EOF) {
		t.Errorf("the server heard of the end: %v", err)
	}
	if n := p.Count(); n.Opened != 1 || n.ToServer != int64(len(large)) || n.ToClient != int64(len(large)) || n.Cut != 0 {
		t.Errorf("counted %+v", n)
	}
}

func TestCutResetsBothEndsAndTakesNewConnections(t *testing.T) {
	s := serve(t)
	p := proxy.Before(t, s.addr())
	one, two := dial(t, p), dial(t, p)
	echoes(t, one)
	echoes(t, two)
	if n := p.Cut(); n != 2 {
		t.Errorf("%d were cut", n)
	}
	for _, err := range []error{ends(t, one), ends(t, two), <-s.heard, <-s.heard} {
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a cut connection ended with %v", err)
		}
	}
	echoes(t, dial(t, p))
	if n := p.Count(); n.Cut != 2 || n.Opened != 3 {
		t.Errorf("counted %+v", n)
	}
}

func TestRefuseResetsOnlyNewConnections(t *testing.T) {
	p := proxy.Before(t, serve(t).addr())
	old := dial(t, p)
	echoes(t, old)
	p.Refuse(true)
	refused(t, p)
	echoes(t, old)
	p.Refuse(false)
	echoes(t, dial(t, p))
	if n := p.Count(); n.Refused != 1 || n.Opened != 2 {
		t.Errorf("counted %+v", n)
	}
}

func TestAServerThatIsAwayRefuses(t *testing.T) {
	s := serve(t)
	p := proxy.Before(t, s.addr())
	s.listener.Close()
	refused(t, p)
}

func TestAimLeadsNewConnectionsElsewhere(t *testing.T) {
	one, two := serve(t), serve(t)
	p := proxy.Before(t, one.addr())
	old := dial(t, p)
	echoes(t, old)
	p.Aim(two.addr())
	echoes(t, dial(t, p))
	echoes(t, old)
	if one.taken() != 8 || two.taken() != 4 {
		t.Errorf("one server took %d bytes, the other %d", one.taken(), two.taken())
	}
}

func TestAFrozenConnectionIsOpenAndSilentUntilItThaws(t *testing.T) {
	s := serve(t)
	p := proxy.Before(t, s.addr())
	c := dial(t, p)
	echoes(t, c)
	p.Freeze(proxy.Both)
	send(t, c, []byte("held"))
	silent(t, c)
	late := dial(t, p) // the kernel takes it, nobody answers
	send(t, late, []byte("late"))
	silent(t, late)
	if s.taken() != len("ping") {
		t.Errorf("the server took %d bytes", s.taken())
	}
	p.Thaw()
	receive(t, c, "held")
	receive(t, late, "late")
}

func TestHalfAConnectionFreezes(t *testing.T) {
	s := serve(t)
	p := proxy.Before(t, s.addr())
	c := dial(t, p)
	p.Freeze(proxy.ToClient)
	send(t, c, []byte("heard"))
	silent(t, c)
	if s.taken() != len("heard") {
		t.Errorf("the server took %d bytes", s.taken())
	}
	p.Thaw()
	receive(t, c, "heard")
	p.Freeze(proxy.ToServer)
	send(t, c, []byte("unheard"))
	silent(t, c)
	if s.taken() != len("heard") {
		t.Errorf("the server took %d bytes", s.taken())
	}
}

func TestNobodyIsToldOfAnEndWhileFrozen(t *testing.T) {
	s := serve(t)
	p := proxy.Before(t, s.addr())
	c := dial(t, p)
	echoes(t, c)
	p.Freeze(proxy.Both)
	c.Close()
	select {
	case err := <-s.heard:
		t.Fatalf("the server heard of the end: %v", err)
	case <-time.After(soon):
	}
	p.Thaw()
	if err := <-s.heard; !errors.Is(err, io.EOF) {
		t.Errorf("the server heard: %v", err)
	}
}

func TestCutAfterSomeBytesPassesNotOneMore(t *testing.T) {
	for way, name := range map[proxy.Way]string{proxy.ToServer: "to the server", proxy.ToClient: "to the client"} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			p := proxy.Before(t, s.addr())
			quiet, busy := dial(t, p), dial(t, p)
			echoes(t, quiet)
			echoes(t, busy)
			before := p.Count()
			hit := p.CutAfter(way, 1000)
			echoes(t, quiet)
			send(t, busy, make([]byte, 1500))
			if err := ends(t, busy); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("it ended with %v", err)
			}
			if h := <-hit; h.Way != way || h.Held == 0 || h.Connections != 2 {
				t.Errorf("hit %+v", h)
			}
			echoes(t, quiet)
			passed := p.Count().ToServer - before.ToServer
			if way == proxy.ToClient {
				passed = p.Count().ToClient - before.ToClient
			}
			if passed != 1000+2*4 || p.Count().Cut != 1 {
				t.Errorf("%d bytes passed, counted %+v", passed, p.Count())
			}
			echoes(t, dial(t, p)) // the trap is gone
		})
	}
}

func TestFreezeAfterSomeBytesHoldsTheRest(t *testing.T) {
	s := serve(t)
	p := proxy.Before(t, s.addr())
	c := dial(t, p)
	hit := p.FreezeAfter(proxy.ToServer, 3)
	send(t, c, []byte("frozen"))
	if h := <-hit; h.Held != 3 {
		t.Errorf("hit %+v", h)
	}
	_ = c.SetReadDeadline(time.Now().Add(soon))
	early, _ := io.ReadAll(io.LimitReader(c, 3)) // the echo of what passed may be ahead of the freeze
	silent(t, c)
	if n := p.Count(); n.ToServer != 3 || s.taken() != 3 {
		t.Errorf("the server took %d bytes, counted %+v", s.taken(), n)
	}
	p.Thaw()
	receive(t, c, "frozen"[len(early):])
}

func TestADisarmedTrapDoesNothing(t *testing.T) {
	p := proxy.Before(t, serve(t).addr())
	c := dial(t, p)
	p.CutAfter(proxy.ToServer, 1)
	p.Disarm()
	echoes(t, c)
	echoes(t, c)
}

func TestDelayAndThrottleTakeTime(t *testing.T) {
	p := proxy.Before(t, serve(t).addr())
	c := dial(t, p)
	took := func() time.Duration {
		begun := time.Now()
		send(t, c, bytes.Repeat([]byte("x"), 400))
		receive(t, c, string(bytes.Repeat([]byte("x"), 400)))
		return time.Since(begun)
	}
	p.Delay(proxy.Both, 40*time.Millisecond)
	if d := took(); d < 80*time.Millisecond {
		t.Errorf("delayed twice, it took %s", d)
	}
	p.Delay(proxy.Both, 0)
	p.Throttle(proxy.ToServer, 4000)
	if d := took(); d < 90*time.Millisecond {
		t.Errorf("throttled, it took %s", d)
	}
	p.Throttle(proxy.ToServer, 0)
	p.Throttle(proxy.ToClient, 1) // nobody waits for that
	send(t, c, []byte("hello"))
}

func TestCloseEndsWhatIsFrozen(t *testing.T) {
	s := serve(t)
	p := proxy.Before(t, s.addr())
	c := dial(t, p)
	echoes(t, c)
	p.Freeze(proxy.Both)
	send(t, c, []byte("never"))
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	if err := ends(t, c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("it ended with %v", err)
	}
}
