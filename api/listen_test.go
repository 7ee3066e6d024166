package api

import (
	"errors"
	"net"
	"testing"
)

// The inside is the point: the real bound is too high to reach.
func TestConnectionsAreBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newBounded(inner, 2)
	accepted := make(chan net.Conn)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	var clients []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	first, second := <-accepted, <-accepted
	if n := len(l.places); n != 2 {
		t.Errorf("%d places are taken", n)
	}
	select {
	case <-accepted:
		t.Error("a third was accepted")
	default:
	}
	for range 2 { // the place is given back once
		_ = first.Close()
	}
	third := <-accepted
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) { // although both places are taken
		t.Errorf("the listener ended with %v", err)
	}
	for _, c := range append(clients, second, third) {
		_ = c.Close()
	}
	if n := len(l.places); n != 0 {
		t.Errorf("%d places are still taken", n)
	}
	_ = l.Close()
}
