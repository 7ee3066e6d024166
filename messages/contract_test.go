package messages_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/messages"
)

var (
	_, eventNumber, _     = attune.ParseID("ev-06yk1nr080403")
	_, executionNumber, _ = attune.ParseID("ex-06yk1nr080404")

	eventID, executionID = attune.EventID(eventNumber), attune.ExecutionID(executionNumber)
)

var at = time.Date(2026, 11, 25, 8, 30, 0, 250e6, time.UTC)

// examples are an envelope of every message type, as the page shows them.
func examples() []*messages.Envelope {
	in := func(id, correlation string, p messages.Payload) *messages.Envelope {
		return &messages.Envelope{MessageID: id, CorrelationID: correlation, MessageType: p.MessageType(), Version: 1, Timestamp: at,
			Headers: messages.Headers{Source: "billing.prod", TraceID: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, Payload: p}
	}
	x := &attune.Execution{ID: executionID, Version: 3, Action: "examples.notify", Status: attune.Completed, Attempt: 1, Rule: "examples.on_alert",
		Trigger: "examples.alert", Event: eventID, Requested: at, Started: at.Add(4 * time.Millisecond), Finished: at.Add(time.Second),
		Result: []byte(`{"sent":true}`), Chain: attune.Chain{Correlation: eventID.String()}}
	for _, step := range []attune.Step{{To: attune.Scheduled}, {At: at.Add(250 * time.Millisecond), To: attune.Running, Attempt: 1}} {
		x.History = x.History.Append(step)
	}
	running := x.Clone()
	running.Version, running.Status = 2, attune.Running
	return []*messages.Envelope{
		in("0b5f3c1e-8d1a-4c55-9a53-0c7d5b1f2a10", "", &messages.EventCreated{Trigger: "examples.alert", Payload: []byte(`{"host":"db-1","level":"high"}`),
			Dedupe: "alert-4711", OccurredAt: at.Add(-time.Second)}),
		in("5ad7c0de-34b0-4b6f-8a0e-2f6d8a3b9c11", eventID.String(), &messages.EnforcementCreated{Event: eventID, Rule: "billing.on_alert", Action: "examples.notify",
			Parameters: []byte(`{"text":"db-1 is high"}`)}),
		in("9d2f6f0a-5b8e-4b57-b3f4-6d1f0c2e7a12", "invoice-8", &messages.ExecutionRequested{Action: "examples.notify", Parameters: []byte(`{"text":"paid"}`),
			Dedupe: "invoice-8", Timeout: "30s", Deadline: "10m", Retry: []byte(`{"max_attempts":3,"delay":"5s"}`)}),
		in("c3a1b7d4-0f29-4a86-9a4b-81f0e5d6b713", "invoice-8", &messages.ExecutionCancelRequested{Execution: executionID, Reason: "the invoice is withdrawn"}),
		messages.EndOf(x).Envelope(),
		messages.StatusOf(running).Envelope(),
	}
}

func TestEveryMessageIsReadAsItWasWritten(t *testing.T) {
	for i, e := range examples() {
		kind := messages.Contract[i]
		if key, _, open := strings.Cut(kind.Type, "<"); e.MessageType != kind.Type && !(open && strings.HasPrefix(e.MessageType, key)) {
			t.Fatalf("example %d is a %s, not a %s", i, e.MessageType, kind.Type)
		}
		m, err := e.Outside()
		if err != nil {
			t.Fatal(err)
		}
		got, err := messages.ReadEnvelope(e.MessageType, m)
		if err != nil {
			t.Errorf("%s: %v", e.MessageType, err)
			continue
		}
		clearChain(e.Payload)
		if !reflect.DeepEqual(got, e) {
			t.Errorf("%s: read\n%+v\n%+v\nwritten\n%+v\n%+v", e.MessageType, got, got.Payload, e, e.Payload)
		}
	}
}

// clearChain forgets what travels in the envelope.
func clearChain(p messages.Payload) {
	switch p := p.(type) {
	case *messages.ExecutionCompleted:
		p.Chain = attune.Chain{}
	case *messages.ExecutionStatus:
		p.Chain = attune.Chain{}
	}
}

func TestAMessageSaysAllItsFaultsAtOnce(t *testing.T) {
	const uuid = `"message_id":"0b5f3c1e-8d1a-4c55-9a53-0c7d5b1f2a10",`
	for _, c := range []struct {
		name, key, body string
		want            []string // "where: message" each
	}{
		{"nothing but braces", "event.created", `{}`, []string{"message_type: it is missing", "version: it is missing", "payload: it is missing"}},
		{"members of other types", "event.created", `{"message_id":7,"message_type":"event.created","version":"1","headers":[],"timestamp":"today","payload":{"trigger":1,"dedupe":{},"occurred_at":"x"}}`,
			[]string{"version: it is not a whole number", "message_id: it is not a text", "timestamp: it is not a time", "headers: it is not an object",
				"payload.trigger: it is not a text", "payload.dedupe: it is not a text", "payload.occurred_at: it is not a time"}},
		{"another key than type", "execution.requested", `{` + uuid + `"message_type":"event.created","version":1,"payload":{"trigger":"a.b"}}`,
			[]string{"message_type: it is event.created, and the routing key is execution.requested"}},
		{"an unknown type", "a.b", `{"message_type":"a.b","version":1,"payload":{}}`, []string{"message_type: there is no message type a.b"}},
		{"an id that is none", "event.created", `{"message_id":"1","message_type":"event.created","version":1,"payload":{"trigger":"a.b"}}`, []string{"message_id: it is not a UUID"}},
		{"a long correlation", "event.created", `{` + uuid + `"correlation_id":"` + strings.Repeat("c", 256) + `","message_type":"event.created","version":1,"payload":{"trigger":"a.b"}}`,
			[]string{"correlation_id: it is longer than 255 bytes"}},
		{"a source that could be taken for something else", "event.created", `{"message_type":"event.created","version":1,"headers":{"source":"a b"},"payload":{"trigger":"a.b"}}`,
			[]string{"headers.source: it has other characters than letters, digits and .-_:/"}},
		{"neither action nor rule", "enforcement.created", `{"message_type":"enforcement.created","version":1,"payload":{"event":"ex-06yk1nr080403","parameters":[]}}`,
			[]string{"payload.event: it is not such an id", "payload.action: it says neither an action nor a rule", "payload.parameters: it is not an object"}},
		{"an empty action and an empty rule", "enforcement.created", `{"message_type":"enforcement.created","version":1,"payload":{"event":"ev-06yk1nr080403","rule": "" ,"action":""}}`,
			[]string{"payload.action: it says neither an action nor a rule"}},
		{"a rule of another type and no action", "enforcement.created", `{"message_type":"enforcement.created","version":1,"payload":{"event":"ev-06yk1nr080403","rule":7,"action":""}}`,
			[]string{"payload.rule: it is not a text"}},
		{"times that their zone puts out of the calendar", "event.created",
			`{"message_type":"event.created","version":1,"timestamp":"0000-01-01T00:00:00+01:00","payload":{"trigger":"a.b","occurred_at":"9999-12-31T23:59:59-01:00"}}`,
			[]string{"timestamp: it is not a time", "payload.occurred_at: it is not a time"}},
		{"a request without an action", "execution.requested", `{"message_type":"execution.requested","version":1,"payload":{"Action":"a.b","parameters":3}}`,
			[]string{`payload.action: it is missing`, "payload.parameters: it is not an object"}},
		{"a cancel of an event", "execution.cancel.requested", `{"message_type":"execution.cancel.requested","version":1,"payload":{"execution":"ev-06yk1nr080403","reason":"` + strings.Repeat("r", 201) + `"}}`,
			[]string{"payload.execution: it is not such an id", "payload.reason: it is longer than 200 bytes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := messages.ReadEnvelope(c.key, messages.Outside{Body: []byte(c.body)})
			var e *attune.Error
			if !errors.As(err, &e) || e.Kind != attune.Invalid || e.Code != messages.CodeMalformed || e.Try == "" {
				t.Fatalf("%#v", err)
			}
			var got []string
			for _, f := range e.Faults {
				got = append(got, f.Where+": "+f.Message)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestWhatIsNoEnvelopeIsRefused(t *testing.T) {
	for name, m := range map[string]messages.Outside{
		"text":                {Body: []byte("hello")},
		"nothing":             {},
		"null":                {Body: []byte("null")},
		"a list":              {Body: []byte("[]")},
		"another type":        {ContentType: "text/plain", Body: []byte(`{"message_type":"event.created","version":1,"payload":{"trigger":"a.b"}}`)},
		"more than a message": {Body: []byte(`{"a":"` + strings.Repeat("a", messages.MaxOutside) + `"}`)},
	} {
		_, err := messages.ReadEnvelope("event.created", m)
		var e *attune.Error
		if !errors.As(err, &e) || e.Code != messages.CodeMalformed || e.Where == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestANewerMessageIsNoMalformedOne(t *testing.T) {
	_, err := messages.ReadEnvelope("event.created", messages.Outside{Body: []byte(`{"message_type":"event.created","version":2,"payload":"of another kind"}`)})
	var e *attune.Error
	if !errors.As(err, &e) || e.Code != messages.CodeNewer || !strings.Contains(e.Message, "version 2 of event.created is newer") {
		t.Fatal(err)
	}
}

func TestWhatANewerSenderSaysBesidesIsIgnored(t *testing.T) {
	e, err := messages.ReadEnvelope("event.created", messages.Outside{ID: "of the property", ContentType: "application/json; charset=utf-8",
		Body: []byte(`{"message_type":"event.created","version":1,"colour":1,"headers":{"mood":2,"trace_id":"rubbish"},"payload":{"trigger":"a.b","weight":3,"dedupe":null}}`)})
	if err != nil {
		t.Fatal(err)
	}
	if p := e.Payload.(*messages.EventCreated); p.Trigger != "a.b" || e.MessageID != "of the property" || e.Headers.TraceID != "" {
		t.Errorf("%+v %+v", e, p)
	}
}

func TestAnAnnouncementIsBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	x := &attune.Execution{ID: executionID, Version: 2, Action: "a.b", Status: attune.Failed, Finished: at, Result: []byte(`"` + long + `"`), Failure: &attune.Failure{Code: "c", Detail: long}}
	m, err := messages.EndOf(x).Envelope().Outside()
	if err != nil || len(m.Body) > 10_000 {
		t.Errorf("%d bytes, %v", len(m.Body), err)
	}
	if len(x.Failure.Detail) != len(long) {
		t.Error("the execution itself was cut")
	}
	e, err := messages.ReadEnvelope(messages.CompletedKey, m)
	if err != nil {
		t.Fatal(err)
	}
	if c := e.Payload.(*messages.ExecutionCompleted); c.Result != nil || c.ResultBytes != len(x.Result) {
		t.Errorf("%+v", c)
	}
}

func TestAnEndSaidTwiceHasOneMessageID(t *testing.T) {
	x := &attune.Execution{ID: executionID, Version: 2, Status: attune.Failed}
	first, again := messages.EndOf(x).Envelope().MessageID, messages.EndOf(x).Envelope().MessageID
	x.Version = 3
	if other := messages.EndOf(x).Envelope().MessageID; first != again || first == other || len(first) != 36 {
		t.Error(first, again, other)
	}
}

func TestAStatusIsAnnouncedWhenItChanged(t *testing.T) {
	step := func(to attune.Status, refused bool) attune.Step { return attune.Step{At: at, To: to, Refused: refused} }
	for _, c := range []struct {
		name  string
		steps []attune.Step
		from  string
		said  bool
	}{
		{"nothing happened", nil, "", false},
		{"the first status", []attune.Step{step(attune.Requested, false)}, "", true},
		{"a change", []attune.Step{step(attune.Scheduled, false), step(attune.Running, false)}, "scheduled", true},
		{"evidence in between", []attune.Step{step(attune.Scheduled, false), step(attune.Scheduled, true), step(attune.Running, false)}, "scheduled", true},
		{"evidence at the end", []attune.Step{step(attune.Running, false), step(attune.Running, true)}, "", false},
		{"the same again", []attune.Step{step(attune.Delayed, false), step(attune.Delayed, false)}, "", false},
	} {
		x := &attune.Execution{ID: executionID, Version: 1}
		for _, s := range c.steps {
			x.Status, x.History = s.To, x.History.Append(s)
		}
		s := messages.StatusOf(x)
		if (s != nil) != c.said || s != nil && (s.From != c.from || !s.At.Equal(at) || s.MessageType() != "execution.status."+x.Status.String()) {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
}

func TestAnAnnouncementCrossesTheNetwork(t *testing.T) {
	for _, e := range examples() {
		switch e.Payload.(type) {
		case *messages.ExecutionCompleted, *messages.ExecutionStatus:
		default:
			continue
		}
		kind, body, err := messages.Encode(e.Payload)
		if err != nil || kind != messages.JSONType {
			t.Fatal(kind, err)
		}
		if got, err := messages.Decode(kind, body); err != nil || !reflect.DeepEqual(got, e.Payload) {
			t.Errorf("got\n%+v, %v\nwant\n%+v", got, err, e.Payload)
		}
	}
	if m, err := messages.Decode(messages.JSONType, []byte(`{"message_type":"event.created","version":1,"payload":{"trigger":"a.b"}}`)); err == nil {
		t.Errorf("%+v is taken for an announcement", m)
	}
}

// FuzzReadEnvelope reads whatever comes: it is an error of ours, or a message
// that is written and read again as the same.
func FuzzReadEnvelope(f *testing.F) {
	for _, e := range examples() {
		m, err := e.Outside()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.MessageType, m.Body)
	}
	f.Add("event.created", []byte(`{"message_type":"event.created","version":1,"payload":{"trigger":"a","payload":1e400}}`))
	f.Add("enforcement.created", []byte(`{"message_type":"enforcement.created","version":1,"payload":{"event":"ev-0000000000001","action":""}}`))
	f.Add("event.created", []byte(`{"message_type":"event.created","version":1,"timestamp":"9999-12-31T23:59:59-01:00","payload":{"trigger":"a"}}`))
	f.Fuzz(func(t *testing.T, key string, body []byte) {
		first, err := messages.ReadEnvelope(key, messages.Outside{Body: body})
		if err != nil {
			var e *attune.Error
			if !errors.As(err, &e) || e.Kind != attune.Invalid || e.Code != messages.CodeMalformed && e.Code != messages.CodeNewer {
				t.Fatalf("%v", err)
			}
			return
		}
		m, err := first.Outside()
		if err != nil {
			t.Fatalf("%s was read, and cannot be written: %v", body, err)
		}
		again, err := messages.ReadEnvelope(key, m)
		if err != nil && len(m.Body) <= messages.MaxOutside {
			t.Fatalf("%s was read, and written as %s: %v", body, m.Body, err)
		}
		one, _ := json.Marshal(first)
		two, _ := json.Marshal(again)
		if err == nil && string(one) != string(two) {
			t.Fatalf("%s was read as\n%s\nand then as\n%s", body, one, two)
		}
	})
}
