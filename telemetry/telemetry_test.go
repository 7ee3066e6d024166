package telemetry

import (
	"context"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/attune-automation/attune"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// recorder is a tracer and what it has recorded.
func recorder(t *testing.T, sample float64) (*Tracer, func() tracetest.SpanStubs) {
	t.Helper()
	kept := tracetest.NewInMemoryExporter()
	tracer := newTracer(Config{Sample: sample, Now: time.Now}, sdk.NewSimpleSpanProcessor(kept))
	t.Cleanup(func() {
		if err := tracer.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return tracer, kept.GetSpans
}

func at(seconds int) time.Time {
	return attune.Epoch.Add(time.Hour + time.Duration(seconds)*time.Second)
}

// run is an execution that was given back once, then ran and failed.
func run(traceparent string) *attune.Execution {
	id := attune.ExecutionID(attune.MakeID(77, 3, 1))
	x := &attune.Execution{ID: id, Action: "shop.pack", Requested: at(0), Status: attune.Requested,
		Chain: attune.Chain{Correlation: "ev-1", Traceparent: traceparent, Principal: "alice"}, Event: attune.EventID(attune.MakeID(77, 3, 0)),
		Parameters: []byte(`{"password":"hunter22"}`)}
	for _, in := range []attune.Input{
		{Signal: attune.Admit, At: at(0)},
		{Signal: attune.Assign, At: at(1), Worker: "w1"},
		{Signal: attune.Return, At: at(2), Reason: "hunter22"},
		{Signal: attune.Assign, At: at(3), Worker: "w2"},
		{Signal: attune.Start, At: at(4)},
		{Signal: attune.Fail, At: at(9), Failure: &attune.Failure{Code: "exit_code", Message: "hunter22"}, Result: []byte(`"hunter22"`)},
	} {
		if _, err := x.Apply(in); err != nil {
			panic(err)
		}
	}
	return x
}

func TestAnExecutionIsRecordedWithItsAttemptsBelowItsEvent(t *testing.T) {
	tracer, spans := recorder(t, 0)
	x := run(caller)
	tracer.Event(&attune.Event{ID: x.Event, Trigger: "shop.order", Chain: x.Chain, Accepted: at(0)}, at(1))
	tracer.Execution(x)
	want := []struct {
		name, parent string
		from, to     int
		failed       bool
	}{
		{"event shop.order", "caller", 0, 1, false},
		{"execution shop.pack", "event shop.order", 0, 9, true},
		{"attempt shop.pack", "execution shop.pack", 1, 2, true},
		{"attempt shop.pack", "execution shop.pack", 3, 9, true},
	}
	got := spans()
	if len(got) != len(want) {
		t.Fatalf("%d spans, not %d", len(got), len(want))
	}
	names := map[trace.SpanID]string{{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}: "caller"}
	for i, s := range got {
		names[s.SpanContext.SpanID()] = s.Name
		w := want[i]
		if s.Name != w.name || names[s.Parent.SpanID()] != w.parent || !s.StartTime.Equal(at(w.from)) || !s.EndTime.Equal(at(w.to)) ||
			(s.Status.Code == codes.Error) != w.failed || s.SpanContext.TraceID().String() != caller[3:35] {
			t.Errorf("span %d is %s below %s, %s to %s, %v", i, s.Name, names[s.Parent.SpanID()], s.StartTime, s.EndTime, s.Status)
		}
	}
	if first, second := got[2].SpanContext.SpanID(), got[3].SpanContext.SpanID(); first == second {
		t.Error("two attempts are one span")
	}
	told := x.Chain.Trace().Attempt(x.Token())
	if got[3].SpanContext.SpanID() != told.Span {
		t.Error("the action is told another span than the one recorded")
	}
}

func TestNoSpanHoldsAParameterAResultOrTheTextOfAnError(t *testing.T) {
	tracer, spans := recorder(t, 1)
	tracer.Execution(run(""))
	if len(spans()) != 3 {
		t.Fatalf("%d spans", len(spans()))
	}
	for _, s := range spans() {
		for _, text := range append([]string{s.Name, s.Status.Description}, attributesText(s)...) {
			if strings.Contains(text, "hunter22") {
				t.Errorf("%s says %s", s.Name, text)
			}
		}
	}
}

func attributesText(s tracetest.SpanStub) []string {
	var all []string
	for _, a := range s.Attributes {
		all = append(all, a.Value.String())
	}
	for _, e := range s.Events {
		all = append(all, e.Name)
		for _, a := range e.Attributes {
			all = append(all, a.Value.String())
		}
	}
	return all
}

func TestWhatIsRecordedTwiceIsOneSpan(t *testing.T) {
	tracer, spans := recorder(t, 1)
	tracer.Execution(run(""))
	tracer.Execution(run(""))
	seen := map[trace.SpanID]bool{}
	for _, s := range spans() {
		seen[s.SpanContext.SpanID()] = true
	}
	if len(spans()) != 6 || len(seen) != 3 {
		t.Errorf("%d spans have %d ids", len(spans()), len(seen))
	}
}

func TestTheCallerDecidesElseAShareOfAllTraces(t *testing.T) {
	unsampled := caller[:len(caller)-1] + "0"
	never, _ := recorder(t, 0)
	always, _ := recorder(t, 1)
	if !never.Sampled(attune.Chain{Traceparent: caller}) || always.Sampled(attune.Chain{Traceparent: unsampled}) {
		t.Error("the caller did not decide")
	}
	half, _ := recorder(t, 0.5)
	other, _ := recorder(t, 0.5)
	n := 0
	for i := range 10_000 {
		chain := attune.Chain{Correlation: attune.EventID(attune.MakeID(int64(i), 0, 0)).String()}
		if half.Sampled(chain) {
			n++
		}
		if half.Sampled(chain) != other.Sampled(chain) || never.Sampled(chain) || !always.Sampled(chain) {
			t.Fatal("two nodes decide differently, or a share of 0 or 1 is none")
		}
	}
	if math.Abs(float64(n)-5000) > 250 { // five standard deviations
		t.Errorf("of 10,000 traces %d are half", n)
	}
}

func TestARequestIsTheParentOfWhatItCauses(t *testing.T) {
	tracer, spans := recorder(t, 1)
	span, end := tracer.Request("POST /api/v1/events", "")
	end(http.StatusCreated)
	below, end := tracer.Request("POST /api/v1/events", caller)
	end(http.StatusInternalServerError)
	got := spans()
	if len(got) != 2 {
		t.Fatalf("%d spans", len(got))
	}
	place, ok := attune.ParseTraceparent(span)
	if !ok || got[0].SpanContext.SpanID() != place.Span || got[0].Parent.IsValid() || got[0].Status.Code == codes.Error {
		t.Errorf("a request of its own: %s, %+v", span, got[0])
	}
	if got[1].Parent.SpanID().String() != caller[36:52] || below[3:35] != caller[3:35] || got[1].Status.Code != codes.Error {
		t.Errorf("a request below a caller: %s, %+v", below, got[1])
	}
}

func TestWhatIsNotSampledIsToldSo(t *testing.T) {
	tracer, spans := recorder(t, 0)
	span, end := tracer.Request("POST /", "")
	end(http.StatusCreated)
	tracer.Execution(run(""))
	if place, ok := attune.ParseTraceparent(span); !ok || place.Sampled || len(spans()) != 0 {
		t.Errorf("%s, %d spans", span, len(spans()))
	}
}

func TestAWrongConfigurationIsRefused(t *testing.T) {
	for _, c := range []Config{{Endpoint: "127.0.0.1:4318"}, {Endpoint: "http://127.0.0.1:4318", Sample: 1.5}, {Endpoint: "http://127.0.0.1:4318", Sample: -1}} {
		if _, err := Open(t.Context(), c); attune.KindOf(err) != attune.Invalid {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func BenchmarkExecution(b *testing.B) {
	tracer := newTracer(Config{Sample: 1}, sdk.NewSimpleSpanProcessor(tracetest.NewNoopExporter()))
	x := run("")
	b.ReportAllocs()
	for b.Loop() {
		tracer.Execution(x)
	}
}

func BenchmarkExecutionNotSampled(b *testing.B) {
	tracer := newTracer(Config{}, sdk.NewSimpleSpanProcessor(tracetest.NewNoopExporter()))
	x := run("")
	b.ReportAllocs()
	for b.Loop() {
		tracer.Execution(x)
	}
}
