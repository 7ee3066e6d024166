package api

import (
	"context"
	"net/http"
)

// Traces records requests that change something as spans. It must not block.
type Traces interface {
	// Request begins the span of a request, below the caller's place in its
	// trace or in a trace of its own, and returns the place of what the request
	// causes; end is called once, with the status of the answer.
	Request(name, traceparent string) (span string, end func(status int))
}

type spanKey struct{}

// spanOf is the place in its trace of what the request causes; empty where none
// is recorded.
func spanOf(ctx context.Context) string {
	span, _ := ctx.Value(spanKey{}).(string)
	return span
}

// traced begins the span of a request that may change something. Reading is not
// recorded: it would bury what happened below who looked.
func (s *server) traced(r *http.Request) (_ *http.Request, end func(status int)) {
	if s.Traces == nil || r.Method == http.MethodGet {
		return r, func(int) {}
	}
	_, pattern := s.mux.Handler(r)
	span, end := s.Traces.Request(pattern, r.Header.Get("traceparent"))
	return r.WithContext(context.WithValue(r.Context(), spanKey{}, span)), end
}
