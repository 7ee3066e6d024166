package rabbitmq_test

import (
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/internal/servers/mqtest"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/brokertest"
	"github.com/attune-automation/attune/messages/rabbitmq"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wall is the real clock.
type wall struct{}

func (wall) Now() time.Time { return time.Now() }

func (wall) AfterFunc(d time.Duration, f func()) attune.Timer { return time.AfterFunc(d, f) }

// open is a broker on a server, with a connection.
func open(t testing.TB, url string) *rabbitmq.Broker {
	t.Helper()
	b, err := rabbitmq.Open(rabbitmq.Config{URL: url, Name: t.Name(), Clock: wall{}, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	until(t, "the broker is up", b.Up)
	return b
}

// patience is how long a test waits for a server before it fails.
const patience = time.Minute

// until waits until something holds.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("it never came to this: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestContract(t *testing.T) {
	brokertest.Run(t, func(t testing.TB) messages.Broker { return open(t, mqtest.URL(t)) }, nil)
}

func TestInbox(t *testing.T) {
	brokertest.RunInbox(t, func(t testing.TB) brokertest.Outpost { return open(t, mqtest.URL(t)) }, nil)
}
