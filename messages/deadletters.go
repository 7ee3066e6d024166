package messages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// DeadLetters looks through the queue of what was set aside. A [Broker] that has
// an [Inbox] has it, too.
type DeadLetters interface {
	// Sift calls see for the messages of the queue, one at a time, at most as
	// many as most, until see returns false or none is left. see may block. What
	// it acknowledged is gone; everything else is in the queue again when Sift
	// returns, or soon after it where ctx has ended or the connection, and also if
	// the process ends before. Messages that another
	// Sift holds at the moment are not seen, and the order is that of the queue
	// only as far as the broker's server keeps it.
	Sift(ctx context.Context, queue Queue, most int, see func(*Delivery) bool) error
}

// The headers that a message gets when it is set aside. The broker's server has
// some of its own, for what it set aside itself.
const (
	headerPrefix     = "attune-"
	HeaderReason     = headerPrefix + "reason"
	HeaderCode       = headerPrefix + "code"
	HeaderExchange   = headerPrefix + "exchange"
	HeaderDeliveries = headerPrefix + "deliveries"
	HeaderNode       = headerPrefix + "node"
	HeaderAt         = headerPrefix + "at"

	serverReason = "x-first-death-reason"
	serverQueue  = "x-first-death-queue"
)

// maxReasonBytes bounds the words of a reason: headers are not meant for more.
const maxReasonBytes = 4 << 10

// DeadLetter is a message that was set aside, with why.
type DeadLetter struct {
	// ID follows from the message: copies of one message have one id.
	ID string
	// Exchange and Key are where it was published, and where it is published
	// when it is replayed.
	Exchange Exchange
	Key      string
	// Reason and Code say why it is here; Deliveries how often it was tried, Node
	// who gave it up, At when.
	Reason, Code string
	Deliveries   int
	Node         string
	At           time.Time
	// Message is as it was sent.
	Message Outside
}

// Bury is a delivery as it is set aside: what was sent, and why it is.
func Bury(d *Delivery, code, reason, node string, at time.Time) Outside {
	m := d.Outside
	m.Headers = map[string]string{}
	for name, value := range d.Headers {
		if !strings.HasPrefix(name, headerPrefix) {
			m.Headers[name] = value
		}
	}
	if len(reason) > maxReasonBytes {
		reason = strings.ToValidUTF8(reason[:maxReasonBytes], "") + "…"
	}
	m.Headers[HeaderReason], m.Headers[HeaderCode], m.Headers[HeaderExchange] = reason, code, string(d.Exchange)
	m.Headers[HeaderDeliveries], m.Headers[HeaderNode], m.Headers[HeaderAt] = strconv.Itoa(d.Deliveries), node, at.UTC().Format(time.RFC3339Nano)
	return m
}

// Unearth is a message of the queue of what was set aside.
func Unearth(d *Delivery) DeadLetter {
	l := DeadLetter{Key: d.Key, Exchange: Exchange(d.Headers[HeaderExchange]), Reason: d.Headers[HeaderReason], Code: d.Headers[HeaderCode],
		Node: d.Headers[HeaderNode], Message: d.Outside}
	l.Deliveries, _ = strconv.Atoi(d.Headers[HeaderDeliveries])
	l.At, _ = time.Parse(time.RFC3339Nano, d.Headers[HeaderAt])
	if l.Exchange == "" { // the broker's server gave it up
		l.Exchange = Queues[Queue(d.Headers[serverQueue])].Exchange
		if l.Code = d.Headers[serverReason]; l.Code != "" {
			l.Reason = "the broker's server set it aside: " + l.Code
		}
	}
	if l.Exchange == "" {
		l.Exchange = exchangeOf(l.Key)
	}
	l.Message.Headers = map[string]string{}
	for name, value := range d.Headers {
		if !strings.HasPrefix(name, headerPrefix) && !strings.HasPrefix(name, "x-") {
			l.Message.Headers[name] = value
		}
	}
	sum := sha256.New()
	for _, part := range []string{string(l.Exchange), l.Key, d.ID, string(d.Body)} {
		sum.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	l.ID = "dl-" + hex.EncodeToString(sum.Sum(nil)[:8])
	return l
}

// exchangeOf is where a message type is published.
func exchangeOf(key string) Exchange {
	kind, _ := contractOf(key)
	return kind.Exchange
}
