package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// offerIt offers a message once more, away from the actor's turn.
func (i *Intake) offerIt(e *entry) {
	e.try++
	i.move(e, offered)
	tree, offer, try := i.tree, i.offer, e.try
	answer := func(err error) { tree.Tell(tree.Intake, &answered{e, try, err}) }
	tree.Lend(func() {
		defer func() {
			if p := recover(); p != nil { // a message must not end the process
				tree.Log.Error("handling a message panicked", slog.String("key", e.Key), slog.String("message_id", e.ID), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
				answer(attune.NewError(attune.Internal, "panic", fmt.Sprint("handling it panicked: ", p)))
			}
		}()
		envelope, err := messages.ReadEnvelope(e.Key, e.Outside)
		if err != nil {
			answer(err)
			return
		}
		offer(envelope, answer)
	})
	i.awaitAnswer(e)
}

func (i *Intake) awaitAnswer(e *entry) {
	tree, try := i.tree, e.try
	e.late = tree.Clock.AfterFunc(answerWait, func() { tree.Tell(tree.Intake, &silent{e, try}) })
}

// silent finds a message without an answer. Unless the store is away whoever had
// it has failed on it: that is a fault of the message as far as anybody knows.
func (i *Intake) silent(m *silent) {
	switch {
	case m.of != i || m.state != offered || m.try != m.entry.try:
	case i.tree.StoreAway() || !i.tree.Holds():
		i.awaitAnswer(m.entry)
	default:
		i.failed(m.entry, &attune.Error{Kind: attune.Internal, Code: "no_answer", Message: "the node did not answer within " + answerWait.String(),
			Try: "the log has the panic of whoever failed on it"})
	}
}

// answered settles a message, or says when it is looked at again.
func (i *Intake) answered(m *answered) {
	switch {
	case m.of != i || m.state != offered || m.try != m.entry.try: // it was given up
	case m.err == nil:
		m.Ack()
		i.stored++
		i.tree.Meters.Messages.Stored.Add(1)
		i.move(m.entry, settled)
		i.closeWhenSettled()
	case passing(m.err):
		i.hold(m.entry, m.err)
	default:
		i.failed(m.entry, m.err)
	}
}

// passing tells whether an error is about the node as it is now, and says
// nothing about the message. That an admission failed does: its execution
// panicked.
func passing(err error) bool {
	var e *attune.Error
	if !errors.As(err, &e) {
		return errors.Is(err, context.Canceled)
	}
	return e.Kind == attune.TooMuch || e.Kind == attune.Fenced || e.Kind == attune.Unavailable && e.Code != "admission_failed"
}

// hold keeps a message and offers it again later.
func (i *Intake) hold(e *entry, err error) {
	i.move(e, held)
	wait := min(firstHold<<min(e.try-1, 10), maxHold)
	var why *attune.Error
	if errors.As(err, &why) && why.RetryAfter > wait {
		wait = min(why.RetryAfter, maxHold)
	}
	tree := i.tree
	e.late = tree.Clock.AfterFunc(wait, func() {
		if !tree.Draining() { // else it waits for the end of the subscription
			tree.Tell(tree.Intake, &again{e})
		}
	})
	i.closeWhenSettled()
}

// failed gives a message back whose own handling failed, or sets it aside. One
// that is malformed is set aside at once: it stays so.
func (i *Intake) failed(e *entry, err error) {
	var why *attune.Error
	malformed := errors.As(err, &why) && why.Code == messages.CodeMalformed
	switch {
	case malformed || e.Deliveries >= lastDelivery:
		i.bury(e, err)
	case i.count[paused] >= maxPaused || len(i.closing) > 0:
		i.giveBack(e)
	default:
		i.move(e, paused)
		tree := i.tree
		e.late = tree.Clock.AfterFunc(pause*time.Duration(max(1, e.Deliveries)), func() { tree.Tell(tree.Intake, &giveBack{e}) })
	}
	i.tree.Log.Debug("a message from outside failed", slog.String("key", e.Key), slog.String("message_id", e.ID), slog.Int("deliveries", e.Deliveries), slog.String("error", err.Error()))
}

func (i *Intake) giveBack(e *entry) {
	e.Return()
	i.returned++
	i.tree.Meters.Messages.Returned.Add(1)
	i.move(e, settled)
	i.closeWhenSettled()
}

// bury publishes a message to the dead letters. Only when the broker's server
// has that, it is acknowledged: killed between, it is there twice, under one id.
func (i *Intake) bury(e *entry, err error) {
	i.move(e, buried)
	code := attune.KindOf(err).String()
	var why *attune.Error
	if errors.As(err, &why) && why.Code != "" {
		code = why.Code
	}
	reason := err.Error()
	if why != nil && why.Try != "" {
		reason += " (" + why.Try + ")"
	}
	tree, inbox := i.tree, i.inbox
	m := messages.Bury(e.Delivery, code, reason, tree.Incarnation, tree.Clock.Now())
	tree.Lend(func() {
		ctx, cancel := context.WithTimeout(context.Background(), buryWait)
		defer cancel()
		tree.Tell(tree.Intake, &interred{e, reason, inbox.Publish(ctx, messages.Dead, e.Key, m)})
	})
}

// interred acknowledges what was set aside.
func (i *Intake) interred(m *interred) {
	switch {
	case m.of != i || m.state != buried:
	case m.err != nil:
		i.tree.Log.Error("a message cannot be set aside, trying again", slog.String("key", m.Key), slog.String("message_id", m.ID), slog.String("error", m.err.Error()))
		i.move(m.entry, held)
		tree := i.tree
		m.late = tree.Clock.AfterFunc(buryRetry, func() { tree.Tell(tree.Intake, &again{m.entry}) })
		i.closeWhenSettled()
	default:
		m.Ack()
		i.dead++
		i.last = m.reason
		i.tree.Meters.Messages.Dead.Add(1)
		i.tree.Log.Warn("a message from outside was set aside: attune deadletter list shows it", slog.String("key", m.Key), slog.String("message_id", m.ID),
			slog.Int("deliveries", m.Deliveries), slog.String("reason", m.reason))
		i.move(m.entry, settled)
		i.closeWhenSettled()
	}
}
