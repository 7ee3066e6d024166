package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/attune-automation/attune"
)

// noDeadline lifts a deadline of a connection.
var noDeadline time.Time

// none is the input of routes that take none.
type none struct{}

// Health is the answer of /healthz and /readyz.
type Health struct {
	// Status is "ok"; anything else is a problem.
	Status string `json:"status"`
}

type healthOutput struct{ Body Health }

// health says that the process answers at all.
func (s *server) health(context.Context, *none) (*healthOutput, error) {
	return &healthOutput{Health{"ok"}}, nil
}

// ready says that the node takes work, else 503 with the reason.
func (s *server) ready(context.Context, *none) (*healthOutput, error) {
	if err := s.Engine.Ready(); err != nil {
		return nil, &attune.Error{Kind: attune.Unavailable, Code: "not_ready", Message: "the node takes no work", Cause: err, RetryAfter: time.Second}
	}
	return &healthOutput{Health{"ready"}}, nil
}

// streamOutput is an answer that is written by hand.
type streamOutput struct{ Body func(huma.Context) }

func (s *server) metrics(context.Context, *none) (*streamOutput, error) {
	h := promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{})
	return &streamOutput{func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		h.ServeHTTP(w, r)
	}}, nil
}

type nodeOutput struct{ Body NodeView }

func (s *server) node(context.Context, *none) (*nodeOutput, error) {
	return &nodeOutput{s.Engine.Node()}, nil
}
