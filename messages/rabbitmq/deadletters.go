package rabbitmq

import (
	"context"
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Sift implements [messages.DeadLetters]. AMQP has no way to look without taking:
// messages are taken on a channel of their own, and given back before that is
// closed. If we die before, the server gives them back.
func (b *Broker) Sift(ctx context.Context, queue messages.Queue, most int, see func(*messages.Delivery) bool) error {
	if _, ok := messages.Queues[queue]; !ok {
		return attune.NewError(attune.Invalid, "unknown_queue", string(queue)+" is not a queue")
	}
	conn := b.main.connection()
	if conn == nil {
		return errAway
	}
	ch, err := conn.Channel()
	if err != nil {
		return away(err)
	}
	stop := context.AfterFunc(ctx, func() { b.giveUp(ch) }) // Get knows no context
	defer stop()
	if err = declareQueue(ch, queue); err == nil {
		err = sift(ctx, ch, queue, most, see)
	}
	if ctx.Err() != nil {
		return ctx.Err() // the channel is closed, or about to be
	}
	if back := ch.Nack(0, true, true); err == nil { // all that is not acknowledged
		err = back
	}
	if closed := ch.Close(); err == nil { // waits until the server has read all of it
		err = closed
	}
	if err != nil {
		return away(err)
	}
	return nil
}

func sift(ctx context.Context, ch *amqp.Channel, queue messages.Queue, most int, see func(*messages.Delivery) bool) error {
	var lost error
	for more := true; more && most > 0 && ctx.Err() == nil; most-- {
		d, ok, err := ch.Get(string(queue), false)
		switch {
		case err != nil:
			return err
		case !ok:
			return lost
		case d.ContentType == probeType: // it expires by itself
			continue
		}
		seen := delivery(&d, nil)
		seen.Ack = func() { lost = errors.Join(lost, ch.Ack(d.DeliveryTag, false)) }
		seen.Return = func() {}
		more = see(seen)
	}
	return lost
}
