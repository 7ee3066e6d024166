package https

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

// Config of a [Way]. What has no default must be given.
type Config struct {
	// Worker is the worker's name; Session names this process of it.
	Worker, Session string
	// Servers are the URLs of nodes, tried in turn; none means that there is no
	// second way.
	Servers []string
	// Token is the secret of the worker's token.
	Token string
	// Client sends the requests, see [NewClient].
	Client *http.Client
	// Broker is the first way, which the Way closes; nil means that there is
	// none.
	Broker messages.Broker
	// Mono never goes back.
	Mono func() time.Duration
	// Patience is how long nothing may come by the broker before the second way
	// is taken too; 5 s by default, and at most, as what is for the worker waits
	// that long. Shorter than the answer to a heartbeat takes it calls for nothing;
	// longer than half a lease costs leases.
	Patience time.Duration
	// Log may be nil.
	Log *slog.Logger
}

const (
	// grace is how long the broker may be away before the second way is taken.
	grace = time.Second
	// mostPatience bounds [Config.Patience].
	mostPatience = 5 * time.Second
	// look is how often it is looked whether the way is needed.
	look = 250 * time.Millisecond
	// pollWait is how long one request waits for something to come.
	pollWait = 3 * time.Second
	// callAtMost bounds a request, besides its waiting.
	callAtMost = 5 * time.Second
	// pause is how long after a failed request the next is sent.
	pause = 500 * time.Millisecond
	// sendBytes is about how much one request carries, unless a single parcel is
	// larger; maxAnswer bounds an answer.
	sendBytes = 4 << 20
	maxAnswer = 16 << 20
)

// Way is the worker's side: a broker that goes on by requests to nodes while its
// first way carries nothing. It is safe for concurrent use.
type Way struct {
	config Config
	ears   ears
	loops  sync.WaitGroup
	end    context.CancelCauseFunc

	mu       sync.Mutex
	closed   bool
	stood    time.Duration // when the broker's link stood last
	heard    time.Duration // when something came by it last
	outgoing []outgoing
	filled   chan struct{} // capacity one
	server   int           // the one to ask next
	failing  bool          // the last request failed
}

// outgoing is a parcel to send, or somebody who waits until all before are.
type outgoing struct {
	parcel messages.Parcel
	sent   chan struct{}
}

// New begins to look after both ways. It does not block.
func New(config Config) *Way {
	if config.Patience <= 0 || config.Patience > mostPatience {
		config.Patience = mostPatience
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	ctx, end := context.WithCancelCause(context.Background())
	now := config.Mono()
	w := &Way{config: config, end: end, stood: now, heard: now, filled: make(chan struct{}, 1)}
	w.loops.Go(func() { w.poll(ctx) })
	w.loops.Go(func() { w.post(ctx) })
	return w
}

// needed reports whether the second way is taken.
func (w *Way) needed() bool {
	if len(w.config.Servers) == 0 {
		return false
	}
	if w.config.Broker == nil {
		return true
	}
	linked, ok := w.config.Broker.(messages.Linked)
	up := !ok || linked.Up()
	now := w.config.Mono()
	w.mu.Lock()
	defer w.mu.Unlock()
	if up {
		w.stood = now
	}
	return now-w.stood >= grace || now-w.heard >= w.config.Patience
}

// Send implements [messages.Broker].
func (w *Way) Send(exchange messages.Exchange, key string, m any) error {
	err := messages.ErrUnroutable
	if w.config.Broker != nil {
		err = w.config.Broker.Send(exchange, key, m)
	}
	if !w.needed() {
		return err
	}
	w.put(outgoing{parcel: messages.Parcel{Exchange: exchange, Key: key, Message: m}})
	return nil
}

// put lays something out to be sent. Where too much waits the oldest is lost: of
// heartbeats only the newest counts.
func (w *Way) put(o outgoing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		o.done()
		return
	}
	if len(w.outgoing) >= maxWaiting {
		w.outgoing[0].done()
		w.outgoing = w.outgoing[1:]
	}
	w.outgoing = append(w.outgoing, o)
	select {
	case w.filled <- struct{}{}:
	default:
	}
}

func (o outgoing) done() {
	if o.sent != nil {
		close(o.sent)
	}
}

// Subscribe implements [messages.Broker].
func (w *Way) Subscribe(exchange messages.Exchange, key string, deliver func(any)) (messages.Subscription, error) {
	if w.config.Broker == nil {
		return w.ears.subscribe(nil, exchange, key, deliver)
	}
	return w.ears.subscribe(hearing{w.config.Broker, w}, exchange, key, deliver)
}

// hearing is a broker that tells the way when something comes.
type hearing struct {
	messages.Broker
	way *Way
}

// Subscribe implements [messages.Broker].
func (h hearing) Subscribe(exchange messages.Exchange, key string, deliver func(any)) (messages.Subscription, error) {
	return h.Broker.Subscribe(exchange, key, func(m any) {
		h.way.mu.Lock()
		h.way.heard = h.way.config.Mono()
		h.way.mu.Unlock()
		deliver(m)
	})
}

