package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/packs"
)

// MaxBody is the most bytes of one request body; more is 413 before anything is
// decoded.
const MaxBody = 1 << 20

// Config is what [New] builds a handler from. All fields but Admin, MetricsOpen,
// BodyTime, Heartbeat, Version, Traces and Observe are needed.
type Config struct {
	// Engine does what the API cannot do by reading.
	Engine Engine
	// Store is what the API reads.
	Store Store
	// Admin does what those who run the node ask for; without it that is
	// Unavailable.
	Admin Admin
	// Log receives one line per request (debug) and per internal error.
	Log *slog.Logger
	// Metrics is what /metrics shows.
	Metrics prometheus.Gatherer
	// MetricsOpen shows /metrics without a token.
	MetricsOpen bool
	// Now is the time by which cached tokens age.
	Now func() time.Time
	// AfterFunc calls f once when d has passed, as [time.AfterFunc] does.
	AfterFunc func(d time.Duration, f func()) attune.Timer
	// Executions are the tokens that actions are given; nil knows none.
	Executions *ExecutionTokens
	// BodyTime is how long a request body may take to arrive; 0 is 30 s. Too
	// short refuses slow senders, too long lets idle ones keep connections.
	BodyTime time.Duration
	// Heartbeat is how often a stream says that it is still there; 0 is 15 s.
	// Longer than the patience of what stands between loses connections.
	Heartbeat time.Duration
	// Version is shown in the OpenAPI document; empty is "dev".
	Version string
	// Traces records requests; nil records none.
	Traces Traces
	// Observe, if set, is told of each answer: the route's pattern (empty where
	// there is none), the status and the time it took. It must not block.
	Observe func(route string, status int, took time.Duration)
}

// server holds what the handlers share. It has no state of its own beyond the
// cached tokens, and what is open at the moment.
type server struct {
	Config
	tokens   *Tokens
	visits   *visits
	denials  denials
	revoking sync.Mutex
	mux      *http.ServeMux
}

// New builds the handler. It fails when a route has no policy.
func New(c Config) (http.Handler, error) {
	if c.BodyTime == 0 {
		c.BodyTime = 30 * time.Second
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 15 * time.Second
	}
	s := &server{Config: c, tokens: NewTokens(c.Store, c.Now), denials: denials{log: c.Log}, mux: http.NewServeMux()}
	s.tokens.minted, s.tokens.rows = c.Executions, c.Store
	s.visits = newVisits(s.tokens, c.AfterFunc)
	s.Store = within{c.Store}
	if err := s.mount(s.routes()); err != nil {
		return nil, err
	}
	return http.HandlerFunc(s.serve), nil
}

// problemsOnce guards huma's package-wide error constructor: huma offers no
// other place to say what its own errors look like.
var problemsOnce sync.Once

// mount registers the routes with huma and the mux.
func (s *server) mount(routes []route) error {
	problemsOnce.Do(func() { huma.NewErrorWithContext = foreignProblem })
	version := s.Version
	if version == "" {
		version = "dev"
	}
	config := huma.DefaultConfig("Attune", version)
	config.DocsPath, config.SchemasPath, config.OpenAPIPath = "", "", ""
	config.CreateHooks = nil // they would add a $schema field to every answer
	config.RejectUnknownQueryParameters = true
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	config.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[[]attune.Status](), reflect.TypeFor[[]string]()) // else bytes
	a := humago.New(manyParts{s.mux}, config)
	for _, r := range routes {
		if len(r.policy.roles) == 0 {
			return fmt.Errorf("route %s %s has no policy: say who may call it", r.method, r.path)
		}
		r.register(a, s.operation(r))
	}
	s.mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		writeJSON(w, a.OpenAPI())
	})
	s.mux.HandleFunc("/", s.noRoute)
	return nil
}

func (s *server) operation(r route) huma.Operation {
	id := strings.ReplaceAll(strings.ToLower(r.summary), " ", "-")
	op := huma.Operation{
		OperationID: id, Method: r.method, Path: r.path, Summary: r.summary,
		Middlewares:     huma.Middlewares{s.guard(r, id)},
		MaxBodyBytes:    MaxBody + 1, // huma refuses a body of exactly this size
		BodyReadTimeout: s.BodyTime,
		DefaultStatus:   r.status, SkipValidateBody: r.anyBody,
	}
	if packBody(r.method, r.path) {
		op.MaxBodyBytes, op.BodyReadTimeout = packs.MaxArchive+1, 10*s.BodyTime
	}
	if linkBody(r.method, r.path) {
		op.MaxBodyBytes = maxLink + 1
	}
	if !r.policy.open() {
		op.Security = []map[string][]string{{"token": {}}}
		op.Errors = []int{http.StatusUnauthorized, http.StatusForbidden}
	}
	return op
}

