package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/attune-automation/attune"
)

// tokenAge is how long a list of tokens is believed: a token that is revoked by
// another node works at most this much longer.
const tokenAge = 500 * time.Millisecond

// Tokens knows who holds a secret. It is safe for concurrent use.
type Tokens struct {
	store interface {
		AccessTokens(ctx context.Context) ([]attune.AccessToken, error)
	}
	now func() time.Time
	// minted are the tokens of executions, rows where those are found; both
	// are nil where there are none.
	minted *ExecutionTokens
	rows   Store

	mu   sync.Mutex
	read time.Time // guarded by mu, as is list
	list []attune.AccessToken
}

// NewTokens knows the tokens of the store, read again when they are half a
// second old by now.
func NewTokens(store interface {
	AccessTokens(ctx context.Context) ([]attune.AccessToken, error)
}, now func() time.Time) *Tokens {
	return &Tokens{store: store, now: now}
}

// Check is the token whose secret this is. A wrong, revoked, expired or empty
// secret, or that of an attempt that has ended, is Denied; a store that cannot
// be asked is an error of its own kind.
func (t *Tokens) Check(ctx context.Context, secret string) (attune.AccessToken, error) {
	token, _, err := t.find(ctx, secret)
	return token, err
}

// find is also what the token may see; nil is everything.
func (t *Tokens) find(ctx context.Context, secret string) (attune.AccessToken, *scope, error) {
	if secret == "" {
		return attune.AccessToken{}, nil, &attune.Error{Kind: attune.Denied, Code: codeNoToken, Message: "a token is needed",
			Try: "send the header Authorization: Bearer TOKEN"}
	}
	if attempt, ok := t.minted.read(secret); ok {
		return t.ofExecution(ctx, attempt)
	}
	list, err := t.known(ctx)
	if err != nil {
		return attune.AccessToken{}, nil, err
	}
	hash := []byte(hashOf(secret))
	var found *attune.AccessToken
	for i := range list { // to the end, so that the time taken says nothing
		if subtle.ConstantTimeCompare(hash, []byte(list[i].Hash)) == 1 {
			found = &list[i]
		}
	}
	switch {
	case found == nil:
		return attune.AccessToken{}, nil, &attune.Error{Kind: attune.Denied, Code: codeWrongToken, Message: "the token is not known",
			Try: "use the token of this server; attune dev keeps one in its data folder"}
	case found.Expired(t.now()):
		return attune.AccessToken{}, nil, &attune.Error{Kind: attune.Denied, Code: codeExpired, Message: "the token has expired: " + stamp(found.Expires),
			Try: "attune token create makes another"}
	}
	return *found, nil, nil
}

// ofExecution is the token of an attempt. It ends with the attempt, which the
// store says at every request: nothing is remembered.
func (t *Tokens) ofExecution(ctx context.Context, attempt attune.Token) (attune.AccessToken, *scope, error) {
	x, err := t.rows.Execution(ctx, attempt.Execution)
	if err == nil && x.Attempt == attempt.Attempt && x.Status.Assigned() {
		s, err := newScope(ctx, t.rows, x)
		return attune.AccessToken{Name: executionPrincipal(x.ID), Kind: attune.RoleExecution, Roles: []attune.Role{attune.RoleExecution}}, s, err
	}
	if err == nil || attune.KindOf(err) == attune.NotFound {
		err = attune.NewError(attune.Denied, codeEnded, "the attempt that this token is of has ended")
	}
	return attune.AccessToken{}, nil, err
}

func (t *Tokens) known(ctx context.Context) ([]attune.AccessToken, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if age := t.now().Sub(t.read); t.list != nil && age >= 0 && age < tokenAge {
		return t.list, nil
	}
	list, err := t.store.AccessTokens(ctx)
	if err != nil {
		return nil, err
	}
	t.list, t.read = list, t.now()
	return list, nil
}

// forget has the store asked at the next check.
func (t *Tokens) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = nil
}

// NewToken makes a token of a kind, with that kind as its only role, and its
// secret, which is shown once and never stored. Its Created is for the caller
// to set.
func NewToken(name string, kind attune.Role) (secret string, token attune.AccessToken) {
	random := make([]byte, 20)
	_, _ = rand.Read(random) // never fails: crypto/rand ends the process instead
	secret = "attune_" + string(kind) + "_" + strings.ToLower(base32.StdEncoding.EncodeToString(random))
	return secret, attune.AccessToken{Name: name, Kind: kind, Roles: []attune.Role{kind}, Hash: hashOf(secret)}
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// secretOf is the secret a request carries: as bearer, or in one of the headers
// that senders made for StackStorm use. Never in the URL, which ends up in
// logs.
func secretOf(h http.Header) string {
	if scheme, secret, ok := strings.Cut(h.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(secret)
	}
	if secret := h.Get("X-Auth-Token"); secret != "" {
		return secret
	}
	return h.Get("St2-Api-Key")
}