// Sync implements [messages.Broker]: the requests are answered that carry what
// was sent before, or have failed, and the broker has proven what it took, unless
// it is away.
func (w *Way) Sync(ctx context.Context) error {
	sent := make(chan struct{})
	w.put(outgoing{sent: sent})
	select {
	case <-sent:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if w.config.Broker == nil || w.needed() {
		return ctx.Err()
	}
	return w.config.Broker.Sync(ctx)
}

var errClosed = attune.NewError(attune.Unavailable, "way_closed", "the way to the nodes is closed")

// Close implements [messages.Broker].
func (w *Way) Close() error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.end(errClosed)
	w.loops.Wait()
	w.mu.Lock()
	for _, o := range w.outgoing {
		o.done()
	}
	w.outgoing = nil
	w.mu.Unlock()
	w.config.Client.CloseIdleConnections()
	if w.config.Broker != nil {
		return w.config.Broker.Close()
	}
	return nil
}

// poll fetches what the nodes have for the worker, as long as that is needed.
func (w *Way) poll(ctx context.Context) {
	for ctx.Err() == nil {
		switch {
		case !w.needed():
			rest(ctx, look)
		case w.call(ctx, nil, pollWait) != nil:
			rest(ctx, pause)
		}
	}
}

// post sends what was laid out: all that is there at once, and never waits for
// more.
func (w *Way) post(ctx context.Context) {
	for {
		select {
		case <-w.filled:
		case <-ctx.Done():
			return
		}
		for {
			all := w.take()
			if len(all) == 0 {
				break
			}
			err := w.carry(ctx, all)
			for _, o := range all {
				o.done()
			}
			if err != nil {
				rest(ctx, pause)
			}
		}
	}
}

func (w *Way) take() []outgoing {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, size := 0, 0
	for n < len(w.outgoing) && n < messages.MaxParcels && (n == 0 || size+weight(w.outgoing[n].parcel) <= sendBytes) {
		size += weight(w.outgoing[n].parcel)
		n++
	}
	all := w.outgoing[:n:n]
	if w.outgoing = w.outgoing[n:]; len(w.outgoing) == 0 {
		w.outgoing = nil
	}
	return all
}

func (w *Way) carry(ctx context.Context, all []outgoing) error {
	var parcels []messages.Parcel
	for _, o := range all {
		if o.sent == nil {
			parcels = append(parcels, o.parcel)
		}
	}
	if len(parcels) == 0 || len(w.config.Servers) == 0 {
		return nil
	}
	return w.call(ctx, parcels, 0)
}

// call sends one request and delivers what its answer brings.
func (w *Way) call(ctx context.Context, parcels []messages.Parcel, wait time.Duration) error {
	body, err := messages.EncodeParcels(parcels)
	if err != nil {
		w.config.Log.Error("messages cannot be sent", "worker", w.config.Worker, "error", err)
		return err
	}
	w.mu.Lock()
	number := w.server % len(w.config.Servers)
	server := strings.TrimSuffix(w.config.Servers[number], "/")
	w.mu.Unlock()
	all, err := w.ask(ctx, server, body, wait)
	w.mu.Lock()
	before := w.failing
	w.failing = err != nil && ctx.Err() == nil
	now := w.failing
	if now && w.server%len(w.config.Servers) == number {
		w.server = number + 1
	}
	w.mu.Unlock()
	switch {
	case now && !before:
		w.config.Log.Warn("the nodes cannot be reached by HTTPS either", "worker", w.config.Worker, "server", server, "error", err)
	case before && !now && err == nil:
		w.config.Log.Info("a node is reached by HTTPS", "worker", w.config.Worker, "server", server)
	}
	for _, p := range all {
		w.ears.hand(p)
	}
	return err
}

func (w *Way) ask(ctx context.Context, server string, body []byte, wait time.Duration) ([]messages.Parcel, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+callAtMost)
	defer cancel()
	q := url.Values{"session": {w.config.Session}, "wait": {strconv.Itoa(int(wait / time.Second))}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/api/v1/workers/"+url.PathEscape(w.config.Worker)+"/link?"+q.Encode(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+w.config.Token)
	r.Header.Set("Content-Type", messages.ParcelsType)
	answer, err := w.config.Client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, refusal(answer, content)
	}
	return messages.DecodeParcels(content)
}

// refusal is what a server says that does not take the request.
func refusal(answer *http.Response, content []byte) error {
	var said struct{ Detail, Try string }
	if json.Unmarshal(content, &said) != nil || said.Detail == "" {
		return fmt.Errorf("the server answered %s", answer.Status)
	}
	return fmt.Errorf("the server answered %s: %s (%s)", answer.Status, said.Detail, said.Try)
}

// rest waits, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
