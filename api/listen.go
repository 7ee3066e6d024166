package api

import (
	"fmt"
	"net"
	"sync"

	"github.com/attune-automation/attune"
)

// Listen opens the address. One that other machines can reach is refused unless
// it is guarded: by TLS of the listener's caller, or by something in front of it
// that adds TLS. Else tokens would cross the network readable. At most 4,096
// connections are open at a time; the next waits to be accepted.
func Listen(addr string, guarded bool) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_address", Message: "it is not HOST:PORT", Where: addr, Try: "127.0.0.1:9370"}
	}
	if !guarded && !loopback(host) {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "plaintext_refused",
			Message: "other machines could reach this address without TLS and read tokens on the way", Where: addr,
			Try: "--tls-cert and --tls-key; or listen on 127.0.0.1, or pass --insecure-plaintext-listen where a proxy adds TLS"}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &attune.Error{Kind: attune.Unavailable, Code: "listen", Message: "the address cannot be listened on", Where: addr, Cause: err,
			Try: "another --listen HOST:PORT; port 0 takes any free one"}
	}
	// What was asked for by name is judged by what it became.
	if tcp, ok := l.Addr().(*net.TCPAddr); ok && !guarded && !tcp.IP.IsLoopback() {
		_ = l.Close()
		return nil, fmt.Errorf("%s is %s, which is not of this machine alone: refused", addr, tcp.IP)
	}
	return newBounded(l, maxConnections), nil
}

// maxConnections leaves files for everything else that the process opens.
const maxConnections = 4096

// bounded is a listener that accepts only so many connections at a time. The
// naive way accepts until the process is out of files, and then the store and
// the actions have none either.
type bounded struct {
	net.Listener
	places chan struct{}
	once   sync.Once
	closed chan struct{}
}

func newBounded(l net.Listener, most int) *bounded {
	return &bounded{Listener: l, places: make(chan struct{}, most), closed: make(chan struct{})}
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.places <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.places
		return nil, err
	}
	return &place{Conn: c, leave: sync.OnceFunc(func() { <-b.places })}, nil
}

// Close implements net.Listener.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

// place is a connection that gives its place back.
type place struct {
	net.Conn
	leave func()
}

// CloseWrite ends the server's half. Without it the answer to a body that was
// not read to its end, such as 413, would be lost on the way.
func (p *place) CloseWrite() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close implements net.Conn.
func (p *place) Close() error {
	p.leave()
	return p.Conn.Close()
}

// loopback says whether only this machine can reach the host. Names other than
// localhost are not resolved: what they mean may change.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
