package pgtest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/attune/internal/servers/pgtest"
)

func TestEveryTestHasItsDatabase(t *testing.T) {
	one, two := pgtest.URL(t), pgtest.URL(t)
	run(t, one, "CREATE TABLE here (n int)")
	run(t, two, "CREATE TABLE here (n int)")
}

func TestAServerIsKilledAndStartedAgain(t *testing.T) {
	s := pgtest.Private(t)
	run(t, s.URL(), "CREATE TABLE here (n int)")
	for _, stop := range []func() error{s.Kill, s.Stop, s.Kill} {
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if _, err := pgx.Connect(t.Context(), s.URL()); err == nil {
			t.Fatal("it answers")
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		run(t, s.URL(), "INSERT INTO here VALUES (1)")
	}
}

// A program that is killed leaves no server behind, and no folder.
func TestAServerEndsWithItsProgram(t *testing.T) {
	if os.Getenv("ATTUNE_TEST_PGTEST_CHILD") != "" {
		s := pgtest.Private(t)
		pid, err := s.PID()
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString(strconv.Itoa(pid) + "\n")
		select {}
	}
	pgtest.Private(t) // or this is left out
	child := exec.Command(os.Args[0], "-test.run=^TestAServerEndsWithItsProgram$")
	child.Env = append(os.Environ(), "ATTUNE_TEST_PGTEST_CHILD=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 64)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		t.Fatal(err)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	for range 1000 {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatalf("postmaster %d is still there", pid)
}

func run(t *testing.T, url, query string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}
