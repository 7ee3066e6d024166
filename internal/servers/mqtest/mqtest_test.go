package mqtest_test

import (
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/attune-automation/attune/internal/servers/mqtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachTestHasAVirtualHostOfItsOwn(t *testing.T) {
	one, two := mqtest.URL(t), mqtest.URL(t)
	if one == two {
		t.Fatal("two tests share a virtual host")
	}
	queues, err := mqtest.Shared(t).Queues(t.Context(), one)
	if err != nil || len(queues) != 0 {
		t.Fatalf("a fresh virtual host has %v, %v", queues, err)
	}
}

func TestAPrivateServerIsKilledAndComesBackWithWhatItHad(t *testing.T) {
	s := mqtest.Private(t)
	url := mqtest.Host(t, s)
	pid := s.PID()
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(pid, 0) == nil {
		t.Fatal("it still runs")
	}
	if _, err := s.Queues(t.Context(), url); err == nil {
		t.Fatal("a killed server answers")
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Queues(t.Context(), url); err != nil {
		t.Fatalf("the virtual host is gone: %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
