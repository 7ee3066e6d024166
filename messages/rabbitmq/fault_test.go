package rabbitmq_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/internal/servers/mqtest"
	"github.com/attune-automation/attune/internal/servers/proxy"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/messages/rabbitmq"
)

// behind is a broker behind a proxy, and the virtual host it uses.
func behind(t *testing.T, change func(*rabbitmq.Config)) (*rabbitmq.Broker, *proxy.Proxy, string) {
	t.Helper()
	s, url := mqtest.Shared(t), mqtest.URL(t)
	p := proxy.Before(t, s.Address())
	config := rabbitmq.Config{URL: strings.Replace(url, s.Address(), p.Addr(), 1), Name: t.Name(), Clock: wall{}, Heartbeat: time.Second}
	if change != nil {
		change(&config)
	}
	b, err := rabbitmq.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Thaw(); _ = b.Close() })
	until(t, "the broker is up", b.Up)
	return b, p, url
}

// listen subscribes, and tells who sent what arrives.
func listen(t *testing.T, b messages.Broker, exchange messages.Exchange, key string) chan string {
	t.Helper()
	in := make(chan string, 10_000)
	if _, err := b.Subscribe(exchange, key, func(m any) { in <- m.(messages.Bundle).From }); err != nil {
		t.Fatal(err)
	}
	return in
}

func heartbeat(from string) messages.Bundle {
	return messages.Bundle{From: from, Items: []any{messages.Heartbeat{Worker: from}}}
}

// arrives sends until it arrives, as the protocol does.
func arrives(t *testing.T, b messages.Broker, exchange messages.Exchange, key string, in chan string) {
	t.Helper()
	until(t, "a message that is repeated arrives", func() bool {
		_ = b.Send(exchange, key, heartbeat("again"))
		select {
		case <-in:
			return true
		case <-time.After(50 * time.Millisecond):
			return false
		}
	})
}

