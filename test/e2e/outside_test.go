package e2e_test

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// stranger is a client of the broker that knows docs/messages.md and a URL, and
// nothing of ours.
type stranger struct {
	t       *testing.T
	ch      *amqp.Channel
	heard   <-chan amqp.Delivery
	ended   map[string]announced // by execution
	running map[string]bool
	seen    map[string]bool // message ids
}

// announced is what it reads of execution.completed.
type announced struct {
	ID      string          `json:"id"`
	Version int             `json:"version"`
	Action  string          `json:"action"`
	Status  string          `json:"status"`
	Rule    string          `json:"rule"`
	Event   string          `json:"event"`
	Result  json.RawMessage `json:"result"`
	Error   *struct {
		Code string `json:"code"`
	} `json:"error"`
	Finished    time.Time `json:"finished"`
	correlation string
}

func newStranger(t *testing.T, url string) *stranger {
	t.Helper()
	conn, err := amqp.Dial(url)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	s := &stranger{t: t, ended: map[string]announced{}, running: map[string]bool{}, seen: map[string]bool{}}
	s.ch, err = conn.Channel()
	must(t, err)
	must(t, s.ch.Confirm(false))
	q, err := s.ch.QueueDeclare("", false, true, true, false, nil)
	must(t, err)
	for _, key := range []string{"execution.completed", "execution.status.*"} {
		must(t, s.ch.QueueBind(q.Name, key, "attune.executions", false, nil))
	}
	s.heard, err = s.ch.Consume(q.Name, "", true, true, false, false, nil)
	must(t, err)
	return s
}

// say publishes a message and returns when the broker's server has it.
func (s *stranger) say(exchange, key, body string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	returned := s.ch.NotifyReturn(make(chan amqp.Return, 1))
	confirmed, err := s.ch.PublishWithDeferredConfirmWithContext(ctx, exchange, key, true, false, amqp.Publishing{ContentType: "application/json", DeliveryMode: amqp.Persistent, Body: []byte(body)})
	must(s.t, err)
	if ok, err := confirmed.WaitContext(ctx); err != nil || !ok {
		s.t.Fatalf("%s is not confirmed: %v", key, err)
	}
	select {
	case r := <-returned:
		s.t.Fatalf("%s is returned: %s", key, r.ReplyText)
	default:
	}
}

// hear listens until something holds.
func (s *stranger) hear(what string, holds func() bool) {
	s.t.Helper()
	limit := time.After(patience)
	for !holds() {
		select {
		case d, ok := <-s.heard:
			if !ok {
				s.t.Fatalf("while waiting for %s the queue ended", what)
			}
			s.read(d)
		case <-limit:
			s.t.Fatalf("not heard: %s; but %v", what, s.ended)
		}
	}
}

func (s *stranger) read(d amqp.Delivery) {
	s.t.Helper()
	var envelope struct {
		MessageID     string          `json:"message_id"`
		CorrelationID string          `json:"correlation_id"`
		MessageType   string          `json:"message_type"`
		Version       int             `json:"version"`
		Payload       json.RawMessage `json:"payload"`
	}
	must(s.t, json.Unmarshal(d.Body, &envelope))
	if d.ContentType != "application/json" || d.RoutingKey != envelope.MessageType || envelope.Version != 1 || len(envelope.MessageID) != 36 || envelope.CorrelationID == "" {
		s.t.Errorf("under %s came %s", d.RoutingKey, d.Body)
	}
	if s.seen[envelope.MessageID] { // at least once
		return
	}
	s.seen[envelope.MessageID] = true
	var end announced
	must(s.t, json.Unmarshal(envelope.Payload, &end))
	switch end.correlation = envelope.CorrelationID; envelope.MessageType {
	case "execution.completed":
		if _, twice := s.ended[end.ID]; twice {
			s.t.Errorf("%s ended twice", end.ID)
		}
		s.ended[end.ID] = end
	case "execution.status.running":
		s.running[end.ID] = true
	}
}

// of are the ends that something holds of.
func (s *stranger) of(holds func(announced) bool) (all []announced) {
	for _, e := range s.ended {
		if holds(e) {
			all = append(all, e)
		}
	}
	return all
}

const (
	outsidePack = "name: outside\ndescription: For strangers.\nversion: 1.0.0\nauthor: us\n"
	outsideRule = `name: on_order
trigger: {type: outside.order}
criteria:
  trigger.amount: {type: greaterthan, pattern: 100}
action:
  ref: core.local
  parameters: {cmd: "echo order {{ trigger.number }}"}
`
)

