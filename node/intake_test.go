package node_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/actors/intake"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/packs"
	"github.com/attune-automation/attune/persistence/memory"
)

const (
	firstID  = "0b5f3c1e-8d1a-4c55-9a53-0c7d5b1f2a10"
	secondID = "5ad7c0de-34b0-4b6f-8a0e-2f6d8a3b9c11"
)

// settledAll waits until no message from outside is left to be settled.
func (r *rig) settledAll(limit time.Duration) {
	r.Helper()
	r.until("every message is settled", limit, func() bool {
		return r.inbox.left(messages.EventQueue)+r.inbox.left(messages.RequestQueue) == 0
	})
}

func TestAMessageFromOutsideBecomesFinishedWork(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		r.say(firstID, &messages.EventCreated{Trigger: one, Payload: []byte(`{"ms":20}`), OccurredAt: time.Unix(1e9, 0)})
		r.say(secondID, &messages.ExecutionRequested{Action: "t.run", Parameters: []byte(`{"ms":30}`), Timeout: "9s", Retry: []byte("2")})
		r.settledAll(5 * time.Second)
		r.allOnce(10 * time.Second)
		rows := r.rows.Rows()
		if len(rows.Events) != 1 || len(rows.Executions) != 2 {
			t.Fatalf("%d events, %d executions", len(rows.Events), len(rows.Executions))
		}
		e := rows.Events[0]
		if e.Dedupe != firstID || e.Chain.Principal != "@broker/test" || e.OccurredAt.Unix() != 1e9 {
			t.Errorf("%+v", e)
		}
		for _, x := range rows.Executions {
			if x.Status != attune.Completed || x.Chain.Principal != "@broker/test" || x.Event == 0 && (x.Limits.Timeout != 9*time.Second || x.Limits.Retry.MaxAttempts != 2) {
				t.Errorf("%+v", x)
			}
		}
	})
}

func TestAMessageThatComesTwiceIsOne(t *testing.T) {
	for _, c := range []struct {
		name string
		say  func(r *rig)
		want int
	}{
		{"by its dedupe key", func(r *rig) {
			r.say(firstID, &messages.ExecutionRequested{Action: "t.run", Dedupe: "k"})
			r.say(secondID, &messages.ExecutionRequested{Action: "t.run", Dedupe: "k"})
		}, 1},
		{"by its message_id", func(r *rig) {
			r.say(firstID, &messages.ExecutionRequested{Action: "t.run"})
			r.say(firstID, &messages.ExecutionRequested{Action: "t.run"})
		}, 1},
		{"by the property message_id", func(r *rig) {
			for range 2 {
				r.publish("execution.requested", messages.Outside{ID: "p", Body: []byte(`{"message_type":"execution.requested","version":1,"payload":{"action":"t.run"}}`)})
			}
		}, 1},
		{"or not, with neither", func(r *rig) {
			for range 2 {
				r.publish("execution.requested", messages.Outside{Body: []byte(`{"message_type":"execution.requested","version":1,"payload":{"action":"t.run"}}`)})
			}
		}, 2},
		{"and the same key by way of the API", func(r *rig) {
			r.say(firstID, &messages.ExecutionRequested{Action: "t.run", Dedupe: "k"})
			r.settledAll(5 * time.Second)
			if _, err := r.requestOf("t.run", settings{}, api.ExecutionRequest{Dedupe: "k"}); err != nil {
				r.Error(err)
			}
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.work("w", 2)
				c.say(r)
				r.settledAll(5 * time.Second)
				r.allOnce(10 * time.Second)
				if n := len(r.rows.Rows().Executions); n != c.want {
					t.Errorf("%d executions", n)
				}
			})
		})
	}
}

