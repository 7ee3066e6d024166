package broker

import (
	"context"
	"errors"
	"log/slog"

	"github.com/attune-automation/attune/messages"
)

// announce publishes an end. Nobody bound is as good as published; anything else
// is a loss, which the next proof must not cover.
func (b *Broker) announce(end *messages.ExecutionCompleted) {
	b.tree.Meters.Announced.Add(1)
	err := b.transport.Send(messages.Executions, messages.CompletedKey, end)
	if err != nil && !errors.Is(err, messages.ErrUnroutable) {
		b.doubt(err)
	}
}

// announceStatus publishes a status, best effort.
func (b *Broker) announceStatus(s *messages.ExecutionStatus) {
	if err := b.transport.Send(messages.Executions, s.MessageType(), s); err != nil && !errors.Is(err, messages.ErrUnroutable) {
		b.tree.Log.Debug("a status was not announced", slog.String("execution", s.ID.String()), slog.String("error", err.Error()))
	}
}

// prove asks the transport for a proof, one at a time. Naively each partition
// asks for its own: then one is told of a loss, the transport begins to count
// anew, and the others get a proof that covers what was lost.
func (b *Broker) prove() {
	if b.proving != nil || len(b.asked) == 0 {
		return
	}
	b.proving, b.asked = b.asked, nil
	tree, transport := b.tree, b.transport
	tree.Lend(func() {
		ctx, cancel := context.WithTimeout(context.Background(), syncWait)
		defer cancel()
		tree.Tell(tree.Broker, &proved{b, transport.Sync(ctx)})
	})
}

// proved answers those who asked. A loss, which the transport says once, is
// counted before: whoever gets a proof later sees by the count that something was
// lost.
func (b *Broker) proved(m *proved) {
	if m.by != b {
		return // of a life before: those who asked ask again
	}
	if b.lossSaid = b.lossSaid && m.err != nil; errors.Is(m.err, messages.ErrLost) {
		b.doubt(m.err)
	}
	for _, asked := range b.proving {
		asked.Reply(m.err)
	}
	b.proving = nil
	b.prove()
}

// doubt counts a loss. Partitions compare the count of when they announced with
// that of when they have a proof.
func (b *Broker) doubt(err error) {
	if b.tree.Meters.AnnounceLosses.Add(1); b.lossSaid {
		return
	}
	b.lossSaid = true
	b.tree.Log.Warn("announcements may be lost; they are made again when the broker is there", slog.String("error", err.Error()))
}
