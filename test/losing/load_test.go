package losing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
	"github.com/attune-automation/attune/test/losing/check"
)

// offer is one thing that is asked for, with a key of its own, again and again
// until it is acknowledged.
type offer struct {
	check.Offer
	number   int
	ms, fail int
	// outside ones are published to the broker, by somebody else.
	outside bool
	quiet   bool
	// text makes the request larger.
	text string
}

// load asks for things.
type load struct {
	client  *client.Client
	outside *outside
	// inside makes all offers go by the API.
	inside atomic.Bool
	// repeats is how often each offer is sent again when it was acknowledged.
	repeats atomic.Int64

	mu     sync.Mutex
	random *rand.Rand
	offers []*offer
	// answers are the moments of acknowledgements by the API, in order.
	answers []answer
	// refused are answers that no sender may get.
	refused []string
	senders sync.WaitGroup
	stopped chan struct{}
}

// answer is one acknowledgement.
type answer struct {
	at   time.Time
	took time.Duration
}

// begin offers so many things in a second until stop is called.
func (l *load) begin(perSecond int) {
	l.stopped = make(chan struct{})
	stopped := l.stopped
	l.senders.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for {
			select {
			case <-stopped:
				return
			case <-tick.C:
				l.offer(l.any())
			}
		}
	})
}

// stop returns when everything that was offered is acknowledged.
func (l *load) stop() {
	close(l.stopped)
	l.senders.Wait()
}

// any is an offer of a random kind and size.
func (l *load) any() *offer {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := &offer{}
	switch n := l.random.IntN(20); {
	case n < 6:
		o.Kind = "even"
	case n < 8:
		o.Kind = "odd"
	case n < 10:
		o.Kind = "other"
		o.outside = !l.inside.Load()
	case n < 14:
		o.Action = "lose.work"
	case n < 17:
		o.Action, o.fail = "lose.again", l.random.IntN(3)
	default:
		o.Action = "core.echo"
	}
	switch n := l.random.IntN(20); {
	case n < 15:
		o.ms = l.random.IntN(60)
	case n < 19:
		o.ms = 100 + l.random.IntN(400)
	default:
		o.ms = 1000 + l.random.IntN(2000)
	}
	return o
}

// offer sends an offer until it is acknowledged, without waiting for it.
func (l *load) offer(o *offer) {
	l.mu.Lock()
	o.number = len(l.offers)
	o.Key = fmt.Sprintf("key-%d", o.number)
	l.offers = append(l.offers, o)
	times := 1 + l.repeats.Load()
	if l.random.IntN(30) == 0 {
		times++
	}
	l.mu.Unlock()
	l.senders.Go(func() {
		for range times { // what was acknowledged is answered with the same id
			l.insist(o)
		}
	})
}

func (l *load) insist(o *offer) {
	for begun := time.Now(); ; {
		sent := time.Now()
		id, err := l.post(o)
		l.mu.Lock()
		if err == nil {
			if o.Taken = o.outside; !o.outside {
				o.IDs = append(o.IDs, id)
				l.answers = append(l.answers, answer{time.Now(), time.Since(sent)})
			}
			l.mu.Unlock()
			return
		}
		kind := attune.KindOf(err)
		again := o.outside || kind == attune.Unavailable || kind == attune.TooMuch || errors.Is(err, context.DeadlineExceeded)
		if !again || time.Since(begun) > 3*patience {
			l.refused = append(l.refused, fmt.Sprintf("%s: %v", o.Key, err))
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		<-time.After(100 * time.Millisecond)
	}
}

// post sends an offer once.
func (l *load) post(o *offer) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	document := map[string]any{"key": o.Key, "ms": o.ms}
	switch {
	case o.Kind != "":
		document["kind"], document["text"] = o.Kind, o.text
	case o.Action == "core.echo":
		document = map[string]any{"message": o.Key}
	default:
		document["quiet"], document["fail"] = o.quiet, o.fail
	}
	body, err := json.Marshal(document)
	if err != nil {
		return "", err
	}
	switch {
	case o.outside && o.number%2 == 0:
		return "", l.outside.event(ctx, messageID(o.number), "", body)
	case o.outside:
		return "", l.outside.event(ctx, "", o.Key, body)
	case o.Kind != "":
		e, err := l.client.SendEvent(ctx, api.EventRequest{Trigger: "lose.work", Payload: body, Dedupe: o.Key})
		return e.ID, err
	}
	x, err := l.client.Run(ctx, api.RunRequest{Action: o.Action, Parameters: body, Dedupe: o.Key})
	return x.ID, err
}

// idOf is what was acknowledged, or empty.
func (l *load) idOf(o *offer) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(o.IDs) == 0 {
		return ""
	}
	return o.IDs[0]
}

// taken are the keys that the broker has confirmed.
func (l *load) taken() (keys []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.offers {
		if o.Taken {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// between are the acknowledgements of a span of time.
func (l *load) between(from, to time.Time) (all []answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.answers {
		if a.at.After(from) && a.at.Before(to) {
			all = append(all, a)
		}
	}
	return all
}

// acknowledged is what the checker is told.
func (l *load) acknowledged(t *testing.T) (all []check.Offer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, text := range l.refused {
		t.Errorf("not acknowledged: %s", text)
	}
	l.refused = nil
	for _, o := range l.offers {
		all = append(all, check.Offer{Key: o.Key, Kind: o.Kind, Action: o.Action, IDs: slices.Clone(o.IDs), Taken: o.Taken})
	}
	return all
}