func TestARuleEngineElsewhereAddsItsEnforcementOnce(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		receipt, err := r.OfferEvent(r.Context(), api.EventOffer{Trigger: none, Payload: []byte(`{"level":"low"}`), Chain: attune.Chain{Principal: "me"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{firstID, secondID} { // two messages say the same
			r.say(id, &messages.EnforcementCreated{Event: receipt.ID, Rule: "theirs.rule", Action: "t.run", Parameters: []byte(`{"ms":10}`)})
		}
		r.say("", &messages.EnforcementCreated{Event: receipt.ID, Rule: "t.wants", Parameters: []byte(`{"ms":11}`)}) // a rule that is known here says its action
		r.settledAll(5 * time.Second)
		r.allOnce(10 * time.Second)
		rows := r.rows.Rows()
		if len(rows.Enforcements) != 2 || len(rows.Executions) != 2 {
			t.Fatalf("%d enforcements, %d executions", len(rows.Enforcements), len(rows.Executions))
		}
		for _, en := range rows.Enforcements {
			x := r.row(en.Execution)
			if en.Event != receipt.ID || en.Status != attune.EnforcementCreated || en.Chain.Principal != "@broker/test" || en.Chain.Correlation != receipt.ID.String() ||
				x.Rule != en.Rule || x.Event != receipt.ID || x.Trigger != none || x.Enforcement != en.ID || x.Status != attune.Completed {
				t.Errorf("%+v\n%+v", en, x)
			}
		}
	})
}

func TestACancelFromOutside(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		hangs, ended := r.must(settings{MS: -1}), r.must(settings{MS: 1})
		r.reaches(ended, attune.Completed, 5*time.Second)
		for _, id := range []attune.ExecutionID{hangs, ended, hangs} {
			r.say("", &messages.ExecutionCancelRequested{Execution: id, Reason: "withdrawn"})
		}
		x := r.reaches(hangs, attune.Cancelled, time.Minute)
		r.settledAll(5 * time.Second)
		if steps := r.steps(x); !strings.Contains(fmt.Sprint(steps), "withdrawn") {
			t.Errorf("%v", steps)
		}
		if x := r.row(ended); x.Status != attune.Completed || len(r.inbox.dead()) != 0 {
			t.Errorf("%s, %v", x.Status, r.inbox.dead())
		}
	})
}

// What can never be right is set aside at once, what another moment may heal at
// its fifth delivery; and neither keeps those behind it waiting.
func TestAMessageThatFailsIsSetAside(t *testing.T) {
	const rubbish = `{"message_type":"event.created","version":1,"payload":{"triger":"t.one"}}`
	for _, c := range []struct {
		name, key, body, code string
		deliveries            int
	}{
		{"malformed", "event.created", rubbish, messages.CodeMalformed, 1},
		{"an announcement that is told", "execution.requested", `{"message_type":"execution.requested","version":1,"payload":{}}`, messages.CodeMalformed, 1},
		{"newer than the program", "event.created", `{"message_type":"event.created","version":2,"payload":{}}`, messages.CodeNewer, 5},
		{"an unknown trigger", "event.created", `{"message_type":"event.created","version":1,"payload":{"trigger":"t.onne"}}`, "unknown_trigger", 5},
		{"an unknown action", "execution.requested", `{"message_type":"execution.requested","version":1,"payload":{"action":"t.rum"}}`, "unknown_action", 5},
		{"wrong parameters", "execution.requested", `{"message_type":"execution.requested","version":1,"payload":{"action":"t.run","parameters":{"ms":"soon","colour":1}}}`, "invalid_parameters", 5},
		{"a wrong time", "execution.requested", `{"message_type":"execution.requested","version":1,"payload":{"action":"t.run","deadline":"soon","timeout":"x"}}`, "invalid_request", 5},
		{"a cancel of nothing", "execution.cancel.requested", `{"message_type":"execution.cancel.requested","version":1,"payload":{"execution":"ex-06yk1nr080404"}}`, "not_found", 5},
		{"an enforcement of no event", "enforcement.created", `{"message_type":"enforcement.created","version":1,"payload":{"event":"ev-06yk1nr080403","action":"t.run"}}`, "not_found", 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.work("w", 1)
				r.publish(c.key, messages.Outside{ID: firstID, Headers: map[string]string{"colour": "blue"}, Body: []byte(c.body)})
				r.say(secondID, &messages.ExecutionRequested{Action: "t.run"})
				r.until("the one behind it runs", time.Second, func() bool { return len(r.rows.Rows().Executions) == 1 })
				r.settledAll(time.Minute)
				r.allOnce(5 * time.Second)
				dead := r.inbox.dead()
				if len(dead) != 1 {
					t.Fatalf("%d dead letters", len(dead))
				}
				l := dead[0]
				want := messages.Executions
				if c.key == "event.created" {
					want = messages.Events
				}
				if l.Code != c.code || l.Deliveries != c.deliveries || l.Key != c.key || l.Exchange != want || l.Reason == "" || l.Node != "n-1" || l.At.IsZero() ||
					string(l.Message.Body) != c.body || l.Message.ID != firstID || fmt.Sprint(l.Message.Headers) != "map[colour:blue]" {
					t.Errorf("%+v", l)
				}
			})
		})
	}
}

