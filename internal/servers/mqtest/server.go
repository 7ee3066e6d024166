package mqtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// Server is a RabbitMQ: a found one or a private one. Its methods are for one
// goroutine at a time.
type Server struct {
	api     api
	address string   // of AMQP, host:port
	private *private // nil for a found one
	hosts   atomic.Int64
}

// Open finds the server that ATTUNE_TEST_RABBITMQ names, else the one at the
// default port, else starts a private one. An error says why there is none.
func Open(ctx context.Context) (*Server, error) {
	if given := os.Getenv("ATTUNE_TEST_RABBITMQ"); given != "" {
		s, err := at(ctx, given)
		if err != nil {
			return nil, fmt.Errorf("ATTUNE_TEST_RABBITMQ: %w", err)
		}
		return s, nil
	}
	if s, err := at(ctx, "amqp://guest:guest@127.0.0.1:5672/"); err == nil {
		return s, nil
	}
	return OpenPrivate(ctx)
}

// OpenPrivate starts a private server.
func OpenPrivate(ctx context.Context) (*Server, error) {
	var err error
	for range 3 { // a port may be taken between being found free and being used
		var p *private
		if p, err = install(); err != nil {
			return nil, err
		}
		s := &Server{private: p, address: p.listen(p.amqp), api: api{"http://" + p.listen(p.management), "guest", "guest"}}
		if err = s.Start(ctx); err == nil {
			return s, nil
		}
		err = errors.Join(err, s.Close())
	}
	return nil, err
}

// at is a server that runs already.
func at(ctx context.Context, given string) (*Server, error) {
	u, err := url.Parse(given)
	if err != nil || u.Host == "" || u.User == nil {
		return nil, errors.New("it is no URL like amqp://user:password@host:5672/")
	}
	port := u.Port()
	if port == "" {
		port = "5672"
	}
	s := &Server{address: net.JoinHostPort(u.Hostname(), port)}
	s.api.user = u.User.Username()
	s.api.password, _ = u.User.Password()
	if s.api.address = u.Query().Get("management"); s.api.address == "" {
		n, _ := strconv.Atoi(port)
		s.api.address = "http://" + net.JoinHostPort(u.Hostname(), strconv.Itoa(n+10_000))
	}
	return s, s.api.call(ctx, "GET", "/whoami", nil, nil)
}

// URL is of the virtual host "/", with a user who may do everything.
func (s *Server) URL() string {
	return (&url.URL{Scheme: "amqp", User: url.UserPassword(s.api.user, s.api.password), Host: s.address, Path: "/"}).String()
}

// Given is the URL as ATTUNE_TEST_RABBITMQ takes it: with its management, wherever
// that listens.
func (s *Server) Given() string {
	u, err := url.Parse(s.URL())
	if err != nil {
		return s.URL()
	}
	u.RawQuery = url.Values{"management": {s.api.address}}.Encode()
	return u.String()
}

// Address is where it listens for AMQP: host:port.
func (s *Server) Address() string { return s.address }

// VirtualHost makes one with a user of its own and returns its URL.
func (s *Server) VirtualHost(ctx context.Context) (string, error) {
	name := fmt.Sprintf("attune-test-%d-%d-%d", os.Getpid(), time.Now().UnixMicro(), s.hosts.Add(1))
	err := s.api.call(ctx, "PUT", "/vhosts"+segment(name), nil, nil)
	if err == nil {
		err = s.api.call(ctx, "PUT", "/users"+segment(name), map[string]string{"password": "only-" + name, "tags": ""}, nil)
	}
	if err == nil {
		err = s.api.call(ctx, "PUT", "/permissions"+segment(name, name), map[string]string{"configure": ".*", "write": ".*", "read": ".*"}, nil)
	}
	return (&url.URL{Scheme: "amqp", User: url.UserPassword(name, "only-"+name), Host: s.address, Path: "/" + name}).String(), err
}

// Drop removes what VirtualHost made, with all queues and connections.
func (s *Server) Drop(ctx context.Context, host string) error {
	name := hostOf(host)
	return errors.Join(s.api.call(ctx, "DELETE", "/vhosts"+segment(name), nil, nil), s.api.call(ctx, "DELETE", "/users"+segment(name), nil, nil))
}

// hostOf is the virtual host of an AMQP URL.
func hostOf(of string) string {
	u, err := url.Parse(of)
	if err != nil || u.Path == "" || u.Path == "/" {
		return "/"
	}
	return u.Path[1:]
}
