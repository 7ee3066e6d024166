package memory

import (
	"context"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Sift implements [messages.DeadLetters]. What it holds others do not see.
func (b *Broker) Sift(ctx context.Context, queue messages.Queue, most int, see func(*messages.Delivery) bool) error {
	x := b.boxes[queue]
	if x == nil {
		return attune.NewError(attune.Invalid, "unknown_queue", string(queue)+" is not a queue")
	}
	var left []*held
	defer func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if !x.closed {
			x.ready = append(left, x.ready...)
			x.assign()
		}
	}()
	for more := true; more && most > 0 && ctx.Err() == nil; most-- {
		h, err := x.first()
		if h == nil {
			return err
		}
		gone := false
		more = see(&messages.Delivery{Outside: h.Outside, Exchange: h.exchange, Key: h.key, Deliveries: h.deliveries, Ack: func() { gone = true }, Return: func() {}})
		if !gone {
			left = append(left, h)
		}
	}
	return ctx.Err()
}

// first takes the first message that is ready, nil if there is none.
func (x *box) first() (*held, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, errClosed
	}
	if len(x.ready) == 0 {
		return nil, nil
	}
	h := x.ready[0]
	x.ready = x.ready[1:]
	h.deliveries++
	return h, nil
}
