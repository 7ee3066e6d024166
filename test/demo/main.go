// Command demo shows what attune demo shows, on real servers: a PostgreSQL and a
// RabbitMQ, an attune server and a worker, each a process of its own.
//
//	go run ./test/demo bin/attune
//
// The servers are found or started as tests do it, see package servers; what is
// made there is dropped in the end. The exit code is 0 only if all was as it must
// be.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/attune-automation/attune/internal/servers/mqtest"
	"github.com/attune-automation/attune/internal/servers/pgtest"
)

// patience bounds each step.
const patience = 60 * time.Second

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: demo ATTUNE")
		os.Exit(64)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// stage is where the demo is played, and how it is cleared.
type stage struct {
	program, dir string
	env          []string
	undo         []func() error
}

func run(ctx context.Context, program string) (err error) {
	s := &stage{}
	defer func() {
		for i := len(s.undo) - 1; i >= 0; i-- {
			err = errors.Join(err, s.undo[i]())
		}
	}()
	if s.program, err = filepath.Abs(program); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "attune-demo-"); err != nil {
		return err
	}
	s.undo = append(s.undo, func() error { return os.RemoveAll(s.dir) })
	if err := s.servers(ctx); err != nil {
		return err
	}
	url, err := s.node(ctx)
	if err != nil {
		return err
	}
	if err := s.worker(ctx, url); err != nil {
		return err
	}
	fmt.Println()
	return s.attune(ctx, "demo", "--server", url)
}

// servers gives the stage a database and a virtual host.
func (s *stage) servers(ctx context.Context) error {
	pg, err := pgtest.Open(ctx, pgtest.Config{})
	if err != nil {
		return fmt.Errorf("no PostgreSQL: %w", err)
	}
	s.undo = append(s.undo, pg.Close)
	database, drop, err := pg.Database(ctx)
	if err != nil {
		return err
	}
	s.undo = append(s.undo, func() error { return drop(context.WithoutCancel(ctx)) })
	mq, err := mqtest.Open(ctx)
	if err != nil {
		return fmt.Errorf("no RabbitMQ: %w", err)
	}
	s.undo = append(s.undo, mq.Close)
	host, err := mq.VirtualHost(ctx)
	if err != nil {
		return err
	}
	s.undo = append(s.undo, func() error { return mq.Drop(context.WithoutCancel(ctx), host) })
	s.env = append(os.Environ(), "ATTUNE_DATA="+filepath.Join(s.dir, "node"), "ATTUNE_DATABASE="+database, "ATTUNE_BROKER="+host)
	return nil
}

// node starts an attune server and returns its URL when it takes work.
func (s *stage) node(ctx context.Context) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	listen := l.Addr().String()
	_ = l.Close()
	if err := s.start("server", "--name", "demo", "--migrate", "--listen", listen, "--packs", "packs/examples"); err != nil {
		return "", err
	}
	return "http://" + listen, s.await(ctx, "the server", func() bool { return answers("http://" + listen + "/readyz") })
}

func answers(url string) bool {
	r, err := http.Get(url) //nolint:gosec,noctx // our own, at once
	if err != nil {
		return false
	}
	_ = r.Body.Close()
	return r.StatusCode == http.StatusOK
}

// worker starts a worker and returns when the server knows it.
func (s *stage) worker(ctx context.Context, url string) error {
	token, err := s.command(ctx, "token", "create", "local", "--kind", "worker").Output()
	if err != nil {
		return fmt.Errorf("make the worker's token: %w", err)
	}
	file := filepath.Join(s.dir, "worker.token")
	if err := os.WriteFile(file, token, 0o600); err != nil {
		return err
	}
	if err := s.start("worker", "start", "--name", "local", "--data", filepath.Join(s.dir, "worker"), "--server", url, "--token", "@"+file); err != nil {
		return err
	}
	return s.await(ctx, "the worker", func() bool {
		out, err := s.command(ctx, "worker", "get", "local").Output()
		return err == nil && strings.Contains(string(out), "alive")
	})
}

func (s *stage) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, s.program, args...) //nolint:gosec // what it is for
	c.Env = s.env
	return c
}

// attune runs a command that everybody hears.
func (s *stage) attune(ctx context.Context, args ...string) error {
	c := s.command(ctx, args...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	return c.Run()
}

// start starts a process that ends with the stage; what it says goes to a file,
// which is shown when it does not end well.
func (s *stage) start(args ...string) error {
	log, err := os.Create(filepath.Join(s.dir, args[0]+".log"))
	if err != nil {
		return err
	}
	c := s.command(context.Background(), args...)
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us, who end it in order
	if err := c.Start(); err != nil {
		return err
	}
	fmt.Printf("attune %s: process %d\n", args[0], c.Process.Pid)
	s.undo = append(s.undo, func() error {
		_ = c.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
		defer late.Stop()
		err := c.Wait()
		if err != nil {
			said, _ := os.ReadFile(log.Name())
			err = fmt.Errorf("attune %s: %w; it said:\n%s", args[0], err, said)
		}
		return errors.Join(err, log.Close())
	})
	return nil
}

func (s *stage) await(ctx context.Context, what string, there func() bool) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); !there(); {
		select {
		case <-tick.C:
		case <-late:
			return fmt.Errorf("%s is not there within %s", what, patience)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
