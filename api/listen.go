package api

import (
	"fmt"
	"net"

	"github.com/attune-automation/attune"
)

// Listen opens the address for plain HTTP. An address that other machines can
// reach is refused, because tokens would cross the network readable, unless
// allowPlaintext says that something in front of it adds TLS.
func Listen(addr string, allowPlaintext bool) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "invalid_address", Message: "it is not HOST:PORT", Where: addr, Try: "127.0.0.1:9370"}
	}
	if !allowPlaintext && !loopback(host) {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "plaintext_refused",
			Message: "other machines could reach this address without TLS and read tokens on the way", Where: addr,
			Try: "listen on 127.0.0.1, or pass --insecure-plaintext-listen where a proxy adds TLS"}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &attune.Error{Kind: attune.Unavailable, Code: "listen", Message: "the address cannot be listened on", Where: addr, Cause: err,
			Try: "another --listen HOST:PORT; port 0 takes any free one"}
	}
	// What was asked for by name is judged by what it became.
	if tcp, ok := l.Addr().(*net.TCPAddr); ok && !allowPlaintext && !tcp.IP.IsLoopback() {
		_ = l.Close()
		return nil, fmt.Errorf("%s is %s, which is not of this machine alone: refused", addr, tcp.IP)
	}
	return l, nil
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
