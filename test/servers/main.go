// Command servers starts a PostgreSQL and a RabbitMQ, runs a program that finds
// them in its environment, and ends them:
//
//	go run ./test/servers go test ./test/e2e
//
// Tests start private servers themselves, each test program its own; behind this
// command all share one pair. What ATTUNE_TEST_POSTGRES and ATTUNE_TEST_RABBITMQ
// name already, or what runs at its default port, is used as it is; what cannot be
// had is said and left to the tests, which say so too. The exit code is the
// program's.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"

	"github.com/attune-automation/attune/internal/servers/mqtest"
	"github.com/attune-automation/attune/internal/servers/pgtest"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: servers PROGRAM ARGUMENT...")
		os.Exit(64)
	}
	os.Exit(run(os.Args[1:]))
}

// run returns the exit code of the program, or 2 where it cannot be run.
func run(args []string) int {
	// The program gets its signals from whoever sent them to us: a terminal, or
	// timeout, which speak to the whole group. We outlive it, to end the servers.
	signal.Ignore(syscall.SIGINT)
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGTERM)
	pair := open(context.Background())
	defer pair.close()
	c := exec.Command(args[0], args[1:]...) //nolint:gosec // what it is for
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Env = append(os.Environ(), pair.env...)
	if err := c.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		return 2
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		select {
		case <-heard:
			_ = c.Process.Signal(syscall.SIGTERM)
		case err := <-ended:
			var exit *exec.ExitError
			switch {
			case err == nil:
				return 0
			case errors.As(err, &exit) && exit.ExitCode() > 0:
				return exit.ExitCode()
			}
			fmt.Fprintln(os.Stderr, "servers:", err)
			return 2
		}
	}
}

// servers are what was opened, with the variables that name it.
type servers struct {
	mu      sync.Mutex
	env     []string
	closers []func() error
}

// open opens both at a time.
func open(ctx context.Context) *servers {
	s := &servers{}
	var opening sync.WaitGroup
	opening.Go(func() {
		pg, err := pgtest.Open(ctx, pgtest.Config{})
		if err != nil {
			fmt.Fprintln(os.Stderr, "servers: no PostgreSQL:", err)
			return
		}
		s.have("ATTUNE_TEST_POSTGRES="+pg.URL(), pg.Close)
	})
	opening.Go(func() {
		mq, err := mqtest.Open(ctx)
		if err != nil {
			fmt.Fprintln(os.Stderr, "servers: no RabbitMQ:", err)
			return
		}
		s.have("ATTUNE_TEST_RABBITMQ="+mq.Given(), mq.Close)
	})
	opening.Wait()
	return s
}

func (s *servers) have(variable string, end func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.env, s.closers = append(s.env, variable), append(s.closers, end)
}

func (s *servers) close() {
	for _, end := range s.closers {
		if err := end(); err != nil {
			fmt.Fprintln(os.Stderr, "servers:", err)
		}
	}
}
