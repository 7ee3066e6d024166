package api

import (
	"context"
	"net/http"
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
	// Status is ok, of /healthz; ready or degraded, of /readyz.
	Status string `json:"status"`
	// Parts are what the node stands on, of /readyz.
	Parts []PartHealth `json:"parts,omitempty"`
}

// PartHealth is something that a node stands on.
type PartHealth struct {
	// Part is store, broker, partitions.
	Part string `json:"part"`
	// State is ok; degraded, when work goes on without it for now; or away, when
	// the node is not ready without it.
	State string `json:"state"`
	// Reason says what is wrong and what follows from it.
	Reason string `json:"reason,omitempty"`
}

// The states of a part.
const (
	PartOK       = "ok"
	PartDegraded = "degraded"
	PartAway     = "away"
)

type healthOutput struct{ Body Health }

// health says that the process answers at all.
func (s *server) health(context.Context, *none) (*healthOutput, error) {
	return &healthOutput{Health{Status: "ok"}}, nil
}

// ready says that the node takes work, and which part it has to do without; else
// 503 with the reason.
func (s *server) ready(context.Context, *none) (*healthOutput, error) {
	if err := s.Engine.Ready(); err != nil {
		return nil, &attune.Error{Kind: attune.Unavailable, Code: "not_ready", Message: "the node takes no work", Cause: err, RetryAfter: time.Second}
	}
	h := Health{Status: "ready", Parts: s.Engine.Parts()}
	for _, p := range h.Parts {
		switch p.State {
		case PartAway:
			return nil, &attune.Error{Kind: attune.Unavailable, Code: "not_ready", Message: "the " + p.Part + " is away: " + p.Reason, Where: p.Part, RetryAfter: time.Second}
		case PartDegraded:
			h.Status = PartDegraded
		}
	}
	return &healthOutput{h}, nil
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

// Starting answers while there is no node yet: the process is alive, and takes no
// work, for a reason that may change.
func Starting(why func() string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, Health{Status: "ok"}) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, newProblem(&attune.Error{Kind: attune.Unavailable, Code: "starting", Message: "the node starts: " + why(), Try: "again in a moment", RetryAfter: time.Second}))
	})
	return mux
}
