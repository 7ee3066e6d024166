package telemetry

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/attune-automation/attune"
)

// Config says where spans go.
type Config struct {
	// Endpoint is the URL of a collector that takes OTLP over HTTP, such as
	// http://127.0.0.1:4318. Its path, if it has one, is used as it is, else
	// /v1/traces.
	Endpoint string
	// Sample is the share of traces to record, 0 to 1. A trace that a caller
	// began is recorded if the caller records it, whatever this says.
	Sample float64
	// Version and Instance are the program's and the node's, for display.
	Version, Instance string
	// Now is the time of requests.
	Now func() time.Time
	// Log is told when spans cannot be sent.
	Log *slog.Logger
}

// queued is how many spans wait for the collector; more are dropped, never
// waited for. One has about half a kilobyte.
const queued = 16_384

// Tracer records spans. It implements what the API and the node ask for, and is
// safe for concurrent use. Recording never blocks.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	sample   float64
	now      func() time.Time
}

// Open starts sending to a collector, which need not be there yet. Headers,
// certificates, timeouts and compression are those of the environment's
// OTEL_EXPORTER_OTLP_ variables.
func Open(ctx context.Context, c Config) (*Tracer, error) {
	if !strings.HasPrefix(c.Endpoint, "http://") && !strings.HasPrefix(c.Endpoint, "https://") {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "wrong_endpoint", Message: fmt.Sprintf("%q is not the URL of a collector", c.Endpoint),
			Try: "http://127.0.0.1:4318"}
	}
	if c.Sample < 0 || c.Sample > 1 {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "wrong_sample", Message: fmt.Sprintf("%v is not a share of traces", c.Sample), Try: "a number from 0 to 1, such as 0.1"}
	}
	endpoint := c.Endpoint
	if rest := strings.SplitN(endpoint, "/", 4); len(rest) < 4 || rest[3] == "" {
		endpoint = strings.TrimSuffix(endpoint, "/") + "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, fmt.Errorf("send traces to %s: %w", c.Endpoint, err)
	}
	if c.Log != nil { // the library knows one place only, for the whole process
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { c.Log.Warn("traces cannot be sent", slog.String("error", err.Error())) }))
	}
	return newTracer(c, sdk.NewBatchSpanProcessor(exporter, sdk.WithMaxQueueSize(queued))), nil
}

func newTracer(c Config, processor sdk.SpanProcessor) *Tracer {
	about := resource.NewSchemaless(attribute.String("service.name", "attune"), attribute.String("service.version", c.Version),
		attribute.String("service.instance.id", c.Instance))
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(processor), sdk.WithResource(about), sdk.WithIDGenerator(given{}),
		sdk.WithSampler(sdk.AlwaysSample())) // what is not to be recorded never comes here
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/attune-automation/attune"), sample: c.Sample, now: c.Now}
}

// Close sends what waits, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// Sampled reports whether the trace of a chain is recorded: where a caller began
// it, if the caller records it, else a share of all traces, the same ones on
// every node.
func (t *Tracer) Sampled(chain attune.Chain) bool {
	if place, ok := attune.ParseTraceparent(chain.Traceparent); ok {
		return place.Sampled
	}
	return t.chosen(chain.Trace())
}

// chosen picks traces by their ids.
func (t *Tracer) chosen(place attune.TraceContext) bool {
	n := uint64(0)
	for _, b := range place.Trace[8:] {
		n = n<<8 | uint64(b)
	}
	return float64(n>>11)/(1<<53) < t.sample
}

// Request begins the span of a request.
func (t *Tracer) Request(name, traceparent string) (span string, end func(status int)) {
	began := t.now()
	parent, called := attune.ParseTraceparent(traceparent)
	place := parent
	if !called {
		_, _ = rand.Read(place.Trace[:]) // it never fails
		place.Sampled = t.chosen(place)
	}
	_, _ = rand.Read(place.Span[:])
	if !place.Sampled {
		return place.String(), func(int) {}
	}
	return place.String(), func(status int) {
		s := t.begin(place, parent, name, began, trace.SpanKindServer, attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError || status == 0 {
			s.SetStatus(codes.Error, "")
		}
		s.End(trace.WithTimestamp(t.now()))
	}
}

// begin starts a span at a place, below a parent; a zero parent is none.
func (t *Tracer) begin(place, parent attune.TraceContext, name string, at time.Time, kind trace.SpanKind, attributes ...attribute.KeyValue) trace.Span {
	ctx := context.WithValue(context.Background(), placeKey{}, place)
	if parent.Span != [8]byte{} {
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: parent.Trace, SpanID: parent.Span, TraceFlags: trace.FlagsSampled, Remote: true}))
	}
	_, span := t.tracer.Start(ctx, name, trace.WithTimestamp(at), trace.WithSpanKind(kind), trace.WithAttributes(attributes...))
	return span
}

// given makes the ids of spans: those of the place they are to have.
type given struct{}

type placeKey struct{}

// NewIDs implements sdk.IDGenerator, for spans without parent.
func (given) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	place, _ := ctx.Value(placeKey{}).(attune.TraceContext)
	return place.Trace, place.Span
}

// NewSpanID implements sdk.IDGenerator.
func (given) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	place, _ := ctx.Value(placeKey{}).(attune.TraceContext)
	return place.Span
}
