package losing_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// How long each message is held, the first time and the others, at most.
const (
	firstDelay, otherDelay = 300 * time.Millisecond, 1500 * time.Millisecond
)

// shuffler stands between our own processes on the broker: it takes the place of
// each of their queues at its exchange, and hands every message on three times,
// each time after a random delay.
type shuffler struct {
	rig     *rig
	channel *amqp.Channel
	moved   []moved
	// under are the consumers and what they hold.
	under sync.WaitGroup

	mu     sync.Mutex
	random *rand.Rand
	// messages came, copies went, and so many of them after a later message.
	messages, copies, late int
	// highest is the number of the latest message that went, by queue.
	highest map[string]int
}

// moved is a queue whose place was taken.
type moved struct{ queue, mine, exchange, key string }

// shuffle begins, and stop returns when everything that came has gone.
func (r *rig) shuffle() (s *shuffler, stop func()) {
	r.t.Helper()
	conn, err := amqp.Dial(r.broker)
	must(r.t, err)
	s = &shuffler{rig: r, random: rand.New(rand.NewPCG(*seed, 2)), highest: map[string]int{}}
	s.channel, err = conn.Channel()
	must(r.t, err)
	queues, err := r.mq.Queues(r.t.Context(), r.broker)
	must(r.t, err)
	for _, q := range queues {
		for prefix, exchange := range map[string]string{"attune.worker.": "attune.workers", "attune.reports.": "attune.reports", "attune.heartbeats.": "attune.heartbeats"} {
			if rest, ok := strings.CutPrefix(q, prefix); ok {
				key, _, _ := cutLast(rest, ".")
				s.takePlace(moved{queue: q, exchange: exchange, key: key})
			}
		}
	}
	return s, func() {
		for _, m := range s.moved {
			must(r.t, s.channel.QueueBind(m.queue, m.key, m.exchange, false, nil))
			must(r.t, s.channel.QueueUnbind(m.mine, m.key, m.exchange, nil))
			must(r.t, s.channel.Cancel(m.mine, false))
		}
		s.under.Wait()
		must(r.t, conn.Close())
	}
}

// cutLast cuts around the last separator; the name of a queue ends with a random
// word.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+len(sep):], true
}

// takePlace binds a queue of ours where another was bound.
func (s *shuffler) takePlace(m moved) {
	t := s.rig.t
	t.Helper()
	mine, err := s.channel.QueueDeclare("", false, true, true, false, nil)
	must(t, err)
	m.mine = mine.Name
	deliveries, err := s.channel.Consume(m.mine, m.mine, true, true, false, false, nil)
	must(t, err)
	must(t, s.channel.QueueBind(m.mine, m.key, m.exchange, false, nil))
	must(t, s.channel.QueueUnbind(m.queue, m.key, m.exchange, nil))
	s.moved = append(s.moved, m)
	s.under.Go(func() {
		number := 0
		for d := range deliveries {
			number++
			s.deliver(m.queue, number, d)
		}
	})
}

// deliver hands a message on three times.
func (s *shuffler) deliver(queue string, number int, d amqp.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages++
	for i := range 3 {
		limit := otherDelay
		if i == 0 {
			limit = firstDelay
		}
		delay := time.Duration(s.random.Int64N(int64(limit)))
		s.under.Go(func() {
			pass(delay)
			s.mu.Lock()
			defer s.mu.Unlock()
			err := s.channel.PublishWithContext(context.Background(), "", queue, false, false, amqp.Publishing{
				Headers: d.Headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode,
				MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, AppId: d.AppId, Body: d.Body})
			if err != nil {
				s.rig.t.Errorf("hand a message on: %v", err)
			}
			s.copies++
			if number < s.highest[queue] {
				s.late++
			}
			s.highest[queue] = max(s.highest[queue], number)
		})
	}
}

// Everything between the node and its workers is delivered three times and out of
// order, and every request and every message of others is sent three times.
func (r *rig) triple() {
	r.load.repeats.Store(2)
	defer r.load.repeats.Store(0)
	s, stop := r.shuffle()
	pass(20 * time.Second)
	stop()
	r.counts["messages delivered three times"] += s.messages
	r.counts["deliveries out of order"] += s.late
	if len(s.moved) < 4 || s.copies != 3*s.messages || s.messages < 100 || s.late < s.messages/2 {
		r.t.Errorf("thin: %d queues, %d messages, %d copies, %d out of order", len(s.moved), s.messages, s.copies, s.late)
	}
}
