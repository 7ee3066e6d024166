package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/attune-automation/attune"
)

// policy says who may call a route, and how. Without roles it is no policy.
type policy struct {
	roles []attune.Role
	// lasts means that a request may wait for something or go on for long: how
	// many do so at a time is bounded.
	lasts bool
	// rows means that a request which changes something is told by the rows that
	// it makes, with their principal, and not by the audit.
	rows bool
	// kept says that the audit keeps its requests, although they change nothing.
	kept bool
}

// nobody in particular: a role that no token has, so that "open" must be
// written down like any other policy.
const everybody attune.Role = "everybody"

// The policies. Admin has the rights of operator, operator those of viewer. A
// worker's token opens what a worker needs, and nothing else does. That of an execution opens those that are
// also its own, and sees there what its [scope] holds.
var (
	open          = policy{roles: []attune.Role{everybody}}
	viewing       = policy{roles: []attune.Role{attune.RoleViewer, attune.RoleOperator, attune.RoleAdmin}}
	operating     = policy{roles: []attune.Role{attune.RoleOperator, attune.RoleAdmin}}
	working       = policy{roles: []attune.Role{attune.RoleWorker}}
	administering = policy{roles: []attune.Role{attune.RoleAdmin}}
)

// lasting is the policy for a route whose requests may last.
func (p policy) lasting() policy { p.lasts = true; return p }

// onRows is the policy for a route whose rows say who called it.
func (p policy) onRows() policy { p.rows = true; return p }

// inAudit is the policy for a route that reads what must not be read unseen.
func (p policy) inAudit() policy { p.kept = true; return p }

// andExecutions is the policy for a route that an execution's token opens too.
// Its handler reads rows through [within] only.
func (p policy) andExecutions() policy {
	p.roles = append(slices.Clone(p.roles), attune.RoleExecution)
	return p
}

func (p policy) open() bool { return slices.Contains(p.roles, everybody) }

func (p policy) allows(t attune.AccessToken) bool {
	return slices.ContainsFunc(t.Roles, func(r attune.Role) bool { return r != everybody && slices.Contains(p.roles, r) })
}

// guard lets a request pass that the policy of its route allows, notes who it
// is, and keeps in the audit what is to be kept of it. A request ends when its
// token does.
func (s *server) guard(r route, action string) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		if r.policy.open() {
			next(hc)
			return
		}
		req, w := humago.Unwrap(hc)
		who := principalIn(req.Context())
		defer s.note(r, action, req, w, who)
		leave, err := s.admit(req, w, r.policy, who)
		if err != nil {
			s.refuse(w, who, err)
			return
		}
		defer leave()
		next(hc)
		if who.ended(req.Context()) && statusOf(w) < 400 {
			panic(http.ErrAbortHandler) // or an answer that was cut would look whole
		}
	}
}

// admit checks the token of a request, and that there is room for one that
// lasts. leave must be called at its end.
func (s *server) admit(r *http.Request, w http.ResponseWriter, p policy, who *principal) (leave func(), err error) {
	secret := secretOf(r.Header)
	if who.token, who.scope, err = s.tokens.find(r.Context(), secret); err != nil {
		return nil, err
	}
	if !p.allows(who.token) {
		return nil, &attune.Error{Kind: attune.Denied, Code: "role_missing", Message: "the token " + who.token.Name + " may not do this",
			Try: "use a token with the role " + string(p.roles[0])}
	}
	_, waits := preferredWait(strings.Join(r.Header.Values("Prefer"), ","))
	name := who.token.Name
	if who.token.Kind == attune.RoleExecution {
		name = "actions" // all of them share a share: each has a token of its own
	}
	v := &visit{secret: secret, name: name, lasts: p.lasts || waits, end: func(err error) {
		who.cancel(err)
		// Whoever does not read must not hold the connection either. What has not
		// begun to answer tells nothing but that.
		last := lastWrite
		if statusOf(w) == 0 {
			last = lastAnswer
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(last)) //nolint:forbidigo // a deadline of the kernel's
	}}
	if err := s.visits.enter(v); err != nil {
		return nil, err
	}
	who.leave = func() { s.visits.leave(v) }
	return who.leave, nil
}

// refuse answers a request that does not pass.
func (s *server) refuse(w http.ResponseWriter, who *principal, err error) {
	p := newProblem(err)
	who.code = p.Code
	writeProblem(w, p)
}

type principalKey struct{}

// principal is who a request comes from, found out after its context was made.
type principal struct {
	token attune.AccessToken
	// scope is what it may see; nil is everything.
	scope *scope
	// target is what the request is about, where its path does not say; code
	// is that of its error.
	target, code string
	// tries says that it only asks what would change.
	tries bool
	// cancel ends the request's context, leave its watch over the token.
	cancel context.CancelCauseFunc
	leave  func()
}

// errTokenEnded is why a request ended whose token was revoked, or expired.
type errTokenEnded struct{ error }

func (e errTokenEnded) Unwrap() error { return e.error }

func (p *principal) ended(ctx context.Context) bool {
	return errors.As(context.Cause(ctx), &errTokenEnded{})
}

// principalIn is the principal of a request's context, or nil.
func principalIn(ctx context.Context) *principal {
	who, _ := ctx.Value(principalKey{}).(*principal)
	return who
}

// principalOf is the name of the token behind a request.
func principalOf(ctx context.Context) string {
	if who := principalIn(ctx); who != nil {
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
	chain := attune.Chain{Principal: principalOf(ctx), Traceparent: spanOf(ctx)}
	_, told := attune.ParseTraceparent(c.Traceparent)
	if chain.Traceparent == "" && told {
		chain.Traceparent = c.Traceparent
	}
	if own := scopeOf(ctx); own != nil { // an action goes on with its own chain
		chain.Correlation = own.chain.Correlation
		if !told && own.chain.Traceparent != "" {
			chain.Traceparent = own.chain.Traceparent
		}
	}
	return chain
}
