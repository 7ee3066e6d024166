package rabbitmq

import (
	"crypto/rand"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/attune-automation/attune/messages"
)

// kinds are AMQP's words for [messages.ExchangeKind].
var kinds = map[messages.ExchangeKind]string{messages.Direct: amqp.ExchangeDirect, messages.FanOut: amqp.ExchangeFanout, messages.Topic: amqp.ExchangeTopic}

// declareExchanges makes every exchange of [messages.Topology], or finds them as
// they should be.
func declareExchanges(ch *amqp.Channel) error {
	for exchange := range messages.Topology {
		if err := declareExchange(ch, exchange); err != nil {
			return err
		}
	}
	return nil
}

func declareExchange(ch *amqp.Channel, exchange messages.Exchange) error {
	return ch.ExchangeDeclare(string(exchange), kinds[messages.Topology[exchange]], true, false, false, false, nil)
}

// The properties of a queue that one subscription has for itself. It outlives a
// broken connection, and a restart of the server, but not its subscription:
// nobody consumes from it then, and it expires. What it holds grows no older
// than queuedAtMost: an old dispatch must not arrive after its token was
// forgotten.
const (
	queueExpires  = time.Minute
	queuedAtMost  = time.Minute
	queueMaxBytes = 64 << 20 // the oldest go
)

func ownQueue() amqp.Table {
	return amqp.Table{
		"x-expires":          queueExpires.Milliseconds(),
		"x-message-ttl":      queuedAtMost.Milliseconds(),
		"x-max-length-bytes": int64(queueMaxBytes),
	}
}

// ownQueueName is a new name: each subscription gets every message, so each has
// a queue, also where two processes have one worker's name.
func ownQueueName(exchange messages.Exchange, key string) string {
	name := string(exchange)
	if exchange == messages.ToWorkers {
		name = strings.TrimSuffix(name, "s")
	}
	if key != "" {
		name += "." + key[:min(len(key), 180)]
	}
	return name + "." + strings.ToLower(rand.Text()[:10])
}

// bindingKey is a key as AMQP wants it: an empty pattern takes everything.
func bindingKey(exchange messages.Exchange, key string) string {
	if key == "" && messages.Topology[exchange] == messages.Topic {
		return "#"
	}
	return key
}
