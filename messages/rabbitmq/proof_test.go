package rabbitmq_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/rabbitmq"
)

// gated is a clock whose second call waits: then a message is being written.
type gated struct {
	wall
	calls, jump  atomic.Int64
	writes, open chan struct{}
}

func (g *gated) Now() time.Time {
	if g.calls.Add(1) == 2 {
		close(g.writes)
		<-g.open
		return g.wall.Now()
	}
	return g.wall.Now().Add(time.Duration(g.jump.Load()))
}

// asking tells when somebody waits for its end.
type asking struct {
	context.Context //nolint:containedctx // it is one
	waits           func()
}

func (a asking) Done() <-chan struct{} {
	a.waits()
	return a.Context.Done()
}

// What was too old to be written, and dropped, is not covered by the proof of what
// was written with it.
func TestAProofDoesNotCoverWhatWasDroppedForItsAge(t *testing.T) {
	clock := &gated{writes: make(chan struct{}), open: make(chan struct{})}
	clock.calls.Store(-2) // both connections look at it when they stand
	b, _, _ := behind(t, func(c *rabbitmq.Config) { c.Clock = clock })
	until(t, "both stand", func() bool { return clock.calls.Load() == 0 })
	end := func() {
		if err := b.Send(messages.Executions, "execution.completed", heartbeat("w")); err != nil {
			t.Fatal(err)
		}
	}
	end()
	<-clock.writes
	end()
	clock.jump.Store(int64(2 * time.Minute)) // the second waits for too long
	waits, answer := make(chan struct{}), make(chan error, 1)
	go func() { answer <- b.Sync(asking{t.Context(), sync.OnceFunc(func() { close(waits) })}) }()
	<-waits
	close(clock.open)
	if err := <-answer; !errors.Is(err, messages.ErrLost) {
		t.Fatalf("the loss is not told: %v", err)
	}
	if err := b.Sync(t.Context()); err != nil {
		t.Fatalf("the loss is told twice: %v", err)
	}
	if s := b.Stats(); s.Published != 1 || s.Lost != 1 {
		t.Errorf("%d are published and %d lost", s.Published, s.Lost)
	}
}
