package losing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// outside is a client of the broker that knows the form of a message and nothing
// else: it publishes events, one at a time, until the broker confirms them.
type outside struct {
	url string

	mu       sync.Mutex
	conn     *amqp.Connection
	channel  *amqp.Channel
	returned chan amqp.Return
}

// event publishes an event. An error means that it may be there or not.
func (c *outside) event(ctx context.Context, id, dedupe string, payload json.RawMessage) error {
	return c.say(ctx, id, map[string]any{"trigger": "lose.work", "payload": payload, "dedupe": dedupe})
}

// nonsense publishes what the node can only set aside.
func (c *outside) nonsense(ctx context.Context) error {
	return c.say(ctx, "", map[string]any{"trigger": 7})
}

func (c *outside) say(ctx context.Context, id string, payload any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil { // the time went by in the queue before us
		return err
	}
	err := c.connect()
	if err == nil {
		err = c.publish(ctx, id, payload)
	}
	if err != nil {
		c.hangUp()
	}
	return err
}

func (c *outside) connect() error {
	if c.conn != nil {
		return nil
	}
	var err error
	if c.conn, err = amqp.Dial(c.url); err != nil {
		return err
	}
	if c.channel, err = c.conn.Channel(); err != nil {
		return err
	}
	c.returned = c.channel.NotifyReturn(make(chan amqp.Return, 1))
	return c.channel.Confirm(false)
}

func (c *outside) publish(ctx context.Context, id string, payload any) error {
	body, err := json.Marshal(map[string]any{"message_type": "event.created", "version": 1, "payload": payload})
	if err != nil {
		return err
	}
	confirm, err := c.channel.PublishWithDeferredConfirmWithContext(ctx, "attune.events", "event.created", true, false,
		amqp.Publishing{MessageId: id, ContentType: "application/json", DeliveryMode: amqp.Persistent, Body: body})
	if err != nil {
		return err
	}
	ok, err := confirm.WaitContext(ctx)
	if err != nil || !ok {
		return errors.Join(err, errors.New("not confirmed"))
	}
	select { // a message that is returned is confirmed, too, afterwards
	case r := <-c.returned:
		return errors.New("returned: " + r.ReplyText)
	default:
		return nil
	}
}

func (c *outside) hangUp() {
	if c.conn != nil {
		_ = c.conn.CloseDeadline(time.Now().Add(time.Second)) // it may be gone
	}
	c.conn = nil
}

// close ends the connection.
func (c *outside) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hangUp()
}

// messageID is a UUID made of a key.
func messageID(number int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", number) }
