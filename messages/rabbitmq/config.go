package rabbitmq

import (
	"crypto/tls"
	"log/slog"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/attune-automation/attune"
)

// Config of a [Broker]. URL and Clock are needed; the rest has useful defaults.
type Config struct {
	// URL is amqp://user:password@host:5672/vhost, or amqps://. The password is
	// in no log and in no error.
	URL string
	// Name is what the server shows for our connections, with what each is for.
	Name string
	// TLS is for amqps://; nil trusts the system's authorities and expects the
	// URL's host.
	TLS *tls.Config
	// Clock gives the times in [Stats], and the age of what waits.
	Clock attune.Clock
	// Log gets what happens to connections; nil is silence.
	Log *slog.Logger

	// Prove lets the broker prove the topology by itself whenever it has come up,
	// and complain in the log: for nodes. A worker's user need not be allowed to
	// make the queues for the outside.
	Prove bool

	// Heartbeat is how often the two sides show that they are there, 5 s by
	// default. A connection that is silent for one and a half times as long is
	// over. Too small ends connections of a busy server; too big notices a dead one
	// late.
	Heartbeat time.Duration
	// LeastWait and MostWait bound the wait before a connection is tried again:
	// 100 ms and 5 s by default. It doubles from one to the other, and a random
	// half of it is left out, so that many do not come at once.
	LeastWait, MostWait time.Duration
	// BufferCount and BufferBytes bound what waits to be written to one
	// connection: 20,000 messages and 64 MiB by default. What comes when it is
	// full is refused. Too small loses messages in a burst; too big lets them
	// grow old.
	BufferCount, BufferBytes int
	// Backlog is how many messages of one subscription the server hands out
	// before we have taken them, 200 by default. Too small waits for round
	// trips; too big holds memory while a receiver is slow.
	Backlog int
}

// withDefaults fills in what is left out.
func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = "attune"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Heartbeat <= 0 {
		c.Heartbeat = 5 * time.Second
	}
	if c.LeastWait <= 0 {
		c.LeastWait = 100 * time.Millisecond
	}
	if c.MostWait <= 0 {
		c.MostWait = 5 * time.Second
	}
	c.MostWait = max(c.MostWait, c.LeastWait)
	if c.BufferCount <= 0 {
		c.BufferCount = 20_000
	}
	if c.BufferBytes <= 0 {
		c.BufferBytes = 64 << 20
	}
	if c.Backlog <= 0 {
		c.Backlog = 200
	}
	return c
}

// check says what is wrong with it. It never says the URL, which holds the
// password.
func (c Config) check() error {
	if _, err := amqp.ParseURI(c.URL); err != nil {
		return &attune.Error{Kind: attune.Invalid, Code: "invalid_broker_url", Message: "the broker's URL cannot be read", Try: "amqp://user:password@host:5672/vhost"}
	}
	if c.Clock == nil {
		return attune.NewError(attune.Internal, "no_clock", "a broker needs a clock")
	}
	return nil
}
