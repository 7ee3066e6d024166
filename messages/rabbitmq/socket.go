package rabbitmq

import (
	"context"
	"net"
	"sync"
	"time"
)

// socket is the network beneath a connection. It holds writes together while a
// burst of messages is published, one call of the system for many; and when it
// is closed, what the system has not sent yet is thrown away: a message must not
// arrive minutes after we gave it up.
type socket struct {
	net.Conn

	mu      sync.Mutex
	corked  bool
	waiting []byte
}

// mostCorked is how much is held together at most.
const mostCorked = 64 << 10

func dialSocket(ctx context.Context, network, address string) (*socket, error) {
	d := net.Dialer{Timeout: connectTime}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // before a close in order, all was read by the server
	}
	// A handshake that takes longer is over; afterwards heartbeats move this.
	if err := conn.SetDeadline(time.Now().Add(connectTime)); err != nil {
		conn.Close()
		return nil, err
	}
	return &socket{Conn: conn}, nil
}

// connectTime is the most a connection and its handshake may take.
const connectTime = 10 * time.Second

// Write implements net.Conn.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.corked {
		return s.Conn.Write(p)
	}
	s.waiting = append(s.waiting, p...)
	if len(s.waiting) < mostCorked {
		return len(p), nil
	}
	return len(p), s.flush()
}

// cork holds writes back until uncork.
func (s *socket) cork() {
	s.mu.Lock()
	s.corked = true
	s.mu.Unlock()
}

func (s *socket) uncork() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.corked = false
	return s.flush()
}

func (s *socket) flush() error {
	if len(s.waiting) == 0 {
		return nil
	}
	_, err := s.Conn.Write(s.waiting)
	s.waiting = s.waiting[:0]
	return err
}