func TestMessagesAreHeldWhileTheStoreIsAway(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 2)
		r.fault.set(func(method string, _ int) memory.Fault {
			if method == "Flush" || method == "Event" || method == "Execution" {
				return memory.Fault{Kind: memory.LostBefore}
			}
			return memory.Fault{}
		})
		for i := range 20 {
			r.say("", &messages.EventCreated{Trigger: one, Payload: []byte(`{"ms":1}`), Dedupe: fmt.Sprint(i)})
		}
		r.say(firstID, &messages.ExecutionRequested{Action: "t.run"})
		r.say(secondID, &messages.EnforcementCreated{Event: attune.EventID(1), Action: "t.run"})
		time.Sleep(3 * time.Minute)
		if n := r.inbox.left(messages.EventQueue); n != 20 {
			t.Errorf("%d messages are left", n)
		}
		for _, l := range r.inbox.waiting[messages.EventQueue] {
			t.Errorf("%s was given back", l.Body)
		}
		r.fault.clear()
		r.until("all but the one of no event is stored", 30*time.Second, func() bool { return len(r.rows.Rows().Executions) == 21 })
		r.settledAll(time.Minute)
		r.allOnce(time.Minute)
		if dead := r.inbox.dead(); len(dead) != 1 || dead[0].Code != "not_found" {
			t.Errorf("%+v", dead)
		}
	})
}

// A full node gives nothing back either.
func TestMessagesAreHeldWhileTheNodeIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.end()
		r.maxLive = 1
		r.start()
		r.work("w", 1)
		r.must(settings{MS: 60_000})
		r.say(firstID, &messages.ExecutionRequested{Action: "t.run"})
		time.Sleep(32 * time.Second)
		synctest.Wait()
		if r.inbox.left(messages.RequestQueue) != 1 || len(r.inbox.waiting[messages.RequestQueue]) != 0 {
			t.Error("it was given back, or taken")
		}
		r.metrics("while it is full", expect{"attune_messages_held", nil, 1})
		r.settledAll(time.Minute)
		r.metrics("afterwards", expect{"attune_messages_held", nil, 0}, expect{"attune_messages_total", []string{"outcome", "stored"}, 1})
		r.allOnce(time.Minute)
	})
}

// A message on which an actor fails is not handled: it is tried again, and at its
// fifth delivery set aside.
func TestAPoisonousMessageIsSetAside(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 1)
		r.observe.set(func(_, _ string, m any) {
			if o, ok := m.(*messages.OfferEvent); ok && o.Event.Dedupe == firstID {
				time.Sleep(13 * time.Second) // five failures of an actor in a minute would end the node
				panic("poison")
			}
		})
		r.say(firstID, &messages.EventCreated{Trigger: one})
		r.settledAll(10 * time.Minute)
		if dead := r.inbox.dead(); len(dead) != 1 || dead[0].Code != "no_answer" || dead[0].Deliveries != 5 {
			t.Errorf("%+v", dead)
		}
		r.say(secondID, &messages.EventCreated{Trigger: one})
		r.until("the next is stored", time.Minute, func() bool { return len(r.rows.Rows().Events) == 1 })
		r.allOnce(time.Minute)
	})
}

func TestWhatCannotBeSetAsideIsNotAcknowledged(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.inbox.refuse = messages.ErrUnroutable
		r.inbox.put(messages.EventQueue, &letter{Outside: messages.Outside{Body: []byte("rubbish")}, exchange: messages.Events, key: "event.created"})
		time.Sleep(time.Minute)
		if n := r.inbox.left(messages.EventQueue); n != 1 {
			t.Errorf("%d messages are left", n)
		}
		r.inbox.mu.Lock()
		r.inbox.refuse = nil
		r.inbox.mu.Unlock()
		r.settledAll(time.Minute)
		if n := len(r.inbox.dead()); n != 1 {
			t.Errorf("%d dead letters", n)
		}
	})
}