// manyParts lets the last parameter of some routes span slashes, which OpenAPI
// has no way to say.
type manyParts struct{ *http.ServeMux }

// HandleFunc implements humago.Mux.
func (m manyParts) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	for _, name := range []string{"{path}", "{url}"} {
		if rest, ok := strings.CutSuffix(pattern, name); ok {
			pattern = rest + strings.TrimSuffix(name, "}") + "...}"
		}
	}
	m.ServeMux.HandleFunc(pattern, handler)
}

// serve logs each request and turns a panic into an answer.
func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	began := s.Now()
	seen := &witness{ResponseWriter: w}
	who := &principal{}
	ctx, cancel := context.WithCancelCause(context.WithValue(r.Context(), principalKey{}, who))
	defer cancel(nil)
	who.cancel = cancel
	r, endSpan := s.traced(r.WithContext(ctx))
	defer func() {
		defer s.observe(r, seen, began, endSpan)
		s.rescue(recover(), seen, r)
		s.Log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", seen.status.Load(),
			"principal", who.token.Name, "duration", s.Now().Sub(began))
	}()
	if p := tooLong(r); p != nil {
		writeProblem(seen, p)
		return
	}
	s.mux.ServeHTTP(seen, r)
}

// observe tells of an answer, also of one that broke off.
func (s *server) observe(r *http.Request, w *witness, began time.Time, endSpan func(int)) {
	status := int(w.status.Load())
	endSpan(status)
	if s.Observe != nil {
		s.Observe(r.Pattern, status, s.Now().Sub(began))
	}
}

// rescue turns a handler's panic into an answer, or, where half of one is sent
// already, into a broken connection: it must not look whole.
func (s *server) rescue(p any, w *witness, r *http.Request) {
	err, _ := p.(error)
	if p == nil {
		return
	}
	if !errors.Is(err, http.ErrAbortHandler) {
		s.Log.Error("a request failed", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	}
	if w.status.Load() != 0 || errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	writeProblem(w, newProblem(attune.NewError(attune.Internal, "internal", "the request failed inside the engine")))
}

// noRoute answers what no route takes: 405 where another method would be right.
func (s *server) noRoute(w http.ResponseWriter, r *http.Request) {
	var right []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := s.mux.Handler(other); pattern != "/" && method != r.Method {
			right = append(right, method)
		}
	}
	if right == nil {
		writeProblem(w, newProblem(&attune.Error{Kind: attune.NotFound, Code: "unknown_route", Message: "there is no such route",
			Where: r.Method + " " + r.URL.Path, Try: "/openapi.json lists all routes"}))
		return
	}
	allow := strings.Join(right, ", ")
	w.Header().Set("Allow", allow)
	p := newProblem(&attune.Error{Kind: attune.Invalid, Code: "wrong_method", Message: r.Method + " is not possible here", Where: r.URL.Path, Try: allow})
	p.Status = http.StatusMethodNotAllowed
	writeProblem(w, p)
}

// writeAtMost is how long one write may take: whoever reads slower than that
// does not hold a connection for ever.
const writeAtMost = time.Minute

// witness remembers the status of an answer, and bounds each of its writes.
type witness struct {
	http.ResponseWriter
	// status is looked at by who ends the request, too.
	status atomic.Int32
}

// WriteHeader remembers the status.
func (w *witness) WriteHeader(status int) {
	w.bound()
	w.status.CompareAndSwap(0, int32(status)) //nolint:gosec // below a thousand
	w.ResponseWriter.WriteHeader(status)
}

func (w *witness) Write(b []byte) (int, error) {
	w.bound()
	w.status.CompareAndSwap(0, http.StatusOK)
	return w.ResponseWriter.Write(b)
}

func (w *witness) bound() {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(writeAtMost)) //nolint:forbidigo // a deadline of the kernel's
}

func (w *witness) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// on makes a handler part of a route: errors of every kind become problems, and
// internal ones are logged here, once.
func on[I, O any](s *server, handle func(context.Context, *I) (*O, error)) func(huma.API, huma.Operation) {
	return func(a huma.API, op huma.Operation) {
		huma.Register(a, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := handle(ctx, in)
			if err == nil {
				return out, nil
			}
			who := principalIn(ctx)
			if who != nil && who.ended(ctx) {
				err = context.Cause(ctx)
			}
			var p *Problem
			if !errors.As(err, &p) {
				p = newProblem(err)
			}
			if who != nil {
				who.code = p.Code
			}
			if p.Status == http.StatusInternalServerError {
				s.Log.Error("a request failed", "route", op.Method+" "+op.Path, "principal", principalOf(ctx), "error", err)
			}
			return nil, p
		})
	}
}
