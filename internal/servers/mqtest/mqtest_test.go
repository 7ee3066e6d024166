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

func TestANamedServerIsUsed(t *testing.T) {
	t.Setenv("ATTUNE_TEST_RABBITMQ", mqtest.Shared(t).Given())
	s, err := mqtest.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.PID() != 0 || s.Address() != mqtest.Shared(t).Address() {
		t.Errorf("it is %s", s.Address())
	}
	if _, err := s.Queues(t.Context(), mqtest.Host(t, s)); err != nil {
		t.Error(err)
	}
	for _, wrong := range []string{"nothing", "amqp://guest:guest@127.0.0.1:1/"} {
		t.Setenv("ATTUNE_TEST_RABBITMQ", wrong)
		if _, err := mqtest.Open(t.Context()); err == nil {
			t.Errorf("%s is a server", wrong)
		}
	}
}