// A drain first settles what was taken, and leaves the rest in the queue.
func TestADrainLosesNoMessageAndTakesNoMore(t *testing.T) {
	inBubble(t, func(r *rig) {
		hangs := make(chan struct{})
		r.fault.set(func(method string, _ int) memory.Fault {
			if method == "Flush" {
				return memory.Fault{Stall: func() { <-hangs }}
			}
			return memory.Fault{}
		})
		for i := range 10 {
			r.say("", &messages.ExecutionRequested{Action: "t.run", Dedupe: fmt.Sprint("before ", i)})
		}
		r.publish("event.created", messages.Outside{ID: firstID, Body: []byte(`{"message_type":"event.created","version":1,"payload":{"trigger":"t.unknown"}}`)})
		synctest.Wait()
		drained := make(chan error, 1)
		go func() { drained <- r.Drain(r.Context()) }()
		synctest.Wait()
		for i := range 5 {
			r.say("", &messages.ExecutionRequested{Action: "t.run", Dedupe: fmt.Sprint("after ", i)})
		}
		synctest.Wait()
		select {
		case err := <-drained:
			t.Errorf("drained with messages under way: %v", err)
		default:
		}
		close(hangs)
		if err := <-drained; err != nil {
			t.Error(err)
		}
		if n := r.inbox.left(messages.RequestQueue); n != 5 || len(r.rows.Rows().Executions) != 10 {
			t.Errorf("%d messages are left, %d executions stored", n, len(r.rows.Rows().Executions))
		}
		r.fault.clear()
		r.restart()
		r.work("w", 5)
		r.settledAll(time.Minute)
		r.allOnce(time.Minute)
		if n := len(r.rows.Rows().Executions); n != 15 {
			t.Errorf("%d executions", n)
		}
	})
}

// Whatever ends in the middle of it, a message that has a key is handled once.
func TestMessagesSurviveCrashes(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.work("w", 5)
		for i := range 300 {
			r.say("", &messages.ExecutionRequested{Action: "t.run", Dedupe: fmt.Sprint(i)})
			if i%100 == 50 {
				time.Sleep(time.Millisecond)
				r.restart()
			}
		}
		r.settledAll(time.Minute)
		r.allOnce(2 * time.Minute)
		if n := len(r.rows.Rows().Executions); n != 300 {
			t.Errorf("%d executions", n)
		}
	})
}

// While the store is away the broker comes and goes: what is held of connections
// that were lost does not add up.
func TestHeldMessagesOfLostConnectionsAreForgotten(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.fault.set(func(method string, _ int) memory.Fault {
			if method == "Flush" {
				return memory.Fault{Kind: memory.LostBefore}
			}
			return memory.Fault{}
		})
		for i := range 300 {
			r.say("", &messages.ExecutionRequested{Action: "t.run", Dedupe: fmt.Sprint(i)})
		}
		for range 10 {
			time.Sleep(7 * time.Second)
			r.inbox.reconnect(messages.RequestQueue)
		}
		synctest.Wait()
		var d struct{ Offered, Held int }
		detail, err := r.Actor(r.Context(), "node/intake")
		if err != nil || json.Unmarshal(detail.Detail, &d) != nil || d.Offered+d.Held != intake.Prefetch {
			t.Errorf("%s %v", detail.Detail, err)
		}
		r.fault.clear()
		r.work("w", 5)
		r.settledAll(time.Minute)
		r.allOnce(time.Minute)
		if n := len(r.rows.Rows().Executions); n != 300 {
			t.Errorf("%d executions", n)
		}
	})
}

// An acknowledgement that is on its way when a node drains still arrives.
func TestADrainWaitsForAcknowledgements(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.inbox.slow = 100 * time.Millisecond
		for range 50 {
			r.publish("execution.requested", messages.Outside{Body: []byte(`{"message_type":"execution.requested","version":1,"payload":{"action":"t.run"}}`)})
		}
		synctest.Wait()
		if err := r.Drain(r.Context()); err != nil {
			t.Error(err)
		}
		if n, stored := r.inbox.left(messages.RequestQueue), len(r.rows.Rows().Executions); n != 0 || stored != 50 {
			t.Errorf("%d messages come again, %d executions are stored", n, stored)
		}
		r.work("w", 1) // so that they end
		r.restart()
		r.work("w", 9)
		r.allOnce(time.Minute)
	})
}

// A reason is in a header and in the log.
func TestARefusedSecretIsInNoReason(t *testing.T) {
	inBubble(t, func(r *rig) {
		s := packs.NewSnapshot([]*attune.Pack{{Ref: "t", Actions: []*attune.Action{{Ref: "t.s", Pack: "t", Name: "s", Runner: "timed", Enabled: true, Hash: "s",
			Parameters: map[string]*attune.Parameter{"pin": {Type: "integer", Secret: true}, "word": {Type: "string", Secret: true, Enum: []any{"a"}}, "list": {Type: "array", Secret: true}}}}}})
		if err := r.SetCatalog(r.Context(), s); err != nil {
			t.Fatal(err)
		}
		r.say(firstID, &messages.ExecutionRequested{Action: "t.s", Parameters: []byte(`{"pin":"hunter2","word":"hunter2","list":"hunter2"}`)})
		r.settledAll(time.Minute)
		dead := r.inbox.dead()
		if len(dead) != 1 || strings.Contains(dead[0].Reason, "hunter2") {
			t.Errorf("%+v", dead)
		}
	})
}