// Any client hands work in and hears of its end, with the broker's URL and no
// more.
func TestAStrangerDrivesTheWholeCycle(t *testing.T) {
	t.Parallel()
	serversOnly(t)
	w := newWorld(t)
	pack := filepath.Join(w.dir, "strangers", "outside")
	for name, text := range map[string]string{"pack.yaml": outsidePack, "triggers/order.yaml": "name: order\n", "rules/on_order.yaml": outsideRule} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(pack, name)), 0o700))
		must(t, os.WriteFile(filepath.Join(pack, name), []byte(text), 0o600))
	}
	d := w.devWith("--packs", pack, "--announce-statuses")
	s := newStranger(t, w.servers.broker)

	// An event that matches a rule, sent twice, and one that does not match.
	for range 2 {
		s.say("attune.events", "event.created", `{"message_id": "0b5f3c1e-8d1a-4c55-9a53-0c7d5b1f2a10", "correlation_id": "order-7", "message_type": "event.created", "version": 1,
			"headers": {"source": "shop"}, "payload": {"trigger": "outside.order", "payload": {"number": 7, "amount": 250}}}`)
	}
	s.say("attune.events", "event.created", `{"message_type": "event.created", "version": 1, "payload": {"trigger": "outside.order", "payload": {"number": 8, "amount": 1}, "dedupe": "order 8"}}`)
	ofRule := func() []announced { return s.of(func(e announced) bool { return e.Rule == "outside.on_order" }) }
	s.hear("the end of what the rule started", func() bool { return len(ofRule()) > 0 })
	first := ofRule()[0]
	if first.Status != "completed" || first.Action != "core.local" || first.correlation != "order-7" || first.Finished.IsZero() || !strings.Contains(string(first.Result), "order 7") {
		t.Errorf("%+v", first)
	}
	if x := d.execution(first.ID); x.Principal != "@broker/shop" {
		t.Errorf("the principal is %s", x.Principal)
	}

	// A request under one key, twice, in two messages.
	for _, id := range []string{"11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"} {
		s.say("attune.executions", "execution.requested", `{"message_id": "`+id+`", "message_type": "execution.requested", "version": 1, "correlation_id": "invoice-8",
			"payload": {"action": "core.local", "parameters": {"cmd": "exit 3"}, "dedupe": "invoice-8", "timeout": "30s"}}`)
	}
	s.hear("the end of the request", func() bool {
		return len(s.of(func(e announced) bool { return e.correlation == "invoice-8" && e.Status == "failed" && e.Error != nil })) > 0
	})

	// A cancel of what runs.
	s.say("attune.executions", "execution.requested", `{"message_type": "execution.requested", "version": 1, "correlation_id": "long",
		"payload": {"action": "core.pause", "parameters": {"delay": 600}, "dedupe": "long"}}`)
	long := ""
	s.hear("that it runs", func() bool {
		for id := range s.running {
			if d.execution(id).Action == "core.pause" {
				long = id
			}
		}
		return long != ""
	})
	s.say("attune.executions", "execution.cancel.requested", `{"message_type": "execution.cancel.requested", "version": 1, "payload": {"execution": "`+long+`", "reason": "no more"}}`)
	s.hear("that it is cancelled", func() bool { return s.ended[long].Status == "cancelled" })

	// A rule engine elsewhere adds to the first event, twice.
	for range 2 {
		s.say("attune.executions", "enforcement.created", `{"message_type": "enforcement.created", "version": 1,
			"payload": {"event": "`+first.Event+`", "rule": "theirs.rule", "action": "core.local", "parameters": {"cmd": "echo theirs"}}}`)
	}
	s.hear("the end of theirs", func() bool { return len(s.of(func(e announced) bool { return e.Rule == "theirs.rule" })) > 0 })

	s.poisons(w, d)
	if n := len(s.ended); n != 4 {
		t.Errorf("%d executions have ended: %v", n, s.ended)
	}
	if n := len(all[struct{}](d, "/executions", nil)); n != 4 {
		t.Errorf("%d executions are stored", n)
	}
}

// poisons sends what nobody can handle, and decides about it.
func (s *stranger) poisons(w *world, d *dev) {
	s.t.Helper()
	s.say("attune.events", "event.created", "this is no message")
	s.say("attune.events", "event.created", `{"message_type": "event.created", "version": 1, "payload": {"trigger": "outside.ordr"}}`)
	type letter struct {
		ID, Key, Code string
		Deliveries    int
	}
	list := func() []letter {
		s.t.Helper()
		return decode[struct{ Items []letter }](s.t, w.run("deadletter", "list", "-o", "json").exits(0).out.String()).Items
	}
	await(s.t, "two dead letters", func() bool { return len(all[letter](d, "/deadletters", nil)) == 2 })
	dead := list()
	if dead[0].Code != "malformed_message" || dead[0].Deliveries != 1 || dead[1].Code != "unknown_trigger" || dead[1].Deliveries != 5 || dead[1].Key != "event.created" {
		s.t.Errorf("%+v", dead)
	}
	contains(s.t, "the letter", w.run("deadletter", "get", dead[0].ID).exits(0).out.String(), "this is no message")
	w.run("deadletter", "replay", dead[0].ID).exits(0)
	await(s.t, "the letter to be back", func() bool { return len(all[letter](d, "/deadletters", url.Values{"key": {"event.created"}})) == 2 })
	w.run("deadletter", "drop", dead[0].ID, dead[1].ID).exits(0)
	if left := list(); len(left) != 0 {
		s.t.Errorf("%+v are left", left)
	}
	w.run("deadletter", "drop", dead[0].ID).exits(3)
}
