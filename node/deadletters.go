package node

import (
	"context"
	"errors"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
)

// maxSift is how many dead letters one look goes through. What lies behind them
// is seen when some have gone.
const maxSift = 10_000

// sift looks through the dead letters, one look at a time: what one holds the
// other would not see.
func (n *Node) sift(ctx context.Context, see func(messages.DeadLetter, *messages.Delivery) bool) error {
	letters, ok := n.parts.Inbox.(messages.DeadLetters)
	if !ok {
		return &attune.Error{Kind: attune.Unavailable, Code: "no_dead_letters", Message: "this node has no broker that clients outside can reach"}
	}
	select {
	case n.sifting <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-n.sifting }()
	return letters.Sift(ctx, messages.DeadQueue, maxSift, func(d *messages.Delivery) bool { return see(messages.Unearth(d), d) })
}

// DeadLetters implements api.DeadLetters, as do the methods below.
func (n *Node) DeadLetters(ctx context.Context, q api.DeadLetterQuery) (found []messages.DeadLetter, more bool, err error) {
	err = n.sift(ctx, func(l messages.DeadLetter, _ *messages.Delivery) bool {
		switch {
		case q.Key != "" && q.Key != l.Key:
		case q.Skip > 0:
			q.Skip--
		case len(found) == q.Limit:
			more = true
		default:
			l.Message.Body = append([]byte(nil), l.Message.Body...)
			found = append(found, l)
		}
		return !more
	})
	return found, more, err
}

// DeadLetter shows one.
func (n *Node) DeadLetter(ctx context.Context, id string) (messages.DeadLetter, error) {
	return n.withLetter(ctx, id, func(messages.DeadLetter, *messages.Delivery) (bool, error) { return false, nil })
}

// ReplayDeadLetter publishes one, and its copies, and only then takes it out.
func (n *Node) ReplayDeadLetter(ctx context.Context, id string) (messages.DeadLetter, error) {
	return n.withLetter(ctx, id, func(l messages.DeadLetter, d *messages.Delivery) (bool, error) {
		if l.Exchange == "" {
			return false, &attune.Error{Kind: attune.Conflict, Code: "unknown_origin", Message: "nothing says where " + id + " was published", Where: l.Key,
				Try: "publish it yourself, then drop it: attune deadletter get " + id}
		}
		err := n.parts.Inbox.Publish(ctx, l.Exchange, l.Key, l.Message)
		if errors.Is(err, messages.ErrUnroutable) {
			err = &attune.Error{Kind: attune.Unavailable, Code: "unroutable", Message: "no queue takes " + l.Key + " from " + string(l.Exchange),
				Try: "again when a node has declared it"}
		}
		if err != nil {
			return false, err
		}
		d.Ack()
		return true, nil
	})
}

// DropDeadLetter takes one out, and its copies.
func (n *Node) DropDeadLetter(ctx context.Context, id string) (messages.DeadLetter, error) {
	return n.withLetter(ctx, id, func(_ messages.DeadLetter, d *messages.Delivery) (bool, error) {
		d.Ack()
		return true, nil
	})
}

// withLetter finds a letter and does something with it, and goes on with its
// copies while do says so.
func (n *Node) withLetter(ctx context.Context, id string, do func(messages.DeadLetter, *messages.Delivery) (goOn bool, err error)) (messages.DeadLetter, error) {
	var found messages.DeadLetter
	var failed error
	err := n.sift(ctx, func(l messages.DeadLetter, d *messages.Delivery) bool {
		if l.ID != id {
			return true
		}
		goOn, err := do(l, d)
		if failed = err; err == nil {
			found = l
		}
		return goOn
	})
	switch {
	case failed != nil:
		return found, failed
	case err != nil:
		return found, err
	case found.ID == "":
		return found, &attune.Error{Kind: attune.NotFound, Code: "unknown_dead_letter", Message: "there is no dead letter " + id,
			Try: "attune deadletter list; one that was replayed or dropped is gone"}
	}
	return found, nil
}