func event(t *testing.T, b messages.Inbox, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Publish(ctx, messages.Events, "event.created", messages.Outside{ID: body, Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

func take(t *testing.T, b messages.Inbox, queue messages.Queue) chan *messages.Delivery {
	t.Helper()
	in := make(chan *messages.Delivery, 1000)
	if _, err := b.Consume(queue, 100, func(d *messages.Delivery) { in <- d }); err != nil {
		t.Fatal(err)
	}
	return in
}

func next(t *testing.T, in chan *messages.Delivery) *messages.Delivery {
	t.Helper()
	select {
	case d := <-in:
		return d
	case <-time.After(patience):
		t.Fatal("nothing is delivered")
		return nil
	}
}

// One server of its own for all of these, as a boot takes seconds.
func TestAServerOfOurOwn(t *testing.T) {
	s := mqtest.Private(t)
	url := mqtest.Host(t, s)
	t.Run("speaks TLS", func(t *testing.T) { speaksTLS(t, s, url) })
	t.Run("is killed and cold-started", func(t *testing.T) { killed(t, s, url) })
	t.Run("is short of memory", func(t *testing.T) { short(t, s, url) })
}

func speaksTLS(t *testing.T, s *mqtest.Server, url string) {
	secure, pool, err := s.TLS(url)
	if err != nil {
		t.Fatal(err)
	}
	var log pages
	config := rabbitmq.Config{URL: secure, Clock: wall{}, Log: slog.New(slog.NewTextHandler(&log, nil))}
	stranger, err := rabbitmq.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	until(t, "a stranger is not trusted", func() bool { return strings.Contains(log.String(), "certificate") })
	config.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	b, err := rabbitmq.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	until(t, "the broker is up", b.Up)
	in := listen(t, b, messages.Reports, "tls")
	arrives(t, b, messages.Reports, "tls", in)
	if err := b.Sync(t.Context()); err != nil {
		t.Error(err)
	}
}

func killed(t *testing.T, s *mqtest.Server, url string) {
	b := open(t, url)
	reports := listen(t, b, messages.Reports, "n")
	events := take(t, b, messages.EventQueue)
	event(t, b, "settled")
	next(t, events).Ack()
	event(t, b, "kept")
	held := next(t, events)
	arrives(t, b, messages.Reports, "n", reports)

	// A quorum queue whose server is killed in its first moments can have no leader
	// afterwards, until it is deleted.
	<-time.After(4 * time.Second)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	until(t, "the loss is noticed", func() bool { return !b.Up() })
	if err := b.Send(messages.Reports, "n", heartbeat("x")); attune.KindOf(err) != attune.Unavailable {
		t.Fatalf("sent to nobody: %v", err)
	}
	if err := b.Sync(t.Context()); attune.KindOf(err) != attune.Unavailable {
		t.Fatalf("proven by nobody: %v", err)
	}
	if err := b.Publish(t.Context(), messages.Events, "event.created", messages.Outside{}); attune.KindOf(err) != attune.Unavailable {
		t.Fatalf("published to nobody: %v", err)
	}
	held.Ack() // does nothing: it comes again
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	until(t, "the broker is up again", b.Up)
	if took := time.Since(began); took > 15*time.Second { // 5 s on an idle machine
		t.Errorf("coming back took %v", took)
	}
	arrives(t, b, messages.Reports, "n", reports)
	d := next(t, events)
	if string(d.Body) != "kept" || d.Deliveries < 2 {
		t.Fatalf("after the kill: %q, delivery %d", d.Body, d.Deliveries)
	}
	d.Ack()
	if st := b.Stats(); st.Reconnects < 2 || st.Lost == 0 || !st.Up || st.Since.IsZero() {
		t.Errorf("stats: %+v", st)
	}
}

func short(t *testing.T, s *mqtest.Server, url string) {
	b := open(t, url)
	reports := listen(t, b, messages.Reports, "n")
	if err := s.Block(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	until(t, "the shortage is noticed", func() bool { // a server says so to who publishes
		_ = b.Send(messages.Reports, "n", heartbeat("x"))
		return b.Stats().Blocked
	})
	if b.Up() || attune.KindOf(b.Send(messages.Reports, "n", heartbeat("x"))) != attune.Unavailable {
		t.Error("a server that takes nothing counts as up")
	}
	if err := s.Block(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	until(t, "the shortage is over", b.Up)
	arrives(t, b, messages.Reports, "n", reports)
}

func TestDeletedAndPurgedQueuesDoNotMatter(t *testing.T) {
	s, url := mqtest.Shared(t), mqtest.URL(t)
	b := open(t, url)
	reports := listen(t, b, messages.Reports, "n")
	work := listen(t, b, messages.ToWorkers, "w")
	events := take(t, b, messages.EventQueue)
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"purged", func() error { return s.PurgeAll(t.Context(), url) }},
		{"deleted", func() error { return s.DeleteQueues(t.Context(), url) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.do(); err != nil {
				t.Fatal(err)
			}
			arrives(t, b, messages.Reports, "n", reports)
			arrives(t, b, messages.ToWorkers, "w", work)
			event(t, b, "after")
			next(t, events).Ack()
			if err := b.Prove(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	if st := b.Stats(); st.Resubscribed < 3 || st.Reconnects != 0 {
		t.Errorf("stats: %+v", st)
	}
}

func TestADeletedExchangeIsMadeAgain(t *testing.T) {
	s, url := mqtest.Shared(t), mqtest.URL(t)
	b := open(t, url)
	if err := s.DeleteExchange(t.Context(), url, string(messages.Reports)); err != nil {
		t.Fatal(err)
	}
	in := listen(t, b, messages.Reports, "n")
	arrives(t, b, messages.Reports, "n", in)
	if err := s.DeleteExchange(t.Context(), url, string(messages.Heartbeats)); err != nil {
		t.Fatal(err)
	}
	beats := listen(t, b, messages.Heartbeats, "")
	arrives(t, b, messages.Heartbeats, "", beats)
}

func TestSyncSaysOnceThatSomethingIsLost(t *testing.T) {
	b, p, _ := behind(t, nil)
	if err := b.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Freeze(proxy.ToServer)
	if err := b.Send(messages.Executions, "execution.completed", heartbeat("lost")); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error)
	go func() { answer <- b.Sync(t.Context()) }()
	until(t, "it is written", func() bool { return b.Stats().Published == 1 })
	p.Cut()
	if err := <-answer; attune.KindOf(err) != attune.Unavailable {
		t.Fatalf("a proof over a lost connection: %v", err)
	}
	p.Thaw()
	until(t, "the broker is up again", b.Up)
	if err := b.Sync(t.Context()); !errors.Is(err, messages.ErrLost) {
		t.Fatalf("the loss is not told: %v", err)
	}
	if err := b.Sync(t.Context()); err != nil {
		t.Fatalf("the loss is told twice: %v", err)
	}
	p.Refuse(true)
	p.Cut()
	until(t, "the loss is noticed", func() bool { return !b.Up() })
	_ = b.Send(messages.Executions, "execution.completed", heartbeat("refused"))
	p.Refuse(false)
	until(t, "the broker is up again", b.Up)
	if err := b.Sync(t.Context()); !errors.Is(err, messages.ErrLost) {
		t.Fatalf("what was refused is not told: %v", err)
	}
}

func TestAConnectionThatBreaksBeforeTheConfirmation(t *testing.T) {
	b, p, url := behind(t, nil)
	events := take(t, open(t, url), messages.EventQueue)
	event(t, b, "before")
	next(t, events).Ack()
	p.Freeze(proxy.ToClient)
	answer := make(chan error)
	go func() {
		answer <- b.Publish(t.Context(), messages.Events, "event.created", messages.Outside{Body: []byte("doubted")})
	}()
	next(t, events).Ack() // the server has it
	p.Cut()
	if err := <-answer; attune.KindOf(err) != attune.Unavailable {
		t.Fatalf("nothing was confirmed: %v", err)
	}
	p.Thaw()
	until(t, "it is confirmed", func() bool { // whoever doubts says it again, until the loss has been noticed too
		return b.Publish(t.Context(), messages.Events, "event.created", messages.Outside{Body: []byte("doubted")}) == nil
	})
	if d := next(t, events); string(d.Body) != "doubted" { // and it is there twice
		t.Fatalf("got %q", d.Body)
	}
}

func TestASettlementAfterTheConnectionIsLostDoesNothing(t *testing.T) {
	b, p, _ := behind(t, nil)
	events := take(t, b, messages.EventQueue)
	event(t, b, "one")
	first := next(t, events)
	p.Cut()
	second := next(t, events)
	if second.Deliveries != 2 || string(second.Body) != "one" {
		t.Fatalf("%q, delivery %d", second.Body, second.Deliveries)
	}
	first.Ack()
	first.Return()
	until(t, "the broker is up again", b.Up)
	event(t, b, "two")
	if d := next(t, events); string(d.Body) != "two" { // the stream goes on
		t.Fatalf("got %q", d.Body)
	}
	p.Cut()
	got := map[string]bool{}
	for range 2 {
		got[string(next(t, events).Body)] = true
	}
	if !got["one"] || !got["two"] {
		t.Fatalf("the late settlement counted: %v", got)
	}
}

func TestAHalfOpenConnectionEndsByItsSilence(t *testing.T) {
	b, p, _ := behind(t, nil)
	reports := listen(t, b, messages.Reports, "n")
	p.Freeze(proxy.ToClient)
	began := time.Now()
	until(t, "the silence is noticed", func() bool { return !b.Up() })
	if took := time.Since(began); took > 15*time.Second { // and a busy machine; the next limit would be half a minute
		t.Errorf("a heartbeat of 1 s noticed it after %v", took)
	}
	p.Thaw()
	until(t, "the broker is up again", b.Up)
	arrives(t, b, messages.Reports, "n", reports)
}

func TestSendNeverWaitsForTheNetwork(t *testing.T) {
	clock := &hands{now: time.Now()}
	b, p, _ := behind(t, func(c *rabbitmq.Config) {
		c.BufferBytes, c.Heartbeat, c.Clock = 2<<20, time.Minute, clock
	})
	reports := listen(t, b, messages.Reports, "n")
	p.Freeze(proxy.ToServer)
	big := messages.Bundle{From: "big", Items: []any{messages.Report{Kind: messages.Finished, Result: make([]byte, 1<<18)}}}
	full := false
	for range 200 { // more than all buffers on the way hold
		if err := b.Send(messages.Reports, "n", big); err != nil {
			if attune.KindOf(err) != attune.TooMuch {
				t.Fatal(err)
			}
			full = true
		}
	}
	if st := b.Stats(); !full || st.Waiting == 0 || st.WaitingBytes > 3<<20 || st.Lost == 0 {
		t.Fatalf("stats: %+v", st)
	}
	// What has waited for long is given up, though there is a connection again.
	lost := b.Stats().Lost
	clock.advance(2 * time.Minute)
	p.Thaw()
	until(t, "the buffer is empty", func() bool { return b.Stats().Waiting == 0 })
	arrives(t, b, messages.Reports, "n", reports)
	if b.Stats().Lost == lost {
		t.Error("old messages were sent")
	}
}

// hands is a clock that a test moves.
type hands struct {
	wall
	mu  sync.Mutex
	now time.Time
}

func (h *hands) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hands) advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func TestCloseWritesWhatWasSentAndDoesNotHang(t *testing.T) {
	b, _, url := behind(t, nil)
	other := open(t, url)
	in := listen(t, other, messages.Reports, "n")
	for range 2000 {
		if err := b.Send(messages.Reports, "n", heartbeat("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "all arrive", func() bool { return len(in) == 2000 })

	b, p, _ := behind(t, func(c *rabbitmq.Config) { c.Heartbeat = time.Minute })
	listen(t, b, messages.Reports, "n")
	take(t, b, messages.EventQueue)
	p.Freeze(proxy.Both)
	_ = b.Send(messages.Reports, "n", heartbeat("x"))
	began := time.Now()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 15*time.Second { // 6 s at most on an idle machine
		t.Errorf("closing before a silent server took %v", took)
	}
}

// pages is a log that is read while it is written.
type pages struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *pages) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *pages) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func TestWithoutAServerItOpensAndClosesAndKeepsThePassword(t *testing.T) {
	var log pages
	config := rabbitmq.Config{URL: "amqp://user:s3cr3t@127.0.0.1:1/host", Clock: wall{}, Log: slog.New(slog.NewTextHandler(&log, nil))}
	b, err := rabbitmq.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Subscribe(messages.Reports, "n", func(any) {}); err != nil {
		t.Fatal(err)
	}
	if err := b.Send(messages.Reports, "n", heartbeat("x")); attune.KindOf(err) != attune.Unavailable || b.Up() {
		t.Fatal(err)
	}
	until(t, "somebody is told", func() bool { return strings.Contains(log.String(), "trying again") })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Prove(ctx); err == nil {
		t.Error("proven without a server")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "s3cr3t") {
		t.Errorf("the log: %s", log.String())
	}
	for _, url := range []string{"", "amqp://user:s3cr3t@[::1/host", "http://user:s3cr3t@host"} {
		config.URL = url
		if _, err := rabbitmq.Open(config); attune.KindOf(err) != attune.Invalid || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestWrongCredentialsDoNotShowThePassword(t *testing.T) {
	var log pages
	s := mqtest.Shared(t)
	b, err := rabbitmq.Open(rabbitmq.Config{URL: "amqp://nobody:s3cr3t@" + s.Address() + "/", Clock: wall{}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "somebody is told", func() bool { return strings.Contains(log.String(), "trying again") })
	_ = b.Close()
	if strings.Contains(log.String(), "s3cr3t") || !strings.Contains(log.String(), "ACCESS_REFUSED") && !strings.Contains(log.String(), "username or password") {
		t.Errorf("the log: %s", log.String())
	}
}

func TestProveShowsTheTopologyOrSaysWhatIsWrong(t *testing.T) {
	s, url := mqtest.Shared(t), mqtest.URL(t)
	b := open(t, url)
	listen(t, b, messages.Reports, "n")
	listen(t, b, messages.Heartbeats, "")
	if err := b.Prove(t.Context()); err != nil {
		t.Fatal(err)
	}
	events := take(t, b, messages.EventQueue)
	dead := take(t, b, messages.DeadQueue)
	take(t, b, messages.RequestQueue)
	if err := b.Prove(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the probes are gone", func() bool { return depth(t, url) == 0 })
	if len(events)+len(dead) > 0 {
		t.Error("somebody was told of a probe")
	}
	if st := b.Stats(); st.Unreadable > 0 || st.Delivered > 0 {
		t.Errorf("stats: %+v", st)
	}

	if err := s.DeleteQueue(t.Context(), url, string(messages.DeadQueue)); err != nil {
		t.Fatal(err)
	}
	other := mqtest.URL(t)
	if err := s.DeclareQueue(t.Context(), other, string(messages.EventQueue)); err != nil { // a classic one
		t.Fatal(err)
	}
	err := open(t, other).Prove(t.Context())
	var typed *attune.Error
	if !errors.As(err, &typed) || !strings.Contains(typed.Where, "attune.events") || typed.Try == "" {
		t.Errorf("a queue of another kind: %v", err)
	}
}

func TestANodeProvesTheTopologyByItself(t *testing.T) {
	s, url := mqtest.Shared(t), mqtest.URL(t)
	if err := s.DeclareQueue(t.Context(), url, string(messages.DeadQueue)); err != nil { // a classic one
		t.Fatal(err)
	}
	var log pages
	b, err := rabbitmq.Open(rabbitmq.Config{URL: url, Clock: wall{}, Prove: true, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	until(t, "the log complains", func() bool {
		return strings.Contains(log.String(), "attune.dead") && strings.Contains(log.String(), "ERROR")
	})
	if b.Stats().Proven {
		t.Error("it counts as proven")
	}
	url = mqtest.URL(t)
	if b, err = rabbitmq.Open(rabbitmq.Config{URL: url, Clock: wall{}, Prove: true}); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	until(t, "it is proven", func() bool { return b.Stats().Proven })
}

// depth is how many messages wait in all queues for the outside.
func depth(t *testing.T, url string) int {
	t.Helper()
	c, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for queue := range messages.Queues {
		q, err := ch.QueueDeclarePassive(string(queue), true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		n += q.Messages
	}
	return n
}

func TestWhatNobodyIsBoundToIsCounted(t *testing.T) {
	b := open(t, mqtest.URL(t))
	if err := b.Send(messages.ToWorkers, "nobody", heartbeat("x")); err != nil {
		t.Fatal(err)
	}
	until(t, "it comes back", func() bool { return b.Stats().Returned == 1 })
}

func TestOutputHasAConnectionOfItsOwn(t *testing.T) {
	b, p, _ := behind(t, nil)
	in := listen(t, b, messages.Reports, "n")
	before := p.Connections()
	chunk := messages.Bundle{From: "output", Items: []any{messages.Output{Stream: 1, Data: []byte("x")}}}
	until(t, "there is a third connection", func() bool {
		if err := b.Send(messages.Reports, "n", chunk); err != nil {
			t.Fatal(err)
		}
		<-in // the first go by the ordinary one
		return p.Connections() == before+1
	})
	if err := b.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}
