package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// URL is the server's, of a user who may do anything.
func (s *Server) URL() string { return s.url }

// Port is a private server's; it stays the same over its starts.
func (s *Server) Port() int { return s.port }

// PID is the process of a private server's postmaster.
func (s *Server) PID() (int, error) { return s.postmaster() }

func (s *Server) postmaster() (int, error) {
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(line)
}

// Stop ends a private server as an impatient operator does: sessions end, and
// the next start recovers nothing.
func (s *Server) Stop() error { return s.signal(syscall.SIGINT) }

// Kill kills the postmaster, whose sessions end with it; the next start recovers.
func (s *Server) Kill() error { return s.signal(syscall.SIGKILL) }

// signal ends the postmaster and waits until the guardian has seen its end.
func (s *Server) signal(sig syscall.Signal) error {
	pid, err := s.postmaster()
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, sig); err != nil {
		return fmt.Errorf("signal the postmaster %d: %w", pid, err)
	}
	for pause(context.Background()) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || ended(pid) {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end("keep")
	return nil
}

// ended reports that a process has ended and waits for its parent to see it.
func ended(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(text), ") ")
	return err == nil && strings.HasPrefix(state, "Z")
}

// end ends the guardian's input, with a word about the folder, and waits for its
// end. The caller holds mu.
func (s *Server) end(word string) {
	if s.input == nil {
		return
	}
	_, _ = io.WriteString(s.input, word)
	s.input.Close()
	_ = s.guard.Wait() // it says how postgres ended
	s.input, s.guard = nil, nil
}

// Close ends a private server and removes it. It may be called twice.
func (s *Server) Close() error {
	if s.dir == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end("")
	return os.RemoveAll(s.dir)
}

// KillBackends ends all sessions of a database but its own, as an operator
// would: pg_terminate_backend.
func (s *Server) KillBackends(ctx context.Context, database string) error {
	return s.exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()", database)
}

// WALBytes is how much the server has written to its log so far.
func (s *Server) WALBytes(ctx context.Context) (n int64, err error) {
	c, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx)
	err = c.QueryRow(ctx, "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint").Scan(&n)
	return n, err
}

// Transactions is how many a database has committed, as far as its sessions have
// told: they do so when they are idle, once a second.
func (s *Server) Transactions(ctx context.Context, where string) (n int64, err error) {
	u, err := url.Parse(where)
	if err != nil {
		return 0, err
	}
	c, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return 0, err
	}
	defer c.Close(ctx)
	err = c.QueryRow(ctx, "SELECT xact_commit FROM pg_stat_database WHERE datname = $1", strings.TrimPrefix(u.Path, "/")).Scan(&n)
	return n, err
}

var databases atomic.Int64

// Database makes a new database and says where it is and how to drop it, with
// the sessions that still use it.
func (s *Server) Database(ctx context.Context) (where string, drop func(context.Context) error, err error) {
	name := fmt.Sprintf("attune_test_%d_%d", os.Getpid(), databases.Add(1))
	u, err := url.Parse(s.url)
	if err != nil {
		return "", nil, err
	}
	if err := s.exec(ctx, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return "", nil, fmt.Errorf("create a database: %w", err)
	}
	u.Path = "/" + name
	return u.String(), func(ctx context.Context) error { return s.exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") }, nil
}
