package api

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// The inside is the point: no caller of New can add a route.
func TestARouteWithoutAPolicyDoesNotStart(t *testing.T) {
	s := &server{Config: Config{Log: slog.New(slog.DiscardHandler)}, mux: http.NewServeMux()}
	routes := s.routes()
	for i := range routes {
		forgotten := append([]route{}, routes...)
		forgotten[i].policy = policy{}
		s := &server{Config: s.Config, mux: http.NewServeMux()}
		if err := s.mount(forgotten); err == nil || !strings.Contains(err.Error(), routes[i].path) {
			t.Errorf("%s %s without a policy: %v", routes[i].method, routes[i].path, err)
		}
	}
}

func TestOnlyHealthIsOpen(t *testing.T) {
	for _, r := range (&server{}).routes() {
		if health := r.path == "/healthz" || r.path == "/readyz"; r.policy.open() != health {
			t.Errorf("%s %s: open is %v", r.method, r.path, r.policy.open())
		}
	}
}
