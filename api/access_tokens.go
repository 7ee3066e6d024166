package api

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/attune-automation/attune"
)

// TokenRequest is the body of POST /api/v1/tokens.
type TokenRequest struct {
	// Name is what rows, log lines and the audit record as principal.
	Name string `json:"name"`
	// Kind is admin, operator, viewer or worker.
	Kind string `json:"kind"`
	// ExpiresIn is how long it works: 90d, 12h; empty is for ever.
	ExpiresIn string `json:"expires_in,omitempty" maxLength:"20"`
}

// TokenView is a token as the API shows it, without its secret.
type TokenView struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Created string `json:"created"`
	// By is the name of the token that made it; left out for one that the node
	// made itself.
	By string `json:"by,omitempty"`
	// Expires is when it stops working; left out for never. Expired says that
	// it has.
	Expires string `json:"expires,omitempty"`
	Expired bool   `json:"expired,omitempty"`
}

// NewTokenView is a token that was just made.
type NewTokenView struct {
	TokenView
	// Secret is shown this once, and stored nowhere.
	Secret string `json:"secret"`
}

func (s *server) viewToken(t attune.AccessToken) TokenView {
	return TokenView{Name: t.Name, Kind: string(t.Kind), Created: stamp(t.Created), By: t.By, Expires: stamp(t.Expires), Expired: t.Expired(s.Now())}
}

type (
	createTokenInput  struct{ Body TokenRequest }
	createTokenOutput struct {
		Location string `header:"Location"`
		Cache    string `header:"Cache-Control"`
		Body     NewTokenView
	}
	tokenInput struct {
		Name string `path:"name"`
	}
	tokensInput struct{ Page }
	tokenList   struct{ Body List[TokenView] }
	tokenOutput struct{ Body TokenView }
)

// tokenName is what a token may be called: text that stands alone in a log
// line, a path and a shell. What the engine calls itself begins with @, and an
// execution's token has a space in it.
var tokenName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// token checks the request; all its faults are named at once.
func (r TokenRequest) token(now time.Time, by string) (secret string, t attune.AccessToken, err error) {
	var faults []attune.Fault
	if !tokenName.MatchString(r.Name) {
		faults = append(faults, attune.Fault{Where: "name", Message: fmt.Sprintf("%q is no name of a token", r.Name),
			Try: "up to 64 of a-z, 0-9, dot, dash and underscore, the first a letter or digit"})
	}
	kind := attune.Role(r.Kind)
	switch kind {
	case attune.RoleAdmin, attune.RoleOperator, attune.RoleViewer, attune.RoleWorker:
	default:
		faults = append(faults, attune.Fault{Where: "kind", Message: fmt.Sprintf("%q is no kind of token that can be made", r.Kind),
			Try: "admin, operator, viewer or worker"})
	}
	lives, err := lifetime(r.ExpiresIn)
	if err != nil {
		faults = append(faults, attune.Fault{Where: "expires_in", Message: err.Error(), Try: "90d, 12h"})
	}
	if faults != nil {
		return "", t, &attune.Error{Kind: attune.Invalid, Code: "invalid_token", Message: "the token cannot be made", Faults: faults}
	}
	secret, t = NewToken(r.Name, kind)
	t.Created, t.By = now, by
	if lives > 0 {
		t.Expires = now.Add(lives)
	}
	return secret, t, nil
}

// longestLife bounds how far ahead a token may expire: a hundred years.
const longestLife = 36500 * 24 * time.Hour

// lifetime reads a duration that may be in days. Empty is none.
func lifetime(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 15)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d <= 0 || d > longestLife {
		return 0, fmt.Errorf("%q is not how long a token works", text)
	}
	return d, nil
}

func (s *server) createToken(ctx context.Context, in *createTokenInput) (*createTokenOutput, error) {
	secret, token, err := in.Body.token(s.Now(), principalOf(ctx))
	if err != nil {
		return nil, err
	}
	about(ctx, token.Name)
	if err := s.Store.AddAccessToken(ctx, token); err != nil {
		return nil, err
	}
	s.tokens.forget() // it works at once
	return &createTokenOutput{Location: "/api/v1/tokens/" + token.Name, Cache: "no-store", Body: NewTokenView{s.viewToken(token), secret}}, nil
}

func (s *server) listTokens(ctx context.Context, in *tokensInput) (*tokenList, error) {
	all, err := s.Store.AccessTokens(ctx)
	if err != nil {
		return nil, err
	}
	return &tokenList{after(in.Page, all, func(t attune.AccessToken) string { return t.Name }, s.viewToken)}, nil
}

// revokeToken forgets a token: on this node at once, its open requests too. The
// last admin that does not expire stays, or nobody could make another.
func (s *server) revokeToken(ctx context.Context, in *tokenInput) (*tokenOutput, error) {
	s.revoking.Lock() // so that of two last admins only one can go
	defer s.revoking.Unlock()
	all, err := s.Store.AccessTokens(ctx)
	if err != nil {
		return nil, err
	}
	var token *attune.AccessToken
	others := 0
	for i, t := range all {
		if t.Name == in.Name {
			token = &all[i]
		} else if t.Kind == attune.RoleAdmin && t.Expires.IsZero() {
			others++
		}
	}
	switch {
	case token == nil:
		return nil, &attune.Error{Kind: attune.NotFound, Code: "unknown_token", Message: fmt.Sprintf("there is no token %q", in.Name), Try: "attune token list"}
	case token.Kind == attune.RoleAdmin && token.Expires.IsZero() && others == 0:
		return nil, &attune.Error{Kind: attune.Conflict, Code: "last_admin", Message: "it is the last admin token that does not expire",
			Where: in.Name, Try: "make another first: attune token create NAME --kind admin"}
	}
	if err := s.Store.DeleteAccessToken(ctx, in.Name); err != nil {
		return nil, err
	}
	s.tokens.forget()
	if who := principalIn(ctx); who != nil && who.leave != nil {
		who.leave() // whoever revokes the own token is still answered
	}
	s.visits.recheck()
	return &tokenOutput{s.viewToken(*token)}, nil
}
