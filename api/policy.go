package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/attune-automation/attune"
)

// policy is the roles that may call a route. An empty one is no policy.
type policy []attune.Role

// nobody in particular: a role that no token has, so that "open" must be
// written down like any other policy.
const everybody attune.Role = "everybody"

// The policies. Admin has the rights of operator, operator those of viewer.
var (
	open      = policy{everybody}
	viewing   = policy{attune.RoleViewer, attune.RoleOperator, attune.RoleAdmin}
	operating = policy{attune.RoleOperator, attune.RoleAdmin}
)

func (p policy) open() bool { return slices.Contains(p, everybody) }

func (p policy) allows(t attune.AccessToken) bool {
	return slices.ContainsFunc(t.Roles, func(r attune.Role) bool { return r != everybody && slices.Contains(p, r) })
}

// guard lets a request pass that the policy allows, and notes who it is.
func (s *server) guard(p policy) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		if p.open() {
			next(hc)
			return
		}
		r, w := humago.Unwrap(hc)
		token, err := s.tokens.Check(r.Context(), secretOf(r.Header))
		if err == nil && !p.allows(token) {
			err = &attune.Error{Kind: attune.Denied, Code: "role_missing", Message: "the token " + token.Name + " may not do this",
				Try: "use a token with the role " + string(p[0])}
		}
		if err != nil {
			writeProblem(w, newProblem(err))
			return
		}
		if who, ok := r.Context().Value(principalKey{}).(*principal); ok {
			who.token = token
		}
		next(hc)
	}
}

type principalKey struct{}

// principal is who a request comes from, found out after its context was made.
type principal struct{ token attune.AccessToken }

// principalOf is the name of the token behind a request.
func principalOf(ctx context.Context) string {
	if who, ok := ctx.Value(principalKey{}).(*principal); ok {
		return who.token.Name
	}
	return ""
}

// Caller is part of the input of every route that starts something.
// It is exported, as are [Page] and [ByID], because huma looks into embedded
// structs only then.
type Caller struct {
	Traceparent string `header:"traceparent" doc:"W3C trace context of the caller"`
	Idempotency string `header:"Idempotency-Key" maxLength:"512" doc:"Makes repetitions of this request one"`
}

// Resolve ends the time limit for reading the body, which has been read by now:
// a request that waits must not be ended by it.
func (c *Caller) Resolve(hc huma.Context) []error {
	if _, w := humago.Unwrap(hc); w != nil {
		_ = http.NewResponseController(w).SetReadDeadline(noDeadline)
	}
	return nil
}

// chain is the cause that the caller is. A malformed trace context is ignored,
// not refused.
func (c *Caller) chain(ctx context.Context) attune.Chain {
	chain := attune.Chain{Principal: principalOf(ctx)}
	if span := spanOf(ctx); span != "" {
		chain.Traceparent = span
	} else if _, ok := attune.ParseTraceparent(c.Traceparent); ok {
		chain.Traceparent = c.Traceparent
	}
	return chain
}
